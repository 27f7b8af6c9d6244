"""What a comparison before and after has drawn, as it is kept and read again; and writing the best of it into a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.base.errors import ConfigError, TrainingError
from core.base.files import read_json

WITHOUT = "without"
"""The label of the pictures without a LoRA."""
REPORT = "evaluation.json"


@dataclass(frozen=True)
class Column:
    """One LoRA file, or none."""

    label: str
    lora: str
    """Path; empty for the pictures without a LoRA."""
    applied: int = 0
    """Modules of the model that computed with it."""
    in_file: int = 0
    changed: float = 0.0
    """Mean difference to the pictures without, 0–1."""
    weight: float = 1.0
    """How strongly the LoRA counted."""
    tensors: str = ""
    """SHA-256 of its tensors as the file told it (sshs_model_hash), by which it is known again elsewhere; empty: it told none."""


@dataclass(frozen=True)
class Picture:
    """One picture that was drawn."""

    path: str
    """Beside evaluation.json."""
    column: int
    prompt: str
    seed: int


@dataclass(frozen=True)
class EvaluationReport:
    """What was drawn, and what can be measured in it."""

    folder: str
    grid: str
    """The labelled sheet, beside evaluation.json."""
    model: str
    columns: tuple[Column, ...]
    pictures: tuple[Picture, ...]
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0

    def sentence(self) -> str:
        """One sentence."""
        return f"{len(self.pictures)} pictures in {len(self.columns)} columns, {self.seconds:.0f} s: {Path(self.folder) / self.grid}"

    @classmethod
    def read(cls, folder: Path) -> EvaluationReport | None:
        """The last comparison in a folder, None where there is none."""
        path = Path(folder) / REPORT
        if not path.is_file():
            return None
        values = read_json(path)
        weight = (values.pop("settings", None) or {}).get("weight", 1.0)  # of older comparisons, whose columns do not say it
        columns = tuple(Column(**{"weight": weight, **column}) for column in values["columns"])
        return cls(**{**values, "folder": str(folder), "columns": columns,
                      "pictures": tuple(Picture(**picture) for picture in values["pictures"]), "warnings": tuple(values["warnings"])})


def weighing_of(report: EvaluationReport | None, column: int, output: Path) -> dict[str, Any]:
    """What the stage weigh-lora takes, to write the LoRA of a column with its strength in it. Args: output: the folder of finished LoRAs.

    Raises: TrainingError: no such column was drawn with a LoRA. ConfigError: its strength is 1.
    """
    columns = report.columns if report is not None else ()
    if not 0 <= column < len(columns) or not columns[column].lora:
        raise TrainingError("There is no such picture any more.", "Draw before and after again.")
    drawn = columns[column]
    if drawn.weight == 1:
        raise ConfigError(f"{Path(drawn.lora).name} was drawn at strength 1: the file is as it was drawn.", "Choose another one.")
    name = f"{Path(drawn.lora).stem}-w{drawn.weight:g}.safetensors"
    return {"file": drawn.lora, "weight": drawn.weight, "save_to": str(output / name), "numbered": True}
