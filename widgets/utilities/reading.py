"""What the chosen files are, by their headers alone: read beside the kernel, each once until it changes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from core.base.errors import ConfigError
from core.base.failures import words_for
from core.base.files import file_mark
from core.base.paths import place_of, typed_path
from core.base.words import told_size
from core.diffusion.kinds import TITLES
from core.stages import plain
from core.utilities.checkpoints.baking import check_fit
from core.utilities.checkpoints.checkpoint_layers import family_of_checkpoint
from core.utilities.inspecting.inspecting import InspectSettings
from core.utilities.inspecting.told import rank_words, tensor_words
from core.utilities.manager import UtilitiesManager
from core.utilities.merging.joining import joined, opened
from widgets.kernel_loop import KernelLoop
from widgets.utilities import showing

T = TypeVar("T")
Mark = tuple[str, int, int]
READING = "Ready in a moment: {} being read."


@dataclass(frozen=True)
class Answer(Generic[T]):
    """What reading gave."""

    value: T | None = None
    """None: it could not be read."""
    problem: str = ""
    """Why, and what to do."""


class Reads(Generic[T]):
    """Answers on files, kept until one of them changes.

    Args:
        read: reads one file, or several together, and raises a `StudioError` where they are not as they should be.
        told: called in the panel's thread when an answer has come.
    """

    def __init__(self, loop: KernelLoop, read: Callable[..., T], told: Callable[[], None]) -> None:
        self._loop, self._read, self._told = loop, read, told
        self._answers: dict[Hashable, Answer[T] | None] = {}

    def of(self, *files: str, also: tuple[Hashable, ...] = ()) -> Answer[T] | None:
        """The answer; None: not known yet, `told` is called when it is. Args: also: what `read` takes behind the files."""
        marks = (*(mark_of(file) for file in files), *also)
        if missing := next((file for file in files if mark_of(file) is None), ""):
            return Answer(problem=missing_words(missing))
        if marks not in self._answers:
            self._answers[marks] = None
            self._loop.beside(lambda: self._read(*files, *also), lambda value, error: self._take(marks, value, error))
        return self._answers[marks]

    def _take(self, marks: Hashable, value: T | None, error: BaseException | None) -> None:
        wrong = words_for(error, "Please report it.") if error is not None else ""
        self._answers[marks] = Answer(problem=wrong) if wrong else Answer(value)
        self._told()


def mark_of(file: str) -> Mark | None:
    """Which state of a file it is; None: there is none."""
    path = place_of(file) if file else None
    facts = file_mark(path) if path is not None and path.is_file() else None
    return (file, *facts) if facts is not None else None


def missing_words(file: str) -> str:
    """What is said of a typed path where no file is."""
    try:
        typed_path(file)
    except ConfigError as error:  # of Windows, say
        return str(error)
    return f"{file} is no file on this machine. Choose another one, or mend the path."


@dataclass(frozen=True)
class LoraFacts:
    """A LoRA file in short."""

    words: str
    """"LoRA for Stable Diffusion XL, rank 32, 218 MiB"."""
    family: str
    """A name of TITLES; empty: not known."""
    names: str
    """Whose way of naming layers it is; several with +."""
    kind: str
    rank: str
    tensors: str
    size: int
    example: str
    """The name of a layer."""
    blocks: tuple[str, ...]
    """In the order in which a picture goes through them, as Inspect calls them."""


def lora_facts(file: str) -> LoraFacts:
    """By the header. Raises: ModelError: it is no LoRA file."""
    report: Mapping[str, Any] = plain(UtilitiesManager().inspect(InspectSettings.make(file=file, measured=False, hashes=False)))
    return LoraFacts(showing.what_it_is(report), report["family"]["name"], report["names"], report["kind"],
                     rank_words(report["ranks"]), tensor_words(report["dtypes"]), report["size"],
                     next((layer["name"] for layer in report["layers"]), ""),
                     tuple(block["block"] for block in report["blocks"]))


def fit_together(*files: str) -> str:
    """The family that all of them were made for; empty: not known. Raises: ModelError: they cannot be made one file."""
    with opened(files) as sources:
        return joined(sources)[1].name


def fit_model(base: str, *files: str) -> tuple[str, ...]:
    """Layers for which a model has no place. Raises: ModelError: the files cannot be put into it."""
    with opened(files) as sources:
        return check_fit(place_of(base), sources)


@dataclass(frozen=True)
class ModelFacts:
    """A base model in short."""

    words: str
    """"Stable Diffusion XL, 6.5 GiB"."""
    size: int


def model_facts(file: str) -> ModelFacts:
    """By the header. Raises: ModelError: it is no base model whose layers are known."""
    path = place_of(file)
    family, size = family_of_checkpoint(path), path.stat().st_size
    return ModelFacts(f"{TITLES[family]}, {told_size(size)}", size)
