"""ONNX Runtime: a session on the device that there is, and one output of it for a batch of any size."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.base.errors import ConfigError, ModelError, require

if TYPE_CHECKING:
    import numpy


NO_CUDA = ("CUDA was asked for, but ONNX Runtime cannot use it here.", "Run: python3 installer.py --doctor, or choose device 'auto'.")


def onnx_device(device: str) -> str:
    """"cuda" or "cpu": where a session computes.

    Args: device: "auto", "cuda" or "cpu".
    Raises: ConfigError: CUDA was asked for and is not to be had. MissingDependency.
    """
    runtime = require("onnxruntime", needed_for="The model")
    is_there = "CUDAExecutionProvider" in runtime.get_available_providers()
    if device == "cuda" and not is_there:
        raise ConfigError(*NO_CUDA)
    return "cuda" if is_there and device != "cpu" else "cpu"


def open_session(model: Path, device: str) -> tuple[Any, str]:
    """An ONNX Runtime session, and the provider that really computes.

    Args: device: "auto" takes CUDA where it works; "cuda" insists on it.
    Raises: ModelError: the file is no ONNX model. ConfigError: CUDA was asked for and is not to be had.
    """
    runtime = require("onnxruntime", needed_for="The model")
    from onnxruntime.capi import onnxruntime_pybind11_state as errors

    providers = ["CPUExecutionProvider"]
    if onnx_device(device) == "cuda":
        if hasattr(runtime, "preload_dlls"):
            runtime.preload_dlls()  # CUDA's libraries come with torch's wheels, where the loader does not look by itself
        providers.insert(0, "CUDAExecutionProvider")
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    try:
        session = runtime.InferenceSession(str(model), sess_options=options, providers=providers)
    except (errors.Fail, errors.InvalidProtobuf, errors.InvalidGraph, errors.NoSuchFile, errors.RuntimeException, errors.NotImplemented,
            errors.InvalidArgument) as error:
        raise ModelError(f"{model} could not be opened as an ONNX model: {str(error).splitlines()[0]}.", "Fetch it again.") from error
    provider = session.get_providers()[0]
    if device == "cuda" and provider != "CUDAExecutionProvider":
        raise ConfigError(*NO_CUDA)
    return session, provider


def run_session(session: Any, output: str, batch: numpy.ndarray, failed: tuple[str, str], refused: tuple[str, str]) -> numpy.ndarray:
    """One output for a whole batch (n, ...). What does not fit into memory is halved; a fixed batch axis is filled up.

    Args: failed, refused: what is said, and what to do, of a single picture that is too much, and of an input of the wrong kind.
    Raises: ModelError: one of these.
    """
    import numpy
    from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, RuntimeException

    node, results = session.get_inputs()[0], []
    fixed = node.shape[0] if isinstance(node.shape[0], int) else 0
    step = fixed or len(batch)
    for start in range(0, len(batch), step):
        part = batch[start:start + step]
        filled = numpy.concatenate([part, numpy.repeat(part[-1:], step - len(part), axis=0)]) if len(part) < step else part
        try:
            results.append(session.run([output], {node.name: filled})[0][:len(part)])
        except InvalidArgument as error:
            raise _said(refused, error) from error
        except (Fail, RuntimeException, MemoryError) as error:
            if len(part) == 1 or fixed:
                raise _said(failed, error) from error
            half = len(part) // 2
            results += [run_session(session, output, piece, failed, refused) for piece in (part[:half], part[half:])]
    return numpy.concatenate(results)


def run_whole(session: Any, batch: numpy.ndarray, failed: tuple[str, str], refused: tuple[str, str]) -> dict[str, numpy.ndarray]:
    """Every output of one input, by name. Args, Raises: as `run_session`."""
    from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, RuntimeException

    names = [one.name for one in session.get_outputs()]
    try:
        return dict(zip(names, session.run(names, {session.get_inputs()[0].name: batch}), strict=True))
    except InvalidArgument as error:
        raise _said(refused, error) from error
    except (Fail, RuntimeException, MemoryError) as error:
        raise _said(failed, error) from error


def _said(words: tuple[str, str], error: BaseException) -> ModelError:
    return ModelError(f"{words[0]}: {(str(error).splitlines() or [type(error).__name__])[0]}.", words[1])
