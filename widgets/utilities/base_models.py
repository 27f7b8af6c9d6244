"""The base models that panels of LoRA files offer: single files, of which the header says what they are."""

from __future__ import annotations

import shutil

from core.base.files import nearest_folder
from core.base.paths import place_of
from core.base.tensor_headers import ROOM
from core.base.words import told_size
from core.training.base_models import find_models
from widgets.controls import Control, Suggestions
from widgets.utilities.reading import ModelFacts, Reads


class BaseModels(Suggestions):
    """Those that the training offers, beside which any other can be named."""

    nothing = "choose a model"
    placeholder = "a .safetensors file on this machine"


def single_files() -> BaseModels:
    """Without folders of diffusers, which are not opened here."""
    return BaseModels((words, path) for words, path in find_models() if path.endswith(".safetensors"))


def look_at(control: Control, reads: Reads[ModelFacts]) -> str:
    """Say below a field what its model is. Returns: what is wrong with it; empty: nothing, or not known yet."""
    file = str(control.read() or "")
    answer = reads.of(file) if file else None
    words = answer.value.words if answer is not None and answer.value is not None else "The file is being read." if file else ""
    problem = answer.problem if answer is not None else ""
    control.remark(problem or words, bool(problem))
    return f"{control.title}: {problem}" if problem else ""


def room_for(what: str, size: int, place: str) -> tuple[str, bool]:
    """What a new file takes where it is to be written, and whether there is room.

    Args: what: "The new model takes about". size: of its tensors, bytes. place: the new file's.
    """
    folder = nearest_folder(place_of(place).parent)
    free = shutil.disk_usage(folder).free
    words = f"{what} {told_size(size + ROOM)} there; {told_size(free)} are free."
    return (words, True) if size + ROOM < free else (f"{words} Choose another place under Save as, or make room in Housekeeping.", False)
