"""Failures that are neither ours nor raised on purpose, but whose cause is known: a sentence and what to do."""

from __future__ import annotations

import errno
import re

from core.base.errors import StudioError

SMALLER = "Close other programs that use it, or ask for fewer or smaller pictures at a time."
_GPU_FULL = re.compile(r"CUDA out of memory|MPS backend out of memory|CUBLAS_STATUS_ALLOC_FAILED|hipErrorOutOfMemory|"
                       r"Failed to allocate memory for requested buffer|cudaErrorMemoryAllocation|CUDA failure 2", re.IGNORECASE)
_COMPUTER_FULL = re.compile(r"can't allocate memory|cannot allocate memory|std::bad_alloc|Unable to allocate [\d.]+ \w+", re.IGNORECASE)
_NO_GPU = re.compile(r"Found no NVIDIA driver|Torch not compiled with CUDA|no kernel image is available|driver version is insufficient|"
                     r"CUDA-capable device|No CUDA GPUs are available")
_NO_NETWORK = re.compile(r"LocalEntryNotFound|Max retries exceeded|couldn't connect to|Network is unreachable|Name or service not known|"
                         r"Temporary failure in name resolution")
_BROKEN_MODEL = re.compile(r"HeaderTooLarge|HeaderTooSmall|InvalidHeader|MetadataIncompleteBuffer|Error while deserializing header")
_NETWORK_TYPES = {"ConnectionError", "ConnectTimeout", "ReadTimeout", "LocalEntryNotFoundError", "OfflineModeIsEnabled"}


def explain(error: BaseException, smaller: str = SMALLER) -> tuple[str, str] | None:
    """What happened, and what to do; None where it is not known and therefore most likely a bug.

    Args: error: any exception; torch's and onnxruntime's are known by their words, so that neither is imported.
        smaller: what needs less memory in the work that failed.
    """
    if isinstance(error, StudioError):
        return error.message, error.hint
    kind, words = type(error).__name__, str(error)
    if isinstance(error, MemoryError) or _COMPUTER_FULL.search(words) or getattr(error, "errno", None) == errno.ENOMEM:
        return "This machine's memory (not the GPU's) was not enough.", smaller
    if kind == "OutOfMemoryError" or _GPU_FULL.search(words):
        return "The memory of the GPU was not enough.", smaller
    if isinstance(error, OSError) and (found := _of_the_system(error)):
        return found
    if isinstance(error, ImportError):
        what = f"{error.name!r} is not installed" if isinstance(error, ModuleNotFoundError) and error.name else f"does not fit ({words})"
        return f"A Python package is missing or broken: {what}.", "Run: python3 installer.py"
    if kind in _NETWORK_TYPES or _NO_NETWORK.search(words):
        return "Something had to be fetched from the network, which could not be reached.", \
            "Connect the machine, or give the model as a local file or folder."
    if _NO_GPU.search(words):
        return "The GPU cannot be used.", "Run 'python3 installer.py --doctor' to see whether GPU, driver and torch fit together."
    if _BROKEN_MODEL.search(words) or kind == "SafetensorError":
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
