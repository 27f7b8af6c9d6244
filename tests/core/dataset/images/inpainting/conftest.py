"""Photographs with marks on them, a models folder of its own, and a LaMa of random weights."""

import numpy
import pytest
from PIL import Image, ImageDraw, ImageFont
from skimage.data import astronaut

from core.dataset.images.masks import rectangle
from core.models.warm import WARM


@pytest.fixture(autouse=True)
def models(tmp_path, monkeypatch):
    folder = tmp_path / "models"
    monkeypatch.setenv("LORABOOK_MODELS", str(folder))
    yield folder
    WARM.unload_all()


@pytest.fixture(scope="session")
def random_lama(tmp_path_factory):
    """A LaMa as spandrel builds it, untrained: its size cannot be chosen."""
    import torch
    from safetensors.torch import save_file
    from spandrel.architectures.LaMa import LaMa

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("lama") / "lama.safetensors"
    save_file(LaMa(in_nc=4, out_nc=3).state_dict(), path)
    return path


@pytest.fixture
def lama(models, random_lama):
    """It lies in the folder as `random.safetensors`."""
    (models / "inpainters").mkdir(parents=True)
    (models / "inpainters" / "random.safetensors").symlink_to(random_lama)
    return "random.safetensors"


def marked(project, stem, *boxes, label="repaint"):
    """Write the repaint mask of a picture."""
    path = next(path for path in project.images.glob(f"{stem}.*") if path.suffix != ".txt")
    size = Image.open(path).size
    mask = numpy.zeros(size[::-1], dtype="uint8")
    for left, top, right, bottom in boxes:
        mask |= rectangle(size, (left, top), (right, bottom))
    Image.fromarray(mask).save(project.variants / f"{stem}_{label}_mask.png")
    return mask > 127


def watermarked(photo, words="SAMPLE", opacity=0.6):
    """A photograph with words across its lower edge, and where they are."""
    height, width = photo.shape[:2]
    sheet = Image.new("L", (width, height))
    ImageDraw.Draw(sheet).text((width * 0.3, height * 0.8), words, fill=255, font=ImageFont.load_default(height // 12))
    share = numpy.array(sheet)[..., None] / 255 * opacity
    return numpy.rint(photo * (1 - share) + 255 * share).astype("uint8"), numpy.array(sheet) > 0


@pytest.fixture
def photo(project):
    """The astronaut as `photo.png`, 251 x 233."""
    Image.fromarray(astronaut()[:233, 100:351]).save(project.images / "photo.png")
    return numpy.array(Image.open(project.images / "photo.png"))
