"""A LoRA file given other ranks: exactly, layer by layer, from the singular values of its factors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from core.base.errors import ConfigError
from core.base.progress import SILENT, Progress
from core.base.settings import setting
from core.base.words import counted, told_size
from core.utilities import choices
from core.utilities.choices import PRECISIONS, LoraSettings, Precision
from core.utilities.files.lora_file import LoraFile, open_lora
from core.utilities.files.targets import beside, free_target, taken
from core.utilities.files.writing import write_safetensors
from core.utilities.layers.algebra import FactorSpectrum
from core.utilities.layers.new_layers import NewLayers
from core.utilities.layers.plans import ResizePlan, percent, preview_plans, read_values
from core.utilities.layers.ranks import Method, RankRule, read_rule
from core.utilities.layers.updates import chosen_device
from core.utilities.layers.written_lora import WrittenLora
from core.utilities.resizing.resized import cutting, kept_tensors, resized_layers, resized_metadata

SOURCE = "kohya-ss/sd-scripts, networks/resize_lora.py"


class ResizeLoraSettings(LoraSettings):
    """A fixed rank, or as many singular values as a rule wants under a ceiling."""

    title: ClassVar[str] = "Resize a LoRA"
    save_to: str = choices.save_to("with the rank in its name", "the file")
    dynamic_method: Method = setting("fixed", "Rank by", "The same for all layers (fixed), or each gets what it needs: by the share of its "
                                     "norm (sv_fro) or of the sum of its singular values (sv_cumulative), or by the smallest value "
                                     "(sv_ratio).", source=SOURCE)
    new_rank: int = setting(16, "Rank", "With a rule: the most that a layer gets.", ge=1, le=4096, source=SOURCE)
    new_conv_rank: int | None = setting(None, "Rank of convolutions", "Of those larger than 1 × 1. Empty: as the others.", ge=1, le=4096,
                                        level="advanced", source=SOURCE)
    dynamic_param: float = setting(20.0, "Rule's number", "The share that is kept (sv_fro, sv_cumulative: 0.97), or how many times the "
                                   "smallest value the largest may be (sv_ratio: 20).", ge=0, source=SOURCE,
                                   only={"dynamic_method": ("sv_ratio", "sv_cumulative", "sv_fro")})
    save_precision: Precision = choices.precision()

    def rule(self) -> RankRule:
        """Raises: ConfigError: the rule's number is out of its bounds."""
        return RankRule(self.dynamic_method, self.dynamic_param, self.new_rank, self.new_conv_rank)

    def usual_target(self) -> Path:
        """Where the result goes when nothing is said. Raises: ConfigError: the rule is wrong."""
        return beside(self.file, _ending(self.rule()))


class PreviewSettings(LoraSettings):
    """Sizes and errors of several targets at once."""

    title: ClassVar[str] = "Sizes of a LoRA"
    targets: tuple[str, ...] = setting(("64", "32", "16", "8", "4", "sv_fro=0.99", "sv_fro=0.95", "sv_ratio=20"), "Targets",
                                       "Ranks, and rules such as sv_fro=0.97, sv_ratio=20, sv_cumulative=0.9.")
    new_rank: int | None = setting(None, "At most", "The most that a layer gets by a rule. Empty: as many as it has.", ge=1, le=4096,
                                   level="advanced")
    new_conv_rank: int | None = setting(None, "Rank of convolutions", "Of those larger than 1 × 1.", ge=1, le=4096, level="advanced")


@dataclass(frozen=True)
class PreviewReport:
    """What each target gives."""

    file: str
    size: int
    plans: tuple[ResizePlan, ...]
    kept: int
    """Modules without a rank, which stay as they are."""

    def sentence(self) -> str:
        """One line for each target."""
        return "\n".join([f"{Path(self.file).name}: {told_size(self.size)} of tensors.", *(plan.sentence() for plan in self.plans)])


@dataclass(frozen=True, kw_only=True)
class ResizeReport(WrittenLora):
    """What was written."""

    rule: str
    size_before: int
    kept: tuple[str, ...]
    """Modules and tensors that were taken over as they are."""
    notes: tuple[str, ...]

    def sentence(self) -> str:
        """The report in words."""
        return " ".join([f"{Path(self.file).name}: {self.rule}, {told_size(self.size)} of {told_size(self.size_before)}; "
                         f"{percent(self.error)} of the update is lost, {percent(self.rounding)} by rounding.", *self.notes])


def preview_sizes(settings: PreviewSettings, progress: Progress = SILENT) -> PreviewReport:
    """Sizes and errors of several targets. Raises: ModelError, ConfigError, Cancelled."""
    rules = [read_rule(target, settings.new_rank or 0, settings.new_conv_rank) for target in settings.targets]
    with open_lora(settings.file) as file:
        values = read_values(file, chosen_device(settings.device), settings.computing, progress)
        return PreviewReport(str(file.path), values.size, tuple(preview_plans(values, rules)), len(values.left))


def resize_lora(settings: ResizeLoraSettings, progress: Progress = SILENT) -> ResizeReport:
    """Write a file with other ranks; the given one stays as it is.

    Raises: ModelError: no LoRA file, or it holds values that are no numbers. ConfigError: a wrong rule, or the target is taken.
        DiskError, Cancelled: nothing is written.
    """
    rule, device = settings.rule(), chosen_device(settings.device)
    with open_lora(settings.file) as file:
        target = free_target(settings.usual_target(), settings.save_to)
        known: dict[str, FactorSpectrum] = {}
        values = read_values(file, device, settings.computing, progress, known)
        plan = values.plan(rule)
        progress.note(plan.sentence())
        is_lora = all(module.kind not in ("loha", "lokr") for module in file.modules)
        if plan.changes_nothing and is_lora and settings.save_precision == "same":
            raise ConfigError(f"{file.path.name} has no layer of {rule.words} or more, so nothing would change.",
                              "Choose a lower rank; a higher one would hold nothing more.")
        layers = resized_layers(file, plan, PRECISIONS.get(settings.save_precision, ""))
        make = cutting(file, plan, device, settings.computing, known)
        with taken(target), NewLayers(layers, make, device, file.release) as new:
            write_safetensors(target, [*kept_tensors(file, plan), *new.tensors()], resized_metadata(file, plan), hashes=True,
                              replace=False, progress=progress)
        kept = (*values.left, *(place.name for place in file.unknown))
        return ResizeReport(file=str(target), size=target.stat().st_size, error=plan.error, rounding=new.rounding(), layers=plan.layers,
                            rule=rule.words, size_before=file.header.size, kept=kept, notes=tuple(notes_of(file, plan, kept)))


def notes_of(file: LoraFile, plan: ResizePlan, kept: tuple[str, ...]) -> list[str]:
    """What a person should know of it."""
    notes = []
    if plan.too_high:
        notes.append(f"{counted(plan.too_high, 'layer')} already of a lower rank stay so: a higher one would hold nothing more.")
    if missing := file.missing_alpha():
        notes.append(f"{counted(len(missing), 'layer')} without an alpha: it counts as the rank.")
    if made := [module for module in file.modules if module.kind in ("loha", "lokr")]:
        notes.append(f"{counted(len(made), 'layer')} of LoHa or LoKr became LoRA.")
    if any(module.is_dora for module in file.modules):
        notes.append("DoRA's lengths are kept: the errors are those of the update that they are applied to.")
    if kept:
        notes.append(f"Taken over as they are, for they have no rank: {len(kept)} (layers and single tensors).")
    return notes


def _ending(rule: RankRule) -> str:
    conv = f"-c{rule.conv_rank}" if rule.conv_rank not in (None, rule.rank) else ""
    return f"-r{rule.rank}{conv}" if rule.method == "fixed" else f"-{rule.method}{rule.param:g}-r{rule.rank}{conv}"
