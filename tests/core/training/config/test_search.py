"""Whatever name of a trainer is typed, the search knows it: a setting of the form, or where it is found instead."""

import pytest

from core.training.config import PARTS, TrainingSettings
from core.training.config.facts import known_arguments
from core.training.config.families import TRAINED_MODELS, script_for
from core.training.config.search import elsewhere, fits, typed_words

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
    ("lora_rank", "network_dim"), ("noise_offset", "noise_offset"), ("repeats", "num_repeats"), ("rank", "network_dim"),
    ("DoRA", "network_type"), ("locon", "network_type"), ("rex", "lr_scheduler"), ("--network-dim", "network_dim"),
    ("bf16", "mixed_precision"),
    ("--unet_lr", "unet_lr")])
def test_a_setting_is_found_by_the_names_that_others_give_it(word, setting):
    assert setting in found(*typed_words(word))


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_every_setting_is_found_by_its_own_name_as_an_option_too(name):
    own = name.split(".")[1]
    assert own in found(own) and own in found(*typed_words("--" + own.replace("_", "-")))


@pytest.mark.parametrize("family", TRAINED_MODELS)
def test_no_name_of_a_field_is_said_to_have_none(family):
    settings = TrainingSettings().with_values(model={"family": family})
    own = {name.split(".")[1] for name in FIELDS}
    names = own | {its for ours, its in TRAINED_MODELS[family].names.items() if ours in own}
    assert [name for name in names if not found(name)] == []
    assert [line for name in names for line in elsewhere([name], settings)] == []


def test_where_a_family_has_no_script_the_search_still_answers():
    settings = TrainingSettings().with_values(model={"family": "hunyuan_image", "method": "full"})
    assert elsewhere(["ddp_timeout"], settings) == []


def test_what_is_no_setting_of_the_form_is_told_with_its_place():
    settings = TrainingSettings()
    assert "Go on in Train" in elsewhere(typed_words("--resume"), settings)[0]
    assert "under Dataset (Regularisation)" in elsewhere(["is_reg"], settings)[0]
    assert "Further options as name = value" in elsewhere(["ddp_timeout"], settings)[0]
    assert elsewhere(["mochi"], settings) == []
