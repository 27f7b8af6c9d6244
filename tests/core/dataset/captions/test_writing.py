"""Captions of a model on their way into the files: what could not be written does not count as written, in the history either."""

from core.base.progress import SILENT
from core.dataset.captions.tagging import TagReport
from core.dataset.captions.writing import CaptionWriter
from core.dataset.history import Change, History, undo_last
from core.dataset.items import list_items
from tests.core.dataset.small_things import picture


def test_a_caption_that_a_person_changed_at_the_last_moment_is_not_held_for_the_models(project):
    for name in ("a", "b"):
        picture(project.images / f"{name}.png")
        (project.images / f"{name}.txt").write_text("old", encoding="utf-8")
    history, report = History.of(project), TagReport()

    def change(item, tags):
        if item.id == "a":
            (project.images / "a.txt").write_text("hat", encoding="utf-8")  # typed between the look and the writing
        return Change(item.id, item.caption_name, "old", f"old, {tags}", (tags,), item.sha256)

    with history.entry("Tagged") as record:
        CaptionWriter(change, report, record, SILENT).take([[(item, "hat")] for item in list_items(project)])
    assert (report.written, [skipped.name for skipped in report.skipped]) == (1, ["a.png"])
    assert history.authored({item.id: item.sha256 for item in list_items(project)}) == {"b": {"hat"}}
    (entry,) = history.entries()
    assert [one.image for one in entry.changes] == ["b"] and entry.count == 1
    with open(history.path, "rb") as file:
        assert [one.image for one in entry.newest_changes(file, lambda line: True)] == ["b"]
    assert undo_last(project).restored == 1
    assert {path.stem: path.read_text() for path in project.images.glob("*.txt")} == {"a": "hat", "b": "old"}
