"""What captioners of transformers share: room is checked, files are found or fetched, memory goes back."""

from __future__ import annotations

import gc
import shutil
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from core.base.errors import ConfigError, DatasetError, DiskError, ModelError, require
from core.base.failures import explain
from core.base.hub import WAY_OUT
from core.base.paths import hub_cache, hub_folder
from core.base.registry import Entry
from core.dataset.captions.captioners import WITHOUT_GPU, CutText, Request, find_captioner, has_weights
from core.setup.hardware import memory_gib

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

GIB = 2**30
FAILURES = (RuntimeError, ValueError, TypeError, LookupError, ArithmeticError, MemoryError)
"""What processors and models of transformers raise on a picture that they do not take."""


class TorchCaptioner(ABC):
    """A model and its processor on one device. A subclass names transformers' class and asks the question."""

    model_class = "AutoModelForImageTextToText"
    batch_size = 1
    parallel = 1

    def __init__(self, entry: Entry, request: Request) -> None:
        torch = require("torch", needed_for=entry.title)
        require("transformers", needed_for=entry.title)
        self.entry, self.request = entry, request
        self.provider = _device(torch, request.device)
        _check_room(torch, entry, request, self.provider)
        self.model, self.processor = self._load(torch)

    def describe(self, pictures: Sequence[Picture], prompts: Sequence[str]) -> list[str]:
        """One text for each picture. Raises: DatasetError: the memory was not enough, or the model does not take such a picture."""
        import torch

        try:
            return self.answer(pictures, prompts)
        except FAILURES as error:
            known = explain(error, "Choose 4-bit or a smaller captioner, or make 'Largest picture' smaller.")
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            said = str(error).splitlines()[0] if str(error) else repr(error)
            raise DatasetError(*(known or (f"{self.entry.title} failed on it: {said}",))) from error

    @abstractmethod
    def answer(self, pictures: Sequence[Picture], prompts: Sequence[str]) -> list[str]:
        """How this kind of captioner is asked; it may fail as its processor and its model do (`FAILURES`)."""

    def close(self) -> None:
        """Let go of the model; the memory goes back."""
        import torch

        self.model = self.processor = None
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _load(self, torch: Any) -> tuple[Any, Any]:
        import transformers
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError
        from safetensors import SafetensorError

        files = find_captioner(self.entry.name, self.request)
        given = files.given()
        try:
            processor = transformers.AutoProcessor.from_pretrained(files.place, **given)
            model = getattr(transformers, self.model_class).from_pretrained(files.place, **given, **self._precision(torch, transformers))
        except (HfHubHTTPError, HFValidationError, SafetensorError, OSError, ValueError, RuntimeError) as error:
            known = explain(error, "Choose 4-bit, or a smaller captioner.")
            lines = str(error).strip().splitlines()
            reason = known[0] if known else (lines[0].rstrip(".") if lines else type(error).__name__) + "."
            raise ModelError(f"{self.entry.title} could not be fetched or opened: {reason}",
                             (known[1] if known else "")
                             or f"{WAY_OUT}, in 'Local model folder' under 'Show more settings'.") from error
        if self.request.precision == "bf16":
            model = model.to(self.provider)
        return model.eval(), processor

    def _precision(self, torch: Any, transformers: Any) -> dict[str, Any]:
        """Half precision on a GPU, whole on a CPU, which is quicker there; or weights in 8 or 4 bit."""
        half = torch.float32
        if self.provider == "cuda":
            half = torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
        if self.request.precision == "bf16":
            return {"dtype": half}
        require("bitsandbytes", needed_for=f"{self.entry.title} in {self.request.precision}")
        skip = list(self.entry.options.get("skip", ())) or None
        quantization = (transformers.BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=skip) if self.request.precision == "8-bit"
                        else transformers.BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
                                                             bnb_4bit_compute_dtype=half, llm_int8_skip_modules=skip))
        return {"quantization_config": quantization, "device_map": {"": 0}, "dtype": half}

    def generate(self, inputs: Any, **further: Any) -> Any:
        """The tokens that the model says."""
        import torch

        values = {name: value.to(self.model.device, self.model.dtype) if value.is_floating_point() else value.to(self.model.device)
                  for name, value in inputs.items() if isinstance(value, torch.Tensor)}
        chosen: dict[str, Any] = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
        if self.request.temperature:
            chosen = {"do_sample": True, "temperature": self.request.temperature, "top_p": self.request.top_p}
        with torch.inference_mode():
            return self.model.generate(**values, max_new_tokens=self.request.max_new_tokens, **chosen, **further)

    def texts(self, tokens: Any, asked: int) -> list[str]:
        """The words of each row of tokens; `CutText` where the model was stopped by 'Longest text' before it came to an end.

        Args: tokens: (pictures, length) token ids. asked: how many of each row stood there before the model began to say something.
        """
        ends = self.end_tokens()
        words = self.processor.batch_decode(tokens, skip_special_tokens=True)
        new = [row[asked:].tolist() for row in tokens]
        return [CutText(text) if len(row) >= self.request.max_new_tokens and ends.isdisjoint(row) else str(text)
                for text, row in zip(words, new, strict=True)]

    def end_tokens(self) -> set[int]:
        """The tokens by which the model says that it is done."""
        ends = self.model.generation_config.eos_token_id
        return set(ends) if isinstance(ends, list) else {ends} - {None}


def _device(torch: Any, wanted: str) -> str:
    there = bool(torch.cuda.is_available())
    if wanted == "cuda" and not there:
        raise ConfigError("CUDA was asked for, but torch cannot use it here.",
                          "Run: python3 installer.py --doctor, or choose device 'auto'.")
    return "cuda" if there and wanted != "cpu" else "cpu"


def _check_room(torch: Any, entry: Entry, request: Request, device: str) -> None:
    """Raises: ConfigError: the free memory of the GPU, or of the machine without one, is not enough; DiskError: the disk is not."""
    needed = float(entry.options["memory"][request.precision])
    if request.precision != "bf16" and device != "cuda":
        raise ConfigError(f"{request.precision} needs an NVIDIA GPU.", "Choose bf16, or a smaller captioner such as blip-large.")
    if device == "cuda" and not request.model_dir:
        free = torch.cuda.mem_get_info()[0] / GIB
        if free < needed:
            raise ConfigError(f"{entry.title} in {request.precision} takes about {needed:g} GiB, but the GPU has {free:.1f} GiB free.",
                              "Unload other models, choose 4-bit, or a smaller captioner.")
    if device != "cuda" and not request.model_dir:
        free, needed = memory_gib()[1], WITHOUT_GPU * needed
        if 0 < free < needed:
            raise ConfigError(f"{entry.title} takes about {needed:g} GiB without a GPU, but this machine has {free:.1f} GiB free.",
                              "Choose a smaller captioner such as blip-large, or a server.")
    if request.model_dir or has_weights(entry, request.download_dir):
        return
    place = hub_folder(request.download_dir)
    present = next(parent for parent in (place, *place.parents) if parent.exists())
    room = shutil.disk_usage(present).free / GIB
    if room < float(entry.options["disk"]):
        variable = "LORABOOK_MODELS" if hub_cache() else "HF_HOME"
        raise DiskError(f"{entry.title} takes {entry.options['disk']:g} GiB to download, but {present} has {room:.1f} GiB free.",
                        f"Free some space, set {variable} to another disk, or give another download folder (download_dir).")
