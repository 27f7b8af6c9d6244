"""Many caption files replaced: whole, guarded, and nothing left beside them."""

import os

import pytest

from core.base import syncing
from core.base.errors import Cancelled
from core.base.progress import Progress
from core.dataset.captions import files, swapping
from core.dataset.captions.swapping import Swap, swap_captions


@pytest.fixture
def folder(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.txt").write_text(name)
    return tmp_path


def texts(folder):
    return {path.name: path.read_text() for path in sorted(folder.iterdir())}


def test_files_are_replaced_made_and_removed(folder):
    report = swap_captions(folder, [Swap("a.txt", "a", "A"), Swap("new.txt", None, "N"), Swap("c.txt", "c", None)])
    assert (report.done, report.same, report.skipped) == (3, 0, [])
    assert texts(folder) == {"a.txt": "A", "b.txt": "b", "new.txt": "N"}


def test_another_text_than_the_expected_one_is_left_and_named(folder):
    report = swap_captions(folder, [Swap("a.txt", "other", "A"), Swap("b.txt", None, "B"), Swap("gone.txt", "x", "y")])
    assert [one.name for one in report.skipped] == ["a.txt", "b.txt", "gone.txt"] and report.done == 0
    assert texts(folder) == {"a.txt": "a", "b.txt": "b", "c.txt": "c"}


def test_what_is_there_already_counts_as_the_same(folder):
    assert swap_captions(folder, [Swap("a.txt", "before", "a"), Swap("gone.txt", "x", None)]).same == 2


def test_an_empty_file_that_is_to_go_and_is_gone_already_is_the_same(folder, monkeypatch):
    (folder / "empty.txt").write_text("")
    report = swap_captions(folder, [Swap("gone.txt", "", None), Swap("empty.txt", "", None)])
    assert (report.done, report.same, report.skipped) == (1, 1, []) and "empty.txt" not in texts(folder)
    (folder / "empty.txt").write_text("")
    monkeypatch.setattr(swapping, "SYNC_EACH", 0)
    monkeypatch.setattr(swapping, "sync_all", lambda place, files: (folder / "empty.txt").unlink())
    report = swap_captions(folder, [Swap("empty.txt", "", None), Swap("a.txt", "a", "A")])
    assert (report.done, report.same, report.skipped) == (1, 1, [])


def test_a_change_between_the_look_and_the_replacement_is_seen(folder, monkeypatch):
    monkeypatch.setattr(swapping, "SYNC_EACH", 0)
    for name, change in (("in place", lambda: (folder / "a.txt").write_text("z")),
                         ("replaced", lambda: os.replace(folder / "b.txt", folder / "a.txt"))):
        (folder / "a.txt").write_text("a")
        monkeypatch.setattr(swapping, "sync_all", lambda place, files, change=change: change())
        report = swap_captions(folder, [Swap("a.txt", "a", "A")])
        assert report.done == 0 and len(report.skipped) == 1, name
        assert (folder / "a.txt").read_text() in ("z", "b") and not list(folder.glob(swapping.LEFTOVERS))


def test_a_caption_that_is_no_text_is_left_and_named(folder):
    (folder / "a.txt").write_bytes(b"caf\xe9")
    report = swap_captions(folder, [Swap("a.txt", "a", "A"), Swap("b.txt", "b", "B")])
    assert report.done == 1 and "not UTF-8" in report.skipped[0].reason and (folder / "a.txt").read_bytes() == b"caf\xe9"


class StopAtTheFirstStep(Progress):
    """Somebody presses Cancel while the first captions are put in place."""

    def report_step(self, item: str) -> None:
        self.cancel()


def test_cancel_stops_between_steps_and_leaves_nothing_half_done(folder, monkeypatch):
    monkeypatch.setattr(swapping, "STEP", 10)
    for number in range(40):
        (folder / f"{number:02}.txt").write_text("old")
    progress = StopAtTheFirstStep()
    with pytest.raises(Cancelled):
        swap_captions(folder, [Swap(f"{number:02}.txt", "old", "new") for number in range(40)], progress)
    assert sorted(texts(folder).values()) == ["a", "b", "c", *["new"] * 10, *["old"] * 30] and progress.done == 10
    assert not list(folder.glob(swapping.LEFTOVERS))


def test_cancel_before_anything_is_put_in_place_changes_nothing(folder):
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        swap_captions(folder, [Swap("a.txt", "a", "A")], progress)
    assert texts(folder) == {"a.txt": "a", "b.txt": "b", "c.txt": "c"}


def test_a_trainers_outputs_of_the_old_text_go(folder):
    (folder / "a_te_outputs.npz").write_bytes(b"x")
    (folder / "b_te_outputs.npz").write_bytes(b"x")
    swap_captions(folder, [Swap("a.txt", "a", "A")])
    assert not (folder / "a_te_outputs.npz").exists() and (folder / "b_te_outputs.npz").exists()


def test_a_file_that_is_linked_elsewhere_is_not_changed_there(folder, tmp_path):
    source = tmp_path / "source.txt"
    source.write_text("a")
    (folder / "a.txt").unlink()
    os.link(source, folder / "a.txt")
    swap_captions(folder, [Swap("a.txt", "a", "A")])
    assert source.read_text() == "a" and (folder / "a.txt").read_text() == "A"


def test_files_are_synced_one_by_one_where_the_system_cannot_do_them_together(folder, monkeypatch):
    monkeypatch.setattr(swapping, "SYNC_EACH", 0)
    monkeypatch.setattr(syncing, "_syncfs", lambda: None)
    assert swap_captions(folder, [Swap("a.txt", "a", "A")]).done == 1 and (folder / "a.txt").read_text() == "A"


def test_a_few_captions_of_a_large_folder_are_replaced_without_listing_it(folder, monkeypatch):
    (folder / "a_te_outputs.npz").write_bytes(b"x")
    (folder / "b_te_outputs.npz").write_bytes(b"x")
    monkeypatch.setattr(files.os, "scandir", None)
    assert swap_captions(folder, [Swap("a.txt", "a", "A")]).done == 1
    assert not (folder / "a_te_outputs.npz").exists() and (folder / "b_te_outputs.npz").exists()


def test_the_trainers_caches_of_many_captions_go_too(folder, monkeypatch):
    monkeypatch.setattr(files, "FEW", 1)
    (folder / "a_te_outputs.npz").write_bytes(b"x")
    (folder / "c_te_outputs.npz").write_bytes(b"x")
    assert swap_captions(folder, [Swap("a.txt", "a", "A"), Swap("b.txt", "b", "B")]).done == 2
    assert not (folder / "a_te_outputs.npz").exists() and (folder / "c_te_outputs.npz").exists()


def test_texts_of_several_lines_are_noted_together_before_the_first_is_replaced(folder):
    for name in ("a", "c"):
        (folder / f"{name}.txt").write_text(f"{name}\nmore")
    noted = []
    swaps = [Swap("a.txt", "a, more", "A"), Swap("b.txt", "b", "B"), Swap("c.txt", "c, more", "C"), Swap("gone.txt", "x", "y")]
    report = swap_captions(folder, swaps, lines=lambda found: noted.append((dict(found), (folder / "a.txt").read_text())))
    assert noted == [({"a.txt": "a\nmore", "c.txt": "c\nmore"}, "a\nmore")]
    assert report.done == 3 and [one.name for one in report.skipped] == ["gone.txt"] and texts(folder)["c.txt"] == "C"


def test_a_text_whose_lines_were_parted_otherwise_after_it_was_noted_is_left(folder):
    for name in ("a", "c"):
        (folder / f"{name}.txt").write_text(f"{name}\nmore\nmost")
    swaps = [Swap("a.txt", "a, more, most", "A"), Swap("c.txt", "c, more, most", "C")]
    report = swap_captions(folder, swaps, lines=lambda found: (folder / "c.txt").write_text("c, more\nmost"))
    assert report.done == 1 and [one.name for one in report.skipped] == ["c.txt"]
    assert texts(folder)["c.txt"] == "c, more\nmost" and not list(folder.glob(swapping.LEFTOVERS))
