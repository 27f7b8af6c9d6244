"""Models of the picture tools: found by name, by file name, told apart by kind, and refused in words."""

import pytest

from core.base.errors import ModelError
from core.models.having import find_model, have_model, list_models


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
