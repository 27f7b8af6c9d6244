"""What a field of a form reads from what a person typed."""

from pathlib import Path

import pytest

from core.base.errors import ConfigError
from core.base.settings import Settings, setting
from widgets.controls import PathControl, make_control


class Places(Settings):
    title = "Places"

    folder: Path = setting(..., "Folder")


@pytest.mark.parametrize(("typed", "read"), [("~/pics", "/home/me/pics"), (' "/data/my pics" ', "/data/my pics"), ("pics/a", "pics/a")])
def test_a_path_is_read_as_it_was_meant(monkeypatch, typed, read):
    monkeypatch.setenv("HOME", "/home/me")
    control = make_control("folder", Places.fields()["folder"])
    assert isinstance(control, PathControl)
    control.widget.value = typed
    assert control.read() == read


def test_the_home_of_a_user_who_is_not_known_is_a_sentence_and_no_fault_of_the_program():
    control = make_control("folder", Places.fields()["folder"])
    control.widget.value = "~nobodyhere/pics"
    with pytest.raises(ConfigError, match="~nobodyhere/pics cannot be resolved"):
        control.read()
