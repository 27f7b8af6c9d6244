"""Failures that are neither ours nor raised on purpose, but whose cause is known: a sentence and what to do."""

from __future__ import annotations

import errno
import re

from core.base.errors import StudioError

SMALLER = "Close other programs that use it, or ask for fewer or smaller pictures at a time."
ANY_MEMORY = "memory"
PATTERNS: dict[str, str] = {
    "machine_memory": r"(?i:can't allocate memory|cannot allocate memory(?! in static TLS)|std::bad_alloc|Unable to allocate [\d.]+ \w+)|"
                      r"^MemoryError|memory \(not the GPU's\)",
    "gpu_memory": r"(?i:OutOfMemoryError|(?:CUDA|HIP|XPU|MPS backend) out of memory|CUDA error: out of memory|CUDA failure 2\b|"
                  r"hipErrorOutOfMemory|cudaErrorMemoryAllocation|CU(?:BLAS|DNN)_STATUS_ALLOC_FAILED)|memory of the GPU",
    # ONNX Runtime says this of its memory on the GPU and of that on the CPU alike.
    ANY_MEMORY: r"Failed to allocate memory for requested buffer",
    "disk_full": r"No space left on device|\[Errno 28\]|Disk quota exceeded|No space (?:is )?left (?:on the disk|to write)",
    "no_network": r"\b(?:ConnectionError|ConnectTimeout|ReadTimeout|OfflineModeIsEnabled)\b|LocalEntryNotFound|Max retries exceeded|"
                  r"couldn't connect to|Network is unreachable|Name or service not known|Temporary failure in name resolution",
    "no_gpu": r"Found no NVIDIA driver|Torch not compiled with CUDA|no kernel image is available|driver version is insufficient|"
              r"CUDA-capable device|No CUDA GPUs are available",
    "bad_model": r"HeaderTooLarge|HeaderTooSmall|InvalidHeader|MetadataIncompleteBuffer|Error while deserializing header|SafetensorError",
}
"""What is said when something fails from a known cause: searched in a line such as a traceback's last one, "Kind: words".

The one table for errors of this process (`explain`) and for the last lines of another (`core.training.monitor.causes`).
"""


def known_kind(line: str) -> str | None:
    """The first name of PATTERNS that fits a line; None: it tells of nothing that is known."""
    return next((kind for kind, pattern in PATTERNS.items() if re.search(pattern, line)), None)


def explain(error: BaseException, smaller: str = SMALLER) -> tuple[str, str] | None:
    """What happened, and what to do; None where it is not known and therefore most likely a bug.

    Args: error: any exception; torch's and onnxruntime's are known by their words, so that neither is imported.
        smaller: what needs less memory in the work that failed.
    """
    if isinstance(error, StudioError):
        return error.message, error.hint
    words = str(error)
    kind = known_kind(f"{type(error).__name__}: {words}")
    if isinstance(error, MemoryError) or kind == "machine_memory" or getattr(error, "errno", None) == errno.ENOMEM:
        return "This machine's memory (not the GPU's) was not enough.", smaller
    if kind == "gpu_memory":
        return "The memory of the GPU was not enough.", smaller
    if kind == ANY_MEMORY:
        return "There was not enough memory, in this machine or on its GPU.", smaller
    if isinstance(error, OSError) and (found := _of_the_system(error)):
        return found
    if isinstance(error, ImportError):
        what = f"{error.name!r} is not installed" if isinstance(error, ModuleNotFoundError) and error.name else f"does not fit ({words})"
        return f"A Python package is missing or broken: {what}.", "Run: python3 installer.py"
    return _of_outside(kind, words)


def _of_outside(kind: str | None, words: str) -> tuple[str, str] | None:
    """Disk, network, driver or file, as another library tells of them."""
    if kind == "disk_full":
        return "No space is left on the disk.", "Free some space and run it again."
    if kind == "no_network":
        return "Something had to be fetched from the network, which could not be reached.", \
            "Connect the machine, or give the model as a local file or folder."
    if kind == "no_gpu":
        return "The GPU cannot be used.", "Run 'python3 installer.py --doctor' to see whether GPU, driver and torch fit together."
    if kind == "bad_model":
        return f"A model file is broken or not what its name says ({words}).", "Download it again and compare its size."
    return None


def _of_the_system(error: OSError) -> tuple[str, str] | None:
    """A full disk, a missing permission, a lost connection to a drive."""
    what = error.strerror or str(error)
    place = f" {error.filename}" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"No space is left on the disk{f' to write{place}' if place else ''}.", "Free some space and run it again."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"There is no permission for{place or ' a file'}.", "Choose a folder of your own, or change its rights."
    if error.errno in (errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ENODEV):
        return f"The disk or network drive failed{f' at{place}' if place else ''}: {what}.", "Look whether it is still connected."
    if error.errno == errno.EMFILE:
        return "Too many files are open.", "Close other programs, or raise the limit: ulimit -n 4096"
    return None


def words_for(error: BaseException, more: str = "") -> str:
    """A failure in words: its known cause and what to do, or that it is a bug. Args: more: where the traceback stands."""
    if known := explain(error):
        return " ".join(filter(None, known))
    lines = str(error).strip().splitlines()
    said = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    return f"This is a bug in Lorabook ({said}). {more}".strip()
