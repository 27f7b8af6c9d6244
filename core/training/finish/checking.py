"""What can be known to stand in the way of a finish before the run is paid for, and what is going to happen, in words."""

from __future__ import annotations

import os
from pathlib import Path

from core.base.findings import Finding
from core.setup.doctor import check_tokens
from core.training.finish.providers import find_machine, stop_keeps
from core.training.finish.settings import FinishSettings


def check_finish(settings: FinishSettings, project_folder: Path, has_token: bool = False) -> list[Finding]:
    """Findings about token, key, price and disk; nobody is asked over the network. Args: has_token: whether a person gave one here."""
    machine, found = find_machine(project_folder), []
    no_token = not has_token and any(finding.remedy for finding in check_tokens(os.environ) if "Hugging Face" in finding.what)
    if no_token and (settings.uploads or settings.keeps_states):
        found.append(Finding("error", "There is no token for Hugging Face, so nothing can be uploaded, and the machine stays on.",
                             "Write one with the right to write into the field Token, or set HF_TOKEN in the environment before the "
                             "notebook is started, or type: hf auth login"))
    stops = settings.then != "nothing" or settings.after_failure == "stop"
    if stops and machine.missing():
        found.append(Finding("error", machine.missing()))
    elif settings.then == "stop" and not stop_keeps(project_folder)[0]:
        found.append(_losing_stop(settings, stop_keeps(project_folder)[1]))
    if settings.most_money and not settings.price_per_hour and machine.missing():
        found.append(Finding("error", "The limit of money cannot be kept: the provider cannot be asked for the price.",
                             "Write the price of an hour into 'Price of the machine'."))
    return found


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
