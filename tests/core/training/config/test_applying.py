"""Every field of every part, changed alone: it changes the pair in exactly its own keys, or is said not to act, with the reason."""

from pathlib import Path
from typing import Any

import pytest

from core.base.settings import SET, SEVERAL, field_extra
from core.training.config import PARTS, TrainingSettings
from core.training.config.applying import acting, all_values, idle, idle_of_folders, why_not
from core.training.config.checks import check_settings
from core.training.config.families import TRAINED_MODELS
from core.training.config.network_types import NETWORK_TYPES
from core.training.config.pair import config_tables, dataset_tables, flatten, read_pair, write_pair
from core.training.config.presets import load_settings
from core.training.config.reading import from_arguments
from tests.core.training.values import another_value

ALL_FIELDS = [(part, name) for part, cls in PARTS.items() for name in cls.fields()]
PART_OF = {name: part for part, name in ALL_FIELDS}
IN_NO_FILE = {"method": "the script", "family": "the script", "use_versions": "the folder that is learned from",
              **dict.fromkeys(PARTS["machines"].elsewhere, "the launcher's options")}
"""Fields that are not a key of the pair, and what they choose instead."""
KEYS = {"network_type": {"network_module", "network_args"}, "subsets": {"folder's image_dir", "folder's num_repeats"},
        "resolution_height": {"resolution"},
        "text_encoder_lr2": {"text_encoder_lr"}, "text_encoder_lr3": {"text_encoder_lr"}, "extra_options": {"ddp_timeout"},
        **{name: {"network_args"} for name in PARTS["network"].in_args}}  # type: ignore[attr-defined]
"""Keys of the pair that belong to a field, where they bear another name."""


def base() -> TrainingSettings:
    return TrainingSettings().with_values(
        data={"subsets": [{"image_dir": "/pictures/mine"}]}, sampling={"sample_prompts": ["a girl"]},
        model={"pretrained_model_name_or_path": "/models/base.safetensors"})


def where_it_acts(settings: TrainingSettings, name: str) -> TrainingSettings:
    """The settings, changed only as far as that field needs."""
    field = PARTS[PART_OF[name]].fields()[name]
    for other, wanted in field_extra(field, "only", {}).items():
        if other != "family":
            settings = where_it_acts(settings, other)
        if tuple(wanted) == SEVERAL:
            settings = settings.with_values(**{PART_OF[other]: {other: 2}})
        elif all_values(settings)[other] not in wanted and not (tuple(wanted) == SET and all_values(settings)[other]):
            other_field = PARTS[PART_OF[other]].fields()[other]
            value = another_value(other, other_field, all_values(settings)[other]) if tuple(wanted) == SET else wanted[0]
            settings = settings.with_values(**{PART_OF[other]: {other: value}})
    if why_not(settings, name).startswith("The script"):  # as for the caption caches, which SD 1.5 does not have
        settings = settings.with_values(model={"family": "sdxl"})
    return settings


def keys_of(settings: TrainingSettings) -> dict[str, Any]:
    tables = dataset_tables(settings)
    dataset = {name: value for name, value in tables["datasets"][0].items() if name != "subsets"}
    folders = {f"folder's {name}": value for subset in tables["datasets"][0]["subsets"] for name, value in subset.items()}
    prompts = {"sample_prompts": [str(prompt) for prompt in settings.sampling.sample_prompts]}
    return {**flatten(config_tables(settings, Path("/run"))), **tables["general"], **dataset, **folders, **prompts}


@pytest.mark.parametrize(("part", "name"), ALL_FIELDS)
def test_a_field_changed_alone_changes_exactly_its_keys(part, name):
    before = where_it_acts(base(), name)
    assert not why_not(before, name)
    value = another_value(name, PARTS[part].fields()[name], getattr(getattr(before, part), name))
    after = before.with_values(**{part: {name: value}})
    old, new = keys_of(before), keys_of(after)
    changed = {key for key in {*old, *new} if old.get(key) != new.get(key)}
    if name in IN_NO_FILE:
        return
    own = KEYS.get(name, {name})
    hanging = {other for other in PART_OF if name in _hangs_on(other)}
    also = {key for other in hanging for key in KEYS.get(other, {other})}
    assert changed & own, "the field is shown but nothing is written"
    assert changed <= own | also, "something else changed"


def _hangs_on(name: str) -> set[str]:
    """Names of the fields on which one hangs, also by way of others."""
    direct = set(field_extra(PARTS[PART_OF[name]].fields()[name], "only", {}))
    return direct | {deeper for other in direct for deeper in _hangs_on(other)}


@pytest.mark.parametrize("family", TRAINED_MODELS)
def test_what_does_not_act_is_not_written_and_has_a_reason(family):
    settings = base().with_values(model={"family": family})
    before = keys_of(settings)
    reasons = {name: reason for _, name, reason in idle(settings)}
    assert reasons and all(reason.endswith(".") for reason in reasons.values())
    for name in reasons:
        value = another_value(name, PARTS[PART_OF[name]].fields()[name], all_values(settings)[name])
        after = keys_of(settings.with_values(**{PART_OF[name]: {name: value}}))
        hanging = {key for other in PART_OF if name in _hangs_on(other) for key in KEYS.get(other, {other})}
        assert {key for key in {*before, *after} if before.get(key) != after.get(key)} <= hanging, name


def test_reasons_are_sentences():
    settings = base()
    assert why_not(settings, "clip_l") == "Stable Diffusion 1.5 does not use it."
    assert why_not(settings, "conv_alpha") == "It acts only where 'Convolution rank' is set."
    assert why_not(settings, "factor") == "It acts only with Type LoKr."
    assert why_not(settings, "huber_scale") == "It acts only with Loss huber or smooth_l1."
    assert why_not(settings.with_values(model={"family": "sdxl", "method": "full"}), "network_dim") == \
        "The whole model is trained: there is no network."


def test_no_two_parts_share_a_name():
    assert len(PART_OF) == len(ALL_FIELDS)


@pytest.mark.parametrize(("part", "name"), [field for field in ALL_FIELDS if field[0] != "machines" and field[1] not in
                                              ("subsets", "sample_prompts", "num_repeats", "use_versions")])
def test_the_pair_reads_back_as_the_settings_that_wrote_it(part, name, tmp_path):
    settings = where_it_acts(base(), name)
    value = another_value(name, PARTS[part].fields()[name], getattr(getattr(settings, part), name))
    settings = settings.with_values(**{part: {name: value}})
    if name == "text_encoder_lr3":  # a list has no gaps: the second is written as the first
        settings = settings.with_values(optimizer={"text_encoder_lr2": settings.optimizer.text_encoder_lr})
    pair = write_pair(settings, tmp_path)
    config, dataset = read_pair(pair.config, pair.dataset)
    again = from_arguments(config, dataset, settings.model.family if settings.model.family in ("sd15", "sdxl") else "")
    for name_of_part in PARTS:
        if name_of_part in ("model", "sampling") or name in ("output_dir",):
            continue
        now, then = (acting(one, getattr(one, name_of_part)) for one in (again.settings, settings))
        if settings.model.method == "lora":
            assert now == then, again.words()
    assert load_settings(pair.settings) == settings


@pytest.mark.parametrize("kind", NETWORK_TYPES)
def test_every_type_reads_back(kind, tmp_path):
    family = NETWORK_TYPES[kind].families[-1]
    settings = base().with_values(model={"family": family}, network={"network_type": kind})
    pair = write_pair(settings, tmp_path)
    again = from_arguments(*read_pair(pair.config, pair.dataset), family)
    assert again.settings.network.network_type == kind
    assert acting(again.settings, again.settings.network) == acting(settings, settings.network)


@pytest.mark.parametrize(("family", "loss", "idle"), [
    ("sdxl", {}, {"conditioning_data_dir", "alpha_mask", "control_directory"}), ("sdxl", {"masked_loss": True}, {"control_directory"}),
    ("qwen_image", {}, {"class_tokens", "keep_tokens", "shuffle_caption", "flip_aug", "caption_dropout_rate", "caption_prefix",
                        "caption_suffix", "conditioning_data_dir", "alpha_mask"})])
def test_what_a_folder_alone_says_acts_only_where_something_reads_it(family, loss, idle):
    folder = {"image_dir": "/p", "keep_tokens": 1, "conditioning_data_dir": "/m", "alpha_mask": True, "control_directory": "/c"}
    settings = TrainingSettings().with_values(model={"family": family}, loss=loss, data={"subsets": [folder]})
    assert set(idle_of_folders(settings)) == idle
    (written,) = settings.data.tables(settings)["datasets"][0]["subsets"]
    assert {name for name in folder if name in written} == set(folder) - idle
    told = [finding.what for finding in check_settings(settings) if "of the folder /p does nothing" in finding.what]
    assert len(told) == len(idle & set(folder))
