"""Which learning rates take part."""

import re

import pytest

from core.training.config.optimizer import OptimizerSettings
from core.training.config.presets import load_preset
from core.training.config.rates import RATES, learning_rates

USUAL = {"learning_rate": 5e-5, "unet_lr": 1e-4, "text_encoder_lr": 2e-5}


def test_every_setting_that_is_a_learning_rate_is_named_once():
    fields = [name for name in OptimizerSettings.fields() if re.search(r"(^|_)(lr\d?|rate(_te\d?)?)$", name)]
    assert sorted(RATES) == sorted(fields) and len(fields) == 14


@pytest.mark.parametrize(("family", "parts", "unet", "text"), [
    ("sd15", {}, {"unet_lr": 1e-4}, {"text_encoder_lr": 2e-5}),
    ("sdxl", {"optimizer": {"text_encoder_lr2": 0.0}}, {"unet_lr": 1e-4}, {"text_encoder_lr": 2e-5, "text_encoder_lr2": 0.0}),
    ("sdxl", {"optimizer": {"unet_lr": None, "text_encoder_lr": None}}, {"unet_lr": 5e-5},
     {"text_encoder_lr": 5e-5, "text_encoder_lr2": 5e-5}),
    ("sd15", {"network": {"network_train_unet_only": True}}, {"unet_lr": 1e-4}, {}),
    ("sd15", {"network": {"network_train_text_encoder_only": True}}, {}, {"text_encoder_lr": 2e-5}),
    ("qwen_image", {}, {"learning_rate": 5e-5}, {}),
    ("sd15", {"model": {"method": "full"}}, {"learning_rate": 5e-5}, {"learning_rate_te": 5e-5}),
    ("sdxl", {"model": {"method": "full"}}, {"learning_rate": 5e-5}, {}),
    ("sdxl", {"model": {"method": "full"}, "optimizer": {"train_text_encoder": True, "learning_rate_te2": 1e-6}}, {"learning_rate": 5e-5},
     {"learning_rate_te1": 5e-5, "learning_rate_te2": 1e-6})])
def test_the_rates_of_the_parts_that_learn(family, parts, unet, text):
    settings = load_preset("sd15_character").with_values(model={"family": family}, optimizer=USUAL).with_values(**parts)
    rates = learning_rates(settings)
    assert rates.unet == unet and rates.text == text and rates.all == {**unet, **text}
