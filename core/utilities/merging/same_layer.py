"""Which modules of several files work on the same layer of the base model, whatever names they bear."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from core.base.errors import ModelError
from core.utilities.files.modules import LoraModule
from core.utilities.names.architectures import TRANSFORMERS, UNETS
from core.utilities.names.naming import Slot, has_diffusers_rows, names_of, places_of
from core.utilities.names.renamed import last_block_of


@dataclass(frozen=True)
class LayerKey:
    """One layer, or one of the parts that diffusers makes of it."""

    slot: Slot
    part: int
    """Of diffusers' parts; -1: the whole of several."""
    as_original: bool
    """Whether its outputs lie as in the original model, where diffusers turns them round."""


class LayerKeys:
    """Tells modules of one family by what they work on.

    Args: family: a name of `core.diffusion.kinds.TITLES`, or nothing: then a layer is known by its name alone. modules: of all files.
    """

    def __init__(self, family: str, modules: Sequence[LoraModule]) -> None:
        self.family = family.replace("chroma", "flux1")  # the same layers
        known = self.family in (*UNETS, *TRANSFORMERS)
        self._places: Mapping[str, tuple[Slot, int]] = places_of(self.family, last_block_of(self.family, modules)) if known else {}

    def of(self, module: LoraModule) -> LayerKey | str:
        """What it works on; its name where that is not known."""
        if module.name not in self._places:
            return module.name
        slot, part = self._places[module.name]
        return LayerKey(slot, part, not (slot.swapped and has_diffusers_rows(module.name, slot)))

    def refuse_layouts(self, layers: Iterable[tuple[LayerKey | str, str, LoraModule]]) -> None:
        """See that no layer stands there both as in the original model and as diffusers has it.

        Args: layers: each with its file's name. Raises: ModelError: one does.
        """
        first: dict[Slot, tuple[LayerKey, str, LoraModule]] = {}
        for key, file, module in layers:
            if isinstance(key, str):
                continue
            other, other_file, other_module = first.setdefault(key.slot, (key, file, module))
            if (key.part == -1, key.as_original) != (other.part == -1, other.as_original):
                raise ModelError(f"{other_module.name} in {other_file} and {module.name} in {file} mean one layer, laid out as in the "
                                 "original model and as diffusers has it: they are not added here.",
                                 "Convert one of the files to the other's names first.")

    def mixed_parts(self, modules: Iterable[LoraModule]) -> set[int]:
        """Parts (0: the U-Net or transformer, else which text encoder) with some names that Convert gives and some that it does not."""
        found: set[tuple[int, bool]] = set()
        for module in modules:
            key = self.of(module)
            if isinstance(key, LayerKey):
                naming = module.scheme
                found.add((key.slot.text, naming != "bare" and module.name in names_of(key.slot, naming, self.family)))
        return {part for part, usual in found if (part, not usual) in found}
