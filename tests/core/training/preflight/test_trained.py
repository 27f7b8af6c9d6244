"""How many numbers a run trains, by the kind of network, the rates and the method."""

import pytest

from core.training.config import TrainingSettings
from core.training.config.presets import load_preset
from core.training.preflight.facts import facts_of
from core.training.preflight.trained import trained_numbers
from core.training.room import size_of_save

SDXL = facts_of("sdxl")


def settings(**parts) -> TrainingSettings:
    return load_preset("sdxl_character").with_values(network={"network_dim": 8, "conv_dim": None}).with_values(**parts)


def test_a_lora_has_its_rank_times_what_was_counted():
    trained = trained_numbers(settings())
    assert (trained.unet, trained.text) == (8 * SDXL.lora_unet, 8 * SDXL.lora_text) and trained.learning == trained.numbers
    with_convolutions = trained_numbers(settings(network={"network_dim": 8, "conv_dim": 4})).unet
    assert with_convolutions == 8 * (SDXL.lora_unet + SDXL.lora_small) + 4 * SDXL.lora_convolutions


@pytest.mark.parametrize(("given", "unet", "text"), [
    ({"network": {"network_train_unet_only": True}}, True, False), ({"network": {"network_train_text_encoder_only": True}}, False, True)])
def test_a_side_that_is_left_out_is_neither_saved_nor_learned(given, unet, text):
    trained = trained_numbers(settings(**given))
    assert (bool(trained.unet), bool(trained.text)) == (unet, text) and trained.learning == trained.numbers


def test_a_rate_of_0_is_saved_but_takes_no_room_in_the_optimizer():
    trained = trained_numbers(settings(optimizer={"text_encoder_lr": 0.0, "text_encoder_lr2": None}))
    assert trained.text and trained.learning == trained.unet
    second = trained_numbers(settings(optimizer={"text_encoder_lr": 0.0, "text_encoder_lr2": 1e-4}))
    assert second.learning == second.numbers


@pytest.mark.parametrize(("kind", "less", "more"), [("loha", 1.9, 2.1), ("lokr", 0.001, 0.1), ("ia3", 0.001, 0.1), ("full", 50, 200)])
def test_other_kinds_are_as_large_as_they_are_beside_a_lora(kind, less, more):
    lora = trained_numbers(settings(network={"network_dim": 8, "conv_dim": 8})).unet
    other = trained_numbers(settings(network={"network_type": kind, "network_dim": 8})).unet
    assert less < other / lora < more


def test_a_small_factor_makes_a_large_lokr_and_a_huge_rank_never_more_than_whole_matrices():
    sizes = [trained_numbers(settings(network={"network_type": "lokr", "network_dim": dim, "factor": factor})).unet
             for dim, factor in ((8, 16), (8, 4), (4096, 4), (4096, 2))]
    assert sizes == sorted(sizes) and sizes[2] == round(SDXL.parameters / 16)


def test_of_the_whole_model_everything_learns_and_the_file_is_a_checkpoint():
    whole = settings(model={"method": "full"}, optimizer={"train_text_encoder": False}, saving={"save_precision": "fp16"})
    assert trained_numbers(whole).numbers == trained_numbers(whole).learning == SDXL.parameters
    assert size_of_save(whole)[0] == pytest.approx(6.94e9, rel=0.02)  # sd_xl_base_1.0.safetensors
    with_texts = whole.with_values(optimizer={"train_text_encoder": True})
    assert trained_numbers(with_texts).numbers == SDXL.parameters + SDXL.texts


@pytest.mark.parametrize("family", ["flux1", "sd3", "qwen_image", "flux2_klein", "flux1_kontext", "anima"])
def test_every_family_is_known_and_musubi_never_teaches_text(family):
    trained = trained_numbers(settings(model={"family": family}))
    assert trained.unet > 10_000_000 and (family in ("flux1", "sd3")) == bool(trained.text)
