"""Which files of a run are uploaded; they lie at the far end as they lie in the run's folder, so that the run can be put together again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.training.finish.settings import FinishSettings
from core.training.outputs import is_whole, list_outputs, newest_state
from core.training.run import Run

OF_THE_RUN = ("run.json", "settings.toml", "config.toml", "dataset.toml")
"""What a state needs beside itself, so that the training can go on elsewhere."""


@dataclass(frozen=True)
class Chosen:
    """The files that are to be uploaded."""

    files: tuple[Path, ...]
    final: Path | None
    """The finished LoRA of the run, or the last one that a stopped run has saved; None: there is none."""
    lacking: tuple[str, ...] = ()
    """What was chosen, but is not there, as sentences."""


def choose_files(run: Run, settings: FinishSettings) -> Chosen:
    """The chosen files of an ended run, each once. Raises: StudioError: the report cannot be written."""
    final, files, lacking = final_lora(run), [], []
    wanted = {
        "There is no finished LoRA to upload.": (settings.upload_lora, [final] if final else []),
        "There are no LoRA files of epochs to upload.": (settings.upload_epochs, [file for file in list_outputs(run.checkpoints)
                                                                                  if is_whole(file)]),
        "There are no samples to upload.": (settings.upload_samples, list(_below(run.folder / "samples"))),
        "There is no saved state to upload.": (settings.upload_state, list(state_files(run))),
    }
    for sentence, (is_wanted, found) in wanted.items():
        if is_wanted:
            files += found
            lacking += [] if found else [sentence]
    if settings.upload_report:
        files.append(_report(run))
    return Chosen(tuple(dict.fromkeys(files)), final, tuple(lacking))


def final_lora(run: Run) -> Path | None:
    """The LoRA that the run ended with, whole; None where there is none."""
    named = str(run.end().get("checkpoint", ""))
    place = run.checkpoints / Path(named).name if named else None
    return place if place is not None and place.is_file() and is_whole(place) else None


def name_at_far_end(path: Path, run: Run, settings: FinishSettings) -> str:
    """Its path in the repository."""
    return f"{settings.folder or run.id}/{path.relative_to(run.folder).as_posix()}"


def _report(run: Run) -> Path:
    from core.training.report import write_report

    return write_report(run)


def state_files(run: Run) -> Iterator[Path]:
    """The files of its newest whole state, and what is needed beside them to train on elsewhere; none where there is no state."""
    state = newest_state(run.checkpoints, run.output_name)
    if state is not None:
        yield from _below(state.folder)
        yield from (run.folder / name for name in OF_THE_RUN if (run.folder / name).is_file())


def _below(folder: Path) -> Iterator[Path]:
    """Its files, in their order; hidden ones are half written."""
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith("."))
