"""SmilingWolf's WD taggers (v2, v3) and every model of their interface: model.onnx and selected_tags.csv."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from core.base.errors import ModelError
from core.base.paths import DEMO_ASSETS
from core.base.registry import Entry
from core.dataset.captions.taggers.onnx import OnnxFiles, OnnxTagger, find_files

if TYPE_CHECKING:
    import numpy
    from PIL.Image import Image as Picture


def find_wd(entry: Entry, model_dir: str = "", repo_id: str = "", revision: str = "", download_dir: str = "",
            force_download: bool = False) -> OnnxFiles:
    """Find the files of a WD tagger, or fetch them from Hugging Face.

    Args:
        entry: the registry's entry.
        model_dir: a local folder that holds the two files; nothing is fetched then.
        repo_id: another repository of the same interface, in place of the entry's.
        revision, download_dir, force_download: as `find_files`.

    Raises: ModelError: a file is missing or could not be fetched.
    """
    folder = model_dir or (str(DEMO_ASSETS / entry.options["asset"]) if "asset" in entry.options and not repo_id else "")
    return find_files(WdTagger, folder, repo_id or entry.options.get("repo_id", ""), revision, download_dir, force_download)


class WdTagger(OnnxTagger):
    """BGR from 0 to 255, (n, size, size, 3); in the middle of a white square."""

    kind: ClassVar[str] = "WD tagger"

    def side_of(self, shape: list[Any], files: OnnxFiles) -> int:
        """The side, from (batch, side, side, 3)."""
        if len(shape) != 4 or shape[3] != 3 or not isinstance(shape[1], int) or shape[1] != shape[2]:
            raise ModelError(f"{files.model} takes an input of shape {shape}, not (batch, side, side, 3).", "It is not a WD tagger.")
        return shape[1]

    def new_batch(self, count: int) -> numpy.ndarray:
        """(count, size, size, 3) float32."""
        import numpy

        return numpy.empty((count, self.size, self.size, 3), numpy.float32)

    def prepare(self, picture: Picture, into: numpy.ndarray) -> None:
        """RGB of any size → BGR 0–255, scaled into a white square."""
        import numpy

        numpy.copyto(into, numpy.asarray(squared(picture, self.size))[..., ::-1], casting="unsafe")


def squared(picture: Picture, size: int) -> Picture:
    """The picture, scaled to fit, in the middle of a white square of `size` pixels a side.

    To pad first and scale then, as the models' own examples do, gives the same but for parts of a pixel at the border, and takes the
    square of the longer side in memory. Downwards the filter is Hamming's: as sharp as bicubic, in half the time.
    """
    from PIL import Image

    side = max(picture.size)
    width, height = (max(1, round(pixels * size / side)) for pixels in picture.size)
    if picture.size != (width, height):
        kind = Image.Resampling.HAMMING if side > size else Image.Resampling.BICUBIC
        picture = picture.resize((width, height), kind, reducing_gap=1.5)
    if width == height:
        return picture
    square = Image.new("RGB", (size, size), (255, 255, 255))
    square.paste(picture, ((size - width) // 2, (size - height) // 2))
    return square
