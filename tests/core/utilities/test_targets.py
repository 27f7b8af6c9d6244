"""Where a result is written: one rule for tools and panels."""

from pathlib import Path

import pytest

from core.base.errors import ConfigError
from core.cli import main
from core.utilities.files.targets import beside, free_target


@pytest.mark.parametrize("place", ["/", ""])
def test_a_place_that_is_no_file_has_nothing_beside_it(place, monkeypatch):
    monkeypatch.chdir("/")
    with pytest.raises(ConfigError, match=r"^/ is no file\. Choose one"):
        beside(place, "-merged")


@pytest.mark.parametrize("words", [["bake-loras", "--base", "/", "--files", "a.safetensors"],
                                   ["extract-lora", "--tuned", "/", "--base", "a.safetensors"],
                                   ["convert-lora", "--file", "/", "--naming", "kohya"], ["resize-lora", "--file", "/", "--new_rank", "2"]])
def test_a_command_on_the_root_of_the_disk_ends_in_a_sentence(words, capsys):
    assert main(words) == 1
    err = capsys.readouterr().err
    assert err.startswith("/ ") and "Traceback" not in err


@pytest.mark.parametrize(("typed", "said"), [("x.pt", "x.pt does not end in .safetensors."), ("a name", "a name does not end in"),
                                             ("", "usual.pt does not end in"), (".", "is a folder. Write the name of the new file"),
                                             (f"{'x' * 250}.safetensors", "is too long a name")])
def test_what_cannot_be_written_is_told_without_opening_anything(tmp_path, monkeypatch, typed, said):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as told:
        free_target(tmp_path / "usual.pt", typed)
    assert said in str(told.value) and not list(tmp_path.iterdir())


def test_a_file_that_is_changed_where_it_is_may_be_named_and_no_other_one(tmp_path):
    own, other = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    own.write_bytes(b""), other.write_bytes(b"")
    assert free_target(own, "", itself=True) == free_target(own, str(own), itself=True) == own
    for place, itself in ((own, False), (other, True)):
        with pytest.raises(ConfigError, match="is there already"):
            free_target(own, str(place), itself)
    assert free_target(own, str(tmp_path / "c.safetensors"), itself=True) == Path(tmp_path / "c.safetensors")
