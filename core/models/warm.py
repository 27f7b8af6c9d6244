"""Models that stay open between single pictures, as long as there is room.

    with WARM.use(("upscaler", str(path), mtime), "RealESRGAN x4", load, device="cuda", needs=70_000_000) as model:
        ...

The first use loads it; it stays until it is unloaded by a person, by another model that needs the room, or because nobody used it for a
while (`unload_idle`). A job is a process of its own, whose models go with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import sys
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from core.base.errors import ModelError
from core.base.words import told_size
from core.setup.hardware import GIB, Gpu, memory_gib, read_gpus

T = TypeVar("T")
MIB = 2**20
KEPT_FREE = GIB
"""Bytes that loading a model leaves free."""
IDLE_SECONDS = 600.0
"""After so long without a use a model may go."""
ASKED_AGAIN = 1.0
"""Seconds for which what the driver said is taken to be so."""
NO_ROOM = ("out of memory", "can't allocate memory", "failed to allocate")
"""What torch and ONNX Runtime say where memory does not suffice."""


@dataclass(frozen=True)
class WarmModel:
    """One open model, as a list shows it."""

    key: Hashable
    name: str
    device: str
    """"cpu" or "cuda"."""
    memory: int
    """Bytes that became used while it was loaded."""
    is_used: bool
    """Whether it works at this moment; it is not unloaded then."""


@dataclass
class _Kept:
    key: Hashable
    name: str
    device: str
    model: Any
    memory: int
    used: float
    lock: threading.RLock = field(default_factory=threading.RLock)
    users: int = 0


class WarmModels:
    """The open models of this process.

    Args: free, used: bytes of a device that are free, and that this process uses; other ones in tests.
    """

    def __init__(self, free: Callable[[str], int] | None = None, used: Callable[[str], int] | None = None) -> None:
        self._free, self._used = free or free_memory, used or used_memory
        self._kept: dict[Hashable, _Kept] = {}
        self._lock = threading.RLock()
        self._loading = threading.Lock()

    @contextlib.contextmanager
    def use(self, key: Hashable, name: str, load: Callable[[], T], device: str = "cpu", needs: int = 0) -> Iterator[T]:
        """A model, loaded only where it is not open yet; nobody else works with it meanwhile.

        Args:
            key: names exactly this model on this device.
            load: opens it; what it returns may have `close()`. Its files are here by then: whoever loads another model waits meanwhile,
                and nothing of it can be cancelled.
            needs: bytes that it will take, about; where so much is not free, models that nobody uses are unloaded, the one that was
                used longest ago first.

        Raises: whatever `load` raises; ModelError: there is no memory for it, though every other model was unloaded.
        """
        kept = self._take(key, name, load, device, needs)
        try:
            with kept.lock:
                yield kept.model
        finally:
            with self._lock:
                kept.users -= 1
                kept.used = time.monotonic()

    def list(self) -> list[WarmModel]:
        """The open models, the one used last first."""
        with self._lock:
            kept = sorted(self._kept.values(), key=lambda one: -one.used)
            return [WarmModel(one.key, one.name, one.device, one.memory, one.users > 0) for one in kept]

    def unload(self, key: Hashable) -> bool:
        """Let go of one model, and of its memory. Returns: whether it is gone; one that works at this moment stays."""
        self._unload([key])
        with self._lock:
            return key not in self._kept

    def unload_all(self) -> int:
        """Let go of every model that does not work at this moment. Returns: how many."""
        return self._unload([one.key for one in self.list()])

    def unload_idle(self, seconds: float = IDLE_SECONDS, device: str = "") -> int:
        """Let go of every model that nobody used for so long. Args: device: only those on it; empty: all. Returns: how many."""
        before = time.monotonic() - seconds
        with self._lock:
            idle = [kept.key for kept in self._kept.values() if kept.used <= before and device in ("", kept.device)]
        return self._unload(idle)

    def _unload(self, keys: Sequence[Hashable]) -> int:
        """Let go of those that do not work at this moment. Returns: how many."""
        with self._lock:
            gone = [self._kept.pop(key) for key in keys if key in self._kept and not self._kept[key].users]
        if gone:
            _let_go(gone)
        return len(gone)

    def free(self, device: str) -> int:
        """Bytes of a device that are free now."""
        return self._free(device)

    def _take(self, key: Hashable, name: str, load: Callable[[], T], device: str, needs: int) -> _Kept:
        """Counts one more user. One that is open already waits for nobody who loads another."""
        if (kept := self._taken(key)) is not None:
            return kept
        with self._loading:
            if (kept := self._taken(key)) is not None:
                return kept
            self._make_room(device, needs)
            before = self._used(device)
            model = self._load(name, load, device)
            forget_driver()
            kept = _Kept(key, name, device, model, max(0, self._used(device) - before), time.monotonic(), users=1)
            with self._lock:
                self._kept[key] = kept
            return kept

    def _taken(self, key: Hashable) -> _Kept | None:
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None:
                kept.users += 1
            return kept

    def _load(self, name: str, load: Callable[[], T], device: str) -> T:
        try:
            return load()
        except (RuntimeError, MemoryError, ModelError) as error:
            if not is_no_room(error):
                raise
            unloaded = self.unload_all()
            if not unloaded:
                raise self._no_room(name, device) from error
        try:
            return load()
        except (RuntimeError, MemoryError, ModelError) as error:
            raise (self._no_room(name, device) if is_no_room(error) else error) from error

    def _no_room(self, name: str, device: str) -> ModelError:
        where = "the GPU" if device == "cuda" else "this machine"
        return ModelError(f"There is no room for {name}: {told_size(self._free(device))} are free on {where}.",
                          "End other programs that use it, or choose a smaller model.")

    def _make_room(self, device: str, needs: int) -> None:
        for one in reversed(self.list()):
            if not needs or self._free(device) >= needs + KEPT_FREE:
                return
            if one.device == device and not one.is_used:
                self.unload(one.key)


def is_no_room(error: BaseException) -> bool:
    """Whether an error says that memory does not suffice."""
    return isinstance(error, MemoryError) or any(words in str(error).lower() for words in NO_ROOM)


def free_memory(device: str) -> int:
    """Bytes that are free on a device; 0: nobody knows."""
    return int(memory_gib()[1] * GIB) if device == "cpu" else _gpu_memory()[0]


def used_memory(device: str) -> int:
    """Bytes that this process uses of the machine's memory, or that everybody uses of the GPU's."""
    if device == "cpu":
        with contextlib.suppress(OSError, ValueError):
            return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
        return 0
    free, total = _gpu_memory()
    return total - free


def forget_driver() -> None:
    """Ask the driver anew at the next question: memory was given back."""
    _driver.cache_clear()


def _gpu_memory() -> tuple[int, int]:
    """Free and all bytes of the GPU: as torch says where it is loaded, else the driver, so that no library is loaded for the question."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        return int(free), int(total)
    gpus = _driver(int(time.monotonic() / ASKED_AGAIN))
    first = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0].strip()
    place = int(first) if first.isdecimal() else 0
    return (gpus[place].free_mib * MIB, gpus[place].memory_mib * MIB) if place < len(gpus) else (0, 0)


@lru_cache(maxsize=1)
def _driver(moment: int) -> tuple[Gpu, ...]:
    """Args: moment: another one is another question."""
    return read_gpus().gpus


def _let_go(gone: Sequence[_Kept]) -> None:
    """Several at once: looking for what nobody holds any more takes half a second where torch is loaded."""
    for kept in gone:
        if hasattr(kept.model, "close"):
            kept.model.close()
        kept.model = None
    gc.collect()
    forget_driver()
    torch = sys.modules.get("torch")
    if torch is not None and any(kept.device == "cuda" for kept in gone):
        torch.cuda.empty_cache()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)  # glibc keeps what was freed for itself otherwise


WARM = WarmModels()
"""The open models of this process: its memory is one, and so is the list."""
