"""Masks in bulk: sizes, labels, what is there already, what was drawn by hand, and what shows nothing."""

import threading

import numpy
import pytest
from PIL import Image

from core.base.errors import Cancelled, DatasetError, ModelError
from core.base.progress import Progress
from core.dataset.images.masks import rectangle
from core.dataset.images.saving import SaveSettings, encode
from core.dataset.images.segmenting.masking import Masker, mask_images
from core.dataset.images.segmenting.settings import MaskSettings, ShapeSettings
from core.dataset.images.variants import Made, Step, read_made, save_variant
from core.dataset.images.working import keep, try_on
from core.dataset.items import one_item
from core.models.warm import WARM
from tests.core.dataset.images.segmenting.small_segmenters import save_segmenter

pytestmark = pytest.mark.slow

SIZE = (60, 40)


@pytest.fixture
def pictures(project, tmp_path, monkeypatch):
    """Red at the left of the first, nothing red in the second, all red in the third; odd ones."""
    monkeypatch.setenv("LORABOOK_MODELS", str(tmp_path / "models"))
    save_segmenter(tmp_path / "models" / "segmenters" / "own.onnx", 32)
    half = numpy.zeros((40, 60, 3), dtype=numpy.uint8)
    half[:, :30] = (255, 0, 0)
    Image.fromarray(half).save(project.images / "half.png")
    Image.new("RGB", SIZE, (0, 200, 0)).save(project.images / "none.png")
    Image.new("RGB", SIZE, (255, 0, 0)).save(project.images / "whole.png")
    yield project
    WARM.unload_all()


def own(**settings):
    return MaskSettings.make(**{"segmenter": "own", "model_file": "own.onnx", "mean": (0.0,), "std": (1.0,), **settings})


def place(**settings):
    return MaskSettings.make(segmenter="place", **settings)


def mask(project, name):
    return numpy.array(Image.open(project.variants / name))


def draw(project, stem, made, tool="mask-by-hand", label=""):
    data = encode(Image.fromarray(made), SaveSettings(format="png"), "PNG", Made(one_item(project, stem).sha256, (Step(tool),)).text()).data
    return save_variant(project, stem, "mask", data, ".png", label)


def test_a_second_run_makes_nothing_and_another_setting_makes_it_anew(pictures):
    report = mask_images(pictures, own())
    assert [(one.name, one.after) for one in report.made] == [("half_mask.png", SIZE), ("whole_mask.png", SIZE)]
    assert mask_images(pictures, own()).there == ["half.png", "whole.png"]
    assert mask_images(pictures, own(width=50, tolerance=3, words="x")).there == ["half.png", "whole.png"]  # another segmenter's settings
    assert len(mask_images(pictures, own(shape=ShapeSettings(grow=2))).made) == 2
    made = read_made(pictures.variants / "half_mask.png")
    assert made.steps[-1].tool == "mask" and made.steps[-1].settings["shape"]["grow"] == 2


def test_nothing_and_everything_are_told(pictures):
    report = mask_images(pictures, own())
    assert [(one.name, one.reason) for one in report.skipped] == [("none.png", "Nothing was found.")]
    assert "whole picture" in next(one.note for one in report.made if one.name == "whole_mask.png")
    written = mask_images(pictures, own(write_empty=True))
    assert next(one.note for one in written.made if one.name == "none_mask.png") == "Nothing was found"
    assert not mask(pictures, "none_mask.png").any()
    mask_images(pictures, own())
    assert not (pictures.variants / "none_mask.png").exists()


def test_the_mask_is_of_the_size_of_the_version_that_it_was_made_of(pictures):
    Image.open(pictures.images / "half.png").resize((121, 81)).save(pictures.folder / "up.png")
    save_variant(pictures, "half", "upscaled", (pictures.folder / "up.png").read_bytes(), ".png")
    Image.open(pictures.images / "half.png").crop((0, 0, 30, 31)).save(pictures.folder / "part.png")
    save_variant(pictures, "half", "part", (pictures.folder / "part.png").read_bytes(), ".png", "face_focus")
    mask_images(pictures, own(images=("half",), parts=True))
    made = {path.name: Image.open(path) for path in pictures.variants.glob("*_mask.png")}
    assert {name: image.size for name, image in made.items()} == {"half_mask.png": (121, 81), "half_face_focus_mask.png": (30, 31)}
    assert all(image.mode == "L" for image in made.values())
    left = mask(pictures, "half_mask.png")
    assert left[:, :54].min() == 255 and left[:, 66:].max() == 0


def test_what_is_repainted_is_another_mask(pictures):
    mask_images(pictures, own(images=("half",)))
    report = mask_images(pictures, place(images=("half",), use="repaint", place="bottom-right", width=25, height=10))
    assert [one.name for one in report.made] == ["half_repaint_mask.png"]
    made = mask(pictures, "half_repaint_mask.png")
    assert made.sum() / 255 == 15 * 4 and made[38, 50] == 255 and mask(pictures, "half_mask.png")[5, 5] == 255
    assert mask_images(pictures, place(images=("half",), use="repaint", place="bottom-right", width=25, height=10)).there == ["half.png"]


def test_what_was_drawn_by_hand_or_brought_along_stays_unless_it_is_said_otherwise(pictures):
    hand = rectangle(SIZE, (0, 0), (10, 10))
    draw(pictures, "half", hand)
    save_variant(pictures, "whole", "mask", (pictures.variants / "half_mask.png").read_bytes(), ".png")
    report = mask_images(pictures, own(shape=ShapeSettings(grow=1)))
    assert [one.name for one in report.skipped] == ["half.png", "none.png", "whole.png"] and "drawn by hand" in report.skipped[0].reason
    assert (mask(pictures, "half_mask.png") == hand).all()
    mask_images(pictures, own(existing="replace"))
    assert mask(pictures, "half_mask.png")[30, 5] == 255


@pytest.mark.parametrize(("how", "left", "right", "outside"), [("add", 255, 255, 255), ("subtract", 0, 255, 0), ("intersect", 255, 0, 0)])
def test_masks_are_put_together_once_and_always_with_the_one_from_before(pictures, how, left, right, outside):
    draw(pictures, "half", rectangle(SIZE, (20, 0), (40, 40)))
    settings = own(images=("half",), existing=how)
    assert len(mask_images(pictures, settings).made) == 1

    def points():
        made = mask(pictures, "half_mask.png")
        return made[20, 25], made[20, 35], made[20, 5]

    assert points() == (left, right, outside)
    assert mask_images(pictures, settings).there == ["half.png"] and points() == (left, right, outside)
    mask_images(pictures, settings.changed(shape=ShapeSettings(invert=True)))
    mask_images(pictures, settings.changed(shape=ShapeSettings(grow=1)))
    assert points() == (left, right, outside)
    assert "put together" in mask_images(pictures, own(images=("half",), shape=ShapeSettings(grow=3))).skipped[0].reason


def test_where_nothing_is_found_a_mask_that_is_there_stays(pictures):
    drawn = rectangle(SIZE, (0, 0), (10, 10))
    draw(pictures, "none", drawn)
    report = mask_images(pictures, own(images=("none",), existing="add"))
    assert report.skipped[0].reason == "Nothing was found; its mask stays as it is." and (mask(pictures, "none_mask.png") == drawn).all()
    draw(pictures, "whole", drawn)
    assert mask_images(pictures, own(images=("whole",), existing="subtract")).skipped[0].reason == "Nothing is left of its mask."
    assert (mask(pictures, "whole_mask.png") == drawn).all()


def test_segmenters_without_a_model(pictures):
    see_through = Image.new("RGBA", SIZE, (9, 9, 9, 0))
    see_through.paste((200, 30, 30, 130), (10, 10, 30, 30))
    see_through.save(pictures.images / "alpha.png")
    drawn = Image.new("RGB", SIZE, (250, 250, 252))
    drawn.paste((20, 20, 200), (10, 10, 30, 30))
    drawn.paste((250, 250, 250), (15, 15, 20, 20))  # white within the subject is no background
    drawn.save(pictures.images / "drawn.png")
    Image.fromarray(numpy.random.default_rng(1).integers(0, 255, (40, 60, 3)).astype(numpy.uint8)).save(pictures.images / "noise.png")
    report = mask_images(pictures, MaskSettings.make(segmenter="alpha", shape=ShapeSettings(edge="soft")))
    assert [one.name for one in report.made] == ["alpha_mask.png"] and mask(pictures, "alpha_mask.png")[20, 20] == 130
    assert {one.reason for one in report.skipped} == {"It is nowhere transparent. Choose another way under 'Found by'."}
    plain = mask_images(pictures, MaskSettings.make(segmenter="plain", images=("drawn", "noise", "none")))
    made = mask(pictures, "drawn_mask.png")
    assert made.sum() / 255 == 400 and made[17, 17] == 255
    assert [one.name for one in plain.skipped] == ["noise.png", "none.png"] and "not plain" in plain.skipped[0].reason


@pytest.mark.parametrize("size", [(1, 300), (5000, 3), (401, 301)])
def test_odd_sizes_come_back_exactly(pictures, size):
    Image.new("RGB", size, (255, 0, 0)).save(pictures.images / "odd.png")
    report = mask_images(pictures, own(images=("odd",)))
    assert report.made[0].after == size and mask(pictures, "odd_mask.png").shape == size[::-1]


def test_a_wrong_file_ends_the_work_and_one_picture_can_be_tried(pictures, tmp_path):
    (tmp_path / "models" / "segmenters" / "bad.onnx").write_bytes(b"no")
    with pytest.raises(ModelError, match="could not be opened"):
        mask_images(pictures, own(model_file="bad.onnx"))
    tried = try_on(pictures, Masker(own()), "half")
    assert not pictures.variants.exists() or not list(pictures.variants.glob("*_mask.png"))
    assert [path.name for path in keep(pictures, tried)] == ["half_mask.png"]
    with pytest.raises(DatasetError, match="Nothing was found"):
        try_on(pictures, Masker(own()), "none")


def test_twice_at_once_makes_each_mask_once(pictures):
    reports = []
    threads = [threading.Thread(target=lambda: reports.append(mask_images(pictures, own()))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(len(report.made) for report in reports) == [0, 2] and sum(len(report.there) for report in reports) == 2


def test_cancel_keeps_what_is_made(pictures):
    class Stopping(Progress):
        def report_step(self, item):
            self.cancel()

    for number in range(12):
        Image.new("RGB", SIZE, (255, number, 0)).save(pictures.images / f"more{number:02}.png")
    with pytest.raises(Cancelled):
        mask_images(pictures, own(), Stopping())
    made = list(pictures.variants.glob("*_mask.png"))
    assert 0 < len(made) < 14 and all(Image.open(path).size == SIZE for path in made)
    mask_images(pictures, own())
    assert len(list(pictures.variants.glob("*_mask.png"))) == 14
