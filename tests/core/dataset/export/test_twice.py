"""Exporting again: nothing changes that need not, nothing of anybody else's is touched, and whatever broke off is gone on with."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from core.base.errors import Cancelled, DatasetError
from core.base.paths import ROOT
from core.base.progress import Progress
from core.dataset.export import exporting, writing
from core.dataset.export.exporting import export_dataset
from core.dataset.export.manifest import MANIFEST
from core.dataset.rejecting import RejectSettings, reject_images
from tests.core.dataset.export.exports import caption, drawn, export, fill, names, settings, tree

LAYOUTS = ["kohya", "in_place", "onetrainer", "ai_toolkit", "imagefolder"]
FOLDER = "img/50_mychar"


@pytest.fixture
def filled(project):
    fill(project)
    return project


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_second_export_changes_no_byte_and_no_time(filled, layout):
    own = tree(filled.images), tree(filled.variants)
    root = Path(export(filled, layout=layout, parts=True).folder)
    before = tree(root)
    report = export(filled, layout=layout, parts=True)
    assert tree(root) == before and not report.written and not report.removed and "nothing changed" in report.sentence()
    assert (tree(filled.images), tree(filled.variants)) == own


def test_pictures_that_need_no_change_are_the_same_bytes_and_no_links(filled):
    root = Path(export(filled).folder)
    copy, source = root / FOLDER / "plain.png", filled.images / "plain.png"
    assert copy.read_bytes() == source.read_bytes() and copy.stat().st_ino != source.stat().st_ino and not copy.is_symlink()
    copy.write_bytes(b"somebody paints over it")
    assert source.read_bytes() != copy.read_bytes()


@pytest.mark.parametrize("layout", ["kohya", "onetrainer", "ai_toolkit"])
def test_a_changed_caption_rewrites_that_file_alone_and_forgets_what_a_trainer_made_of_it(filled, layout):
    root = Path(export(filled, layout=layout, sheets=False).folder)
    before = tree(root)
    folder = next(path.parent for path in root.rglob("plain.txt"))
    for name in ("plain_te_outputs.npz", "girl_te_outputs.npz"):
        (folder / name).write_bytes(b"cache")
    caption(filled, "plain", "mychar, plain, red hats")
    report = export(filled, layout=layout, sheets=False)
    after = tree(root)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {f"{folder.relative_to(root)}/plain.txt", "statistics.md", MANIFEST}
    assert set(report.written) == changed - {MANIFEST}
    assert not (folder / "plain_te_outputs.npz").exists() and (folder / "girl_te_outputs.npz").exists()


def test_a_changed_picture_is_written_anew_and_its_latents_are_forgotten(filled):
    root = Path(export(filled).folder)
    for name in ("plain_0096x0064_sd.npz", "plain_b_0096x0064_sd.npz"):
        (root / FOLDER / name).write_bytes(b"cache")
    drawn(filled.images / "plain.png", seed=77)
    report = export(filled)
    assert f"{FOLDER}/plain.png" in report.written
    assert (root / FOLDER / "plain.png").read_bytes() == (filled.images / "plain.png").read_bytes()
    assert not (root / FOLDER / "plain_0096x0064_sd.npz").exists() and (root / FOLDER / "plain_b_0096x0064_sd.npz").exists()


def test_a_picture_that_left_the_dataset_leaves_the_export_with_its_caption_and_mask(filled):
    root = Path(export(filled, num_repeats=50).folder)
    reject_images(filled, RejectSettings(images=("girl.png",)))
    report = export(filled, num_repeats=50)
    assert {"img/50_mychar/girl.png", "img/50_mychar/girl.txt", "mask/50_mychar/girl.png"} <= set(report.removed)
    assert not list(root.rglob("girl*")) and (filled.rejected / "girl.png").exists()
    assert list(filled.rejected.rglob("girl_upscaled.png")) and not (filled.variants / "girl_upscaled.png").exists()
    assert not (root / "mask").exists()  # no mask is left, so none is made for the others


def test_another_number_of_repeats_moves_the_folder_and_leaves_none_behind(filled):
    root = Path(export(filled).folder)
    drawn(filled.images / "new.png", seed=8)
    caption(filled, "new", "mychar, new")
    export(filled)
    assert sorted(path.name for path in (root / "img").iterdir()) == ["40_mychar"]


def test_files_of_somebody_else_are_never_touched_and_are_named(filled):
    root = Path(export(filled, num_repeats=50).folder)
    (root / FOLDER / "mine.png").write_bytes(b"mine")
    (root / "notes.md").write_text("mine")
    drawn(filled.images / "late.png", seed=4)
    caption(filled, "late", "mychar, late")
    (root / FOLDER / "late.txt").write_text("somebody's")
    report = export(filled, num_repeats=50)
    assert sorted(report.foreign) == [f"{FOLDER}/late.txt", f"{FOLDER}/mine.png"]
    assert (root / FOLDER / "mine.png").read_bytes() == b"mine" and (root / FOLDER / "late.txt").read_text() == "somebody's"
    for name in ("late.png", "plain.png"):
        reject_images(filled, RejectSettings(images=(name,)))
    report = export(filled, num_repeats=50)
    assert (root / FOLDER / "late.txt").read_text() == "somebody's" and not (root / FOLDER / "late.png").exists()
    assert (root / "notes.md").read_text() == "mine"


def test_what_somebody_changed_in_the_export_stays_until_it_may_be_written_over(filled):
    root = Path(export(filled, num_repeats=50).folder)
    (root / FOLDER / "plain.txt").write_text("better")
    (root / FOLDER / "girl.txt").write_text("better too")
    caption(filled, "plain", "mychar, other")
    reject_images(filled, RejectSettings(images=("girl.png",)))
    report = export(filled, num_repeats=50)
    assert sorted(report.edited) == [f"{FOLDER}/girl.txt", f"{FOLDER}/plain.txt"]
    assert (root / FOLDER / "plain.txt").read_text() == "better" and (root / FOLDER / "girl.txt").read_text() == "better too"
    assert "Changed there by somebody" in report.sentence()
    report = export(filled, num_repeats=50, replace_edited=True)
    assert (root / FOLDER / "plain.txt").read_text() == "mychar, other" and not (root / FOLDER / "girl.txt").exists()


def test_a_lost_or_damaged_note_is_no_loss(filled):
    root = Path(export(filled).folder)
    before = tree(root)
    for damage in (lambda path: path.unlink(), lambda path: path.write_text("{"), lambda path: path.write_text('{"version": 9}')):
        damage(root / MANIFEST)
        report = export(filled)
        assert not report.written and not report.foreign
        assert {name: one for name, one in tree(root).items() if name != MANIFEST} == {
            name: one for name, one in before.items() if name != MANIFEST}


def test_a_note_that_was_tampered_with_removes_nothing_elsewhere(filled, tmp_path):
    root = Path(export(filled).folder)
    (tmp_path / "precious").write_text("x")
    noted = json.loads((root / MANIFEST).read_text())
    facts = (tmp_path / "precious").stat()
    for name in ("../../../precious", str(tmp_path / "precious")):
        noted["files"][name] = ["file:x", "", "", facts.st_size, facts.st_mtime_ns]
    (root / MANIFEST).write_text(json.dumps(noted))
    export(filled)
    assert (tmp_path / "precious").exists()


class StopAt(Progress):
    """Asks to stop after so many steps of writing."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps

    def report_step(self, item: str) -> None:
        if self.what == "Exporting" and self.done >= self.steps:
            self.cancel()


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_cancel_leaves_whole_files_and_the_next_export_goes_on(filled, tmp_path, steps):
    with pytest.raises(Cancelled):
        export_dataset(filled, settings(), StopAt(steps))
    root = filled.folder / "export" / "kohya"
    begun = tree(root)
    assert not [name for name in begun if name.endswith(".part")] and (root / MANIFEST).exists()
    export(filled)
    whole = {name: data for name, (data, _) in tree(root).items()}
    assert all(tree(root)[name] == one for name, one in begun.items() if name != MANIFEST)
    fresh = Path(export(filled, folder=str(tmp_path / "fresh")).folder)
    assert {name: data for name, data in whole.items() if name not in (MANIFEST, "dataset.toml")} == {
        name: data for name, (data, _) in tree(fresh).items() if name not in (MANIFEST, "dataset.toml")}


def test_a_cancelled_second_export_still_knows_all_files(filled):
    root = Path(export(filled, num_repeats=50).folder)
    with pytest.raises(Cancelled):
        export_dataset(filled, settings(num_repeats=50), StopAt(1))
    reject_images(filled, RejectSettings(images=("plain.png",)))
    export(filled, num_repeats=50)
    assert not (root / FOLDER / "plain.png").exists() and not (root / FOLDER / "plain.txt").exists()


SLOW = """
import sys, time
from pathlib import Path
sys.path.insert(0, {root!r})
from core.dataset.export import exporting, writing
from core.dataset.export.exporting import export_dataset
from core.dataset.export.settings import ExportSettings
from core.dataset.project import Project
own, count = writing.os.replace, [0]
def replace(one, other):
    count[0] += 1
    if count[0] == {at}:
        print("now", flush=True)
        time.sleep(60)
    own(one, other)
writing.os.replace = replace
export_dataset(Project(Path({project!r})), ExportSettings())
"""


@pytest.mark.parametrize("at", [1, 4, 9])
def test_a_kill_in_the_middle_of_a_file_leaves_nothing_half_and_the_next_export_is_whole(filled, tmp_path, at):
    code = SLOW.format(root=str(ROOT), project=str(filled.folder), at=at)
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None and child.stdout.readline() == "now\n"
    time.sleep(0.2)
    os.kill(child.pid, signal.SIGKILL)
    child.wait(10)
    root = filled.folder / "export" / "kohya"
    left = tree(root)
    assert [name for name in left if name.endswith(".part")]
    report = export(filled)
    assert not report.foreign and not report.edited and not [name for name in tree(root) if name.endswith(".part")]
    fresh = Path(export(filled, folder=str(tmp_path / "fresh")).folder)
    assert {name: data for name, (data, _) in tree(root).items() if name not in (MANIFEST, "dataset.toml")} == {
        name: data for name, (data, _) in tree(fresh).items() if name not in (MANIFEST, "dataset.toml")}


def test_two_exports_at_once_wait_for_each_other(filled):
    reports = []
    threads = [threading.Thread(target=lambda: reports.append(export(filled))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(bool(report.written) for report in reports) == [False, False, True]
    assert not any(report.foreign or report.edited for report in reports)


def test_a_folder_with_the_export_of_another_project_or_layout_is_refused(filled, tmp_path):
    from core.dataset.project import Project

    export(filled, folder=str(tmp_path / "out"))
    with pytest.raises(DatasetError, match="holds an export of 'Test' for kohya"):
        export(filled, folder=str(tmp_path / "out"), layout="onetrainer")
    other = Project.create(tmp_path / "other", "Other")
    fill(other)
    before = tree(tmp_path / "out")
    with pytest.raises(DatasetError, match="holds an export of 'Test'"):
        export(other, folder=str(tmp_path / "out"))
    assert tree(tmp_path / "out") == before


def test_a_picture_that_goes_away_or_breaks_meanwhile_is_named_and_the_rest_is_exported(filled, monkeypatch):
    root = Path(export(filled, num_repeats=50).folder)
    drawn(filled.images / "plain.png", seed=50)
    own = writing._copy
    monkeypatch.setattr(writing, "_copy", lambda source, *rest: (source.unlink(), own(source, *rest)))
    report = export(filled, num_repeats=50)
    assert [(one.name, one.reason) for one in report.skipped] == [("plain.png", "plain.png is not there (any more).")]
    assert (root / FOLDER / "plain.png").exists() and report.pictures == 3
    assert names(root, f"{FOLDER}/plain") == [".png", ".txt"]


def test_pictures_that_exchange_their_names_meanwhile_never_get_each_others_captions(filled, monkeypatch):
    own = writing._copy

    def swapped(source, *rest):
        if source.name == "plain.png":
            source.rename(source.with_name("x"))
            (filled.images / "girl.png").rename(source)
            source.with_name("x").rename(filled.images / "girl.png")
        own(source, *rest)

    monkeypatch.setattr(writing, "_copy", swapped)
    report = export(filled, versions="none")
    assert {one.name: one.reason for one in report.skipped}["plain.png"] == "It was changed or renamed while it was exported. Export again."
    assert not (Path(report.folder) / FOLDER / "plain.png").exists()
    monkeypatch.undo()
    root = Path(export(filled, versions="none").folder)
    for name in ("plain", "girl"):
        assert (root / FOLDER / f"{name}.png").read_bytes() == (filled.images / f"{name}.png").read_bytes()


def test_a_full_disk_is_told_and_leaves_nothing_half(filled, monkeypatch):
    import errno

    from core.base.errors import DiskError

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(writing, "_copy", full)
    with pytest.raises(DiskError, match="No space left"):
        export(filled)
    assert not list((filled.folder / "export").rglob("*.part"))


@pytest.mark.parametrize("replaced", ["girl_upscaled.png", "girl_mask.png"])
@pytest.mark.parametrize("at", ["_copy", "prepare_mask"])
def test_a_version_and_a_mask_that_do_not_belong_together_are_never_exported(filled, monkeypatch, replaced, at):
    module = writing if at == "_copy" else exporting
    own = getattr(module, at)

    def meanwhile(source, *rest):
        made = own(source, *rest)
        if source.name.startswith("girl"):
            drawn(filled.variants / replaced, (384, 256), seed=77)
        return made

    drawn(filled.variants / "girl_upscaled.png", (192, 128), seed=5)  # says nothing of itself, so that it is copied as it is
    monkeypatch.setattr(module, at, meanwhile)
    report = export(filled, layout="onetrainer", sheets=False)
    assert {one.name: one.reason for one in report.skipped}["girl_upscaled.png"] == \
        "It was changed or renamed while it was exported. Export again."
    assert not [name for name in names(Path(report.folder)) if name.startswith("images/girl")]
    monkeypatch.undo()
    again = export(filled, layout="onetrainer", sheets=False)
    assert not again.skipped and not again.foreign and (Path(again.folder) / "images/girl.png").is_file()
