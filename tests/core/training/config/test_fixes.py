"""Whatever the settings are: what is offered at one press mends what was found, brings no error, and comes to an end."""

import random
from collections.abc import Iterator
from typing import Any, get_args

import pytest

from core.base.settings import choices_of
from core.training.config import PARTS, TrainingSettings
from core.training.config.checks import check_settings, new_errors
from core.training.config.data import Subset
from core.training.config.families import trained_model
from core.training.config.finding import SettingFinding
from core.training.config.presets import find_presets
from core.training.machine import _precision_without_gpu
from core.training.watching.ladder import Situation, next_change

FIELDS = [(part, name, field) for part, cls in PARTS.items() for name, field in cls.fields().items()]
SOME: dict[str, list[Any]] = {

    "optimizer_type": ["AdamW8bit", "prodigy", "adafactor", "AdamWScheduleFree", "pytorch_optimizer.CAME", "prodigyopt.Prodigy",
                       "pytorch_optimizer.ScheduleFreeAdamW"],
    "optimizer_args": [[], ["relative_step=True"], ["weight_decay=0.1"], ["betas=0.9"]],
    "lr_scheduler_args": [[], ["foo=1"], ["step_rules='1:5,0.1'"]], "resolution": [64, 120, 500, 512, 1000, 1024],
    "resolution_height": [None, 500, 1000, 320], "lr_warmup_steps": [0, 0.05, 5000], "min_bucket_reso": [8, 100, 256, 1024],
    "max_bucket_reso": [64, 512, 2048], "bucket_reso_steps": [8, 32, 64, 512], "max_train_steps": [None, 10, 1000],
    "max_train_epochs": [None, 1, 10], "min_timestep": [None, 100, 900], "max_timestep": [None, 100, 900],
    "caption_dropout_rate": [0, 0.1, 1], "caption_dropout_every_n_epochs": [0, 1, 3], "token_warmup_step": [0, 100],
    "blocks_to_swap": [None, 5, 60], "num_processes": [1, 1, 2, 3], "num_machines": [1, 2], "gpu_ids": [None, "0", "0,0", "0,1"],
    "network_alpha": [0.5, 8, 64], "network_dim": [1, 4, 64], "batch_size": [1, 2, 4], "gradient_accumulation_steps": [1, 2],
    "noise_offset": [None, 0.05], "network_args": [[], ["algo=loha"], ["dora_wd=True"], ["foo=1"]],
    "face_crop_aug_range": [[], [4.0], [4.0, 2.0], [2.0, 4.0]], "extra_options": [[], ["adaptive_noise_scale = 0.1"], ["no such thing"]],
    "unet_lr": [None, 0, 1e-4, 1.0], "text_encoder_lr": [None, 0, 1e-4, 1.0], "learning_rate": [0, 1e-4, 1.0],
    "self_attn_lr": [None, 1e-4], "save_every_n_epochs": [None, 1], "max_data_loader_n_workers": [0, 2],
    "adaptive_noise_scale": [None, 0.05], "v_pred_like_loss": [None, 0.5],
}
"""Values of fields that are neither a switch nor a choice; fields without any stay as the preset has them."""
OF_FOLDER = {"shuffle_caption": [None, True], "flip_aug": [None, True], "caption_dropout_rate": [None, 0.1], "alpha_mask": [False, True],
             "conditioning_data_dir": [None, "/masks"], "is_reg": [False, True]}


def value_of(dice: random.Random, name: str, field: Any) -> Any:
    if name in SOME:
        return dice.choice(SOME[name])
    if field.annotation is bool or bool in get_args(field.annotation):
        return dice.random() < 0.5
    choices = choices_of(field)
    return dice.choice(choices) if choices and name != "family" else ...


def some_settings(seed: int) -> tuple[TrainingSettings, str]:
    """A preset of which many settings are others, as somebody might have set them who does not know what goes together."""
    dice = random.Random(seed)
    settings = dice.choice(list(find_presets().values())).settings
    for part, name, field in dice.sample(FIELDS, dice.randint(2, 60)):
        if (value := value_of(dice, name, field)) is not ...:
            settings = settings.with_values(**{part: {name: value}})
    folders = [Subset(image_dir=f"/pictures/{number}", **{name: dice.choice(values) for name, values in OF_FOLDER.items()
                                                          if dice.random() < 0.3}) for number in range(dice.randint(1, 2))]
    trainer = trained_model(settings.model.family).trainer
    return settings.with_values(data={"subsets": folders}), "musubi" if trainer == "musubi" else dice.choice(["sd-scripts", "builtin"])


def offered(settings, backend):
    return [one for one in check_settings(settings, backend) if isinstance(one, SettingFinding) and one.fix]


@pytest.mark.parametrize("seed", range(120))
def test_each_press_mends_and_all_of_them_come_to_an_end(seed):
    settings, backend = some_settings(seed)
    presses = 0
    while found := offered(settings, backend):
        after = settings.with_fields(dict(found[0].fix))
        assert after != settings, str(found[0])
        assert found[0].what not in [one.what for one in check_settings(after, backend)]
        assert new_errors(settings, after, backend) == []
        settings, presses = after, presses + 1
        assert presses < 60, "the remedies go round in a circle"


@pytest.mark.parametrize("name", find_presets())
def test_full_precision_without_a_gpu_asks_for_nothing_else(name):
    settings = find_presets()[name].settings
    for one in _precision_without_gpu(settings, trained_model(settings.model.family).trainer, "no GPU"):
        assert new_errors(settings, settings.with_fields(dict(one.fix)), trained_model(settings.model.family).trainer) == []


def lowered(settings: TrainingSettings, backend: str) -> Iterator[TrainingSettings]:
    """What is tried, one after another, when the memory runs out each time."""
    while (change := next_change(Situation(settings, backend))) is not None and change.relief is None:
        settings = change.applied(settings)
        yield settings


REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("sdxl_character", {"model": {"method": "full"}, "data": {"batch_size": 4},
                        "optimizer": {"optimizer_type": "Adafactor", "fused_backward_pass": True}}),
    ("sdxl_character", {"network": {"network_train_unet_only": True}, "data": {"shuffle_caption": False, "caption_dropout_rate": 0,
                                                                               "subsets": [{"image_dir": "/p", "shuffle_caption": True}]}}),
    ("sdxl_character", {"network": {"network_train_unet_only": True}, "data": {"shuffle_caption": False, "caption_dropout_rate": 0,
                                                                               "token_warmup_step": 100}}),
    ("anima_character", {"memory": {"unsloth_offload_checkpointing": True}}),
    ("flux1_character", {"model": {"method": "full"}, "machines": {"num_processes": 2}}),
]


@pytest.mark.parametrize(("preset", "changes"), REFUSED)
def test_a_run_whose_memory_ran_out_is_never_lowered_to_what_the_trainer_refuses(preset, changes):
    settings = find_presets()[preset].settings.with_values(**changes)
    tried = list(lowered(settings, "sd-scripts"))
    assert [new_errors(settings, one, "sd-scripts") for one in tried] == [[]] * len(tried)
