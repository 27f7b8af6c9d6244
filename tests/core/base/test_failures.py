"""Failures with a known cause are told as what they are, never as a bug."""

import errno

import pytest

from core.base.errors import ConfigError
from core.base.failures import explain, known_kind, words_for


class OutOfMemoryError(RuntimeError):
    """Named as torch's."""


@pytest.mark.parametrize(("error", "expected"), [
    (OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."), "memory of the GPU"),
    (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), "memory of the GPU"),
    (RuntimeError("CUDA error: out of memory\nCompile with `TORCH_USE_CUDA_DSA`"), "memory of the GPU"),
    (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), "memory of the GPU"),
    (RuntimeError("[ONNXRuntimeError] : 1 : FAIL : CUDA failure 2: out of memory ; GPU=0"), "memory of the GPU"),
    (RuntimeError("[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Failed to allocate memory for requested buffer of size 1"),
     "in this machine or on its GPU"),
    (type("SafetensorError", (Exception,), {})("I/O error: No space left on device (os error 28)"), "No space is left"),
    (type("SafetensorError", (Exception,), {})("Error while deserializing header: HeaderTooLarge"), "model file is broken"),
    (RuntimeError("[enforce fail at alloc_cpu.cpp:83] DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes."),
     "not the GPU's"),
    (MemoryError(), "not the GPU's"),
    (OSError(errno.ENOMEM, "Cannot allocate memory"), "not the GPU's"),
    (OSError(errno.ENOSPC, "No space left on device", "/x/y.png"), "to write /x/y.png. Free some space"),
    (PermissionError(errno.EACCES, "Permission denied", "/x/y.png"), "no permission for /x/y.png"),
    (OSError(errno.EIO, "Input/output error", "/mnt/drive/y.png"), "drive failed at /mnt/drive/y.png"),
    (ModuleNotFoundError("No module named 'xformers'", name="xformers"), "'xformers' is not installed. Run: python3 installer.py"),
    (ConnectionError("HTTPSConnectionPool: Max retries exceeded"), "network"),
    (RuntimeError("Found no NVIDIA driver on your system."), "GPU cannot be used"),
    (ConfigError("It is wrong.", "Mend it."), "It is wrong. Mend it."),
])
def test_a_known_cause_is_told_with_what_to_do(error, expected):
    message, hint = explain(error)
    assert expected in f"{message} {hint}" and hint
    assert "bug" not in words_for(error)


@pytest.mark.parametrize("words", ["CUDA failure 209: no kernel image", "CUDA failure 200: invalid image", "CUDA failure 201"])
def test_another_failure_of_cuda_is_not_taken_for_missing_memory(words):
    assert "memory" not in " ".join(explain(RuntimeError(words)) or ())


@pytest.mark.parametrize("line", [
    "torch.OutOfMemoryError: CUDA out of memory.", "RuntimeError: CUDA error: out of memory", "RuntimeError: CUDNN_STATUS_ALLOC_FAILED",
    "RuntimeError: DefaultCPUAllocator: can't allocate memory", "MemoryError", "X: Failed to allocate memory for requested buffer",
    "OSError: [Errno 28] No space left on device", "RuntimeError: Temporary failure in name resolution",
    "RuntimeError: No CUDA GPUs are available", "SafetensorError: Error while deserializing header: InvalidHeader"])
def test_what_is_known_here_is_known_of_a_trainers_last_line_too(line):
    from core.training.monitor.causes import find_cause

    assert known_kind(line) and find_cause(["Traceback (most recent call last):", line], 1).kind != "unknown"


def test_what_needs_less_memory_is_said_in_the_words_of_the_work():
    assert explain(MemoryError(), "Lower train_batch_size.")[1] == "Lower train_batch_size."


def test_an_unknown_failure_is_a_bug_with_the_place_of_its_story():
    assert explain(ValueError("x")) is None and explain(FileNotFoundError(2, "No such file", "x")) is None
    assert words_for(KeyError("name"), "See log.txt.") == "This is a bug in Lorabook (KeyError: 'name'). See log.txt."
