"""What a person types as a path."""

from pathlib import Path

import pytest

from core.base.errors import ConfigError
from core.base.paths import typed_path


def test_a_path_is_absolute_and_the_tilde_is_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    assert typed_path("pics") == tmp_path / "pics" == typed_path(Path("pics"))
    assert typed_path("~/pics") == Path("/home/me/pics")


@pytest.mark.parametrize("text", [" /data/my pics ", '"/data/my pics"', "'/data/my pics'"])
def test_quotes_and_spaces_around_it_are_dropped(text):
    assert typed_path(text) == Path("/data/my pics")


@pytest.mark.parametrize(("text", "there"), [
    (r"C:\Users\me\pics", "/mnt/c/Users/me/pics"), ("D:/pics", "/mnt/d/pics"), (r'"c:\my pics\a.zip"', "/mnt/c/my pics/a.zip"),
    ("C:\\", "/mnt/c")])
def test_a_path_of_windows_is_answered_with_what_to_do(text, there):
    with pytest.raises(ConfigError, match="path of Windows on your own computer") as caught:
        typed_path(text)
    assert "Upload the pictures or the zip first" in caught.value.hint
    assert caught.value.hint.endswith(f"Under WSL it is {there}.")


def test_a_path_in_a_windows_network_has_no_place_under_wsl():
    with pytest.raises(ConfigError, match="path of Windows on your own computer") as caught:
        typed_path(r"\\nas\pics")
    assert "WSL" not in caught.value.hint and caught.value.hint.endswith(".")


@pytest.mark.parametrize("text", ["C:", "a:b", "/data/C:/x", "owner/name", "/data/back\\slash"])
def test_other_names_with_colons_and_backslashes_are_paths(text):
    assert typed_path(text) == Path(text).absolute()


def test_the_home_of_a_user_who_is_not_known_is_said():
    with pytest.raises(ConfigError, match="~nobodyhere/pics cannot be resolved"):
        typed_path("~nobodyhere/pics")
