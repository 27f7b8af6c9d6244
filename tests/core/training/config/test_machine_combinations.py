"""What does not go together with several GPUs and machines is found, with a remedy and, where there is one, a fix."""

import pytest

from core.training.config import TrainingSettings
from core.training.config.applying import why_not
from core.training.config.checks import check_settings
from core.training.config.machine_combinations import check_machines
from core.training.config.presets import apply_preset

TWO = {"num_processes": 2}
APART = {"num_processes": 4, "num_machines": 2, "main_process_ip": "10.0.0.4"}


def settings(machines, **parts):
    return TrainingSettings().with_values(machines=machines, **parts)


@pytest.mark.parametrize("machines", [{}, {"gpu_ids": "1"}, TWO, {**TWO, "gpu_ids": "0, 2"}, APART, {**APART, "machine_rank": 1}])
def test_what_goes_together_has_no_finding(machines):
    assert [found.what for found in check_machines(settings(machines, data={"cache_latents": False}), "sd-scripts")] == []


@pytest.mark.parametrize(("machines", "backend", "level", "said"), [
    (TWO, "builtin", "error", "2 GPUs are to train together, but the built-in trainer trains on one"),
    ({"gpu_ids": "1,1"}, "sd-scripts", "error", "chosen twice (1,1)"),
    ({**TWO, "gpu_ids": "1"}, "sd-scripts", "error", "only 1 are chosen"),
    ({**APART, "num_processes": 5}, "sd-scripts", "error", "5 GPUs cannot be divided evenly among 2 machines"),
    ({**APART, "machine_rank": 2}, "sd-scripts", "error", "has the number 2, but 2 machines are numbered 0 to 1"),
    ({**APART, "main_process_ip": None}, "sd-scripts", "error", "the address of the main one is not given"),
    ({**APART, "main_process_ip": "localhost"}, "sd-scripts", "warning", "means that machine itself")])
def test_what_does_not_is_found_with_a_remedy(machines, backend, level, said):
    (found,) = check_machines(settings(machines, data={"cache_latents": False}), backend)
    assert found.level == level and said in found.what and found.remedy


@pytest.mark.parametrize(("parts", "level", "said"), [
    ({"model": {"family": "sdxl", "method": "full"}, "optimizer": {"optimizer_type": "Adafactor", "fused_backward_pass": True}}, "error",
     "fused_backward_pass changes the weights before"),
    ({"model": {"family": "flux1", "method": "full"}, "extra": {"extra_options": ["blockwise_fused_optimizers = true"]}}, "error",
     "blockwise_fused_optimizers changes the weights before"),
    ({"model": {"family": "flux1", "method": "full"}, "memory": {"blocks_to_swap": 8}}, "error", "torch wants all of it on the GPU"),
    ({"schedule": {"lr_scheduler": "piecewise_constant"}}, "warning", "so that they come 2 times as early"),
    ({"data": {"cache_latents": True}}, "info", "Each GPU encodes every picture by itself"),
    ({"model": {"family": "sdxl"}, "data": {"cache_text_encoder_outputs": True}}, "info", "Each GPU encodes every caption by itself")])
def test_what_learns_otherwise_on_several_gpus_is_found_on_several_only(parts, level, said):
    parts = {**parts, "data": {"cache_latents": False, **parts.get("data", {})}}
    (found,) = check_machines(settings(TWO, **parts), "sd-scripts")
    assert found.level == level and said in found.what
    assert not list(check_machines(settings({}, **parts), "sd-scripts"))


def test_blocks_may_be_swapped_where_a_lora_is_trained():
    """The model is not shared among the GPUs then, only the LoRA is."""
    made = settings(TWO, model={"family": "flux1"}, memory={"blocks_to_swap": 8}, data={"cache_latents": False})
    assert not list(check_machines(made, "sd-scripts"))


@pytest.mark.parametrize("machines", [{**APART, "num_processes": 5}, {"gpu_ids": "1,1"}, {**TWO, "gpu_ids": "1"}])
def test_a_fix_mends_what_was_found(machines):
    made = settings(machines, data={"cache_latents": False})
    (found,) = check_machines(made, "sd-scripts")
    assert not list(check_machines(made.with_fields(dict(found.fix)), "sd-scripts"))


def test_the_check_of_all_settings_asks_it():
    assert any("trains on one" in found.what for found in check_settings(settings(TWO), "builtin"))


def test_machines_act_only_with_several_gpus_and_their_numbers_only_with_several_machines():
    assert why_not(settings({}), "num_machines") == "It acts only where 'GPUs that train together' is more than 1."
    assert why_not(settings(TWO), "machine_rank") == "It acts only where 'Machines' is more than 1."
    assert why_not(settings(APART), "machine_rank") == ""


def test_another_preset_keeps_the_gpus_for_they_are_the_machines():
    assert apply_preset("sdxl_character", settings(APART)).machines == settings(APART).machines


def test_a_wrong_list_of_gpus_is_refused_in_words():
    with pytest.raises(Exception, match="Which GPUs is 'first'"):
        settings({"gpu_ids": "first"})
