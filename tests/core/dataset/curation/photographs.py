"""Real photographs: scikit-image and scikit-learn ship some in their wheels (BSD; the packages themselves are not imported)."""

import importlib.util
import io
from functools import lru_cache
from pathlib import Path

import pytest
from PIL import Image

FROM = {"skimage": ("data", ("astronaut.png", "camera.png", "chelsea.png", "coffee.png", "coins.png", "hubble_deep_field.jpg", "ihc.png",
                             "motorcycle_left.png", "retina.jpg", "rocket.jpg")),
        "sklearn": ("datasets/images", ("china.jpg", "flower.jpg"))}


@lru_cache(maxsize=2)
def photographs(*more: str) -> dict[str, Image.Image]:
    """Name → RGB picture; skipped, visibly, where the packages are not installed. Args: more: further ones of scikit-image, as PNG."""
    found = {}
    for package, (folder, names) in FROM.items():
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            pytest.skip(f"{package} is not installed; it ships the photographs. Install it: pip install -r requirements-dev.txt")
        for name in (*names, *(f"{other}.png" for other in more)):
            path = Path(spec.origin).parent / folder / name
            if path.exists():
                found[Path(name).stem] = Image.open(path).convert("RGB")
    return found


def as_jpeg(picture: Image.Image, quality: int) -> Image.Image:
    """The picture after being saved as JPEG."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")
