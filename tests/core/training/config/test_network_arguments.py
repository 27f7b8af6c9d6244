"""network_args as the modules of networks read them."""

from typing import get_args

import pytest

from core.training.config.facts import network_arguments
from core.training.config.families import TRAINED_MODELS, trained_model
from core.training.config.network import NetworkSettings
from core.training.config.network_arguments import check_network_arguments
from core.training.config.network_types import NETWORK_TYPES, NetworkName
from core.training.config.presets import load_preset

OF_THE_BUILT_IN = "ema_decay"


def check(module, *arguments, trainer="sd-scripts", is_plain=False):
    return list(check_network_arguments(trainer, module, arguments, "late", "never", is_plain))


@pytest.mark.parametrize(("module", "argument", "level", "words"), [
    ("networks.lora", "conv_dim", "error", "not name=value"), ("networks.lora", "= 8", "error", "not name=value"),
    ("networks.lora", "factor=8", "warning", "factor is not known to networks.lora"),
    ("networks.lora", "algo=lokr", "error", "is for LyCORIS"), ("networks.lora_anima", "conv_dim=8", "warning", "reads past it"),
    ("lycoris.kohya", "ggpo_beta=0.01", "warning", "not known to lycoris.kohya")])
def test_what_is_read_past_or_no_argument_is_found(module, argument, level, words):
    (found,) = check(module, argument)
    assert found.level == level and words in found.what and found.remedy


def test_a_name_that_is_given_twice_is_found_wherever_it_comes_from():
    (found,) = check("networks.lora", "conv_dim=8", "conv_alpha=1", " conv_dim=4")
    assert "'conv_dim' is given twice" in found.what
    settings = load_preset("sd15_character").with_values(network={"rank_dropout": 0.1, "network_args": ["rank_dropout=0.2"]})
    from core.training.config.checks import check_settings

    assert any("'rank_dropout' is given twice" in one.what for one in check_settings(settings))


def test_what_a_module_knows_is_left_in_peace():
    assert check("networks.lora", "conv_dim=8", "block_dims=2,4") == [] and check("somebodys.own", "anything=1") == []
    assert check("networks.lora", "ema_decay=0.9", is_plain=True) == []
    assert check("networks.lora_zimage", "include_patterns=['a']", trainer="musubi") == []
    assert [one.level for one in check("networks.lora_zimage", "exclude_patterns=['a=b']", trainer="musubi")] == ["error"]


def test_a_field_of_the_form_that_does_nothing_can_be_emptied_at_one_press():
    (found,) = check("networks.lora", "ema_decay=0.99")
    assert dict(found.fix) == {"ema_decay": None}


@pytest.mark.parametrize("kind", get_args(NetworkName))
def test_whatever_the_form_writes_for_a_family_its_module_knows(kind):
    for family in NETWORK_TYPES[kind].families:
        module, trainer = NETWORK_TYPES[kind].module_for(family), trained_model(family).trainer
        every = {name: field.annotation for name, field in NetworkSettings.fields().items() if name in NetworkSettings.in_args}
        given = {name: "1,1" if "str" in str(type_) else True if "bool" in str(type_) else 0.5 if "float" in str(type_) else 2
                 for name, type_ in every.items() if name not in (OF_THE_BUILT_IN, "train_blocks", "lycoris_preset")}
        settings = load_preset("sd15_character").with_values(model={"family": family}, network={"network_type": kind, **given})
        written = settings.network.arguments(settings).get("network_args", [])
        unknown = [one for one in written if one.partition("=")[0] not in network_arguments(trainer, module)]
        assert not unknown, (family, module, unknown)


def test_every_module_that_a_family_uses_was_read():
    for family, model in TRAINED_MODELS.items():
        for kind in NETWORK_TYPES.values():
            if family in kind.families:
                assert network_arguments(model.trainer, kind.module_for(family)), (family, kind.title)
