"""Models of the picture tools: found by name, by file name, told apart by kind, and refused in words."""

import re
from dataclasses import replace

import pytest

from core.base.errors import ModelError
from core.models.catalog import FOLDERS
from core.models.having import file_name, find_model, have_model, list_models, offered_models
from core.models.image_catalog import IMAGE_CATALOG
from core.models.unreached import BY_HAND


def test_what_lies_in_the_folder_of_its_kind_is_found_by_its_name(tmp_path):
    folder = tmp_path / "upscalers"
    folder.mkdir()
    for name in ("own.pth", "b.safetensors", "notes.txt"):
        (folder / name).write_bytes(b"x")
    assert list_models("upscaler", tmp_path) == ["b.safetensors", "own.pth"]
    assert find_model("upscaler", "own.pth", tmp_path) == find_model("upscaler", "own", tmp_path) == folder / "own.pth"
    assert have_model("upscaler", "b", models=tmp_path) == folder / "b.safetensors"
    assert find_model("segmenter", "own", tmp_path) is None and find_model("upscaler", "../upscalers/own", tmp_path) is None


def test_a_name_that_nobody_knows_is_refused_with_those_that_are_there(tmp_path):
    (tmp_path / "upscalers").mkdir()
    (tmp_path / "upscalers" / "own.pth").write_bytes(b"x")
    with pytest.raises(ModelError, match="No upscaler called 'nobody'.+own.pth"):
        have_model("upscaler", "nobody", models=tmp_path)


def test_what_is_offered_says_what_is_here_and_what_it_may_be_used_for(tmp_path):
    folder = tmp_path / "upscalers"
    folder.mkdir()
    (folder / "own.pth").write_bytes(b"x")
    (folder / file_name("realesrgan-x4plus")).write_bytes(b"x")
    words = {name: told for told, name in offered_models("upscaler", tmp_path)}
    assert words["own.pth"] == "own.pth (your own file)" and "is here" in words["realesrgan-x4plus"]
    assert "MB" in words["realesrgan-x2plus"] and list(words)[-1] == "own.pth"
    assert not set(words) & {name for _, name in offered_models("segmenter", tmp_path)}


NOBODY = "http://127.0.0.1:9/model"
"""An address at which nobody listens."""


@pytest.mark.parametrize(("kind", "name", "otherwise"), [
    ("upscaler", "realesrgan-x4plus", "'Resize and convert' with 'Enlarge too' on needs none"),
    ("segmenter", "birefnet-lite", "'Found by' has three that need none: .*plain background.*transparent.*watermarks"),
    ("segmenter", "mobile-sam-encoder", "a mask can be drawn by hand"),
    ("detector", "yunet", "lbp-face needs none"),
    ("inpainter", "big-lama", "smooth needs none"),
    ("face restorer", "gfpgan-1.4", "switch 'Restore faces' off")])
def test_where_nothing_can_be_reached_it_says_what_to_put_where_and_what_works_without(tmp_path, monkeypatch, kind, name, otherwise):
    monkeypatch.setitem(IMAGE_CATALOG, name, replace(IMAGE_CATALOG[name], address=NOBODY, save_as="model.bin", sha256=""))
    folder = tmp_path / FOLDERS[kind]
    folder.mkdir()
    (folder / "own.pth").write_bytes(b"x")
    with pytest.raises(ModelError) as problem:
        have_model(kind, name, models=tmp_path, otherwise=BY_HAND if "sam" in name else "")
    told = str(problem.value)
    assert f"{IMAGE_CATALOG[name].title}" in told and f"({IMAGE_CATALOG[name].told_size})" in told and "is not here" in told
    assert "127.0.0.1 could not be reached" in told and f"Put model.bin into {folder}" in told and "Look at the address" not in told
    assert re.search(otherwise, told) and ("own.pth" in told) == (name != "mobile-sam-encoder")
