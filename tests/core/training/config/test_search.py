"""Whatever name of a trainer is typed, the search knows it: a setting of the form, or where it is found instead."""

import pytest

from core.training.config import PARTS, TrainingSettings
from core.training.config.facts import known_arguments
from core.training.config.families import TRAINED_MODELS, script_for
from core.training.config.search import elsewhere, fits

NOT_IN_THE_FORM = ("output_dir", "logging_dir", "resume", "subsets", "sample_prompts")
FIELDS = {f"{part}.{name}": field for part, cls in PARTS.items() for name, field in cls.fields().items() if name not in NOT_IN_THE_FORM}


def found(*words: str) -> set[str]:
    return {name.split(".")[1] for name, field in FIELDS.items() if fits(name, field, words)}


@pytest.mark.parametrize("family", TRAINED_MODELS)
def test_every_argument_of_every_script_is_found(family):
    settings = TrainingSettings().with_values(model={"family": family})
    lost = [name for name in known_arguments(script_for(family)) if not found(name) and not elsewhere([name], settings)]
    assert lost == []


@pytest.mark.parametrize(("word", "setting"), [
    ("train_batch_size", "batch_size"), ("network_module", "network_type"), ("use_8bit_adam", "optimizer_type"), ("v2", "family"),
    ("lora_rank", "network_dim"), ("noise_offset", "noise_offset"), ("repeats", "num_repeats"), ("rank", "network_dim")])
def test_a_setting_is_found_by_the_names_that_others_give_it(word, setting):
    assert setting in found(word)


def test_what_is_no_setting_of_the_form_is_told_with_its_place():
    settings = TrainingSettings()
    assert "Go on in Train" in elsewhere(["--resume"], settings)[0]
    assert "under Dataset (Regularisation)" in elsewhere(["is_reg"], settings)[0]
    assert "Further options as name = value" in elsewhere(["ddp_timeout"], settings)[0]
    assert elsewhere(["mochi"], settings) == []
