"""The settings gathered: wrong names and values are sentences, empty answers mean unset."""

import pytest

from core.base.errors import ConfigError
from core.base.settings import field_extra
from core.training.config import PARTS, Subset, TrainingSettings, for_run
from core.training.config.facts import known_arguments
from core.training.config.families import TRAINED_MODELS


@pytest.mark.parametrize(("part", "cls"), PARTS.items())
def test_every_field_has_a_title_a_help_and_a_level(part, cls):
    assert cls.title
    assert cls.section == part
    for name, field in cls.fields().items():
        assert field.title, name
        assert field.description, name
        assert field_extra(field, "level") in ("basic", "advanced", "expert"), name


def test_fields_of_config_toml_are_arguments_of_sd_scripts():
    known = {name for model in TRAINED_MODELS.values() for script in (model.script, model.full_script) if script
             for name in known_arguments(script)}
    written = {name for cls in PARTS.values() for name in cls.fields() if name not in cls.elsewhere}
    assert written - known == set()


def test_defaults_that_sd_scripts_has_no_choice_for_are_refused():
    known = known_arguments("train_network.py")
    from core.base.settings import choices_of

    for cls in PARTS.values():
        for name, field in cls.fields().items():
            allowed = known.get(name, {}).get("choices")
            if allowed and choices_of(field):
                assert set(choices_of(field)) <= set(allowed), name


def test_a_misspelt_setting_is_named_with_the_nearest():
    with pytest.raises(ConfigError, match="Did you mean 'network_dim'"):
        TrainingSettings.from_values({"network": {"network_dimm": 8}})


def test_a_misspelt_part_is_named():
    with pytest.raises(ConfigError, match="no part 'netwrok'"):
        TrainingSettings.from_values({"netwrok": {}})
    with pytest.raises(ConfigError, match="no part 'netwrok'"):
        TrainingSettings().with_values(netwrok={})


def test_a_wrong_value_is_a_sentence_with_the_bounds():
    with pytest.raises(ConfigError, match=r"Rank must be at least 1, but is 0"):
        TrainingSettings.from_values({"network": {"network_dim": 0}})
    with pytest.raises(ConfigError, match="Schedule"):
        TrainingSettings.from_values({"schedule": {"lr_scheduler": "cosinus"}})


def test_a_cleared_field_means_unset():
    settings = TrainingSettings.from_values({"model": {"vae": "  ", "clip_skip": ""}, "loss": {"min_snr_gamma": ""}})
    assert settings.model.vae is None
    assert settings.model.clip_skip is None
    assert settings.loss.min_snr_gamma is None


def test_a_count_of_warm_up_steps_is_whole_and_a_share_stays_a_share():
    counted = TrainingSettings().with_values(schedule={"lr_warmup_steps": 100.0}).schedule.lr_warmup_steps
    assert counted == 100
    assert isinstance(counted, int)
    assert TrainingSettings().schedule.lr_warmup_steps == 0.05


def test_a_run_fills_in_its_own_folders_and_nothing_else(tmp_path):
    settings = TrainingSettings()
    placed = for_run(settings, tmp_path)
    assert placed.saving.output_dir == str(tmp_path / "checkpoints")
    assert placed.logging.logging_dir == str(tmp_path / "logs")
    assert placed.changed(saving=settings.saving, logging=settings.logging) == settings


def test_the_resolution_is_square_unless_a_height_is_given():
    assert TrainingSettings().data.size == (512, 512)
    assert TrainingSettings().with_values(data={"resolution_height": 768}).data.size == (512, 768)


def test_optimizer_arguments_are_read_as_sd_scripts_reads_them():
    optimizer = TrainingSettings().with_values(optimizer={"optimizer_args": ["weight_decay=0.1", "betas=0.9,0.99",
                                                                             "decouple=True"]}).optimizer
    assert optimizer.options() == {"weight_decay": 0.1, "betas": (0.9, 0.99), "decouple": True}


@pytest.mark.parametrize("extension", ["txt", ".t/x", ""])
def test_a_caption_ending_is_a_dot_and_letters(extension):
    with pytest.raises(ConfigError):
        Subset.make(image_dir="/a", caption_extension=extension)


def test_a_name_that_is_no_file_name_is_refused():
    with pytest.raises(ConfigError):
        TrainingSettings().with_values(saving={"output_name": "a/b"})
