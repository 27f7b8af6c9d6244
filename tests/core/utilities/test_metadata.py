"""Metadata changed without loading a tensor: in its room, else by a copy; links and kills do no harm."""

import base64
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file

from core.base.errors import ConfigError, DiskError
from core.base.paths import ROOT
from core.base.tensor_headers import read_header
from core.stages import stage_named
from core.utilities.files.hashing import hashes_of
from core.utilities.files.header_edit import change_metadata
from core.utilities.files.metadata import ANEW, MetadataSettings, edit_metadata
from core.utilities.files.writing import bytes_of, new_tensor, write_safetensors


def make(path, room=4096, metadata=None):
    chance = torch.Generator().manual_seed(3)
    tensors = [new_tensor(f"lora_unet_{number}.lora_up.weight", "F32", (64, 64),
                          lambda: bytes_of(torch.randn(64, 64, generator=chance))) for number in range(100)]
    write_safetensors(path, tensors, metadata or {"ss_network_dim": "16", "ss_dataset_dirs": "{}", "ss_tag_frequency": "{}"}, room=room,
                      hashes=True)
    return path


def said(path):
    with safe_open(path, "pt") as file:
        return file.metadata()


def tensors_of(path):
    header = read_header(path)
    return path.read_bytes()[header.start:]


def test_what_fits_is_written_into_the_header_alone_under_the_names_that_others_read(tmp_path):
    path = make(tmp_path / "a.safetensors")
    before, mark = tensors_of(path), path.stat().st_ino
    report = edit_metadata(MetadataSettings.make(file=str(path), name="Mika", author="me", trigger="mika", license="MIT", tags="anime, cat",
                                                 description="Grüße", prompt_name="mika_v1", remove=("ss_dataset_dirs", "ss_tag*")))
    assert report.in_place and path.stat().st_ino == mark and tensors_of(path) == before
    found = said(path)
    assert {key: found[key] for key in found if not key.startswith("sshs")} == {
        "ss_network_dim": "16", "modelspec.title": "Mika", "modelspec.author": "me", "modelspec.trigger_phrase": "mika",
        "modelspec.license": "MIT", "modelspec.tags": "anime, cat", "modelspec.description": "Grüße", "ss_output_name": "mika_v1",
        "modelspec.sai_model_spec": "1.0.1"}
    assert report.removed == ("ss_dataset_dirs", "ss_tag_frequency") and "Only the header" in report.sentence()
    counted = hashes_of(path).as_dict()
    assert (counted["sshs_model_hash"], counted["sshs_legacy_hash"]) == (found["sshs_model_hash"], found["sshs_legacy_hash"])
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.safetensors"]


def test_what_is_said_already_is_not_written_again(tmp_path):
    path = make(tmp_path / "a.safetensors", metadata={"modelspec.title": "Mika", "modelspec.sai_model_spec": "1.0.1"})
    mark = path.stat().st_mtime_ns
    report = edit_metadata(MetadataSettings.make(file=str(path), name="Mika"))
    assert not report.changed and path.stat().st_mtime_ns == mark and "nothing was written" in report.sentence()


def test_what_does_not_fit_makes_one_copy_with_new_room(tmp_path):
    path = make(tmp_path / "a.safetensors", room=0)
    before = tensors_of(path)
    report = edit_metadata(MetadataSettings.make(file=str(path), description="x" * 5000))
    assert not report.in_place and tensors_of(path) == before and said(path)["modelspec.description"] == "x" * 5000
    assert edit_metadata(MetadataSettings.make(file=str(path), author="me")).in_place
    other = tmp_path / "other" / "b.safetensors"
    assert not edit_metadata(MetadataSettings.make(file=str(path), save_to=str(other), author="you")).in_place
    assert said(other)["modelspec.author"] == "you" and said(path)["modelspec.author"] == "me" and tensors_of(other) == before


@pytest.mark.parametrize("link", ["symbolic", "hard"])
def test_what_another_name_leads_to_is_never_changed_in_its_place(tmp_path, link):
    """Hugging Face's cache keeps files by their hash, with links to them."""
    blob = make(tmp_path / "blob.safetensors")
    before, path = blob.read_bytes(), tmp_path / "a.safetensors"
    path.symlink_to(blob) if link == "symbolic" else os.link(blob, path)
    assert not edit_metadata(MetadataSettings.make(file=str(path), author="me")).in_place
    assert blob.read_bytes() == before and said(path)["modelspec.author"] == "me" and not path.is_symlink()


def edit(path, **values):
    """Through the stage, as the command does."""
    stage = stage_named("lora-metadata")
    return stage.run(path.parent / "jobs", stage.settings_class().make(file=str(path), **values))


def test_a_name_as_long_as_a_disk_takes_is_changed_in_its_place(tmp_path):
    path = make(tmp_path / f"{'x' * 240}.safetensors")
    assert edit(path, author="me").in_place and said(path)["modelspec.author"] == "me" and list(tmp_path.iterdir()) == [path]
    with pytest.raises(ConfigError, match="is too long a name: 262 bytes"):
        edit(path, author="me", save_to=str(tmp_path / f"{'x' * 250}.safetensors"))


def test_a_file_that_may_only_be_read_is_not_changed_whoever_asks(tmp_path):
    path = make(tmp_path / "a.safetensors", room=0)
    path.chmod(0o444)
    before = path.read_bytes()
    for words in ("me", "x" * 50_000):
        with pytest.raises(DiskError, match="may only be read"):
            edit(path, description=words)
    assert path.read_bytes() == before and path.stat().st_mode & 0o777 == 0o444
    edit(path, author="me", save_to=str(tmp_path / "b.safetensors"))
    assert said(tmp_path / "b.safetensors")["modelspec.author"] == "me" and edit(tmp_path / "b.safetensors", author="you").in_place


def test_the_rights_of_a_file_stay_when_it_is_copied_for_more_room(tmp_path):
    path = make(tmp_path / "a.safetensors", room=0)
    path.chmod(0o640)
    assert not edit(path, author="me").in_place and path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("name", ["other.safetensors", "precious.txt"])
def test_saving_under_another_name_writes_nothing_over(tmp_path, name):
    path, other = make(tmp_path / "a.safetensors"), tmp_path / name
    other.write_bytes(b"mine")
    with pytest.raises(ConfigError, match=r"is there already|does not end in \.safetensors"):
        edit(path, author="me", save_to=str(other))
    other.unlink()
    if other.suffix != ".safetensors":
        with pytest.raises(ConfigError, match="does not end in"):
            edit(path, author="me", save_to=str(other))
        return
    told = edit(path, save_to=str(other)).sentence()
    assert told == f"other.safetensors: nothing was changed. {ANEW}" and "the tensors are the same" in told
    other.write_bytes(b"mine")
    with pytest.raises(ConfigError, match="is there already"):
        change_metadata(path, {"a": "b"}, other)
    assert other.read_bytes() == b"mine" and edit(path, author="me", save_to=str(path)).in_place


def test_a_very_large_picture_is_refused_in_words(tmp_path):
    path = make(tmp_path / "a.safetensors")
    before = path.read_bytes()
    for side in (11_500, 20_000):
        Image.new("1", (side, side)).save(tmp_path / "large.png")
        with pytest.raises(ConfigError, match="cannot be opened: .*pixels"):
            edit(path, thumbnail=str(tmp_path / "large.png"))
    assert path.read_bytes() == before


def test_a_small_picture_is_put_in_as_modelspec_wants_it(tmp_path):
    Image.new("RGBA", (900, 600), "red").save(tmp_path / "a.png")
    path = make(tmp_path / "a.safetensors")
    edit_metadata(MetadataSettings.make(file=str(path), thumbnail=str(tmp_path / "a.png")))
    kind, _, data = said(path)["modelspec.thumbnail"].partition(",")
    with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
        assert kind == "data:image/jpeg;base64" and picture.format == "JPEG" and picture.size == (256, 171)
    (tmp_path / "b.png").write_text("no picture")
    with pytest.raises(ConfigError, match="cannot be opened"):
        edit_metadata(MetadataSettings.make(file=str(path), thumbnail=str(tmp_path / "b.png")))


LARGE = """
import sys, time
from pathlib import Path
from core.utilities.files.header_edit import change_metadata
from core.base.tensor_headers import read_header
path = Path(sys.argv[1])
def peak():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) // 1024
began = time.perf_counter()
fits = change_metadata(path, {"modelspec.title": "x"})
print(fits, time.perf_counter() - began, peak())
fits = change_metadata(path, {"modelspec.title": "x" * 40000})
print(fits, time.perf_counter() - began, peak())
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
def test_a_file_of_two_gigabytes_is_changed_at_once_and_copied_in_little_memory(tmp_path):
    """The file has a hole for its tensors, so it takes no room until it is copied."""
    size = 2 << 30
    path = tmp_path / "a.safetensors"
    write_safetensors(path, [new_tensor("a", "F16", (0,), lambda: b"")], {}, room=8192)
    header = read_header(path)
    text = path.read_bytes()[8:].replace(b'"shape":[0],"data_offsets":[0,0]', b'"shape":[%d],"data_offsets":[0,%d]' % (size // 2, size))
    path.write_bytes(header.length.to_bytes(8, "little") + text.rstrip().ljust(header.length))
    os.truncate(path, header.start + size)
    result = subprocess.run([sys.executable, "-c", LARGE, str(path)], cwd=ROOT, capture_output=True, text=True, check=True)
    (fits, seconds, memory), (copied, _, memory_then) = (line.split() for line in result.stdout.splitlines())
    assert (fits, copied) == ("True", "False") and float(seconds) < 1 and int(memory) < 100 and int(memory_then) < 100
    assert read_header(path).metadata["modelspec.title"] == "x" * 40000


def test_the_legacy_hash_follows_the_trainings_metadata(tmp_path):
    path = make(tmp_path / "a.safetensors")
    old = said(path)
    change_metadata(path, {**old, "ss_output_name": "another"})
    assert said(path)["sshs_legacy_hash"] == hashes_of(path).sshs_legacy_hash != old["sshs_legacy_hash"]
    save_file({"a": torch.ones(1)}, tmp_path / "b.safetensors")
    change_metadata(tmp_path / "b.safetensors", {"a": "b"})
    assert said(tmp_path / "b.safetensors") == {"a": "b"}
