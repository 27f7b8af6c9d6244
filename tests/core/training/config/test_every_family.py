"""The contract: of every family, type of network, method and preset the pair holds only what the script's own parser knows."""

import pytest

from core.training.config import PARTS, TrainingSettings
from core.training.config.applying import all_values, why_not
from core.training.config.contract import check_pair
from core.training.config.families import TRAINED_MODELS, script_for
from core.training.config.network_types import NETWORK_TYPES
from core.training.config.pair import write_pair
from core.training.config.presets import find_presets
from tests.core.training.values import another_value

METHODS = [(family, method) for family, model in TRAINED_MODELS.items() for method in ("lora", "full")
           if method == "lora" or model.full_script]
TYPES = [(family, kind) for kind, facts in NETWORK_TYPES.items() for family in facts.families]


def base(family="sd15", **changes):
    components = {name: f"/models/{name}.safetensors" for name in TRAINED_MODELS[family].components}
    return TrainingSettings().with_values(
        model={"family": family, "pretrained_model_name_or_path": "/models/base.safetensors", **components, **changes.pop("model", {})},
        data={"subsets": [{"image_dir": "/p"}]}, sampling={"sample_prompts": ["a girl"]}, **changes)


def everything(settings):
    """The settings with another value in every field that acts."""
    for part, cls in PARTS.items():
        for name, field in cls.fields().items():
            if name == "masked_loss" and (settings.model.method, settings.model.family) in (("full", "sd15"), ("full", "sd2")):
                continue  # it needs masks there
            if name in ("family", "method", "network_type", "subsets", "sample_prompts", "extra_options") or why_not(settings, name):
                continue
            value = another_value(name, field, all_values(settings)[name])
            settings = settings.with_values(**{part: {name: value}})
    return settings


@pytest.mark.parametrize(("family", "kind"), TYPES)
def test_every_type_of_every_family(family, kind, tmp_path):
    pair = write_pair(base(family, network={"network_type": kind}), tmp_path)
    assert check_pair(pair, script_for(family)) == []


@pytest.mark.parametrize(("family", "method"), METHODS)
def test_every_field_that_acts(family, method, tmp_path):
    settings = base(family, model={"method": method})
    pair = write_pair(everything(settings), tmp_path)
    also = PARTS["data"].only_built_in if family == "sd15" else ()
    assert check_pair(pair, script_for(family, method), also) == []


@pytest.mark.parametrize("name", find_presets())
def test_every_preset(name, tmp_path):
    settings = find_presets()[name].settings.with_values(data={"subsets": [{"image_dir": "/p"}]})
    pair = write_pair(settings, tmp_path)
    assert check_pair(pair, script_for(settings.model.family, settings.model.method)) == []
