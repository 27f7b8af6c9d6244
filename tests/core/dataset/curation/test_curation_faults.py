"""Kills and cancels while pictures are looked at and put aside: no picture and no caption is lost, and what was found out is kept."""

import hashlib
import random

import numpy
import pytest
from PIL import Image

from core.base.errors import Cancelled
from core.base.progress import Progress
from core.dataset.curation.duplicates import DuplicateSettings, find_duplicates, names_of
from core.dataset.curation.putting_aside import rejected_because
from core.dataset.project import Project
from core.dataset.rejecting import RejectSettings, RestoreSettings, reject_images, restore_images
from tests.dying import killed

COUNT = 40
LOOKER = """
import sys
from pathlib import Path
from core.dataset.curation.duplicates import DuplicateSettings, find_duplicates
from core.dataset.project import Project
from tests.dying import begin
project = Project.open(Path(sys.argv[1]))
begin()
find_duplicates(project, DuplicateSettings())
"""
MOVER = """
import sys
from pathlib import Path
from core.dataset.curation.duplicates import DuplicateSettings, find_duplicates, names_of
from core.dataset.curation.putting_aside import rejected_because
from core.dataset.project import Project
from core.dataset.rejecting import RejectSettings, RestoreSettings, reject_images, restore_images
from tests.dying import begin
project = Project.open(Path(sys.argv[1]))
names = tuple(names_of(find_duplicates(project, DuplicateSettings(embedder="none")).groups))
begin()
for _ in range(10_000):
    reject_images(project, RejectSettings(images=names, reason="duplicate"))
    restore_images(project, RestoreSettings(images=tuple(rejected_because(project, "duplicate"))))
"""


@pytest.fixture
def doubled(tmp_path):
    """Each picture twice, each with a caption of its own."""
    project = Project.create(tmp_path / "project", "Test")
    for number in range(COUNT):
        rough = numpy.random.default_rng(number).integers(0, 256, (16, 16, 3), dtype=numpy.uint8)
        picture = Image.fromarray(rough).resize((512, 512), Image.Resampling.BICUBIC)
        picture.save(project.images / f"{number}.png", compress_level=1)
        picture.resize((400, 400)).save(project.images / f"{number}-small.png", compress_level=1)
        for name in (f"{number}", f"{number}-small"):
            (project.images / f"{name}.txt").write_text(f"mychar, picture {name}", encoding="utf-8")
    return project


def contents(*folders):
    """SHA-256 of each file by its name, wherever it lies."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for folder in folders for path in folder.iterdir()}


@pytest.mark.slow
def test_kills_while_pictures_are_looked_at_lose_nothing_and_it_goes_on(doubled):
    before, chance = contents(doubled.images), random.Random(1)
    known = 0
    for _ in range(8):
        if not killed(LOOKER, doubled.folder, seconds=chance.uniform(0.05, 0.9)):
            break
        stored = find_duplicates(doubled, DuplicateSettings(embedder="none"), stored_only=True)
        assert stored.looked >= known and contents(doubled.images) == before
        known = stored.looked
    report = find_duplicates(doubled, DuplicateSettings())
    assert report.looked == 2 * COUNT and len(report.groups) == COUNT and report.skipped == []
    assert contents(doubled.images) == before


@pytest.mark.slow
def test_kills_while_duplicates_are_put_aside_and_back_lose_nothing(doubled):
    before, chance, halves = contents(doubled.images), random.Random(2), 0
    for turn in range(10):
        step, seconds = (chance.randrange(20, 200), 0) if turn % 2 else (0, chance.uniform(0.01, 0.3))
        assert killed(MOVER, doubled.folder, step=step, seconds=seconds)
        doubled.rejected.mkdir(exist_ok=True)
        lying = contents(doubled.images, doubled.rejected)
        assert lying == before and len(list(doubled.images.iterdir())) + len(list(doubled.rejected.iterdir())) == len(before)
        halves += 0 < len(list(doubled.rejected.iterdir())) < 2 * COUNT
    restore_images(doubled, RestoreSettings())
    assert contents(doubled.images) == before and list(doubled.rejected.iterdir()) == []
    assert halves  # kills where it matters


@pytest.mark.slow
def test_a_cancelled_putting_aside_keeps_what_is_done_and_goes_back_whole(doubled):
    class Stop(Progress):
        def report_step(self, item: str) -> None:
            if self.done == 7:
                self.cancel()

    before = contents(doubled.images)
    names = tuple(names_of(find_duplicates(doubled, DuplicateSettings(embedder="none")).groups))
    with pytest.raises(Cancelled):
        reject_images(doubled, RejectSettings(images=names, reason="duplicate"), Stop())
    aside = rejected_because(doubled, "duplicate")
    assert 7 <= len(aside) <= 8 and contents(doubled.images, doubled.rejected) == before
    restore_images(doubled, RestoreSettings(images=tuple(aside)))
    assert contents(doubled.images) == before
