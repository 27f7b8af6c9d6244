"""Models of the picture tools: found by name, by file name, told apart by kind, and refused in words."""

import pytest

from core.base.errors import ModelError
from core.models.having import file_name, find_model, have_model, list_models, offered_models


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
