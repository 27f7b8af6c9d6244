"""The table of stages, and what two of them at once in one project must not lose."""

import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy
import pytest
from PIL import Image

from core.base.errors import DatasetError
from core.base.paths import ROOT
from core.dataset.project import Project
from core.dataset.rejected import rejected_images
from core.dataset.rejecting import RejectSettings, RestoreSettings, reject_images, restore_images
from core.dataset.renaming import RenameSettings, rename_images
from core.dataset.renaming_steps import giving_names
from core.dataset.sources.ledger import read_ledger
from core.stages import STAGES, Stage

HEAVY = {"resize", "upscale", "enhance", "mask", "transparent", "crop", "inpaint", "by-size", "duplicates", "quality", "tag", "caption",
         "regularise", "evaluate", "measure", "extract-lora"}
LIGHT = {"findings", "opening", "find-captions", "take-captions", "import", "rename", "overview", "trigger", "edit", "reject", "restore",
         "preview", "pack", "download-model", "finish", "bring-run", "load-settings", "fit-memory", "save-preset", "remove-preset",
         "settings-back", "crop-by-hand", "check-export", "export", "push-export", "inspect-lora", "lora-sizes", "resize-lora",
         "lora-metadata", "check-publish", "publish-lora", "convert-pickled", "merge-loras", "convert-lora", "average-loras", "bake-loras",
         "housekeeping", "calculate", "weigh-lora"}
EACH = 40

IMPORT = """
import sys, time
from core.base.progress import Progress
from core.dataset.manager import DatasetManager
class Slow(Progress):
    def report_step(self, item):
        time.sleep(0.02)
manager = DatasetManager.open(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
print(manager.import_from(sys.argv[2], Slow()).sentence())
"""


def test_heavy_stages_wait_for_their_turn_on_the_machine_and_light_ones_do_not():
    """A light stage may run beside any other in the same project: whoever adds one has to think of that."""
    assert {name for name, stage in STAGES.items() if stage.heavy} == HEAVY
    assert {name for name, stage in STAGES.items() if not stage.heavy} == LIGHT


def test_nobody_forgets_to_say_whether_a_stage_is_heavy():
    with pytest.raises(TypeError, match="heavy"):
        Stage("x", "X", "a:B", "c:D", "e")


def noise(folder: Path, suffix: str, seed: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    numbers = numpy.random.default_rng(seed)
    for number in range(EACH):
        picture = Image.fromarray(numbers.integers(0, 255, (150, 150, 3), dtype="uint8"))
        picture.save(folder / f"{number}{suffix}")
        (folder / f"{number}.txt").write_text(f"{seed}, {number}")
    return folder


def zipped(folder: Path) -> Path:
    with zipfile.ZipFile(folder.with_suffix(".zip"), "w") as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, path.name)
    return folder.with_suffix(".zip")


@pytest.mark.slow
@pytest.mark.parametrize("case", ["two archives", "png and jpg"])
def test_two_imports_at_once_lose_no_picture_and_no_caption(tmp_path, case):
    project = Project.create(tmp_path / "project", "Test")
    first, second = noise(tmp_path / "a", ".png", 1), noise(tmp_path / "b", ".jpg" if case == "png and jpg" else ".png", 2)
    sources = [zipped(first), zipped(second)] if case == "two archives" else [first, second]
    expected = {path.read_bytes(): path.with_suffix(".txt").read_text() for folder in (first, second)
                for path in folder.iterdir() if path.suffix != ".txt"}
    processes = [subprocess.Popen([sys.executable, "-c", IMPORT, str(project.folder), str(source)], cwd=ROOT, stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True) for source in sources]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    told = [process.communicate(timeout=120)[0] for process in processes]
    assert told == [f"{EACH} images imported, {EACH} captions.\n"] * 2
    there = [path for path in project.images.iterdir() if path.suffix != ".txt"]
    assert {path.read_bytes(): path.with_suffix(".txt").read_text() for path in there} == expected
    assert len({path.stem for path in there}) == 2 * EACH
    assert len(read_ledger(project)) == 2 * EACH and set(project.info().sources) == {str(source) for source in sources}


@pytest.mark.slow
def test_images_may_be_rejected_and_put_back_while_others_come_in(tmp_path):
    project = Project.create(tmp_path / "project", "Test")
    source = noise(tmp_path / "a", ".png", 1)
    expected = {path.read_bytes(): path.with_suffix(".txt").read_text() for path in source.glob("*.png")}
    process = subprocess.Popen([sys.executable, "-c", IMPORT, str(project.folder), str(source)], cwd=ROOT, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    process.stdin.write("\n")
    process.stdin.close()
    moved, longest = 0, 0.0
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        here = [path.name for path in project.images.glob("*.png")]
        began = time.monotonic()
        moved += len(reject_images(project, RejectSettings(images=tuple(here[:3]))).done)
        restore_images(project, RestoreSettings())
        longest = max(longest, time.monotonic() - began)
        time.sleep(0.2)
    there = list(project.images.glob("*.png"))
    assert moved and longest < 5 and not rejected_images(project)
    assert {path.read_bytes(): path.with_suffix(".txt").read_text() for path in there} == expected and len(there) == EACH
    assert len(list(project.images.iterdir())) == 2 * EACH


def test_nothing_is_renamed_while_others_come_in(tmp_path):
    project = Project.create(tmp_path / "project", "Test")
    noise(project.images, ".png", 1)
    with giving_names(project), pytest.raises(DatasetError, match="being imported or moved just now"):
        rename_images(project, RenameSettings.make(name="x"))
    assert rename_images(project, RenameSettings.make(name="x")).done == EACH
