"""A person's own presets: named, listed after the shipped ones, never lost, and one broken file spoils nothing."""

import pytest

from core.base.errors import ConfigError
from core.training.config import TrainingSettings
from core.training.config.own_presets import all_presets, own_names, own_presets, read_own, remove_own, save_own
from core.training.config.presets import apply_preset, find_presets, load_preset, preset_names


@pytest.fixture(autouse=True)
def projects(tmp_path, monkeypatch):
    monkeypatch.setenv("LORABOOK_PROJECTS", str(tmp_path))
    return tmp_path


MINE = load_preset("sdxl_style").with_values(
    model={"pretrained_model_name_or_path": "/home/me/secret.safetensors"}, data={"subsets": [{"image_dir": "/p"}], "resolution": 896},
    sampling={"sample_prompts": ["miko"]}, saving={"output_name": "miko"})


def test_a_preset_comes_back_without_what_is_of_one_project():
    path = save_own("my  style", MINE, "For\nmy style.")
    assert own_names() == ["my style"] and "secret" not in path.read_text() and "miko" not in path.read_text()
    found = read_own("my style")
    assert (found.title, found.purpose, found.family) == ("my style", "For my style.", "sdxl")
    assert found.settings.data.resolution == 896 and found.settings.data.subsets == []
    assert apply_preset("my style", MINE) == MINE
    assert load_preset("my style") == found.settings


def test_own_ones_stand_after_the_shipped_ones_and_leave_nothing_behind():
    save_own("aaa", MINE)
    assert list(all_presets()) == [*find_presets(), "aaa"]
    for name in ("flux1_style", "sd15_character"):
        assert apply_preset("aaa", apply_preset(name, TrainingSettings())) == apply_preset("aaa", TrainingSettings())
    assert "aaa" not in preset_names()


@pytest.mark.parametrize("name", ["", "  ", "a/b", "..", ".hidden", "../up", "a\\b", "x" * 61, "SDXL_Style", "a:b", "con*"])
def test_odd_names_and_those_of_shipped_presets_are_refused(name, tmp_path):
    with pytest.raises(ConfigError, match="cannot be called|has no name|comes with Lorabook"):
        save_own(name, MINE)
    assert list(tmp_path.rglob("*.toml")) == []


def test_a_taken_name_is_refused_and_a_replaced_preset_is_put_aside(tmp_path):
    save_own("mine", MINE)
    with pytest.raises(ConfigError, match="'mine' already"):
        save_own("Mine", MINE)
    save_own("mine", MINE.with_values(data={"resolution": 640}), replace=True)
    assert load_preset("mine").data.resolution == 640
    removed = [remove_own("mine")]
    save_own("mine", MINE)
    removed.append(remove_own("mine"))
    assert own_names() == [] and len(set(removed)) == 2 and len(list((tmp_path / "_presets" / "removed").iterdir())) == 3
    for name in ("mine", "../_presets/removed/x", ""):
        with pytest.raises(ConfigError, match="You have no preset"):
            remove_own(name)


@pytest.mark.parametrize("content", [b"[data]\nresolutoin = 5\n", b"no toml at all [", b"[preset]\ntitle = \"\xff\"\n", b"preset = 5\n"])
def test_a_broken_file_is_told_and_the_others_still_work(content, tmp_path):
    save_own("good", MINE)
    (tmp_path / "_presets" / "bad.toml").write_bytes(content)
    found, broken = own_presets()
    assert list(found) == ["good"] and len(broken) == 1 and "'bad' cannot be read" in broken[0].what and "bad.toml" in broken[0].remedy
    with pytest.raises(ConfigError, match="'bad' cannot be read"):
        load_preset("bad")
    remove_own("bad")
    assert own_presets()[1] == []
