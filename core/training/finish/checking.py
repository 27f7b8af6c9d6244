"""What can be known to stand in the way of a finish before the run is paid for, and what is going to happen, in words."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from core.base.findings import Finding
from core.training.finish.providers import find_machine, stop_keeps
from core.training.finish.settings import FinishSettings
from core.training.finish.status import read_finish
from core.training.finish.tokens import is_set_here
from core.training.run import Run


def check_finish(settings: FinishSettings, project_folder: Path, has_token: bool = False, at_work: Sequence[Run] = (),
                 without_token: Collection[str] = ()) -> list[Finding]:
    """Findings about token, key, price and disk; nobody is asked over the network.

    Args: has_token: whether a person gave one here. at_work: runs that will be finished, and may have a token of their own, or none.
        without_token: ids of those that have an older one.
    """
    machine, found = find_machine(project_folder), _about_token(has_token, at_work, without_token) if settings.needs_token else []
    stops = settings.then != "nothing" or settings.after_failure == "stop"
    if stops and machine.missing():
        found.append(Finding("error", machine.missing()))
    elif settings.then == "stop" and not stop_keeps(project_folder)[0]:
        found.append(_losing_stop(settings, stop_keeps(project_folder)[1]))
    if settings.most_money and not settings.price_per_hour and machine.missing():
        found.append(Finding("error", "The limit of money cannot be kept: the provider cannot be asked for the price.",
                             "Write the price of an hour into 'Price of the machine'."))
    return found


def _about_token(is_typed: bool, at_work: Sequence[Run], without: Collection[str]) -> list[Finding]:
    """Whether there is one for the runs to come, and for those at work."""
    have = [run for run in at_work if run.id not in without and _has_token(run)]
    lacking = [run for run in at_work if run not in have]
    if is_typed:
        return [Finding("error", f"The run {run.id} does not have the token, so nothing of it can be uploaded, and the machine stays on.",
                        "Press 'Use these settings', so that the run at work has it too.") for run in lacking] or \
            [Finding("info", f"The run {run.id} has the token.") for run in have]
    if is_set_here():
        return []
    if have and not lacking:
        return [Finding("warning", "There is no token for Hugging Face here any more. The run at work has the one that was typed, as long "
                        "as 'Use these settings' is not pressed without one.", "Write it into the field Token again for what comes.")]
    return [Finding("error", "There is no token for Hugging Face, so nothing can be uploaded, and the machine stays on.",
                    "Write one with the right to write into the field Token, or set HF_TOKEN in the environment before the "
                    "notebook is started, or type: hf auth login")]


def _has_token(run: Run) -> bool:
    """Whether what waits for its end says that it has one."""
    status = read_finish(run)
    return status is not None and not status.ended and status.has_token


def _losing_stop(settings: FinishSettings, words: str) -> Finding:
    if settings.uploads and settings.upload_lora:
        return Finding("warning", f"A stop empties this place: {words} So the machine is stopped only when the finished LoRA was verified "
                       "at the far end.", "Upload the last state too, if you may want to train on.")
    return Finding("error", f"A stop empties this place: {words} So the machine will stay on.",
                   "Name a repository, and upload the finished LoRA.")


def what_will_happen(settings: FinishSettings, project_folder: Path) -> str:
    """One paragraph: what follows when the run has ended."""
    machine = find_machine(project_folder)
    parts = ["When the run has ended,"]
    chosen = [words for is_chosen, words in (
        (settings.upload_lora, "the finished LoRA"), (settings.upload_epochs, "the LoRA of every epoch"),
        (settings.upload_samples, "the samples"), (settings.upload_state, "the last state"), (settings.upload_report, "the report"))
        if is_chosen] if settings.repo_id else []
    if chosen:
        kind = "private" if settings.private else "public"
        parts.append(f"{_listed(chosen)} {'is' if len(chosen) == 1 else 'are'} uploaded to the {kind} repository {settings.repo_id}, and "
                     "each file is compared there by size and hash.")
    else:
        parts.append("nothing is uploaded.")
    if settings.keeps_states:
        parts.append("While it trains, each new state is uploaded there.")
    act = settings.then if not machine.missing() else "nothing"
    if act == "nothing":
        parts.append("The machine stays on.")
    else:
        parts.append(f"Then a countdown of {_span(settings.countdown)} begins, in which you can keep the machine on. After it "
                     f"{machine.name()} is {'stopped' if act == 'stop' else 'destroyed'}.")
        parts.append(machine.stop_words if act == "stop" else machine.destroy_words)
    return " ".join([*parts, *_limits(settings)])


def _limits(settings: FinishSettings) -> list[str]:
    limits = [f"{settings.most_hours:g} hours"] * bool(settings.most_hours) + [f"a price of {settings.most_money:g}"] * bool(
        settings.most_money)
    since = "the run" if settings.limit_since == "run" else "the machine"
    return [f"After {' or '.join(limits)}, counted from the start of {since}, the run is stopped first."] if limits else []


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _span(count: int) -> str:
    return f"{count // 60} minutes" if count % 60 == 0 and count > 60 else f"{count} seconds"
