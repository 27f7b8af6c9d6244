"""Faces, with the real weights that facenet-pytorch brings along."""

from importlib.metadata import requires

import pytest
from PIL import Image

from core.dataset.curation.quality import QualitySettings, measure_quality, stored_quality
from core.dataset.curation.scorers import SCORERS
from tests.core.dataset.curation.photographs import photographs

pytest.importorskip("facenet_pytorch", reason="facenet-pytorch is not installed: python3 installer.py --with curation")


def beyond(project, name, cut):
    return [found for found, _ in stored_quality(project).beyond(name, cut)]


def test_faces_are_counted_and_measured(project):
    astronaut = photographs()["astronaut"]
    astronaut.save(project.images / "one.png")
    astronaut.crop((140, 30, 310, 200)).save(project.images / "close.png")
    two = Image.new("RGB", (1024, 512))
    two.paste(astronaut, (0, 0))
    two.paste(astronaut, (512, 0))
    two.save(project.images / "two.png")
    for name in ("coffee", "chelsea"):
        photographs()[name].save(project.images / f"{name}.png")
    report = measure_quality(project, QualitySettings(scorer="faces", device="cpu"))
    quality = stored_quality(project)
    names = [item.name.removesuffix(".png") for item in quality.items]
    assert dict(zip(names, quality.values["faces"].tolist(), strict=True)) == {"one": 1, "two": 2, "close": 1, "coffee": 0, "chelsea": 0}
    size = dict(zip(names, quality.values["face"].tolist(), strict=True))
    assert size["one"] == pytest.approx(0.215, abs=0.03) and size["two"] == pytest.approx(size["one"], abs=0.03)
    assert size["close"] > 0.5 and size["coffee"] == size["chelsea"] == 0
    assert beyond(project, "faces", 1) == ["two.png"] and beyond(project, "face", 0.01) == ["chelsea.png", "coffee.png"]
    assert report.scorer.startswith("facenet-pytorch ")
    assert report.beyond["Faces"] == 1 and report.beyond["Size of the face"] == 0, "framing is no fault"


def test_where_a_face_is_can_be_cut_out():
    model = SCORERS.load("faces")(SCORERS.entry("faces")).open("cpu")
    (face,) = model.find(model.prepare(photographs()["astronaut"].resize((1536, 1536))))
    assert (face.left + face.right) / 2 == pytest.approx(0.44, abs=0.02) and (face.top + face.bottom) / 2 == pytest.approx(0.23, abs=0.03)
    assert face.sure > 0.99


@pytest.mark.parametrize("size", [(10, 10), (20, 20), (21, 640), (640, 22), (3000, 30)])
def test_very_small_and_very_long_pictures_have_no_face_and_are_no_error(size):
    model = SCORERS.load("faces")(SCORERS.entry("faces")).open("cpu")
    assert model.score([model.prepare(photographs()["hubble_deep_field"].resize(size))]) == [(0.0, 0.0)]


def test_the_package_asks_for_no_old_torch_or_numpy():
    assert not [line for line in requires("facenet-pytorch") or [] if "<" in line or "==" in line]
