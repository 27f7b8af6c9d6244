"""Faces in real photographs, by the models that come with packages."""

import time

import numpy
import pytest
from PIL import Image

from core.base.errors import ConfigError
from core.dataset.images.detecting import DETECTORS, open_detector
from core.models.image_catalog import IMAGE_CATALOG
from tests.core.dataset.curation.photographs import photographs

pytestmark = pytest.mark.slow

FACE = (182, 62, 266, 174)
"""Of the astronaut, 512 x 512: hairline to chin."""


def find(picture, name="lbp-face"):
    with open_detector(name, "cpu") as detector:
        return detector.find(picture)


@pytest.mark.parametrize("side", [200, 512, 1777])
def test_the_face_is_found_at_any_size_and_nothing_else(side):
    (face,) = find(photographs()["astronaut"].resize((side, side)))
    assert numpy.array(face.box) * 512 / side == pytest.approx(FACE, abs=8) and face.kind == "face" and 0.5 <= face.score < 1


@pytest.mark.slow
def test_pictures_without_a_face_have_none():
    assert [name for name, picture in photographs().items() if name != "astronaut" and find(picture)] == []


@pytest.mark.slow
def test_of_small_faces_most_are_found_and_no_other_patch():
    data = pytest.importorskip("skimage.data")
    patches = (data.lfw_subset() * 255).astype("uint8")
    found = []
    for patch in (*patches[:100:10], *patches[100::10]):
        canvas = Image.new("RGB", (256, 256), (128, 128, 128))
        canvas.paste(Image.fromarray(patch).resize((100, 100), Image.Resampling.BICUBIC).convert("RGB"), (60, 60))
        found.append(bool(find(canvas)))
    assert sum(found[:10]) >= 8 and sum(found[10:]) == 0


def test_two_faces_are_two():
    two = Image.new("RGB", (1024, 512))
    for place in (0, 512):
        two.paste(photographs()["astronaut"], (place, 0))
    left, right = sorted(find(two), key=lambda face: face.box[0])
    moved = (left.box[0] + 512, left.box[1], left.box[2] + 512, left.box[3])
    assert moved == pytest.approx(right.box, abs=12)


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (900, 1), (23, 23), (24, 24), (3000, 30)])
def test_tiny_and_very_long_pictures_have_no_face_and_are_no_error(size):
    assert find(photographs()["hubble_deep_field"].resize(size)) == []


def test_a_picture_of_24_megapixels_takes_no_longer_than_a_small_one():
    large = Image.new("RGB", (6000, 4000), (90, 90, 90))
    large.paste(photographs()["astronaut"].resize((4000, 4000)))
    begun = time.process_time()
    (face,) = find(large)
    assert time.process_time() - begun < 1.5, "0.4 s of one core"
    assert numpy.array(face.box) * 512 / 4000 == pytest.approx(FACE, abs=8)


def test_the_mirror_image_has_the_mirrored_face():
    mirrored = photographs()["astronaut"].transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    (face,), (other,) = find(photographs()["astronaut"]), find(mirrored)
    assert (512 - other.box[2], other.box[1], 512 - other.box[0], other.box[3]) == pytest.approx(face.box, abs=1e-6)
    assert other.score == pytest.approx(face.score)


def test_mtcnn_tells_eyes_nose_and_mouth():
    pytest.importorskip("facenet_pytorch", reason="facenet-pytorch is not installed: python3 installer.py --with curation")
    (face,) = find(photographs()["astronaut"].resize((1024, 1024)), "mtcnn")
    assert face.box == pytest.approx([2 * value for value in FACE], abs=12)
    eye, other, nose, corner, _ = face.landmarks
    assert eye == pytest.approx((410, 203), abs=10) and other == pytest.approx((494, 207), abs=10)
    assert eye[0] < nose[0] < other[0] and eye[1] < nose[1] < corner[1]


def test_every_detector_names_its_model_its_licence_and_what_it_finds():
    for entry in DETECTORS:
        model = entry.options.get("model")
        assert entry.licence and entry.note and entry.source.startswith("https://") and entry.options["finds"]
        assert model is None or (IMAGE_CATALOG[model].kind == "detector" and len(IMAGE_CATALOG[model].sha256) == 64)
    with pytest.raises(ConfigError, match="Known: lbp-face"), open_detector("nobody"):
        pass
