"""What a person types as a path."""

from pathlib import Path

import pytest

from core.base import paths
from core.base.errors import ConfigError
from core.base.paths import models_dir, place_of, projects_dir, trainers_dir, typed_path


def test_a_path_is_absolute_and_the_tilde_is_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    assert typed_path("pics") == tmp_path / "pics" == typed_path(Path("pics"))
    assert typed_path("~/pics") == Path("/home/me/pics")


@pytest.mark.parametrize("text", [" /data/my pics ", '"/data/my pics"', "'/data/my pics'"])
def test_quotes_and_spaces_around_it_are_dropped(text):
    assert typed_path(text) == Path("/data/my pics")


@pytest.fixture
def wsl(tmp_path, monkeypatch):
    """Windows' Linux, whose drives and home lie in a folder of the test. Returns: that folder."""
    (tmp_path / "version").write_text("Linux version 5.15.153.1-microsoft-standard-WSL2 (root@x) #1 SMP")
    monkeypatch.setattr(paths, "PROC_VERSION", tmp_path / "version")
    monkeypatch.setattr(paths, "DRIVES", tmp_path / "mnt")
    monkeypatch.setenv("WSL_DISTRO_NAME", "Ubuntu")
    return tmp_path


@pytest.fixture
def no_wsl(tmp_path, monkeypatch):
    (tmp_path / "version").write_text("Linux version 6.1.0-18-amd64 (debian-kernel@lists.debian.org)")
    monkeypatch.setattr(paths, "PROC_VERSION", tmp_path / "version")


@pytest.mark.parametrize("text", [r"C:\Users\me\my pics", "c:/Users/me/my pics", '"C:\\Users\\me\\my pics\\"'])
def test_under_wsl_a_drive_of_windows_is_found_where_wsl_shows_it(wsl, text):
    (wsl / "mnt" / "c" / "Users" / "me" / "my pics").mkdir(parents=True)
    assert typed_path(text) == wsl / "mnt" / "c" / "Users" / "me" / "my pics" == place_of(text)


@pytest.mark.parametrize("host", ["wsl.localhost", "wsl$", "WSL.LOCALHOST"])
def test_under_wsl_its_own_folders_as_windows_calls_them_are_found(wsl, host):
    (wsl / "pics").mkdir()
    windows = str(wsl / "pics").replace("/", "\\")
    assert typed_path(f"\\\\{host}\\Ubuntu{windows}") == wsl / "pics"
    assert typed_path(f'"\\\\{host}\\ubuntu{windows}"') == wsl / "pics"
    assert typed_path(f"\\\\{host}\\Ubuntu") == Path("/")
    for other in (f"\\\\{host}\\Debian{windows}", f"\\\\{host}\\Ubuntu{windows}x", f"\\\\nas\\Ubuntu{windows}"):
        with pytest.raises(ConfigError, match="path of Windows"):
            typed_path(other)


@pytest.mark.parametrize(("text", "there"), [
    (r"C:\Users\me\pics", "/mnt/c/Users/me/pics"), ("D:/pics", "/mnt/d/pics"), (r'"c:\my pics\a.zip"', "/mnt/c/my pics/a.zip"),
    ("C:\\", "/mnt/c")])
def test_under_wsl_a_path_of_windows_where_nothing_is_names_the_place_that_was_looked_at(wsl, monkeypatch, text, there):
    monkeypatch.setattr(paths, "DRIVES", Path("/mnt"))
    with pytest.raises(ConfigError, match="path of Windows on your own computer") as caught:
        typed_path(text)
    assert caught.value.hint.endswith(f"Under WSL it is {there}, and nothing is there.")


@pytest.mark.parametrize("text", [r"C:\Users\me\pics", r"\\wsl.localhost\Ubuntu\home\me\pics", r"\\nas\pics"])
def test_elsewhere_nothing_is_said_of_wsl(no_wsl, text):
    with pytest.raises(ConfigError, match="path of Windows on your own computer") as caught:
        typed_path(text)
    assert caught.value.hint == "Upload it to this machine first, and write where it lies here."


def test_a_path_in_a_windows_network_has_no_place_under_wsl(wsl):
    with pytest.raises(ConfigError, match="path of Windows on your own computer") as caught:
        typed_path(r"\\nas\pics")
    assert "WSL" not in caught.value.hint and caught.value.hint.endswith(".")


@pytest.mark.parametrize("text", ["C:", "a:b", "/data/C:/x", "owner/name", "/data/back\\slash"])
def test_other_names_with_colons_and_backslashes_are_paths(text):
    assert typed_path(text) == Path(text).absolute()


def test_a_look_at_what_cannot_be_resolved_finds_nothing_and_raises_nothing(no_wsl, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert place_of("~nobodyhere/pics") == tmp_path / "~nobodyhere/pics" and not place_of("C:\\x").exists()
    assert place_of("pics") == tmp_path / "pics"


@pytest.mark.parametrize(("name", "place"), [("PROJECTS", projects_dir), ("MODELS", models_dir), ("TRAINERS", trainers_dir)])
def test_a_variable_with_an_unknown_user_is_told_in_a_sentence(monkeypatch, name, place):
    monkeypatch.setenv(f"LORABOOK_{name}", "~nobodyhere/x")
    with pytest.raises(ConfigError, match="~nobodyhere/x cannot be resolved"):
        place()


def test_the_home_of_a_user_who_is_not_known_is_said():
    with pytest.raises(ConfigError, match="~nobodyhere/pics cannot be resolved"):
        typed_path("~nobodyhere/pics")
