"""Which Python is used."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from core.base.errors import ConfigError
from core.setup.environment import Environment, find_environment, make_environment, read_facts, remember, version_numbers

NOWHERE = {"PATH": "/nowhere"}


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine whose nvidia-smi is not found."""
    monkeypatch.setattr("core.setup.hardware.SMI_PLACES", ())
    monkeypatch.setenv("PATH", str(tmp_path))


def test_a_clean_checkout_gets_an_environment_beside_the_code(tmp_path: Path) -> None:
    found = find_environment(tmp_path, NOWHERE)
    assert found.kind == "own" and found.python.is_relative_to(tmp_path / ".venv") and not found.keep_torch


def test_a_named_environment_wins(tmp_path: Path) -> None:
    found = find_environment(tmp_path, {"LORABOOK_VENV": str(tmp_path / "other")})
    assert found.kind == "named" and found.python.is_relative_to(tmp_path / "other") and not found.keep_torch


def test_the_torch_of_a_named_environment_that_was_there_before_is_kept(tmp_path: Path) -> None:
    found = find_environment(tmp_path, {"LORABOOK_VENV": sys.prefix})
    assert found.keep_torch == (not (Path(sys.prefix) / "lorabook.json").exists())


def test_colab_uses_its_own_python_and_keeps_its_torch(tmp_path: Path) -> None:
    found = find_environment(tmp_path, {"COLAB_RELEASE_TAG": "x"})
    assert (found.kind, found.python, found.keep_torch) == ("colab", Path(sys.executable), True)


def test_a_folder_that_is_no_environment_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "letters.txt").write_text("mine")
    with pytest.raises(ConfigError, match="no virtual environment"):
        find_environment(tmp_path, NOWHERE)
    with pytest.raises(ConfigError, match="LORABOOK_VENV"):
        find_environment(tmp_path, {"LORABOOK_VENV": str(tmp_path / ".venv")})


def test_an_environment_whose_making_was_cut_off_is_taken_up_again(tmp_path: Path) -> None:
    for name in ("bin", "lib"):
        (tmp_path / ".venv" / name).mkdir(parents=True)
    assert find_environment(tmp_path, NOWHERE).kind == "own"


def test_an_images_environment_is_remembered(tmp_path: Path) -> None:
    remember(tmp_path, Environment(Path(sys.executable), "image", "torch 2.9 of the image", keep_torch=True))
    found = find_environment(tmp_path, NOWHERE)
    assert (found.kind, found.python, found.why) == ("image", Path(sys.executable), "torch 2.9 of the image")


def test_an_images_environment_is_never_made_anew(tmp_path: Path) -> None:
    assert make_environment(tmp_path, Environment(Path(sys.executable), "image", "", keep_torch=True), fresh=True) is False


def test_facts_of_this_python(tmp_path: Path) -> None:
    facts = read_facts(sys.executable)
    assert facts is not None and facts.version == sys.version_info[:3] and "pytest" in facts.packages
    assert read_facts(tmp_path / "python") is None


def test_versions_are_compared_as_numbers() -> None:
    assert version_numbers("2.10.0+cu124") > version_numbers("2.9.1") and version_numbers("") == ()
    assert version_numbers("2.6.0a1") == (2, 6)
