"""Vision models in ONNX: one picture in, one row of numbers out, in batches of the model's own size."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.base.errors import ModelError
from core.models.onnx_sessions import open_session, run_session

if TYPE_CHECKING:
    import numpy
    from PIL.Image import Image as Picture


class OnnxVision:
    """A session that takes pictures, channels first, and gives its first output.

    Args:
        side: of the square input, where the model leaves it open.
        mean, std: of each channel, 0 to 1.
    Raises: ModelError, ConfigError: it cannot be opened, or takes another input.
    """

    def __init__(self, model: Path, device: str, side: int, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        import numpy

        self._session, self.provider = open_session(model, device)
        self._output = self._session.get_outputs()[0].name
        shape: list[Any] = self._session.get_inputs()[0].shape
        if len(shape) != 4 or shape[1] != 3 or (isinstance(shape[2], int) and shape[2] != shape[3]):
            raise ModelError(f"{model} takes an input of shape {shape}, not (batch, 3, side, side).", "It is another kind of model.")
        self.side = shape[2] if isinstance(shape[2], int) else side
        self._mean, self._std = (numpy.array(values, numpy.float32).reshape(3, 1, 1) for values in (mean, std))

    def prepare(self, picture: Picture) -> numpy.ndarray:
        """RGB of any size → (3, side, side) float32, squeezed to the square (bilinear) and normalised."""
        import numpy
        from PIL import Image

        pixels = numpy.asarray(picture.convert("RGB").resize((self.side, self.side), Image.Resampling.BILINEAR), dtype=numpy.float32)
        return numpy.asarray((pixels.transpose(2, 0, 1) / 255 - self._mean) / self._std, dtype=numpy.float32)

    def run(self, batch: numpy.ndarray) -> numpy.ndarray:
        """(n, 3, side, side) → (n, d). What does not fit into memory is halved. Raises: ModelError: it failed on a single picture."""
        return run_session(self._session, self._output, batch,
                           failed=("The model failed on one picture", "Choose device 'cpu', or a smaller model."),
                           refused=("The model refused its input", "It is another kind of model."))
