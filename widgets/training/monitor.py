"""How a run stands: figures, live curves, samples, log."""

from __future__ import annotations

import html
from collections.abc import Callable

import ipywidgets as ipw

from core.training.monitor import RunStatus
from core.training.monitor.curve import part_words
from core.training.monitor.gpu import Gpu
from core.training.monitor.status import duration
from widgets.components.chart import Chart
from widgets.components.samples import Picture, Samples
from widgets.jobs_view import share, time_left
from widgets.panel import Panel
from widgets.pieces import Fold, part, table
from widgets.training.comparing import RunComparison
from widgets.training.curves import LOSS_PANES, NORM_PANES, layer_table, loss_curves, norm_curves, usage_curves
from widgets.training.launch import say_end
from widgets.training.pictures import picture_key, read_drawn
from widgets.training.reminder import calm_line
from widgets.training.run_choice import RunPicker
from widgets.training.run_log import RunLogView

LOOK_SECONDS = 2.0


class MonitorPanel(Panel):
    """Watches a run; what is shown is read from the run's files each time."""

    name = "monitor"
    title = "Monitor"
    purpose = "Watch the training: loss, learning rate, samples, time left. Older runs can be looked at and compared too."

    def controls(self) -> list[ipw.Widget]:
        """Which run."""
        self.picker = RunPicker(self.session)
        self._watching = False
        self._watched: set[str] = set()
        """The runs that were seen at work here."""
        return [self.picker.view]

    def results(self) -> list[ipw.Widget]:
        """Figures, curves, pictures."""
        self._facts, self._calm = ipw.HTML(), ipw.HTML()
        self.chart = Chart(panes=LOSS_PANES)
        self.norms, self._layers = Chart(panes=NORM_PANES), ipw.HTML()
        self.usage = Chart(panes=[], x_title="minutes")
        nothing = "No samples yet. They are drawn after each epoch, if there are sample prompts."
        self.samples = Samples(read_drawn, nothing, below=True)
        self._shown_samples: tuple[str, ...] = ()
        self._drawn: dict[str, object] = {}
        self.run_log, self.comparison = RunLogView(self), RunComparison(self)
        self._off = ipw.HTML()
        folds = [Fold("Gradient and layers", [self._off, self.norms, part("Layers, by how much a step changes them"), self._layers]),
                 Fold("GPU and disk", [self.usage])]
        return [self._calm, self._facts, part("Loss and learning rate"), self.chart, *(fold.view for fold in folds), part("Samples"),
                self.samples, self.comparison.view, self.run_log.view]

    def update(self) -> None:
        """Look at the chosen run, and go on looking while it works."""
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
        """Returns: whether to look again: the run that is shown goes on, or one that waits will be followed."""
        runs = self.picker.look()
        self.comparison.look([run.id for run in runs])
        if not self.picker.chosen:
            self._show_nothing()
            return False
        status = self.session.training.status(self.picker.chosen)
        self._show(status)
        return (not status.ended and status.state != "prepared") or any(run.is_at_work() for run in runs)

    def _show_nothing(self) -> None:
        self._facts.value = self._calm.value = self._layers.value = self._off.value = ""
        self._shown_samples, self._drawn = (), {}
        for chart in (self.chart, self.norms, self.usage):
            chart.show([])
        self.samples.show([], [], [])
        self.run_log.look("")

    def _show(self, status: RunStatus) -> None:
        if status.ended:
            ended = 0.0 if status.run in self._watched else self.session.training.run(status.run).last_sign()
            say_end(self, status, ended)
        else:
            self._watched.add(status.run)
            count = f" {status.step} of {status.total}" if status.total else ""
            doing = status.paused or status.phase or status.message or "starting"
            self.status.say("working", f"Working{count}: {doing}", share(status.step, status.total), time_left(status.seconds_left))
        self._calm.value = calm_line(self.session, self.session.training.run(status.run), status)
        self._facts.value = table(facts_of(status))
        self._draw_curves(status)
        keys = tuple(picture_key(sample.path) for sample in status.samples)
        if keys != self._shown_samples:
            self._shown_samples = keys
            self._show_samples(status, keys)
        self.run_log.look(status.run, status.warnings)

    def _draw_curves(self, status: RunStatus) -> None:
        """Each chart only where something came to it: a long run's curves are not sent anew at every look."""
        last = status.curve[-1] if status.curve else None
        norms = status.norms
        self._once("loss", (status.run, last), lambda: self.chart.show(loss_curves(status)))
        self._once("norms", (status.run, norms.gradient[-1:], len(norms.parts), norms.off), lambda: self._draw_norms(status))
        self._once("usage", (status.run, status.usage[-1:]), lambda: self._draw_usage(status))

    def _once(self, name: str, mark: object, draw: Callable[[], None]) -> None:
        if self._drawn.get(name) != mark:
            self._drawn[name] = mark
            draw()

    def _draw_norms(self, status: RunStatus) -> None:
        self.norms.show(norm_curves(status))
        self._layers.value = layer_table(status) or ("" if status.norms.off else '<p class="lb-help">Not measured yet.</p>')
        self._off.value = f'<p class="lb-help">{html.escape(status.norms.off_words())}</p>' if status.norms.off else ""

    def _draw_usage(self, status: RunStatus) -> None:
        panes, curves = usage_curves(status)
        with self.usage.hold_sync():
            self.usage.panes = panes
            self.usage.show(curves)

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


def facts_of(status: RunStatus) -> list[tuple[str, object]]:
    """What the panel says of a run in words and numbers."""
    rows: list[tuple[str, object]] = [("Step", f"{status.step} of {status.total or '?'}")]
    if status.epochs:
        rows.append(("Epoch", f"{status.epoch} of {status.epochs}"))
    for words, value in (("Loss, smoothed", status.smoothed_loss), ("Loss of the last step", status.loss),
                         ("Validation loss", status.validation_loss), ("Gradient norm", status.norms.last_gradient)):
        if value is not None:
            rows.append((words, f"{value:.4g}"))
    for part_name, rate in (status.lr or {}).items():
        rows.append((f"Learning rate, {part_words(part_name)}", f"{rate:.3g}"))
    if status.seconds_per_step:
        rows.append(("Speed", f"{status.seconds_per_step:.2f} s a step"))
    if status.seconds_left is not None:
        rows.append(("Time left", time_left(status.seconds_left)))
    if status.spending.seconds:
        rows.append(("Time so far", duration(status.spending.seconds)))
    if status.spending.price is not None:
        rows.append(("Price", status.spending.words()))
    rows += [("Changed on the way", sentence) for sentence in status.retries]
    rows += [(f"GPU {gpu.index}, {gpu.name}", _gpu_words(gpu)) for gpu in status.gpus]
    if status.memory_reserved:
        rows.append(("Most GPU memory held by torch", f"{status.memory_reserved / 2**30:.1f} GiB"))
    if status.usage and not status.ended:
        rows.append(("Free disk", f"{status.usage[-1].disk_free / 2**30:.1f} GiB"))
    if status.checkpoints:
        rows.append(("Saved", ", ".join(checkpoint.path.name for checkpoint in status.checkpoints)))
        rows.append(("Folder of these files", status.checkpoints[-1].path.parent))
    return rows


def _gpu_words(gpu: Gpu) -> str:
    told = [f"{gpu.used / 1024:.1f} of {gpu.total / 1024:.1f} GiB"]
    units = ((gpu.load, "% busy"), (gpu.temperature, "°C"), (gpu.power, "W"))
    return ", ".join([*told, *(f"{value:.0f} {unit}" for value, unit in units if value is not None)])
