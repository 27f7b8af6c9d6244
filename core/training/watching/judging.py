"""How a try of a run ended: judged by what it left behind, whatever its exit code says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.base.errors import StudioError
from core.base.files import sha256
from core.training.monitor.causes import Cause, find_cause
from core.training.outputs import ENDINGS, Snapshot, is_finite, is_whole, list_outputs, new_outputs, publish, set_aside_broken
from core.training.resuming import furthest_state
from core.training.run import Run


def judge(run: Run, before: Snapshot, code: int, asked: bool, told: Sequence[dict[str, Any]], lines: list[str], oom: bool,
          ended_for: Cause | None = None) -> dict[str, Any]:
    """How the try ended.

    Args:
        before: the LoRA files as they stood when it began.
        code: the trainer's exit code; negative: minus the signal that ended it.
        asked: whether somebody asked to stop.
        told: the built-in trainer's own last events.
        lines: the last lines of its output.
        oom: whether the machine's memory killer struck in the meantime.
        ended_for: why the supervisor itself ended it; None: it did not.
    """
    broken = set_aside_broken(new_outputs(run.checkpoints, before))
    new = new_outputs(run.checkpoints, before)
    final = next((path for path in new if path.stem == run.output_name and path.suffix in ENDINGS), None)
    kinds = {event["event"] for event in told}
    cause = ended_for or find_cause(lines, code, told, oom)
    # The built-in trainer says that it stopped; another simply ends. Where its last save failed, that must be told, not "stopped".
    stopped = "cancelled" in kinds or (asked and not kinds and final is None and cause.kind != "disk_full")
    extra: dict[str, Any] = {"incomplete": [path.name for path in broken]} if broken else {}
    if stopped and (asked or ended_for is None):
        return {**_stopped(run), **extra}
    if final is None and ended_for is None and not code and _saves_elsewhere(run):
        return {"state": "done", "message": "This machine's part is done. The LoRA lies on the main machine.", **extra}
    if final is None or ended_for is not None:
        return {**failed(cause), **extra}
    if not is_finite(final):
        return {**failed(Cause("nan_loss", f"The training lost its way: {final.name} holds weights that are no numbers (NaN).",
                               "Lower the learning rate, or train with mixed_precision bf16 instead of fp16.")), **extra}
    if code:
        run.note("warning", message=f"The trainer ended with code {code}, but {final.name} is new and whole.")
    place = publish(final, run.project_folder / "output")
    return {"state": "done", "output": str(place), "checkpoint": str(final), "sha256": sha256(place), **extra}


def _saves_elsewhere(run: Run) -> bool:
    """Whether another machine saves what is learned."""
    try:
        return not run.settings().machines.is_main
    except StudioError:
        return False


def _stopped(run: Run) -> dict[str, Any]:
    kept = next((path for path in reversed(list_outputs(run.checkpoints)) if is_whole(path)), None)
    return {"state": "cancelled", "message": _kept(run, kept), "checkpoint": str(kept) if kept else ""}


def _kept(run: Run, file: Path | None) -> str:
    """What is left of a stopped run: the last LoRA, and from where it can go on."""
    saved = f"The last saved LoRA is {file.name}." if file else "It had saved no LoRA yet."
    state = furthest_state(run)
    return f"{saved} It can go on from step {state.step}." if state else f"{saved} There is no saved state to go on from."


def failed(cause: Cause) -> dict[str, Any]:
    """The values of an `end` event without a LoRA."""
    return {"state": "failed", "message": str(cause), "cause": cause.as_dict()}
