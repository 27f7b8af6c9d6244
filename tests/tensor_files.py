"""Files of weights as a look at their header sees them: right in every byte of the header, and zeros behind it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from core.base.tensor_headers import TensorPlace, header_bytes, laid_out


def head_of(shapes: Mapping[str, Sequence[int]], dtype: str = "F16", metadata: Mapping[str, str] | None = None) -> tuple[bytes, int]:
    """The header of a safetensors file, and the bytes that its tensors need behind it. Args: shapes: tensors in their order, by name."""
    places = laid_out(TensorPlace(name, dtype, tuple(shape), 0, 0) for name, shape in shapes.items())
    return header_bytes(places, metadata or {}), sum(place.size for place in places)


def write_tensors(path: Path, shapes: Mapping[str, Sequence[int]], dtype: str = "F16", metadata: Mapping[str, str] | None = None) -> Path:
    """A safetensors file; what lies behind its header is a hole, so that a large one takes no room."""
    path.parent.mkdir(parents=True, exist_ok=True)
    head, size = head_of(shapes, dtype, metadata)
    with open(path, "wb") as file:
        file.write(head)
        file.truncate(len(head) + size)
    return path
