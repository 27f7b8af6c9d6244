"""Detectors in ONNX: what goes in, how answers are read, and boxes back in the picture at any size."""

import numpy
import pytest
from PIL import Image

from core.base.errors import ConfigError, ModelError
from core.dataset.images.detecting import DETECTORS, find_detector, open_detector
from core.models.warm import WARM
from tests.core.dataset.images.detecting.small_detectors import (
    constant,
    detectors_in,
    red_finder,
    with_red,
    yolox_answer,
    yunet_answer,
)

pytestmark = pytest.mark.slow


@pytest.fixture
def put(tmp_path, monkeypatch):
    """Puts a model where the one of the catalogue is looked for. Returns: what makes its file."""
    yield detectors_in(tmp_path, monkeypatch)
    WARM.unload_all()


def found_by(name, picture):
    with open_detector(name, "cpu") as detector:
        return detector.find(picture)


@pytest.mark.parametrize(("size", "box"), [
    ((640, 640), (100, 200, 300, 420)), ((1001, 333), (501, 33, 777, 300)), ((333, 1001), (7, 650, 333, 1001)), ((37, 53), (3, 5, 30, 41)),
    ((4000, 3000), (1200, 40, 2100, 1500)), ((200, 9), (50, 1, 150, 8))])
def test_a_box_comes_back_in_pixels_of_the_picture_whatever_its_size(put, size, box):
    red_finder(put("anime-face"), side=640)
    (found,) = found_by("anime-face", with_red(size, box))
    assert found.kind == "face" and found.score > 0.99 and found.landmarks is None
    assert found.box == pytest.approx(box, abs=max(1.01, 1.01 * max(size) / 640))


def test_eight_boxes_of_one_thing_are_one_and_what_is_doubtful_is_none(put):
    red_finder(put("anime-person"))
    (found,) = found_by("anime-person", with_red((64, 64), (8, 8, 40, 40)))
    assert found.kind == "person" and found.box == (8, 8, 40, 40)
    assert found_by("anime-person", Image.new("RGB", (64, 64), (30, 0, 0))) == []


def test_yolox_is_read_by_cell_and_stride_and_only_people_count(put):
    answer = yolox_answer(64, [(4, 8, 20, 50, 0.9), (30, 2, 60, 34, 0.6), (5, 9, 21, 56, 0.5), (33, 40, 60, 60, 0.2)])
    answer[0, 63, :5], answer[0, 63, 7] = (0, 0, 2, 2, 1), 0.99  # something else
    constant(put("person"), {"output": answer})
    first, second = found_by("person", Image.new("RGB", (128, 96)))
    assert first.box == pytest.approx((8, 16, 40, 96)) and second.box == pytest.approx((60, 4, 120, 68))
    assert (first.score, second.score) == pytest.approx((0.9, 0.6)) and {first.kind, second.kind} == {"person"}


@pytest.mark.parametrize("stride", [8, 16, 32])
def test_yunet_is_read_with_its_points(put, stride):
    constant(put("yunet"), yunet_answer(64, [(10, 12, 30, 40, 0.95)], stride))
    found = found_by("yunet", Image.new("RGB", (192, 192)))
    assert len(found) == 2, "it looks twice, and this one answers the same to a smaller copy"
    face = found[0] if found[0].width < found[1].width else found[1]
    assert face.box == pytest.approx((30, 36, 90, 120), abs=0.01) and face.score == pytest.approx(0.95)
    assert face.landmarks[0] == pytest.approx((48, 69.6), abs=0.01) and face.landmarks[4] == pytest.approx((69, 103.2), abs=0.01)
    assert face.landmarks[0][0] < face.landmarks[1][0], "what is left in the picture comes first"


@pytest.mark.parametrize(("name", "expected"), [("anime-face", (200 / 255, 100 / 255, 50 / 255)), ("person", (50, 100, 200)),
                                                ("yunet", (50, 100, 200))])
def test_colours_go_in_by_the_order_and_scale_of_each_model(put, name, expected):
    answer = {"anime-face": {"output0": numpy.zeros((1, 5, 8))}, "person": {"output": yolox_answer(64, [])}, "yunet": yunet_answer(64, [])}
    constant(put(name), answer[name])
    with open_detector(name, "cpu") as detector:
        pixels, factor = detector.prepared(Image.new("RGB", (64, 32), (200, 100, 50)))
    assert pixels.shape == (1, 3, 64, 64) and pixels[0, :, 10, 10] == pytest.approx(expected) and factor == pytest.approx([1] * 4)
    beside = {"anime-face": 114 / 255, "person": 114, "yunet": 0}[name]
    assert pixels[0, :, 40, 10] == pytest.approx([beside] * 3)


@pytest.mark.parametrize("name", ["anime-face", "person", "yunet"])
def test_another_kind_of_model_is_refused_in_words(put, name):
    constant(put(name), {"output": numpy.zeros((1, 10))})
    with pytest.raises(ModelError, match="is no .+ detector"):
        found_by(name, Image.new("RGB", (64, 64)))


def test_a_file_that_is_no_model_is_refused(put):
    put("yunet").parent.mkdir(parents=True)
    put("yunet").write_bytes(b"no model")
    with pytest.raises(ModelError, match="could not be opened as an ONNX model"):
        found_by("yunet", Image.new("RGB", (64, 64)))


def test_answers_without_sense_are_no_finds(put):
    answer = yolox_answer(64, [(4, 8, 20, 50, 0.9)])
    answer[0, 1, :6] = numpy.nan
    answer[0, 2, :6] = (0, 0, 1000, 1000, 1, 1)
    constant(put("person"), {"output": answer})
    for found in found_by("person", Image.new("RGB", (64, 64))):
        assert all(0 <= value <= 64 for value in found.box) and found.width > 0 and found.height > 0


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1)])
def test_the_thinnest_picture_is_looked_at(put, size):
    red_finder(put("anime-face"))
    assert found_by("anime-face", Image.new("RGB", size, (20, 20, 20))) == []


def test_a_model_is_opened_once(put):
    red_finder(put("anime-head"))
    for _ in range(2):
        found_by("anime-head", Image.new("RGB", (64, 64)))
    assert [one.name for one in WARM.list()].count(DETECTORS.entry("anime-head").title) == 1
    with pytest.raises(ConfigError, match="CUDA"):
        find_detector("anime-head").where("cuda")


def test_who_has_no_network_is_told(put, monkeypatch):
    monkeypatch.setattr("core.models.download.download_model", lambda *_: (_ for _ in ()).throw(ModelError("The network failed.")))
    with pytest.raises(ModelError, match="network"):
        find_detector("yunet")
