"""Reads scalars from TensorBoard event files, only the new bytes at each call, without the tensorboard package.

A file is a row of records: length (uint64, little-endian), its masked CRC (4 bytes), data, masked CRC (4 bytes); the data is an
`Event` message in protobuf's wire format. Sources: tensorflow/core/lib/io/record_writer.h, tensorflow/core/util/event.proto,
tensorflow/core/framework/summary.proto, https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator
from pathlib import Path

from core.training.monitor.curve import Curve

_MOST = 64 << 20
"""Bytes of the longest record that is believed."""
Scalar = tuple[str, int, float, float]
"""Tag, step, value, wall time in seconds."""


class EventFile:
    """One events.out.tfevents file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0
        self.first_step: int | None = None
        self.first_time: float | None = None
        self.last_step = 0
        """Of the last loss that was read: what is logged by epochs belongs there."""

    def read(self) -> list[Scalar]:
        """Scalars that were appended since the last call; a record that is still being written waits."""
        try:
            with open(self.path, "rb") as file:
                file.seek(self.offset)
                data = file.read()
        except FileNotFoundError:
            return []
        scalars, place = [], 0
        while place + 12 <= len(data):
            length = struct.unpack_from("<Q", data, place)[0]
            if length > _MOST or place + 16 + length > len(data):
                break
            scalars.extend(parse_event(data[place + 12: place + 12 + length]))
            place += 16 + length
        self.offset += place
        if scalars and self.first_step is None:
            self.first_step, self.first_time = scalars[0][1], scalars[0][3]
        return scalars


def parse_event(data: bytes) -> list[Scalar]:
    """The scalars of one `Event` message; [] for other kinds and for damaged ones."""
    wall_time, step, summary = 0.0, 0, b""
    try:
        for number, value in _fields(data):
            if number == 1 and isinstance(value, bytes):
                wall_time = struct.unpack("<d", value)[0]
            elif number == 2 and isinstance(value, int):
                step = value
            elif number == 5 and isinstance(value, bytes):
                summary = value
        found = [_value(value) for number, value in _fields(summary) if number == 1 and isinstance(value, bytes)]
    except (IndexError, struct.error, UnicodeDecodeError):
        return []
    return [(tag, step, number, wall_time) for tag, number in found if tag and number is not None]


def _value(data: bytes) -> tuple[str, float | None]:
    """Tag and number of a `Summary.Value`: simple_value (2), or a float tensor (8) of one element."""
    tag, number = "", None
    for field, value in _fields(data):
        if field == 1 and isinstance(value, bytes):
            tag = value.decode("utf-8")
        elif field == 2 and isinstance(value, bytes):
            number = struct.unpack("<f", value)[0]
        elif field == 8 and isinstance(value, bytes):
            number = _tensor(value)
    return tag, number


def _tensor(data: bytes) -> float | None:
    for field, value in _fields(data):
        if field in (4, 5) and isinstance(value, bytes) and len(value) == 4:  # tensor_content, float_val
            return float(struct.unpack("<f", value)[0])
    return None


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Field numbers and raw values of a message: varints as int, everything else as bytes."""
    place = 0
    while place < len(data):
        key, place = _varint(data, place)
        kind = key & 7
        if kind == 0:
            number, place = _varint(data, place)
            yield key >> 3, number
            continue
        length, place = (8, place) if kind == 1 else (4, place) if kind == 5 else _varint(data, place)
        yield key >> 3, data[place: place + length]
        place += length


def _varint(data: bytes, place: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[place]
        number |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return number, place


def list_boards(folder: Path) -> list[Path]:
    """The event files below a folder, oldest first."""
    return sorted(folder.rglob("events.out.tfevents.*"), key=lambda path: path.name)


class TensorBoardReader:
    """The losses and learning rates that a trainer logged below a folder.

    Tags `loss/current`, `loss/average`, `lr/NAME`, and of sd-scripts `loss/validation/step_average`, `loss/validation/epoch_average`.

    Args: passed_over: files that are not read.
    """

    def __init__(self, folder: Path, passed_over: Collection[Path] = ()) -> None:
        self.folder, self.passed_over = folder, passed_over
        self.curve = Curve()
        self._files: dict[Path, EventFile] = {}
        self._latest = 0.0
        """When the attempt of the newest file began."""

    def read(self, resumed: list[tuple[float, int]]) -> None:
        """Take in what is new.

        Args: resumed: for each attempt, when it began (seconds since 1970) and the step that it went on from. sd-scripts
            numbers the steps of a resumed attempt from another beginning, so its first step is taken for the next one.
        """
        for path in list_boards(self.folder):
            if path in self.passed_over:
                continue
            file = self._files.setdefault(path, EventFile(path))
            is_new = file.first_step is None
            scalars = file.read()
            shift, begin = self._shift(file, resumed)
            if is_new and scalars:
                self._cut(file, resumed, begin)
            for tag, step, value, time in scalars:
                if step or tag.startswith("loss/validation"):  # sd-scripts logs batches before the first update too, as step 0
                    self._put(file, tag, step + shift, value, time)

    def _cut(self, file: EventFile, resumed: list[tuple[float, int]], begin: int) -> None:
        """An attempt's first file: what the one before did after the step where it begins is done again."""
        began = next((time for time, _ in reversed(resumed) if file.first_time is not None and time <= file.first_time), 0.0)
        if began > self._latest:
            self._latest = began
            self.curve.cut_after(begin)

    @staticmethod
    def _shift(file: EventFile, resumed: list[tuple[float, int]]) -> tuple[int, int]:
        if file.first_time is None or file.first_step is None:
            return 0, 0
        begin = next((step for time, step in reversed(resumed) if time <= file.first_time), 0)
        return (begin + 1 - max(1, file.first_step), begin) if begin else (0, 0)

    def _put(self, file: EventFile, tag: str, step: int, value: float, time: float) -> None:
        if tag == "loss/current":
            file.last_step = step
            self.curve.put(step, loss=value, time=time or None)
        elif tag == "loss/average":
            self.curve.put(step, average=value)
        elif tag == "loss/validation/step_average":
            self.curve.put(step, validation=value)
        elif tag == "loss/validation/epoch_average":  # its own step is the number of the epoch
            self.curve.put(file.last_step, validation=value)
        elif tag.startswith("lr/"):
            known = self.curve.lr_of(step)
            self.curve.put(step, lr={**known, tag[3:]: value})
