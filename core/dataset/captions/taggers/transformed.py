"""Taggers of the PixAI and dbv4 kind: a (n, 3, side, side) input that is scaled and normalised as their preprocess.json says.

Interface (deepghs/pixai-tagger-v0.9-onnx, animetimm/*.dbv4-full-onnx): `model.onnx` with an input of channels first and outputs
`embedding`, `logits` and `prediction` (probabilities); `selected_tags.csv` with `name` and `category`; `preprocess.json` with the stages
of the evaluation's transform. Without preprocess.json the picture is squeezed to the side (bilinear) and normalised with 0.5 and 0.5,
as PixAI's own handler does.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from core.base.errors import ModelError
from core.base.files import read_json
from core.base.registry import Entry
from core.dataset.captions.taggers.onnx import OnnxFiles, OnnxTagger, find_files
from core.dataset.captions.taggers.wd import squared

if TYPE_CHECKING:
    import numpy
    from PIL.Image import Image as Picture

PREPROCESS_FILE = "preprocess.json"
IGNORED = frozenset({"convert_rgb", "maybe_to_tensor", "to_tensor"})
"""Stages that are done anyway."""


def find_transformed(entry: Entry, model_dir: str = "", repo_id: str = "", revision: str = "", download_dir: str = "",
                     force_download: bool = False) -> OnnxFiles:
    """Find the files, or fetch them. Args and errors: as `find_wd`."""
    return find_files(TransformedTagger, model_dir, repo_id or entry.options["repo_id"], revision, download_dir, force_download,
                      further=(PREPROCESS_FILE,))


class TransformedTagger(OnnxTagger):
    """RGB, (n, 3, size, size), normalised."""

    kind: ClassVar[str] = "tagger of the PixAI kind"

    def __init__(self, files: OnnxFiles, device: str = "auto") -> None:
        super().__init__(files, device)
        import numpy

        stages = _stages(files.further.get(PREPROCESS_FILE))
        normalise: dict[str, Any] = next((stage for stage in stages if stage["type"] == "normalize"), {})
        mean, std = (numpy.array(normalise.get(name, [0.5] * 3), numpy.float32).reshape(3, 1, 1) for name in ("mean", "std"))
        self._scale, self._shift = 1 / (255 * std), -mean / std
        self.squeezes = not any(stage["type"] == "pad_to_size" for stage in stages)
        scaling = next((stage for stage in stages if stage["type"] in ("resize", "pad_to_size")), {})
        self._filter = str(scaling.get("interpolation", "bilinear")).lower()

    def side_of(self, shape: list[Any], files: OnnxFiles) -> int:
        """The side, from (batch, 3, side, side), or from preprocess.json where the model leaves it open."""
        if len(shape) != 4 or shape[1] != 3:
            raise ModelError(f"{files.model} takes an input of shape {shape}, not (batch, 3, side, side).", f"It is not a {self.kind}.")
        if isinstance(shape[2], int) and shape[2] == shape[3]:
            return shape[2]
        for stage in reversed(_stages(files.further.get(PREPROCESS_FILE))):
            size = stage.get("size")
            if size:
                return int(size[0] if isinstance(size, list) else size)
        raise ModelError(f"{files.model} does not say how large its input is.", f"Its {PREPROCESS_FILE} is missing; fetch it again.")

    def choose_output(self, names: list[str]) -> str:
        """The probabilities: "prediction", else "output", else the last one."""
        return next((name for name in ("prediction", "output") if name in names), names[-1])

    def new_batch(self, count: int) -> numpy.ndarray:
        """(count, 3, size, size) float32."""
        import numpy

        return numpy.empty((count, 3, self.size, self.size), numpy.float32)

    def prepare(self, picture: Picture, into: numpy.ndarray) -> None:
        """RGB of any size → scaled, padded white where the model wants it, normalised."""
        import numpy
        from PIL import Image

        if self.squeezes:
            kind = Image.Resampling.BICUBIC if self._filter == "bicubic" else Image.Resampling.BILINEAR
            scaled = picture.resize((self.size, self.size), kind)
        else:
            scaled = squared(picture, self.size)
        numpy.multiply(numpy.asarray(scaled).transpose(2, 0, 1), self._scale, out=into, casting="unsafe")
        into += self._shift


def _stages(path: Path | None) -> list[dict[str, Any]]:
    """The transform of the evaluation. Raises: ModelError: it holds a stage that is not known, and the model would see wrong pixels."""
    if path is None:
        return []
    content = read_json(path)
    stages = content.get("stages") or content.get("test") or content.get("val") or []
    known = IGNORED | {"resize", "pad_to_size", "center_crop", "normalize"}
    if strange := [str(stage.get("type")) for stage in stages if stage.get("type") not in known]:
        raise ModelError(f"{path} asks for {', '.join(strange)}, which is not known here.", "Choose another tagger.")
    return list(stages)
