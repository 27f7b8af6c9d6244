"""A folder and a zip for Civitai: everything in it, the samples linked by the LoRA's hash, and the person's own files as they were."""

import errno
import os
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from safetensors.torch import load_file

from core.base import zipping
from core.base.errors import Cancelled, ConfigError, DiskError
from core.base.progress import Progress
from core.base.tensor_headers import read_header
from core.dataset.project import Project
from core.utilities.files.hashing import hashes_of
from core.utilities.publishing import staging
from tests.core.utilities.layers import layer, write
from tests.core.utilities.publishing.conftest import SAID, make, publish

ALL = {"mika.safetensors", "description.html", "description.txt", "checklist.txt", "prompts.txt", "images/01.png", "images/02.png"}


def below(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_everything_that_civitai_asks_for_is_in_the_folder(mika):
    before = below(mika.parent)
    report = publish(mika, to="folder", description="A girl & her cat.", tags="anime, character", strength=0.8)
    folder = mika.parent / "mika-civitai"
    found = below(folder)
    assert set(found) == ALL and report.place == str(folder) and {file.name for file in report.files} == ALL
    assert hashes_of(folder / "mika.safetensors").tensors == hashes_of(mika).tensors
    autov3 = hashes_of(mika).autov3
    assert "A girl &amp; her cat." in found["description.html"].decode() and "Trigger words: mika" in found["description.txt"].decode()
    listed = found["checklist.txt"].decode()
    assert "Base model: SD 1.5" in listed and "Type: LoRA" in listed and autov3 in listed and "Usual strength: 0.8" in listed
    assert found["prompts.txt"].decode().startswith("01.png\nmika, smile\nNegative prompt: bad hands\n\n02.png\nmika")
    assert {name: data for name, data in below(mika.parent).items() if not name.startswith("mika-civitai/")} == before


def test_a_sample_says_how_it_was_drawn_and_by_which_lora(mika):
    publish(mika, to="folder")
    folder = mika.parent / "mika-civitai"
    said = Image.open(folder / "images" / "01.png").info
    name = hashes_of(mika).autov3
    assert said == {"parameters": "mika, smile <lora:mika:1>\nNegative prompt: bad hands\nSteps: 20, Sampler: Euler a, CFG scale: 7, "
                                  f'Seed: 1, Size: 64x64, Model: Stable Diffusion 1.5, Lora hashes: "mika: {name}"'}
    drawn = sorted((mika.parent / "sample").glob("*e000010_00*"))[0]
    assert Image.open(folder / "images" / "01.png").tobytes() == Image.open(drawn).tobytes()
    assert Image.open(drawn).info == {}


def test_a_jpeg_says_it_in_its_exif_and_what_another_program_wrote_about_folders_stays_behind(mika, tmp_path):
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("workflow", '{"path": "C:\\\\Users\\\\anna\\\\x.safetensors"}')
    info.add_text("parameters", "mika, rain\nSteps: 30, Sampler: Euler, Seed: 5")
    Image.new("RGB", (80, 40), "green").save(tmp_path / "own.png", pnginfo=info)
    Image.new("RGB", (4000, 20), "green").save(tmp_path / "wide.jpg")
    publish(mika, to="folder", samples=(str(tmp_path / "own.png"), f"{tmp_path / 'wide.jpg'} | mika, wide"))
    folder = mika.parent / "mika-civitai" / "images"
    said = Image.open(folder / "01.png").info
    assert said["parameters"].startswith("mika, rain\nSteps: 30, Sampler: Euler, Seed: 5, Lora hashes: ") and "workflow" not in said
    wide = Image.open(folder / "02.jpg")
    assert wide.size == (2048, 10) and Image.open(tmp_path / "wide.jpg").size == (4000, 20)
    assert "02.jpg\nmika, wide" in (folder.parent / "prompts.txt").read_text()


def test_a_zip_holds_the_same_and_is_the_same_twice(mika):
    report = publish(mika, to="zip")
    place = mika.parent / "mika-civitai.zip"
    with zipfile.ZipFile(place) as archive:
        assert {name.removeprefix("mika-civitai/") for name in archive.namelist()} == ALL and archive.testzip() is None
    first = place.read_bytes()
    place.unlink()
    publish(mika, to="zip")
    assert place.read_bytes() == first and report.place == str(place) and list(mika.parent.glob(".*")) == []


def test_what_is_there_is_never_written_over(mika):
    publish(mika, to="folder")
    before = below(mika.parent / "mika-civitai")
    with pytest.raises(ConfigError, match="is there already.*another name under Save as"):
        publish(mika, to="folder", description="another", save_to=str(mika.parent / "mika-civitai"))
    publish(mika, to="folder", description="another")
    assert below(mika.parent / "mika-civitai") == before and (mika.parent / "mika-civitai-2").is_dir()
    with pytest.raises(ConfigError, match=r"does not end in \.zip"):
        publish(mika, to="zip", save_to=str(mika.parent / "x"))


def test_what_is_private_is_taken_out_of_the_copy_alone(mika):
    make(mika, {**SAID, "ss_sd_model_name": "/home/anna/models/v1-5-pruned.safetensors",
                "ss_training_comment": "for hf_abcdefghijklmnopqrst", "sshs_legacy_hash": "0" * 8})
    before = mika.read_bytes()
    publish(mika, to="folder")
    copy = mika.parent / "mika-civitai" / "mika.safetensors"
    said = read_header(copy).metadata
    assert said["ss_sd_model_name"] == "v1-5-pruned.safetensors" and said["ss_training_comment"] == "for [removed]"
    assert said["ss_learning_rate"] == SAID["ss_learning_rate"] and mika.read_bytes() == before
    assert hashes_of(copy).autov3 == hashes_of(mika).autov3 and hashes_of(copy).sshs_legacy_hash == said["sshs_legacy_hash"]
    own, published = load_file(mika), load_file(copy)
    assert all((own[name] == published[name]).all() for name in own) and own.keys() == published.keys()
    assert not any(b"anna" in data or b"hf_abc" in data for data in below(copy.parent).values())


def test_a_full_disk_leaves_nothing_behind(mika, monkeypatch):
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(zipping.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(DiskError, match="What is published takes .* only 0.0 GiB are free"):
        publish(mika, to="folder")
    monkeypatch.undo()
    monkeypatch.setattr(staging, "_copy", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))))
    with pytest.raises(DiskError, match="No space left to write"):
        publish(mika, to="zip")
    assert {path.name for path in mika.parent.iterdir()} == {"mika.safetensors", "sample", "sample_prompts.txt"}


def test_a_cancel_leaves_nothing_behind_and_what_a_kill_left_goes(mika):
    class Stop(Progress):
        def report_step(self, item):
            if self.what == "Copying samples":
                self.cancel()

    with pytest.raises(Cancelled):
        publish(mika, Stop(), to="folder")
    assert {path.name for path in mika.parent.iterdir()} == {"mika.safetensors", "sample", "sample_prompts.txt"}
    left = mika.parent / f"{staging.BEGINNING}x"
    left.mkdir()
    for name in ("old.txt", staging.MARK):
        (left / name).write_text("half")
    publish(mika, to="folder")
    assert not left.exists() and set(below(mika.parent / "mika-civitai")) == ALL


def test_of_a_file_in_a_project_it_lies_among_what_the_project_publishes(tmp_path):
    project = Project.create(tmp_path / "cats", "cats")
    inside = make(project.runs / "x" / "checkpoints" / "mika.safetensors")
    assert publish(inside, to="folder").place == str(project.folder / "published" / "mika-civitai")
    assert publish(make(project.output / "mika.safetensors"), to="zip").place == str(project.folder / "published" / "mika-civitai.zip")
    assert [path.name for path in inside.parent.iterdir()] == ["mika.safetensors"]


def test_civitais_word_for_other_layers_is_explained(mika):
    write(mika, {"lora_unet_mid_block_resnets_0_conv1": layer("loha", 1)[0]}, SAID)
    publish(mika, to="folder")
    listed = (mika.parent / "mika-civitai" / "checklist.txt").read_text()
    assert "Type: LyCORIS (so Civitai calls a LoRA with layers of LoHa)" in listed
