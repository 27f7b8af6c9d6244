"""The rungs that are taken when the GPU's memory runs out: less memory, the same learning."""

import pytest

from core.training.config import TrainingSettings
from core.training.config.counting import steps_of_epoch
from core.training.relief import Relief, read_relief, write_relief
from core.training.watching.ladder import RUNGS, Situation, next_change


def settings(**parts):
    return TrainingSettings().with_values(**parts)


def taken(situation):
    """Names and settings of every rung from here down."""
    found = []
    while (change := next_change(situation)) is not None:
        found.append((change.name, change.settings or change.relief))
        situation = Situation(change.applied(situation.settings), situation.backend, change.relief or situation.relief, situation.buckets)
        assert len(found) < 20
    return found


@pytest.mark.parametrize(("batch", "accumulated", "expected"), [
    (8, 1, [(4, 2), (2, 4), (1, 8)]), (6, 2, [(3, 4), (1, 12)]), (7, 1, [(1, 7)]), (1, 4, [])])
def test_the_effective_batch_is_always_kept(batch, accumulated, expected):
    start = settings(data={"batch_size": batch, "cache_latents": True}, schedule={"gradient_accumulation_steps": accumulated})
    rungs = [found for name, found in taken(Situation(start, "sd-scripts")) if name == "batch_size"]
    assert [(one["data"]["batch_size"], one["schedule"]["gradient_accumulation_steps"]) for one in rungs] == expected
    assert all(part * more == batch * accumulated for part, more in expected)


def test_the_built_in_trainer_keeps_its_batches_and_sends_them_in_parts():
    start = settings(data={"batch_size": 5}, schedule={"gradient_accumulation_steps": 3})
    found = taken(Situation(start, "builtin"))
    assert found == [("batch_size", Relief(3)), ("batch_size", Relief(2)), ("batch_size", Relief(1))]


def test_nothing_that_was_cached_or_saved_already_is_tried_again():
    start = settings(memory={"gradient_checkpointing": False}, data={"batch_size": 1, "cache_latents": False, "shuffle_caption": False},
                     network={"network_train_unet_only": True}, model={"family": "sdxl"})
    names = [name for name, _ in taken(Situation(start, "sd-scripts"))]
    assert names == ["gradient_checkpointing", "cache_latents", "cache_text_encoder_outputs", "fp8_base"]


@pytest.mark.parametrize("part", [{"shuffle_caption": True}, {"caption_dropout_rate": 0.1}, {"enable_wildcard": True}])
def test_captions_that_change_are_not_cached(part):
    start = settings(data={"batch_size": 1, "shuffle_caption": False, **part}, network={"network_train_unet_only": True})
    assert taken(Situation(start, "builtin")) == []


def test_captions_of_sd15_are_cached_by_the_built_in_trainer_only():
    start = settings(data={"batch_size": 1, "shuffle_caption": False}, network={"network_train_unet_only": True})
    assert [name for name, _ in taken(Situation(start, "builtin"))] == ["cache_text_encoder_outputs"]
    assert [name for name, _ in taken(Situation(start, "sd-scripts"))] == ["fp8_base"]


@pytest.mark.parametrize("part", [{"color_aug": True}, {"random_crop": True}])
def test_pictures_that_change_are_not_cached(part):
    assert taken(Situation(settings(data={"batch_size": 1, "cache_latents": False, **part}), "builtin")) == []


def test_families_that_have_them_get_eight_bits_and_swapped_blocks():
    start = settings(data={"batch_size": 1, "shuffle_caption": True})
    assert [name for name, _ in taken(Situation(start, "sd-scripts"))] == ["fp8_base"]  # a U-Net has no blocks to swap
    assert taken(Situation(start, "builtin")) == []
    flux = start.with_values(model={"family": "flux1"})
    assert [name for name, _ in taken(Situation(flux, "sd-scripts"))] == ["fp8_base", "blocks_to_swap"]
    anima = start.with_values(model={"family": "anima"})  # its script takes no fp8
    assert [name for name, _ in taken(Situation(anima, "sd-scripts"))] == ["blocks_to_swap"]


def test_what_becomes_of_an_epochs_steps_is_told_where_it_is_not_the_same():
    start = settings(data={"batch_size": 4})
    even, uneven, unknown = (next_change(Situation(start, "sd-scripts", buckets=buckets)) for buckets in ([8, 16], [1] * 20, []))
    assert "an epoch has" not in even.sentence
    assert "an epoch has 10 steps instead of 20, since the batches that a bucket does not fill now flow together" in uneven.sentence
    assert "become a few fewer" in unknown.sentence
    assert steps_of_epoch([8, 16], 4, 1) == steps_of_epoch([8, 16], 2, 2) == 6


def test_what_a_run_was_spared_is_kept_with_it(tmp_path):
    assert read_relief(tmp_path) == Relief()
    write_relief(Relief(3), tmp_path)
    assert read_relief(tmp_path) == Relief(3)
    (tmp_path / "relief.json").write_text("[1, 2", encoding="utf-8")
    assert read_relief(tmp_path) == Relief()


def test_every_rung_is_in_the_table():
    assert len(RUNGS) == len(set(RUNGS)) == 6
