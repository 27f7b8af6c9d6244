"""Housekeeping: what lies there is told by kind, what can be made anew goes when it is asked for, and nothing that is used."""

import json
import os
import time
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from core.base.errors import ConfigError
from core.base.files import write_json
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
    write(project.folder / "published" / "mochi-civitai.zip")
    write(project.variants / ".replaced" / "a_upscaled.png")
    write(project.variants / ".trained" / "0123456789abcdef" / "images" / "a.png")
    os.utime(project.variants / ".trained" / "0123456789abcdef", (time.time() - LONG_AGO,) * 2)
    write(run.checkpoints / ".mochi.safetensors.ab12cd3_.part")
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


@pytest.mark.slow
def test_everything_is_told_and_nothing_goes_unless_it_is_asked_for(run):
    before = sorted(path for path in run.project_folder.rglob("*"))
    report = keep()
    assert told(report) == {"caches": 1, "training-sets": 1, "previews": 1, "half-written": 1, "old-states": 3, "last-states": 3,
                            "epochs": 2, "samples": 1, "exports": 1, "published": 1, "replaced": 1}
    assert set(told(report, "chosen")) == {"caches", "training-sets", "previews", "half-written"}
    assert all(kind.loss == "some" for kind in KINDS if kind.name in ("old-states", "last-states", "epochs"))
    assert sorted(path for path in run.project_folder.rglob("*")) == before and "Nothing is deleted yet" in report.sentence()
    heaps = {heap["kind"]: heap for heap in report.as_dict()["heaps"]}
    assert heaps["caches"]["project"] == "cats" and json.dumps(report.as_dict())
    assert heaps["caches"]["named"] == (("images/a_0512x0512_sd.npz", 100),)
    assert heaps["last-states"]["named"][0][0] == f"runs/{run.folder.name}/checkpoints/mochi-000002-state/"


def test_of_very_many_only_the_first_are_named(run, monkeypatch):
    monkeypatch.setattr("core.utilities.disk.housekeeping.MOST_NAMED", 1)
    (heap,) = [heap.as_dict() for heap in keep().heaps if heap.kind == "epochs"]
    assert heap["paths"] == 2 and len(heap["named"]) == 1


def test_what_is_made_anew_goes_and_the_rest_stays(run):
    report = keep(delete=True)
    assert report.files == 4 and report.kept == [] and "4 files deleted" in report.sentence()
    project = Project(run.project_folder)
    assert sorted(path.name for path in project.images.iterdir()) == ["a.png", "a.txt"]
    assert sorted(path.name for path in run.checkpoints.iterdir()) == [
        "mochi-000001-state", "mochi-000001.safetensors", "mochi-000002-state",
        "mochi-step00000010.safetensors", "mochi.safetensors", "sample"]
    assert told(keep(), "chosen") == {} and (project.variants / ".replaced" / "a_upscaled.png").exists()


def test_only_the_kinds_projects_and_ages_that_were_named(run, tmp_path):
    other = Project.create(tmp_path / "dogs", "Dogs")
    write(other.images / "b_0512x0512_sd.npz")
    write(other.images / "c_0512x0512_sd.npz", age=60)
    report = keep(projects=["dogs"], kinds=["caches"], days=5, delete=True)
    assert report.files == 1 and sorted(path.name for path in other.images.glob("*.npz")) == ["c_0512x0512_sd.npz"]
    assert keep(kinds=["epochs"], delete=True).files == 2 and (run.checkpoints / "mochi.safetensors").exists()


def ended_with(run, name):
    """The run says which LoRA it ended with."""
    write_json(run.folder / "supervisor.json", {"attempt": 1, "host": "x", "mark": None})
    run.note("end", attempt=1, state="done", message="", checkpoint=str(run.checkpoints / name))


def lora(path, age=LONG_AGO):
    save_file({"lora_unet_a.lora_up.weight": torch.ones(2, 2)}, path)
    os.utime(path, (time.time() - age,) * 2)


def named(run, *names):
    """The run's only files are these, the first the oldest."""
    for path in run.checkpoints.glob("*.safetensors"):
        path.unlink()
    for number, name in enumerate(names):
        lora(run.checkpoints / f"{name}.safetensors", LONG_AGO - number)


def left_of_epochs(run):
    keep(kinds=["epochs"], delete=True)
    return sorted(path.stem for path in run.checkpoints.glob("*.safetensors"))


@pytest.mark.slow
def test_the_last_lora_of_a_run_whose_name_ends_in_a_number_stays(run):
    """As a date does: "mika-240115"."""
    write_json(run.folder / "run.json", {**run.info, "output_name": "mika-240115"})
    named(run, "mika-240115-000001", "mika-240115-step00000010", "mika-240115", "mika-240115-mean", "another-000002")
    assert left_of_epochs(run) == ["another-000002", "mika-240115", "mika-240115-mean"]


def test_of_a_run_that_was_stopped_early_the_newest_whole_lora_stays(run):
    named(run, "mochi-000001", "mochi-000002", "mochi-000003", "mochi-000002-mean")
    (run.checkpoints / "mochi-000003.safetensors").write_bytes(b"half of it")
    os.utime(run.checkpoints / "mochi-000003.safetensors", (time.time() - 60,) * 2)
    assert left_of_epochs(run) == ["mochi-000002", "mochi-000002-mean"]


def test_the_lora_that_a_run_ended_with_stays_whatever_its_name(run):
    named(run, "mochi-000001", "mochi-000002", "mochi-000003")
    ended_with(run, "mochi-000002.safetensors")
    assert left_of_epochs(run) == ["mochi-000002", "mochi-000003"]


def test_a_persons_own_half_files_stay_and_those_of_lorabook_go(run):
    project = Project(run.project_folder)
    own = [write(project.images / "my holiday.zip.part"), write(project.folder / "notes" / "model.safetensors.incomplete"),
           write(run.checkpoints / "notes.txt.incomplete")]
    halves = [write(project.folder / ".123.x.part.zip"), write(project.folder / "output" / ".1.mochi.part.safetensors"),
              write(run.checkpoints / "mochi-000001.safetensors.incomplete")]
    folder = write(project.folder / "output" / ".mika-diffusers.safetensors.ab12cd3_.part" / "lora.safetensors.part").parent
    os.utime(folder, (time.time() - LONG_AGO,) * 2)
    young = write(project.folder / ".a.txt.ab12cd3_.part", age=60)
    keep(delete=True)
    assert all(path.exists() for path in [*own, young]) and not any(path.exists() for path in [*halves, folder])


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
