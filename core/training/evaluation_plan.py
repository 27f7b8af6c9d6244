"""What a comparison before and after comes to before anything is drawn: how many pictures, and about how long."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.base.errors import StudioError
from core.base.files import read_json
from core.base.words import counted
from core.training.duration import rough_time
from core.training.evaluated import REPORT
from core.training.evaluation import EvaluationSettings, settings_for
from core.training.run import Run

ALIKE = ("model", "width", "height", "batch_size")
"""What must be the same for pictures to take as long as those that were drawn before; steps may be others, they count."""


@dataclass(frozen=True)
class EvaluationPlan:
    """How much is drawn."""

    files: int
    """LoRA files."""
    strengths: int
    prompts: int
    seeds: int
    seconds_each: float | None = None
    """Of one picture, as the last comparison like it took, loading and all; None: none was drawn yet."""

    @property
    def columns(self) -> int:
        """Each file at each strength, and one without."""
        return 1 + self.files * self.strengths

    @property
    def pictures(self) -> int:
        """In all."""
        return self.columns * self.prompts * self.seeds

    def sentence(self) -> str:
        """The sum in words."""
        with_lora = counted(self.files, "LoRA file") + (f" × {counted(self.strengths, 'strength')}" if self.strengths > 1 else "")
        time = f", about {rough_time(self.seconds_each * self.pictures)}" if self.seconds_each else ""
        sums = (counted(self.prompts, "prompt"), counted(self.seeds, "seed"), counted(self.columns, "column"))
        return f"This draws {counted(self.pictures, 'picture')}{time}: {' × '.join(sums)} ({with_lora}, and one without)."


def plan_evaluation(run: Run, settings: EvaluationSettings) -> EvaluationPlan:
    """What `draw_before_after` would draw. Only headers and small files are read.

    Raises: TrainingError: the run has no whole LoRA file yet, or no prompts are known. ConfigError: its files are missing.
    """
    filled = settings_for(run, settings)
    return EvaluationPlan(len(filled.lora), len(filled.strengths), len(filled.prompts), len(filled.seeds), _seconds_each(run, filled))


def _seconds_each(run: Run, settings: EvaluationSettings) -> float | None:
    wanted = settings.model_dump(mode="json")
    for drawn in _drawn_before(run):
        before = drawn.get("settings") or {}
        alike = all(before.get(name) == wanted[name] for name in ALIKE) and (before.get("guidance", 1) > 1) == (settings.guidance > 1)
        if alike and before.get("steps") and drawn.get("seconds") and drawn.get("pictures"):
            return float(drawn["seconds"]) / len(drawn["pictures"]) * settings.steps / before["steps"]
    return None


def _drawn_before(run: Run) -> Iterator[dict[str, Any]]:
    """Comparisons of this run, then of the others of its project, the newest first; one that cannot be read is passed over."""
    others = [other for other in Run.list(run.project_folder) if other.folder != run.folder]
    for path in (Path(one.folder) / "evaluation" / REPORT for one in (run, *others)):
        try:
            if path.is_file():
                yield read_json(path)
        except (StudioError, OSError):
            continue
