"""How a run stands: figures, live curves, samples, log."""

from __future__ import annotations

import math
from pathlib import Path

import ipywidgets as ipw

from core.training.monitor import RunStatus
from widgets.components.chart import Chart, Curve
from widgets.components.samples import Picture, Samples
from widgets.jobs_view import share, time_left
from widgets.panel import Panel
from widgets.pieces import part, table
from widgets.training.launch import go_on_words, words_for_end

LOOK_SECONDS = 2.0


class RunPicker:
    """The project's runs, newest first; the newest is followed until the person chooses another."""

    def __init__(self, words: str = "Run") -> None:
        self.list = ipw.Dropdown(description=words, options=[("no run yet", "")])
        self.view = ipw.VBox([self.list]).add_class("lb-field").add_class("lb-field-run")

    def look(self, runs: list[str]) -> None:
        """Offer these runs."""
        options = [(run, run) for run in runs] or [("no run yet", "")]
        if list(self.list.options) == options:
            return
        newest = self.list.options[0][1]
        chosen = self.list.value
        self.list.options = options
        self.list.value = chosen if chosen and chosen != newest and chosen in runs else options[0][1]

    @property
    def chosen(self) -> str:
        """The chosen run's id; empty where there is none."""
        return self.list.value or ""


class MonitorPanel(Panel):
    """Watches a run; what is shown is read from the run's files each time."""

    name = "monitor"
    title = "Monitor"
    purpose = "Watch the training: loss, learning rate, samples, time left. Older runs can be looked at too."

    def controls(self) -> list[ipw.Widget]:
        """Which run."""
        self.picker = RunPicker()
        self.picker.list.observe(lambda _: self.refresh(), "value")
        self._watching = False
        return [self.picker.view]

    def results(self) -> list[ipw.Widget]:
        """Figures, curves, pictures."""
        self._facts = ipw.HTML()
        self.chart = Chart(panes=["Loss", "Learning rate"])
        self.samples = Samples(read_drawn, nothing="No samples yet. They are drawn after each epoch, if there are sample prompts.")
        self._shown_samples: tuple[str, ...] = ()
        self._shown_curve: tuple[str, int] | None = None
        self.log.title = "Log of the run"
        return [self._facts, part("Loss and learning rate"), self.chart, part("Samples"), self.samples]

    def update(self) -> None:
        """Look at the chosen run, and go on looking while it works."""
        self.picker.look([run.id for run in self.session.training.runs()] if self.session.folder is not None else [])
        if self._look_once() and not self._watching:
            self._watching = True
            self.loop.repeat(self.patient(self._keep_looking), LOOK_SECONDS)

    def _settle(self) -> None:
        """The run's own words stand in the status line."""
        if not self.picker.chosen:
            self.status.say("ready", "Ready: there is no run yet. Start one in the Train panel.")

    def _keep_looking(self) -> bool:
        self._watching = self._look_once()
        return self._watching

    def _look_once(self) -> bool:
        if not self.picker.chosen:
            self._show_nothing()
            return False
        status = self.session.training.status(self.picker.chosen)
        self._show(status)
        return not status.ended and status.state != "prepared"

    def _show_nothing(self) -> None:
        self._facts.value, self._shown_samples, self._shown_curve = "", (), None
        self.chart.show([])
        self.samples.show([], [], [])
        self.log.show("")

    def _show(self, status: RunStatus) -> None:
        if status.ended:
            self.say(*words_for_end(status, go_on_words(self.session, status)))
        else:
            count = f" {status.step} of {status.total}" if status.total else ""
            doing = status.paused or status.phase or status.message or "starting"
            self.status.say("working", f"Working{count}: {doing}", share(status.step, status.total), time_left(status.seconds_left))
        self._facts.value = table(_facts(status))
        last = (status.run, status.curve[-1].step if status.curve else 0)
        if last != self._shown_curve:
            self._shown_curve = last
            self.chart.show(_curves(status))
        keys = tuple(picture_key(sample.path) for sample in status.samples)
        if keys != self._shown_samples:
            self._shown_samples = keys
            self._show_samples(status, keys)
        self.log.show("\n".join([*(f"Note: {warning}" for warning in status.warnings), *status.log]))

    def _show_samples(self, status: RunStatus, keys: tuple[str, ...]) -> None:
        prompts = sorted({(sample.number, sample.prompt) for sample in status.samples})
        rows = [number for number, _ in prompts]
        moments = list(dict.fromkeys(_moment(sample.epoch, sample.step) for sample in status.samples))
        pictures = [Picture(rows.index(sample.number), moments.index(_moment(sample.epoch, sample.step)), key,
                            f"{sample.prompt or 'sample'}, {_moment(sample.epoch, sample.step)}")
                    for sample, key in zip(status.samples, keys, strict=True)]
        self.samples.show([prompt or f"Prompt {number + 1}" for number, prompt in prompts], moments, pictures)


def _moment(epoch: int | None, step: int | None) -> str:
    return f"Epoch {epoch}" if epoch else "Before" if not step else f"Step {step}"


def read_picture(path: str) -> bytes | None:
    """A picture's file as it is, None where it is gone."""
    file = Path(path)
    return file.read_bytes() if file.is_file() else None


def picture_key(path: Path) -> str:
    """The path and when it was written: pictures that are drawn again bear the same names, and the browser keeps what it knows."""
    try:
        return f"{path}|{path.stat().st_mtime_ns}"
    except OSError:
        return f"{path}|0"


def read_drawn(key: str) -> bytes | None:
    """The picture's file of a `picture_key`, None where it is gone."""
    return read_picture(key.rpartition("|")[0])


def _facts(status: RunStatus) -> list[tuple[str, object]]:
    rows: list[tuple[str, object]] = [("Step", f"{status.step} of {status.total or '?'}")]
    if status.epochs:
        rows.append(("Epoch", f"{status.epoch} of {status.epochs}"))
    if status.smoothed_loss is not None:
        rows.append(("Loss, smoothed", f"{status.smoothed_loss:.4g}"))
    if status.loss is not None:
        rows.append(("Loss of the last step", f"{status.loss:.4g}"))
    for part_name, rate in (status.lr or {}).items():
        rows.append((f"Learning rate, {_part_words(part_name)}", f"{rate:.3g}"))
    if status.seconds_per_step:
        rows.append(("Speed", f"{status.seconds_per_step:.2f} s a step"))
    if status.seconds_left is not None:
        rows.append(("Time left", time_left(status.seconds_left)))
    rows += [("Changed on the way", sentence) for sentence in status.retries]
    for gpu in status.gpus:
        load = f", {gpu.load:.0f} % busy" if gpu.load is not None else ""
        rows.append((f"GPU {gpu.index}, {gpu.name}", f"{gpu.used / 1024:.1f} of {gpu.total / 1024:.1f} GiB{load}"))
    if status.checkpoints:
        rows.append(("Saved", ", ".join(checkpoint.path.name for checkpoint in status.checkpoints)))
        rows.append(("Folder of these files", status.checkpoints[-1].path.parent))
    return rows


def _curves(status: RunStatus) -> list[Curve]:
    points = status.curve
    steps = [point.step for point in points]
    if not points:
        return []
    own = any(point.loss is not None for point in points)
    raw = [_number(point.loss if own else point.average) for point in points]
    curves = [Curve("loss" if own else "average loss", steps, raw, faint=True),
              Curve("smoothed loss", steps, [_number(point.smoothed) for point in points])]
    for name in dict.fromkeys(name for point in points for name in point.lr):
        curves.append(Curve(f"rate of {_part_words(name)}", steps, [_number(point.lr.get(name)) for point in points], pane=1))
    return curves


def _part_words(name: str) -> str:
    """A trained part as it is called on screen; the trainers write unet, textencoder, textencoder1 …"""
    return name.replace("textencoder", "text encoder ").rstrip() if name != "unet" else "U-Net"


def _number(value: float | None) -> float:
    return math.nan if value is None else value
