"""A LoRA file described: what it is, what it was made for and how, how strong each layer is, and which programs would load it."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from core.base.findings import Finding
from core.base.progress import SILENT, Progress
from core.base.settings import setting
from core.base.words import counted
from core.utilities.choices import LoraSettings
from core.utilities.files.hashing import hashes_of
from core.utilities.files.lora_file import FLOATS, LoraFile, open_lora
from core.utilities.inspecting.about import About, about
from core.utilities.inspecting.layer_facts import LayerFacts, energy_by_rank, facts_of, findings_of
from core.utilities.inspecting.told import facts_of_file, hashes_of_file, loads_of_file, page_of
from core.utilities.layers.blocks import order_of
from core.utilities.layers.updates import chosen_device
from core.utilities.names.coverage import Coverage, coverage_of
from core.utilities.names.family import DEMO, Family, family_of

SHARES = (0.9, 0.99)
"""Of a layer's energy, for which the rank is told."""
UNKNOWN_SHOWN = 50


class InspectSettings(LoraSettings):
    """How closely a file is looked at."""

    title: ClassVar[str] = "Inspect a LoRA"
    measured: bool = setting(True, "Measure layers", "Norms and singular values of every layer; some seconds.")
    hashes: bool = setting(True, "Count hashes", "Reads the whole file once.")
    spectra: bool = setting(True, "Singular values of each layer", "In the report, for plots.", level="expert", only={"measured": (True,)})


@dataclass(frozen=True)
class BlockFacts:
    """One block of the base model."""

    block: str
    layers: int
    ranks: tuple[int, ...]
    """Those that occur, the lowest first."""
    alphas: tuple[float, ...]
    norm: float | None
    """Of all its layers together; None: not measured."""


@dataclass(frozen=True)
class LoraReport:
    """Everything that is told of a file."""

    file: str
    size: int
    kind: str
    """"LoRA", or several with how many layers are of each."""
    family: Family
    names: str
    """Whose way of naming layers it is."""
    dtypes: dict[str, int]
    """Types and bytes."""
    ranks: dict[int, int]
    """Ranks and how many layers have them."""
    hashes: dict[str, str]
    about: About
    blocks: tuple[BlockFacts, ...]
    layers: tuple[LayerFacts, ...]
    energy: tuple[float, ...]
    """Share of the energy that is kept when every layer is cut to rank 1, 2, 3 …; empty: not measured."""
    programs: tuple[Coverage, ...]
    unknown: tuple[str, ...]
    """Tensors that belong to no layer, at most UNKNOWN_SHOWN."""
    findings: tuple[Finding, ...]
    metadata: dict[str, str]
    spectra: bool = True

    def sentence(self) -> str:
        """A page of it for the terminal."""
        return page_of(self)

    def as_dict(self) -> dict[str, Any]:
        """For JSON, with the singular values in four digits, and what a panel shows in words."""
        values = {field: getattr(self, field) for field in self.__dataclass_fields__ if field not in ("layers", "spectra", "family")}
        return {**values, "family": {**asdict(self.family), "title": self.family.title},
                "layers": [self._layer(layer) for layer in self.layers],
                "told": {"facts": facts_of_file(self), "loads": loads_of_file(self), "hashes": hashes_of_file(self)}}

    def _layer(self, layer: LayerFacts) -> dict[str, Any]:
        found = {**asdict(layer), "values": [float(f"{value:.4g}") for value in layer.values] if self.spectra else []}
        if layer.values:
            found |= {f"rank_{share * 100:g}": layer.enough(share) for share in SHARES}
        return found


def inspect_lora(settings: InspectSettings, progress: Progress = SILENT) -> LoraReport:
    """Describe a file. Raises: ModelError: no LoRA file. ConfigError: no such device. Cancelled."""
    device = chosen_device(settings.device) if settings.measured else "cpu"
    with open_lora(settings.file) as file:
        hashes = hashes_of(file.path, progress).as_dict() if settings.hashes else {}
        layers = facts_of(file, settings.measured, device, settings.computing, progress)
        family = family_of(file.modules, file.metadata)
        findings = (*file_findings(file, family, hashes), *findings_of(layers))
        return LoraReport(str(file.path), file.header.size, kind_words(layers), family, _names(file), file.dtypes,
                          dict(Counter(layer.rank for layer in layers if layer.rank)), hashes, about(file.metadata), blocks_of(layers),
                          tuple(layers), tuple(energy_by_rank(layers)), tuple(coverage_of(file.modules, file.unknown, family.name)),
                          tuple(place.name for place in file.unknown[:UNKNOWN_SHOWN]), findings, file.metadata, settings.spectra)


def kind_words(layers: Sequence[LayerFacts]) -> str:
    """"LoRA"; "LoCon" where convolutions have layers too; of several kinds each with its count."""
    kinds = Counter(layer.kind for layer in layers)
    if set(kinds) == {"LoRA", "LoCon"}:
        return "LoCon"
    return next(iter(kinds)) if len(kinds) == 1 else ", ".join(f"{kind} ({count})" for kind, count in kinds.most_common())


def blocks_of(layers: Sequence[LayerFacts]) -> tuple[BlockFacts, ...]:
    """The blocks in the order in which a picture goes through them."""
    groups: dict[str, list[LayerFacts]] = {}
    for layer in layers:
        groups.setdefault(layer.block, []).append(layer)
    found = []
    for block in sorted(groups, key=order_of):
        inside = groups[block]
        norms = [layer.norm for layer in inside if layer.norm is not None]
        found.append(BlockFacts(block, len(inside), tuple(sorted({layer.rank for layer in inside})),
                                tuple(sorted({layer.alpha for layer in inside if layer.alpha is not None})),
                                sum(norm * norm for norm in norms) ** 0.5 if norms else None))
    return tuple(found)


def _names(file: LoraFile) -> str:
    """"kohya", "diffusers", "comfy"; several with +."""
    return " + ".join(sorted({module.scheme for module in file.modules}))


def file_findings(file: LoraFile, family: Family, hashes: dict[str, str]) -> list[Finding]:
    """What a person should know of a file that its layers do not tell."""
    found = []
    if family.name == DEMO:
        found.append(Finding("info", "Made with Lorabook's demo model: it loads in Lorabook alone.",
                             "Train with a base model of your own, and other programs load the LoRA."))
    if family.conflict:
        found.append(Finding("warning", f"Its layers are those of {family.title}, but its metadata says {family.conflict}.",
                             "The layers are right; the metadata was probably taken over from another file."))
    broken = [module for module in file.modules if module.kind == "incomplete"]
    if mixed := [module for module in broken if "holds" in module.problem]:
        found.append(Finding("warning", f"{counted(len(mixed), 'layer')} cannot be told apart from others, such as {mixed[0].name}, which "
                             f"{mixed[0].problem}.", "Programs differ in which they take: save or download the file again."))
    if lacking := [module.name for module in broken if module not in mixed]:
        found.append(Finding("warning", f"{counted(len(lacking), 'layer')} are not whole or do not fit together, such as {lacking[0]}.",
                             "Programs pass them over: save or download the file again."))
    if missing := file.missing_alpha():
        found.append(Finding("info", f"{counted(len(missing), 'layer')} have no alpha; it counts as their rank.",
                             "Files of diffusers and PEFT are so."))
    if len(floats := [name for name in file.dtypes if name in FLOATS]) > 1:
        found.append(Finding("info", f"Its tensors have several types: {', '.join(floats)}."))
    if file.unknown:
        found.append(Finding("info", f"{counted(len(file.unknown), 'tensor')} belong to no layer, such as {file.unknown[0].name}.",
                             "They are kept wherever the file is written again."))
    ranks = [module.rank for module in file.modules if module.rank]
    if len(set(ranks)) > 1:
        found.append(Finding("info", f"Ranks differ by layer, from {min(ranks)} to {max(ranks)}; the middle one is "
                                     f"{statistics.median(ranks):g}."))
    told = file.metadata.get("sshs_model_hash", "")
    if told and hashes and told.lower() != hashes["sshs_model_hash"]:
        found.append(Finding("warning", "Its metadata names another hash (sshs_model_hash) than its tensors have.",
                             "They were changed after the hash was written; A1111 and Forge show the one that is written."))
    return found
