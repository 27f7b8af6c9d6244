"""Imports that are killed again and again at each of their steps: no caption is lost, empty or beside another picture; the next goes on."""

import pytest
from PIL import Image

from core.dataset.items import list_items
from core.dataset.manager import DatasetManager
from core.dataset.project import Project
from core.dataset.sources.ledger import read_ledger
from tests.core.dataset.small_things import picture
from tests.dying import killed

pytestmark = pytest.mark.slow
COUNT = 10
IMPORT = """
import sys
from core.dataset.manager import DatasetManager
from tests.dying import begin
manager = DatasetManager.open(sys.argv[1])
begin()
manager.import_from(sys.argv[2])
"""


@pytest.fixture
def source(tmp_path):
    for number in range(COUNT):
        picture(tmp_path / "source" / f"{number}.{'gif' if number % 3 else 'png'}", (20 * number, 0, 40), size=(200, 150))
        (tmp_path / "source" / f"{number}.txt").write_text(f"picture {number}, hat")
    return tmp_path / "source"


def look(project) -> dict[str, str]:
    """Each caption that is there is whole, and beside its own picture."""
    texts = {path.stem: path.read_text() for path in project.images.glob("*.txt")}
    for name, text in texts.items():
        assert text == f"picture {name}, hat"
    for item in list_items(project):
        with Image.open(item.path) as image:
            red = image.convert("RGB").getpixel((5, 5))[0]
        assert abs(red - 20 * int(item.id)) < 8
    return texts


@pytest.mark.parametrize("stride", [4, 17])
def test_an_import_that_dies_in_a_loop_goes_on_and_ends_with_each_caption_beside_its_picture(tmp_path, source, stride):
    """Each life gets `stride` steps further into what is left than the one before; a caption that came is never lost again."""
    project = Project.create(tmp_path / "project", "Test")
    known: dict[str, str] = {}
    lives = 0
    for lives in range(1, 60):
        was_killed = killed(IMPORT, project.folder, source, step=stride * lives)
        texts = look(project)
        assert known.items() <= texts.items()
        known = texts
        if not was_killed:
            break
    assert not was_killed and lives > 1
    report = DatasetManager.open(project.folder).import_from(source)
    assert [item.id for item in list_items(project)] == [str(number) for number in range(COUNT)] and len(look(project)) == COUNT
    assert [record.name for record in read_ledger(project)] and report.sentence()
    assert {path.name for path in project.images.iterdir() if not path.name.startswith(".")} == {
        f"{number}{ending}" for number in range(COUNT) for ending in (".png", ".txt")}


def test_captions_that_a_person_changed_between_two_lives_stay(tmp_path, source):
    project = Project.create(tmp_path / "project", "Test")
    assert killed(IMPORT, project.folder, source, step=40)
    [first, *_] = sorted(project.images.glob("*.txt"))
    first.write_text("my own words")
    for step in (10, 25, 60):
        killed(IMPORT, project.folder, source, step=step)
        assert first.read_text() == "my own words"
    DatasetManager.open(project.folder).import_from(source)
    assert first.read_text() == "my own words" and len(list(project.images.glob("*.txt"))) == COUNT
