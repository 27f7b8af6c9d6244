"""Housekeeping: what lies there is told by kind, what can be made anew goes when it is asked for, and nothing that is used."""

import json
import os
import time
from dataclasses import replace

import pytest

from core.base.errors import ConfigError
from core.base.progress import SILENT
from core.dataset.project import Project, trained_on
from core.training.run import Run
from core.utilities.disk.heaps import KINDS
from core.utilities.disk.housekeeping import HousekeepingSettings, heap_of, keep_house, room_of
from tests.core.training.fakes import make_run

LONG_AGO = 10 * 86_400


def write(path, size=100, age=LONG_AGO):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    os.utime(path, (time.time() - age,) * 2)
    return path


def state(run: Run, name, step):
    folder = run.checkpoints / f"mochi-{name}-state"
    write(folder / "optimizer.bin")
    write(folder / "random_states_0.pkl")
    (folder / "train_state.json").write_text(json.dumps({"current_step": step, "current_epoch": 1}))
    return folder


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("LORABOOK_PROJECTS", str(tmp_path))
    run = make_run(tmp_path)
    project = Project(run.project_folder)
    for name in ("a.png", "a.txt", "a_0512x0512_sd.npz"):
        write(project.images / name)
    write(project.hidden / "previews" / "one.1.2")
    write(project.folder / "export" / "kohya" / "img" / "a.png")
    write(project.variants / ".replaced" / "a_upscaled.png")
    write(project.variants / ".trained" / "0123456789abcdef" / "images" / "a.png")
    os.utime(project.variants / ".trained" / "0123456789abcdef", (time.time() - LONG_AGO,) * 2)
    write(run.checkpoints / ".mochi.part")
    for name in ("mochi-000001.safetensors", "mochi-step00000010.safetensors", "mochi.safetensors"):
        write(run.checkpoints / name)
    write(run.checkpoints / "sample" / "mochi_e000001_00_1.png")
    state(run, "000001", 10)
    state(run, "000002", 20)
    return run


def keep(**values):
    return keep_house(HousekeepingSettings.make(**values), SILENT)


def told(report, what="heaps"):
    return {heap.kind: heap.files for heap in getattr(report, what)}


def test_everything_is_told_and_nothing_goes_unless_it_is_asked_for(run):
    before = sorted(path for path in run.project_folder.rglob("*"))
    report = keep()
    assert told(report) == {"caches": 1, "training-sets": 1, "previews": 1, "half-written": 1, "old-states": 3, "last-states": 3,
                            "epochs": 2, "samples": 1, "exports": 1, "replaced": 1}
    assert set(told(report, "chosen")) == {"caches", "training-sets", "previews", "half-written", "old-states"}
    assert sorted(path for path in run.project_folder.rglob("*")) == before and "Nothing is deleted yet" in report.sentence()
    assert report.as_dict()["heaps"][0]["project"] == "cats" and json.dumps(report.as_dict())


def test_what_is_made_anew_goes_and_the_rest_stays(run):
    report = keep(delete=True)
    assert report.files == 7 and report.kept == [] and "7 files deleted" in report.sentence()
    project = Project(run.project_folder)
    assert sorted(path.name for path in project.images.iterdir()) == ["a.png", "a.txt"]
    assert sorted(path.name for path in run.checkpoints.iterdir()) == [
        "mochi-000001.safetensors", "mochi-000002-state", "mochi-step00000010.safetensors", "mochi.safetensors", "sample"]
    assert told(keep(), "chosen") == {} and (project.variants / ".replaced" / "a_upscaled.png").exists()


def test_only_the_kinds_projects_and_ages_that_were_named(run, tmp_path):
    other = Project.create(tmp_path / "dogs", "Dogs")
    write(other.images / "b_0512x0512_sd.npz")
    write(other.images / "c_0512x0512_sd.npz", age=60)
    report = keep(projects=["dogs"], kinds=["caches"], days=5, delete=True)
    assert report.files == 1 and sorted(path.name for path in other.images.glob("*.npz")) == ["c_0512x0512_sd.npz"]
    assert keep(kinds=["epochs"], delete=True).files == 2 and (run.checkpoints / "mochi.safetensors").exists()


def test_what_a_training_uses_is_never_among_it(run):
    project = Project(run.project_folder)
    (run.folder / "more.toml").write_text('image_dir = "variants/.trained/0123456789abcdef/images"')
    with trained_on([project.images], "run", SILENT):
        assert not {"caches", "training-sets"} & told(keep()).keys()
    assert "training-sets" not in told(keep()) and "caches" in told(keep())


def test_a_run_that_works_keeps_its_states(run, monkeypatch):
    monkeypatch.setattr(Run, "is_active", lambda self: True)
    assert not {"old-states", "last-states", "epochs", "samples"} & told(keep()).keys()


def test_what_begins_to_be_used_between_the_look_and_the_deletion_stays(run, monkeypatch):
    kind = next(kind for kind in KINDS if kind.name == "caches")
    calls = []

    def find(project):
        calls.append(project)
        yield from kind.find(project) if len(calls) == 1 else ()

    once = replace(kind, find=find)
    monkeypatch.setattr("core.utilities.disk.housekeeping.KINDS", (once,))
    monkeypatch.setattr("core.utilities.disk.housekeeping.kind_named", lambda name: once)
    assert keep(delete=True).files == 0 and len(calls) == 2


def test_only_heaps_that_are_as_they_were_shown_go_and_each_is_named(run):
    shown = {heap["kind"]: heap["mark"] for heap in keep().as_dict()["heaps"]}
    write(Project(run.project_folder).images / "new_0512x0512_sd.npz")
    report = keep(kinds=["caches", "epochs", "samples"], delete=True, shown=[shown["caches"], shown["epochs"]])
    assert [(one.kind, one.files, one.bytes) for one in report.gone] == [("epochs", 2, 200)] and report.files == 2
    assert len(list(Project(run.project_folder).images.glob("*.npz"))) == 2 and len(report.kept) == 2
    assert all("changed since it was shown" in words for words in report.kept) and "2 stayed" in report.sentence()


def test_a_file_with_two_names_is_free_only_when_both_go(tmp_path):
    one, two = write(tmp_path / "a", 500), tmp_path / "b"
    os.link(one, two)
    assert room_of([one]) == 0 and room_of([one, two]) == 500


def test_a_linked_folder_is_never_followed(run, tmp_path):
    project, outside = Project(run.project_folder), write(tmp_path / "outside" / "precious.png")
    (project.folder / "export" / "linked").symlink_to(outside.parent)
    kind = next(kind for kind in KINDS if kind.name == "exports")
    assert project.folder / "export" / "linked" in heap_of(project, kind).paths
    keep(kinds=["exports"], delete=True)
    assert outside.exists() and not (project.folder / "export" / "linked").exists()


def test_unknown_names_are_told(run):
    with pytest.raises(ConfigError, match="No kind is called 'pictures'"):
        keep(kinds=["pictures"])
    with pytest.raises(ConfigError, match="No project's folder is called 'birds'"):
        keep(projects=["birds"])
