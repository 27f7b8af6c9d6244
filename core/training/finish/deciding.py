"""Whether the machine may be stopped: one function of plain facts, in which every doubt says no."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from core.training.finish.settings import Act, FinishSettings
from core.training.run import RunState


@dataclass(frozen=True)
class Facts:
    """All that the decision depends on."""

    end: RunState
    """How the run ended."""
    by_limit: bool = False
    """It was stopped since a limit was reached."""
    asked_after: bool = False
    """Somebody asked for the finish when the run had already ended: a run that was stopped by hand counts as ended then."""
    unverified: bool = True
    """Something that was chosen for the upload is here, and was not verified at the far end."""
    final_verified: bool = False
    """The finished LoRA is at the far end as it is here."""
    stop_keeps: bool = False
    """The run's folder surely outlives a stop."""
    kept_on: bool = False
    """Somebody pressed that the machine stays on."""
    went_on: bool = False
    """The run was started again meanwhile."""
    machine_lacks: str = ""
    """Why the machine cannot be stopped from here."""
    can_destroy: bool = True
    others: Sequence[str] = field(default_factory=tuple)
    """What else is at work on the machine."""
    unsaved: Sequence[str] = field(default_factory=tuple)
    """Other runs that would be lost with it."""


def ended_well(facts: Facts) -> bool:
    """Whether the run ended as it was meant to."""
    return facts.end == "done" or (facts.end == "cancelled" and (facts.by_limit or facts.asked_after))


def wanted_act(settings: FinishSettings, facts: Facts) -> Act:
    """What the settings ask for after such an end; after a failure at most a stop."""
    if ended_well(facts):
        return settings.then
    return settings.after_failure if settings.after_failure == "stop" and facts.end in ("failed", "lost") else "nothing"


def why_not(act: Act, settings: FinishSettings, facts: Facts) -> str:
    """Why the machine must stay on; empty: it may be stopped or destroyed now."""
    if act == "nothing":
        return _no_wish(settings, facts)
    if facts.kept_on:
        return "'Keep the machine on' was pressed."
    if facts.went_on:
        return "The run was started again."
    if facts.machine_lacks:
        return facts.machine_lacks
    if act == "destroy" and not facts.can_destroy:
        return "This machine cannot be destroyed from here."
    if settings.uploads and facts.unverified:
        return "Not every chosen file was verified at the far end."
    if act == "destroy" or not facts.stop_keeps:
        return _why_not_lose(act, settings, facts)
    return ""


def _why_not_lose(act: Act, settings: FinishSettings, facts: Facts) -> str:
    """As `why_not`, for what empties the disk: destroying, and a stop that does not keep the run's folder."""
    what = "Destroying this machine" if act == "destroy" else "A stop of this machine"
    if not ended_well(facts):
        return f"{what} would lose what the failed run has left."
    if facts.unverified or not facts.final_verified:
        return f"{what} loses what lies on it, and the finished LoRA was not verified at the far end."
    if facts.unsaved and not settings.lose_the_rest:
        return f"{what} would also lose LoRA files that were not uploaded, of: {', '.join(facts.unsaved[:5])}."
    return ""


def _no_wish(settings: FinishSettings, facts: Facts) -> str:
    if settings.then == "nothing" and settings.after_failure == "leave":
        return "As chosen."
    if facts.end in ("failed", "lost"):
        return "The run did not end as it should."
    return "The run was stopped by hand." if facts.end == "cancelled" else "As chosen."
