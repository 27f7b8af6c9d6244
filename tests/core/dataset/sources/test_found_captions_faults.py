"""A kill while captions from beside the sources are taken: no caption is lost, none empty, and what is open is found again."""

import pytest

from core.dataset.history import History
from core.dataset.manager import DatasetManager
from tests.core.dataset.small_things import picture
from tests.dying import killed

TAKE = """
import sys
from core.dataset.manager import DatasetManager
from tests.dying import begin
manager = DatasetManager.open(sys.argv[1])
seen = manager.find_source_captions().found
begin()
manager.take_source_captions(seen[:2], seen[2:])
"""


@pytest.mark.slow
def test_a_kill_at_any_step_of_taking_leaves_whole_captions_and_finds_the_rest_again(tmp_path):
    for number in range(3):
        picture(tmp_path / "source" / f"{number}.png", (number, 9, 9))
    (tmp_path / "source" / "0.txt").write_text("old")
    step, died = 0, True
    while died:
        step += 1
        manager = DatasetManager.create(f"Cats {step}", parent=tmp_path / "projects")
        (tmp_path / "source" / "0.txt").write_text("old")
        for number in (1, 2):
            (tmp_path / "source" / f"{number}.txt").unlink(missing_ok=True)
        manager.import_from(tmp_path / "source")
        for number in range(3):
            (tmp_path / "source" / f"{number}.txt").write_text(f"new {number}")
        died = killed(TAKE, manager.project.folder, step=step)
        after = DatasetManager.open(manager.project.folder)
        captions = {item.id: item.caption for item in after.items()}
        assert captions["0"] in ("old", "new 0") and captions["1"] in (None, "new 1") and captions["2"] is None, step
        found = {one.id for one in after.find_source_captions().found}
        assert {name for name, caption in captions.items() if caption != f"new {name}"} - {"2"} <= found, step
        assert ("2" in found) or not died or all(captions[name] == f"new {name}" for name in "01"), step
        for entry in History.of(after.project).interrupted():
            after.finish(entry.id)
            assert {item.id: item.caption for item in after.items()} == {"0": "new 0", "1": "new 1", "2": None}, step
        if History.of(after.project).applied():
            after.undo()
            assert {item.id: item.caption for item in after.items()} == {"0": "old", "1": None, "2": None}, step
        assert not list(after.project.images.glob(".lorabook-*")), step
    assert step > 3
