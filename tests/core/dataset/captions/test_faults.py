"""Kills and two writers at once: no caption is lost, none is empty, none stands in another's file, and the history can be read."""

import random
import subprocess
import sys

import pytest

from core.base.paths import ROOT
from core.dataset.captions.edit_settings import EditSettings
from core.dataset.captions.editing import edit_captions
from core.dataset.captions.swapping import LEFTOVERS
from core.dataset.history import History, finish, redo_last, undo_last
from core.dataset.project import Project
from tests.core.dataset.small_things import png_bytes
from tests.dying import killed

EDITOR = """
import sys
from pathlib import Path
from core.dataset.captions.edit_settings import EditSettings
from core.dataset.captions.editing import edit_captions
from core.dataset.history import undo_last
from core.dataset.project import Project
from tests.dying import begin
project = Project.open(Path(sys.argv[1]))
begin()
for number in range(10_000):
    edit_captions(project, EditSettings(add_last=f"word {number}"))
    undo_last(project)
"""
WRITER = """
import sys
from pathlib import Path
from core.dataset.captions.edit_settings import EditSettings
from core.dataset.captions.editing import edit_captions
from core.dataset.project import Project
project, name = Project.open(Path(sys.argv[1])), sys.argv[2]
sys.stdin.readline()
print(sum(edit_captions(project, EditSettings(add_last=f"{name} {number}")).changed for number in range(12)))
"""


def filled(tmp_path, count):
    project = Project.create(tmp_path / "project", "Test")
    picture = png_bytes(size=(8, 8))
    for number in range(count):
        (project.images / f"{number}.png").write_bytes(picture)
        (project.images / f"{number}.txt").write_text(f"picture {number}, hat")
    return project


def look(project, count):
    """Every caption is there, whole, and in its own file."""
    texts = {}
    for number in range(count):
        text = (project.images / f"{number}.txt").read_text()
        assert text.startswith(f"picture {number}, hat") and (text.endswith("hat") or text.split(", ")[-1].startswith("word ")), text
        texts[number] = text.removeprefix(f"picture {number}, ")
    return texts


@pytest.mark.slow
def test_kills_in_the_middle_of_bulk_edits_and_undos_lose_nothing(tmp_path):
    count, chance = 250, random.Random(3)
    project = filled(tmp_path, count)
    interrupted = 0
    for turn in range(12):
        step, seconds = (chance.randrange(10, 1500), 0) if turn % 2 else (0, chance.uniform(0.02, 0.35))
        assert killed(EDITOR, project.folder, step=step, seconds=seconds)
        look(project, count)
        history = History.of(project)
        assert all(len(entry.changes) == entry.count for entry in history.entries())
        broken = history.interrupted()
        interrupted += bool(broken)
        for entry in broken:
            finish(project, entry.id)
        assert len(set(look(project, count).values())) == 1  # all in the same state: whole, or taken back
        assert history.interrupted() == [] and list(project.images.glob(LEFTOVERS)) == []
        if history.applied():
            assert undo_last(project).skipped == []
        assert set(look(project, count).values()) == {"hat"}
    assert interrupted  # kills where it matters


@pytest.mark.slow
def test_two_notebooks_at_once_lose_no_change_of_each_other(tmp_path):
    count = 60
    project = filled(tmp_path, count)
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(project.folder), name], cwd=ROOT, stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, text=True) for name in ("left", "right")]
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    changed = sum(int(writer.communicate(timeout=120)[0]) for writer in writers)
    words = sum(len((project.images / f"{number}.txt").read_text().split(", ")) - 2 for number in range(count))
    assert words == changed > 0


def test_an_interrupted_edit_can_be_undone_or_completed(tmp_path):
    project = filled(tmp_path, 4)
    edit_captions(project, EditSettings(add_last="word 1"))
    history = History.of(project)
    lines = history.path.read_bytes().splitlines(keepends=True)
    history.path.write_bytes(b"".join(lines[:-1]))  # as a kill before the end leaves it
    (project.images / "2.txt").write_text("picture 2, hat")
    assert [entry.what for entry in history.interrupted()] == ["Added word 1"]
    assert finish(project, history.entries()[0].id).restored == 1 and look(project, 4)[2] == "hat, word 1"
    assert undo_last(project).restored == 4 and set(look(project, 4).values()) == {"hat"}
    assert redo_last(project).restored == 4


TAGGER = """
import sys
from pathlib import Path
from core.dataset.captions.tagging import TagSettings, tag_images
from core.dataset.project import Project
from tests.dying import begin
project = Project.open(Path(sys.argv[1]))
begin()
for number in range(10_000):
    settings = TagSettings(model_dir=sys.argv[2], device="cpu", batch_size=4, existing="replace", drop_overlap=False,
                           prefix=f"round {number}", general_threshold=(0.05, 0.6)[number % 2])
    tag_images(project, settings)
"""


@pytest.mark.slow
def test_kills_in_the_middle_of_tagging_lose_no_caption_and_no_word_of_a_person(tmp_path):
    """Every caption is there, whole, in its own file, with its person's words; the next tagging goes on."""
    from core.dataset.captions.tagging import TagSettings, tag_images
    from tests.core.dataset.small_things import make_tagger, picture

    pytest.importorskip("onnx")
    count, chance = 60, random.Random(5)
    project = Project.create(tmp_path / "project", "Test")
    model = make_tagger(tmp_path / "tagger")
    for number in range(count):
        picture(project.images / f"{number}.png", (4 * number, 0, 0), size=(8, 8))
        (project.images / f"{number}.txt").write_text(f"picture {number}, hat")
    first = TagSettings(model_dir=str(model), device="cpu", existing="replace", drop_overlap=False)
    torn = 0
    for turn in range(14):
        if turn == 5:
            (project.hidden / "scores.sqlite").unlink()  # the model looks again
        step, seconds = (chance.randrange(5, 200), 0) if turn % 2 else (0, chance.uniform(0.02, 0.6))
        assert killed(TAGGER, project.folder, model, step=step, seconds=seconds)
        for number in range(count):
            tags = (project.images / f"{number}.txt").read_text().split(", ")
            own = [tag for tag in tags if tag in ("hat", f"picture {number}")]
            red = 4 * number / 255
            found = {tag for tag in tags if tag not in own and not tag.startswith("round ")}
            may = {name for name, score in (("red theme", red), ("dark red theme", red / 2), ("mika (sea)", red)) if score >= 0.05}
            assert own == [f"picture {number}", "hat"] and found <= may and sum(tag.startswith("round ") for tag in tags) <= 1, tags
        history = History.of(project)
        torn += bool(history.interrupted())
        for entry in history.interrupted():
            finish(project, entry.id)
    assert torn  # some of the kills came in the middle
    report = tag_images(project, first)
    assert report.skipped == [] and len(list(project.images.glob("*.txt"))) == count
    while History.of(project).applied():
        assert undo_last(project).skipped == []
    for number in range(count):
        assert (project.images / f"{number}.txt").read_text() == f"picture {number}, hat"
