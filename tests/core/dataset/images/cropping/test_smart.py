"""Smart crop: what is made, what is left out and why, masks of crops, and everything that goes wrong."""

import hashlib
import threading

import pytest
from PIL import Image

from core.base.errors import Cancelled, ConfigError
from core.base.progress import Progress
from core.dataset.images.cropping.planning import CropSettings
from core.dataset.images.cropping.smart import crop_images, make_cropper
from core.dataset.images.masks import empty_mask
from core.dataset.images.opening import open_image
from core.dataset.images.tool import Output, Tool
from core.dataset.images.variants import read_made, save_variant
from core.dataset.images.working import keep, try_on, work_on
from core.models.warm import WARM
from core.stages import run_stage
from tests.core.dataset.curation.photographs import photographs
from tests.core.dataset.images.detecting.small_detectors import detectors_in, red_finder, with_red

pytestmark = pytest.mark.slow

FACE = (560, 170, 736, 434)
"""Left, top, right, bottom."""


def settings(**values):
    return CropSettings.make(**{"detector": "anime-face", **values})


def names(project):
    return sorted(path.name for path in project.variants.iterdir() if not path.name.startswith(".")) if project.variants.is_dir() else []


@pytest.fixture
def pictures(project, tmp_path, monkeypatch):
    """A portrait with a face of 264 px, and a still life."""
    red_finder(detectors_in(tmp_path, monkeypatch)("anime-face"), side=640)
    with_red((1280, 1280), FACE).save(project.images / "girl.png")
    Image.new("RGB", (600, 400), (40, 90, 60)).save(project.images / "coffee.jpg", quality=95)
    yield {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in project.images.iterdir()}
    WARM.unload_all()


class Masker(Tool):
    """Everything counts."""

    name, verb, kind = "mask", "Masking", "mask"

    def told(self, work):
        return {}

    def prepare(self, work, decoded):
        return decoded.image.size

    def finish(self, work, prepared, result):
        return [Output(Image.fromarray(empty_mask(prepared, 255)))]


def test_a_crop_of_a_jpeg_keeps_every_pixel(project, pictures):
    before = Image.effect_noise((1280, 1280), 40).convert("RGB")
    before.paste(with_red((1280, 1280), FACE).crop(FACE), FACE[:2])
    (project.images / "girl.png").unlink()
    before.save(project.images / "girl.jpg", quality=85)
    crop_images(project, settings(framings=("face_focus",)))
    crop, whole = (open_image(path).image for path in (project.variants / "girl_face_focus.png", project.images / "girl.jpg"))
    first, rows = crop.crop((0, 0, crop.width, 1)).tobytes(), [whole.crop((0, row, 1280, row + 1)).tobytes() for row in range(1280)]
    left, top = next((row.find(first) // 3, number) for number, row in enumerate(rows) if first in row)
    assert whole.crop((left, top, left + crop.width, top + crop.height)).tobytes() == crop.tobytes()


def test_crops_are_made_beside_the_picture_and_told(project, pictures):
    report = crop_images(project, settings())
    assert names(project) == ["girl_face_focus.png", "girl_upper_body.png"]
    focus, upper = report.made
    assert focus.after == (924, 924) and upper.after[1] == 1280 and focus.note == "face 264 px high, 100 % sure"
    assert read_made(project.variants / focus.name).steps[-1].tool == "crop"
    girl = next(one for one in report.looked if one.name == "girl.png")
    assert girl.people == 1 and girl.crops == ("face_focus", "upper_body") and "full_body: the picture ends too soon" in girl.left_out[0]
    assert girl.sentence().startswith("girl.png: 1 person, 2 crops; left out: full_body")
    assert [one.name for one in report.skipped] == ["coffee.jpg"] and "For photographs choose" in report.skipped[0].reason
    assert {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in project.images.iterdir()} == pictures
    assert report.as_dict()["looked"][0]["name"] == "coffee.jpg" and report.sentence() == "2 versions made, 1 left out (the list says why)."


def test_the_pixels_of_a_crop_are_the_pictures_own(project, pictures):
    crop_images(project, settings(images=("girl",), framings=("face_focus",)))
    crop = Image.open(project.variants / "girl_face_focus.png").convert("RGB")
    left = (FACE[0] + FACE[2] - 924) // 2
    assert crop.tobytes() == Image.open(project.images / "girl.png").crop((left, 0, left + 924, 924)).tobytes()


def test_shrunk_to_the_training_size_and_never_enlarged(project, pictures):
    report = crop_images(project, settings(images=("girl",), size="bucket"))
    assert [one.after for one in report.made] == [(512, 512), (448, 576)], "the sizes of SD 1.5"
    with_red((700, 700), (260, 100, 380, 250)).save(project.images / "girl.png")
    other = crop_images(project, settings(images=("girl",), size="bucket", smallest=200, framings=("face_focus",), face_times=2))
    assert other.made[0].after[0] < 512 and "smaller than its training size 512 x 512: upscale it" in other.made[0].note


def test_a_second_run_does_nothing_and_other_settings_put_aside_what_they_do_not_make(project, pictures):
    crop_images(project, settings(images=("girl",)))
    before = {name: (project.variants / name).stat().st_mtime_ns for name in names(project)}
    assert crop_images(project, settings(images=("girl",))).there == ["girl.png"]
    assert {name: (project.variants / name).stat().st_mtime_ns for name in names(project)} == before
    Image.new("RGB", (20, 20)).save(project.variants / "girl_by_somebody.png")
    crop_images(project, settings(images=("girl",), framings=("upper_body",)))
    assert names(project) == ["girl_by_somebody.png", "girl_upper_body.png"]
    crop_images(project, settings(images=("girl",), smallest=4000))
    assert names(project) == ["girl_by_somebody.png"] and (project.variants / ".replaced" / "girl_upper_body.png").is_file()


def test_masks_of_crops_bear_their_labels(project, pictures):
    crop_images(project, settings(images=("girl",)))
    report = work_on(project, Masker(), ["girl"], parts=True)
    assert [one.name for one in report.made] == ["girl_mask.png", "girl_face_focus_mask.png", "girl_upper_body_mask.png"]
    assert Image.open(project.variants / "girl_face_focus_mask.png").size == Image.open(project.variants / "girl_face_focus.png").size
    assert crop_images(project, settings(images=("girl",))).there == ["girl.png"]
    assert [step.tool for step in read_made(project.variants / "girl_face_focus_mask.png").steps] == ["crop", "mask"]


def test_the_best_version_is_cropped(project, pictures):
    better = Image.open(project.images / "girl.png").resize((2048, 2048))
    better.save(project.folder / "better.png")
    save_variant(project, "girl", "upscaled", (project.folder / "better.png").read_bytes(), ".png")
    report = crop_images(project, settings(images=("girl",), framings=("face_focus",)))
    assert report.made[0].before == (2048, 2048) and report.made[0].after[0] == pytest.approx(924 * 1.6, abs=8)


def test_transparency_is_kept_and_looked_at_on_white(project, pictures):
    picture = with_red((1280, 1280), FACE).convert("RGBA")
    alpha = Image.new("L", picture.size, 255)
    alpha.paste(0, (0, 0, 1280, 150))
    picture.putalpha(alpha)
    picture.save(project.images / "girl.png")
    tool = make_cropper(project, settings())
    assert tool.prepare(None, open_image(project.images / "girl.png")).copy.getpixel((5, 5)) == (255, 255, 255)
    crop_images(project, settings(images=("girl",), smallest=64, alike=1))
    crop = Image.open(project.variants / "girl_face_focus.png")
    assert crop.mode == "RGBA" and crop.getpixel((0, 0))[3] == 0 and crop.getpixel((5, crop.height - 1))[3] == 255


def test_bad_pictures_are_named_and_the_others_made(project, pictures):
    Image.new("RGB", (1, 3000), "white").save(project.images / "line.png")
    Image.new("L", (12, 12)).save(project.images / "tiny.png")
    (project.images / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno picture")
    report = crop_images(project, settings())
    assert [one.name for one in report.skipped] == ["broken.png", "coffee.jpg", "line.png", "tiny.png"] and len(report.made) == 2


def test_cancelled_in_the_middle_leaves_whole_files(project, pictures):
    for number in range(4):
        (project.images / f"girl{number}.png").write_bytes((project.images / "girl.png").read_bytes())

    class Stop(Progress):
        done = 0

        def advance(self, name="", steps=1):
            Stop.done += 1

        def check(self):
            if Stop.done >= 2:
                raise Cancelled

    with pytest.raises(Cancelled):
        crop_images(project, settings(framings=("face_focus",)), Stop())
    for name in names(project):
        Image.open(project.variants / name).load()
    report = crop_images(project, settings(framings=("face_focus",)))
    assert len(report.there) >= 1 and len(report.there) + len(report.made) == 5


@pytest.mark.slow
def test_a_real_photograph_needs_no_download(project):
    photographs()["astronaut"].resize((1536, 1536)).save(project.images / "girl.png")
    photographs()["coffee"].save(project.images / "coffee.jpg")
    report = crop_images(project, CropSettings())
    assert names(project) == ["girl_face_focus.png", "girl_upper_body.png"] and report.made[0].after[0] == pytest.approx(1150, abs=60)
    assert [one.name for one in report.skipped] == ["coffee.jpg"] and "anime-face" in report.skipped[0].reason


def test_twice_at_once_everything_is_made_once(project, pictures):
    reports = []
    work = [threading.Thread(target=lambda: reports.append(crop_images(project, settings(images=("girl",))))) for _ in range(2)]
    for one in work:
        one.start()
    for one in work:
        one.join(60)
    assert sorted(len(one.made) for one in reports) == [0, 2] and sorted(len(one.there) for one in reports) == [0, 1]


def test_one_picture_is_tried_and_kept(project, pictures):
    tried = try_on(project, make_cropper(project, settings()), "girl")
    assert [file.label for file in tried.files] == ["face_focus", "upper_body"] and names(project) == []
    assert [path.name for path in keep(project, tried)] == ["girl_face_focus.png", "girl_upper_body.png"]


def test_it_is_a_stage_and_its_settings_are_checked(project, pictures):
    told = run_stage("crop", project.folder, {"images": ["girl"], "framings": ["face_focus"], "detector": "anime-face"})
    assert told["made"][0]["name"] == "girl_face_focus.png" and told["looked"][0]["people"] == 1
    with pytest.raises(ConfigError, match="Framings"):
        settings(framings=("portrait",))
    with pytest.raises(ConfigError):
        settings(framings=())
