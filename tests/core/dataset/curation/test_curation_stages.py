"""Curation from the command line: each stage runs, ends with its sentence or its JSON, and only says what it found."""

import json

import pytest

from core.cli import main
from tests.core.dataset.curation.photographs import photographs


def told(capsys, *argv):
    code = main(list(argv))
    return code, capsys.readouterr().out


@pytest.fixture
def folder(project):
    photo = photographs()["coffee"]
    photo.save(project.images / "coffee.png")
    photo.resize((300, 200)).save(project.images / "small.jpg")
    (project.images / "coffee.txt").write_text("mychar, from behind, full body", encoding="utf-8")
    return str(project.folder)


def test_duplicates_are_told_and_stay_where_they_are(folder, project, capsys):
    code, out = told(capsys, "duplicates", folder, "--hash_distance", "8", "--embedder", "none", "--json")
    found = json.loads(out)
    assert code == 0 and [member["name"] for member in found["groups"][0]] == ["coffee.png", "small.jpg"]
    assert len(list(project.images.iterdir())) == 3


def test_quality_is_told_and_kept(folder, capsys):
    code, out = told(capsys, "quality", folder, "--json")
    found = json.loads(out)
    assert code == 0 and found["looked"] == 2 and found["beyond"]["Shortest side"] == 2


def test_the_overview_is_told_for_the_resolution_that_is_asked_for(folder, capsys):
    code, out = told(capsys, "overview", folder, "--resolution", "256", "--json")
    found = json.loads(out)
    assert code == 0 and found["images"] == 2 and found["repeats"] == 100 and found["coverage"]["angle"] == {"behind": 1}
    assert all(int(side) <= 384 for name in found["buckets"] for side in name.split("x"))


def test_a_wrong_value_is_a_sentence(folder, capsys):
    assert main(["overview", folder, "--resolution", "1024", "--max_bucket_reso", "512"]) == 1
    assert "max_bucket_reso" in capsys.readouterr().err
