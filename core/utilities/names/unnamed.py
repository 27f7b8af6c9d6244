"""What is said of a converted file some of whose layers kept their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from core.base.findings import Finding
from core.base.words import counted
from core.utilities.files.lora_file import open_lora
from core.utilities.files.modules import LoraModule
from core.utilities.names.coverage import FAMILIES, Program, coverage_of
from core.utilities.names.family import family_title
from core.utilities.names.naming import Naming

READERS: Mapping[Naming, tuple[Program, ...]] = {"kohya": ("A1111", "Forge", "ComfyUI"), "diffusers": ("diffusers",), "comfy": ("ComfyUI",)}
"""The programs that a way of naming is chosen for."""


def unnamed_finding(path: Path, kept: Sequence[LoraModule], naming: Naming, family: str) -> Finding:
    """How many layers, why, what their programs do with such a file, and what to do; of a program whose names are not known, nothing.

    Args: path: the new file. kept: not empty.
    """
    with open_lora(path) as file:
        found = {one.program: one for one in coverage_of(file.modules, file.unknown, family)}
    loads = ", ".join(f"{program} loads {_of(found[program].loaded, found[program].total)}"
                      for program in READERS[naming] if family in FAMILIES[program] and found[program].loaded < found[program].total)
    title, several = family_title(family), len(kept) > 1
    what = f"{counted(len(kept), 'layer')} kept {'their names' if several else 'its name'}, such as {kept[0].name}: {title} has no " \
           f"{'layers' if several else 'layer'} called so."
    mixed = " Names of several kinds now stand in one file." if any(module.scheme != naming for module in kept) else ""
    told = f"Of the new file {loads}. " if loads else ""
    return Finding("warning", f"{what}{mixed}", f"{told}Look with Inspect which model your file was made for; it stays as it is.")


def _of(loaded: int, total: int) -> str:
    return f"{loaded} of {counted(total, 'layer')}" if loaded else "nothing"
