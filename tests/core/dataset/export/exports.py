"""A project with one of everything that an export must bear, and what every test of exports asks."""

from pathlib import Path

import numpy
from PIL import Image

from core.base.files import sha256
from core.dataset.export.exporting import export_dataset
from core.dataset.export.settings import ExportSettings
from core.dataset.images.variants import Made, Step, save_variant
from core.dataset.project import Project
from tests.core.dataset.small_things import picture


def note_of(project: Project, stem: str, tool: str = "upscale") -> str:
    """What a version of a picture, as it is now, says of itself."""
    return Made(sha256(next(project.images.glob(f"{stem}.*g"))), (Step(tool, {"side": 2}),)).text()


def settings(**values) -> ExportSettings:
    return ExportSettings.make(**values)


def export(project: Project, **values):
    return export_dataset(project, settings(**values))


def caption(project: Project, name: str, text: str) -> None:
    (project.images / f"{name}.txt").write_text(text, encoding="utf-8")


def drawn(path: Path, size=(96, 64), seed: int = 0, mode: str = "RGB", **save) -> Path:
    """A picture with something on it."""
    channels = {"RGB": 3, "RGBA": 4}[mode]
    pixels = numpy.random.default_rng(seed).integers(0, 255, (size[1] // 8, size[0] // 8, channels), dtype="uint8")
    Image.fromarray(pixels).resize(size).save(path, **save)
    return path


def fill(project: Project) -> None:
    """Four pictures: plain PNG, a JPEG that lies, one with transparency, and one with an upscaled version, a crop and masks."""
    project.change_info(lambda info: info.changed(trigger_word="mychar"))
    drawn(project.images / "plain.png", seed=1)
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Camera"
    drawn(project.images / "lying.jpg", seed=2, exif=exif.tobytes(), quality=95)
    picture(project.images / "clear.png", (10, 20, 30, 0), (64, 64))
    drawn(project.images / "girl.png", seed=3)
    for name in ("plain", "lying", "clear", "girl"):
        caption(project, name, f"mychar, {name}, red hair")
    save_variant(project, "girl", "upscaled", bytes_of("girl_up", project, (192, 128), note_of(project, "girl")), ".png")
    save_variant(project, "girl", "part", bytes_of("part", project, (64, 64), note_of(project, "girl", "crop")), ".png", "face_focus")
    mask = Image.new("L", (96, 64), 0)
    mask.paste(255, (20, 10, 60, 50))
    mask.save(project.variants / "girl_mask.png")


def bytes_of(name: str, project: Project, size, note: str) -> bytes:
    exif = Image.Exif()
    exif[0x010E] = note
    path = drawn(project.hidden / f"{name}.png", size, seed=len(name), exif=exif.tobytes())
    data = path.read_bytes()
    path.unlink()
    return data


def tree(root: Path) -> dict[str, tuple[bytes, int]]:
    """Path → content and time of every file."""
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def names(root: Path, below: str = "") -> list[str]:
    return sorted(name.removeprefix(below) for name in tree(root) if name.startswith(below))
