"""Several LoRA files made one: the exact sum of their updates, or TIES or DARE, at a rank that is asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

from core.base.errors import ConfigError, ModelError
from core.base.progress import SILENT, Progress
from core.base.settings import Settings, setting
from core.base.words import counted, told_size
from core.utilities import choices
from core.utilities.choices import PRECISIONS, Precision
from core.utilities.files.targets import beside, free_target, taken
from core.utilities.files.writing import new_tensor, write_safetensors
from core.utilities.layers.new_layers import MadeLayer, NewLayer, NewLayers, names_like
from core.utilities.layers.plans import percent
from core.utilities.layers.ranks import Method, RankRule
from core.utilities.layers.updates import Computing, chosen_device
from core.utilities.layers.written_lora import WrittenLora
from core.utilities.merging.joining import JoinedLayer, Source, families, family_note, joined, opened, twice_notes, unknown_of, written_type
from core.utilities.merging.merged_metadata import merged_metadata
from core.utilities.merging.methods import METHODS, MergeMethod, elected, summed
from core.utilities.merging.plain import plain_sums
from core.utilities.merging.same_layer import LayerKeys
from core.utilities.merging.summing import dynamic_ranks
from core.utilities.names.family import Family

PAPERS = "TIES: arXiv:2306.01708; DARE: arXiv:2311.03099"
THINNED = ("ties", "dare", "dare_ties")


class MergeSettings(Settings):
    """Which files, how much of each, and at what rank."""

    title: ClassVar[str] = "Merge LoRAs"
    files: tuple[str, ...] = setting(..., "LoRA files", "Two or more .safetensors files of one base model.", min_length=2)
    weights: tuple[float, ...] = setting((), "Weights", "One for each file, in their order; below 0 takes it away. Empty: 1 for each.")
    blocks: tuple[str, ...] = setting((), "Weights of blocks", "2: up 1=0.5 halves the second file in blocks that begin with up 1, as "
                                      "Inspect calls them; text=0 leaves the text encoders of all out.", level="advanced")
    save_to: str = choices.save_to("with -merged in its name")
    merge_method: MergeMethod = setting("sum", "Method", "All of each: exactly what the files do together (sum). Where they agree: small "
                                        "values go, and where files pull in opposite ways the stronger side counts (ties). A random part: "
                                        "values are dropped by chance (dare).",
                                        source=PAPERS)
    density: float = setting(0.5, "Share kept", "Of each file's values in a layer: the largest (ties), or by chance (dare). The papers "
                             "also go down to 0.2 and 0.1.", gt=0, le=1, source=PAPERS, only={"merge_method": THINNED})
    ties_scale: float = setting(1.0, "Scale of the mean", "TIES takes a mean, not a sum: more than 1 makes it stronger.", gt=0,
                                allow_inf_nan=False, source=PAPERS, only={"merge_method": ("ties", "dare_ties")})
    seed: int = setting(0, "Seed", "Of the chance by which values are dropped.", ge=0, level="advanced",
                        only={"merge_method": ("dare", "dare_ties")})
    dynamic_method: Method = setting("fixed", "Rank by", "As in Resize; what is not the same for all layers goes with all of each (sum).",
                                     level="advanced")
    new_rank: int | None = setting(None, "Rank", "Empty: the sum of the files' ranks, which holds all of them exactly. With a rule: the "
                                   "most that a layer gets.", ge=1, le=4096)
    new_conv_rank: int | None = setting(None, "Rank of convolutions", "Of those larger than 1 × 1. Empty: as the others.", ge=1, le=4096,
                                        level="advanced")
    dynamic_param: float = setting(20.0, "Rule's number", "As in Resize.", ge=0, allow_inf_nan=False, level="advanced",
                                   only={"dynamic_method": ("sv_ratio", "sv_cumulative", "sv_fro")})
    save_precision: Precision = choices.precision()
    device: str = choices.device()
    computing: Computing = choices.computing()

    def rule(self) -> RankRule:
        """Raises: ConfigError: the rule's number is out of its bounds, or a rule with TIES or DARE."""
        if self.merge_method != "sum" and self.dynamic_method != "fixed":
            raise ConfigError(f"{METHODS[self.merge_method]} needs a fixed rank, but {self.dynamic_method} was asked for.",
                              "Resize the merged file by that rule afterwards.")
        return RankRule(self.dynamic_method, self.dynamic_param, self.new_rank or 1 << 20, self.new_conv_rank)

    def usual_target(self) -> Path:
        """Where the result goes when nothing is said. Raises: ConfigError: the first file's path cannot be resolved."""
        return beside(self.files[0], "-merged")


@dataclass(frozen=True, kw_only=True)
class MergeReport(WrittenLora):
    """What was written."""

    method: str
    sources: tuple[tuple[str, float], ...]
    """Files and their weights."""
    blocks: tuple[str, ...]
    """Weights of blocks, as the settings have them."""
    kept: tuple[str, ...]
    """Tensors that belong to no layer; they were taken over as they are."""
    notes: tuple[str, ...]

    def sentence(self) -> str:
        """The report in words."""
        ranks = sorted({layer.new_rank for layer in self.layers})
        words = f"rank {ranks[0]}" if len(ranks) == 1 else f"ranks {ranks[0]} to {ranks[-1]}" if ranks else "no layer with a rank"
        parts = ", ".join(f"{weight:g} × {Path(name).name}" for name, weight in self.sources)
        parts += f" (weights of blocks {', '.join(self.blocks)})" if self.blocks else ""
        lost = f"{percent(self.error)} is lost by the rank" if self.error else "nothing is lost by the rank"
        return " ".join([f"{Path(self.file).name}: {self.method} of {parts}; {words}, {told_size(self.size)}; {lost}, "
                         f"{percent(self.rounding)} by rounding.", *self.notes])


def merge_loras(settings: MergeSettings, progress: Progress = SILENT, words: str = "",
                rank_of: Callable[[JoinedLayer], int] | None = None) -> MergeReport:
    """Write one file that does what several do together; the given ones stay as they are.

    Args:
        words: how the report calls the method, where the weights make the sum something else.
        rank_of: the rank of each layer, where it is not that of the settings.
    Raises: ModelError: no LoRA files, made for different base models, of kinds that cannot be added, or with values that are no numbers.
        ConfigError: wrong settings, or the target is taken. DiskError, Cancelled: nothing is written.
    """
    rule, device = settings.rule(), chosen_device(settings.device)
    with opened(settings.files, settings.weights, settings.blocks) as sources:
        layers, family = joined(sources)
        target = free_target(settings.usual_target(), settings.save_to)
        dtype = written_type(sources, PRECISIONS.get(settings.save_precision, ""))
        having = [layer for layer in layers if layer.is_factored]
        release = partial(_release, sources)
        ranks = dynamic_ranks(having, rule, device, settings.computing, progress, release) if rule.method != "fixed" else \
            {layer.name: rank_of(layer) if rank_of else _rank(layer, settings) for layer in having}
        make = _maker(settings, {layer.name: layer for layer in having}, device)
        plain = [layer for layer in layers if layer.plain]
        if plain and settings.merge_method != "sum":
            what = f"{plain[0].first.words}{' with a difference of the bias' if plain[0].is_factored else ''}"
            raise ModelError(f"{plain[0].name} is {what}: {METHODS[settings.merge_method]} is for products alone.", "Take the sum.")
        unknown, several = unknown_of(sources)
        with taken(target), NewLayers([_new(layer, ranks[layer.name], dtype) for layer in having], make, device, release) as new:
            tensors = [*new.tensors(), *plain_sums(plain, dtype),
                       *(new_tensor(place.name, place.dtype, place.shape, partial(source.file.view, place.name))
                         for source, place in unknown)]
            words = words or METHODS[settings.merge_method]
            metadata = merged_metadata(sources, ranks, words, settings.blocks)
            write_safetensors(target, tensors, metadata, hashes=True, replace=False, progress=progress)
        return MergeReport(file=str(target), size=target.stat().st_size, error=new.error(), rounding=new.rounding(), layers=new.plans(),
                           method=words, sources=tuple((str(source.file.path), source.weight) for source in sources),
                           blocks=settings.blocks, kept=tuple(place.name for _, place in unknown),
                           notes=tuple(_notes(sources, layers, settings, several, family)))


def _rank(layer: JoinedLayer, settings: MergeSettings) -> int:
    """Of a layer without a rule. What TIES and DARE make has no rank of its own: they may be given more than the files hold."""
    large = len(layer.shape) > 2 and math.prod(layer.shape[2:]) > 1
    wanted = settings.new_conv_rank if large and settings.new_conv_rank is not None else settings.new_rank
    return min(wanted or layer.most, layer.most if settings.merge_method == "sum" else layer.smaller_side)


def _new(layer: JoinedLayer, rank: int, dtype: str) -> NewLayer:
    return NewLayer(layer.name, layer.shape, max(1, rank), dtype, names_like(layer.first),
                    max(module.rank for _, module in layer.factored), layer.first.words)


def _maker(settings: MergeSettings, layers: dict[str, JoinedLayer], device: str) -> Callable[[NewLayer], MadeLayer]:
    if settings.merge_method == "sum":
        return lambda new: summed(layers[new.name], new.rank, device, settings.computing)
    return lambda new: elected(layers[new.name], new.rank, device, settings.computing, settings.merge_method, settings.density,
                               settings.ties_scale, settings.seed)


def _release(sources: Sequence[Source]) -> None:
    for source in sources:
        source.file.release()


def _notes(sources: Sequence[Source], layers: Sequence[JoinedLayer], settings: MergeSettings, several: Sequence[str],
           family: Family) -> list[str]:
    """What a person should know of it."""
    notes = twice_notes(sources)
    shared = sum(len(layer.parts) > 1 for layer in layers)
    if shared < len(layers):
        notes.append(f"{len(layers) - shared} of {len(layers)} layers are in one file alone.")
    if low := sum(layer.is_factored and _rank(layer, settings) < (settings.new_rank or 0) and not settings.new_conv_rank
                  for layer in layers if settings.dynamic_method == "fixed"):
        notes.append(f"{counted(low, 'layer')} cannot have rank {settings.new_rank} and got the most that all files hold.")
    for source in sources:
        if missing := source.file.missing_alpha():
            notes.append(f"{counted(len(missing), 'layer')} of {source.name} without an alpha: it counts as the rank.")
    if made := sum(module.kind in ("loha", "lokr") for layer in layers for _, module in layer.parts):
        notes.append(f"{counted(made, 'layer')} of LoHa or LoKr became LoRA.")
    types = {next(iter(source.file.dtypes), "") for source in sources}
    if len(types) > 1 and settings.save_precision == "same":
        notes.append(f"The files are {' and '.join(sorted(types))}; {written_type(sources, '')} was written.")
    if several:
        notes.append(f"Several files have {', '.join(several[:3])}; the first one's was taken.")
    notes += dict.fromkeys(note for one in families(sources) if (note := family_note(family, one)))
    keys = LayerKeys(family.name, [module for source in sources for module in source.file.modules])
    before = set().union(*(keys.mixed_parts(source.file.modules) for source in sources))
    if keys.mixed_parts(layer.first for layer in layers) - before:
        notes.append("The files have several names for layers, and so has the new one: Convert gives it one way, which all programs know.")
    if not family.name:
        notes.append("The base model is not known; that the layers fit each other is all that was checked.")
    return notes
