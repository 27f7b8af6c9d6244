"""A header that was being written when its process was killed: mended by whoever opens the file, and no other file is touched."""

import json
import subprocess
import sys

import pytest

from core.base.errors import ModelError
from core.base.paths import ROOT
from core.base.tensor_headers import read_header
from core.utilities.files.header_rescue import Rescue, mend_header
from core.utilities.files.lora_file import open_lora
from core.utilities.files.metadata import said_by
from tests.core.utilities.test_metadata import edit, make, said, tensors_of

KILL = """
import builtins, json, os, sys
from pathlib import Path
from core.stages import stage_named
from core.utilities.files import header_rescue
class Dying:
    def __init__(self, file): self.file = file
    def __enter__(self): self.file.__enter__(); return self
    def __exit__(self, *given): return self.file.__exit__(*given)
    def __getattr__(self, name): return getattr(self.file, name)
    def write(self, data):
        self.file.write(data[:int(sys.argv[1])]); self.file.flush(); os.kill(os.getpid(), 9)
header_rescue.open = lambda path, mode: Dying(builtins.open(path, mode)) if mode == "r+b" else builtins.open(path, mode)
stage = stage_named("lora-metadata")
stage.run(Path(sys.argv[2]).parent / "jobs", stage.settings_class().make(file=sys.argv[2], **json.loads(sys.argv[3])))
"""


def killed(path, cut, **values):
    """The command changes a file's metadata and dies when `cut` bytes of the header are written."""
    assert subprocess.run([sys.executable, "-c", KILL, str(cut), str(path), json.dumps(values)], cwd=ROOT).returncode == -9
    assert len(rescues(path)) == 1


def rescues(path):
    return [entry for entry in path.parent.iterdir() if entry.name.endswith(".header")]


def test_a_kill_while_the_header_is_written_is_mended_by_the_next_change(tmp_path):
    path = make(tmp_path / "a.safetensors")
    before = path.read_bytes()
    killed(path, 300, name="y" * 3000)
    torn = path.read_bytes()
    assert torn != before
    edit(path, author="me")
    found = said(path)
    assert found["modelspec.author"] == "me" and found["ss_network_dim"] == "16" and "modelspec.title" not in found
    assert tensors_of(path) == before[read_header(path).start:] and rescues(path) == []


@pytest.mark.parametrize("look", [said_by, lambda path: open_lora(path).close(), mend_header])
def test_any_look_at_a_torn_file_mends_it(tmp_path, look):
    path = make(tmp_path / "a.safetensors")
    before = path.read_bytes()
    killed(path, 300, name="y" * 3000)
    look(path)
    assert path.read_bytes() == before and rescues(path) == []


def test_a_mixture_that_could_be_read_is_none_of_both_and_is_mended(tmp_path):
    path = make(tmp_path / "a.safetensors")
    edit(path, name="A" * 3000)
    killed(path, 1500, name="B" * 3000)
    assert set(read_header(path).metadata["modelspec.title"]) == {"A", "B"}
    edit(path, author="me")
    assert said(path)["modelspec.title"] == "A" * 3000 and said(path)["modelspec.author"] == "me"


def test_wherever_the_writing_stops_the_next_change_finds_the_old_header_or_the_new_one(tmp_path):
    path = make(tmp_path / "a.safetensors", room=512)
    old = path.read_bytes()
    killed(path, 1, name="Mika", license="MIT")
    kept = rescues(path)[0]
    rescue = kept.read_bytes()
    new = Rescue.read(rescue).new
    for cut in {*range(1, len(new), 97), 8, 9, len(new) - 1, len(new)}:
        torn = new[:cut] + old[cut:]
        path.write_bytes(torn)
        kept.write_bytes(rescue)
        edit(path, author="me")
        assert said(path).get("modelspec.title") == ("Mika" if torn[:len(new)] == new else None)
        assert said(path)["ss_dataset_dirs"] == "{}" and said(path)["modelspec.author"] == "me" and not kept.exists()


def test_what_is_kept_for_one_file_is_never_written_into_another(tmp_path):
    path = make(tmp_path / "a.safetensors")
    torn = tmp_path / "moved.safetensors"
    killed(path, 300, name="y" * 3000)
    path.rename(torn)
    path.write_bytes(b"\x80\x02" + b"precious" * 10_000)
    before = path.read_bytes()
    with pytest.raises(ModelError):
        edit(path, author="me")
    assert path.read_bytes() == before and not mend_header(path)
    make(path, metadata={"ss_network_dim": "32", "ss_dataset_dirs": "[]", "ss_tag_frequency": "[]"})  # of the same size
    assert path.stat().st_size == torn.stat().st_size and not mend_header(path)
    edit(path, author="me")
    assert said(path)["ss_network_dim"] == "32" and said(path)["ss_dataset_dirs"] == "[]"


def test_a_rescue_that_was_not_whole_yet_is_of_no_use_and_goes(tmp_path):
    path = make(tmp_path / "a.safetensors")
    before = path.read_bytes()
    killed(path, 300, name="y" * 3000)
    kept = rescues(path)[0]
    for data in (b"", b"{}", kept.read_bytes()[:-1]):
        path.write_bytes(before)
        kept.write_bytes(data)
        assert not mend_header(path) and path.read_bytes() == before and not kept.exists()
