"""Load and save settings: from a file of this or another program, an earlier run, a preset of one's own; for a GPU's memory."""

from __future__ import annotations

import html
from collections.abc import Sequence

import ipywidgets as ipw

from core.training.config.own_presets import own_presets
from core.training.loading import LoadReport, LoadSettings, MemorySize, NoSettings, PresetName, SavePreset, can_take_back
from widgets.form import Form
from widgets.panel import Panel
from widgets.pieces import findings_list, part, row

SOURCES = (("A file", "file"), ("An earlier run", "run"), ("A preset of your own", "preset"))
KINDS = "A LoRA file tells how it was trained. Your model, pictures, prompts and name stay where a file says nothing of them."


class SettingsFilePanel(Panel):
    """Changes the project's kept settings, which the form above then shows; what could not be taken over is listed."""

    name = "settings_file"
    title = "Load and save settings"
    purpose = ("Not needed for a first try. Take settings over from another program, a LoRA or an earlier run, fit them to a GPU, or keep "
               "them under a name.")
    button = "Load these settings"

    def controls(self) -> list[ipw.Widget]:
        """Where the settings come from."""
        self.source = ipw.Dropdown(description="Load from", options=SOURCES)
        self.form = Form(LoadSettings, hide=("run", "preset"))
        self.form.control("file").view.add_class("lb-wide")
        self.form.control("file").widget.placeholder = "a path on this machine, such as /workspace/my_lora.safetensors"
        self.run_list = ipw.Dropdown(description="Run", options=[("no run yet", "")])
        self.preset_list = ipw.Dropdown(description="Your preset", options=[("none yet", "")])
        self._boxes = {"file": ipw.VBox([ipw.HTML(f'<p class="lb-help">{html.escape(KINDS)}</p>'), self.form.view]),
                       "run": _field(self.run_list), "preset": _field(self.preset_list)}
        for control in (self.source, self.run_list, self.preset_list):
            control.observe(self.heard(self._enable), "value")
        self.source.observe(self.heard(self._show_source), "value")
        self._show_source()
        return [_field(self.source), *self._boxes.values()]

    def extras(self) -> list[ipw.Widget]:
        """The way back."""
        return [self.action("Take back the last loading", self._take_back, self._why_not_back)]

    def results(self) -> list[ipw.Widget]:
        """What was left out, then memory and own presets."""
        self._told_of = ipw.HTML()
        self.memory = ipw.Dropdown(description="GPU memory", options=[(f"{size} GB", size) for size in (8, 12, 16, 24, 48, 80)], value=24)
        fit = self.action("Fit the settings to it", self._fit, self.no_project)
        self.save_form = Form(SavePreset)
        self.save_form.control("name").widget.placeholder = "such as my SDXL characters"
        save = self.action("Save as a preset", self._save, self._why_no_save)
        remove = self.action("Put this preset aside", self._remove, lambda: "" if self.preset_list.value else "You have no preset yet.")
        self._remove_box = row(remove)
        self._boxes["preset"].children = [*self._boxes["preset"].children, self._remove_box]
        self._broken = ipw.HTML()
        words = "Only what memory hangs on is changed; the pictures of a step stay as many, for smaller batches are added up."
        mine = "Everything but model, folders, prompts and name is kept, for all your projects."
        return [self._told_of, part("Fit to a GPU"), _field(self.memory, words), row(fit), part("Keep as a preset"),
                ipw.HTML(f'<p class="lb-help">{mine}</p>'), self.save_form.view, row(save), self._broken]

    def update(self) -> None:
        """Offer the runs and the own presets as they are now."""
        runs = [run.id for run in self.session.training.runs()] if self.session.folder is not None else []
        _offer(self.run_list, [(run, run) for run in runs] or [("no run yet", "")])
        presets, broken = own_presets()
        _offer(self.preset_list, [(name, name) for name in presets] or [("none yet", "")])
        self._broken.value = findings_list(broken)

    def opened(self) -> None:
        """What was told is of another project."""
        self._told_of.value = ""

    def blocked(self) -> str:
        """What must be chosen first."""
        if reason := self.no_project():
            return reason
        if self.source.value == "run" and not self.run_list.value:
            return "This project has no run yet."
        return "You have no preset yet. Save one below." if self.source.value == "preset" and not self.preset_list.value else ""

    def run(self) -> str:
        """Load."""
        chosen = {"run": self.run_list.value, "preset": self.preset_list.value}.get(self.source.value)
        wanted = LoadSettings.make(**{self.source.value: chosen}) if chosen else self.form.value()
        return self._tell(self.session.training.load_settings(wanted), "Not taken over")

    def _fit(self) -> str:
        return self._tell(self.session.training.fit_memory(MemorySize.make(gib=self.memory.value)), "Worth knowing")

    def _save(self) -> str:
        said = self._tell(self.session.training.save_preset(self.save_form.value()), "")
        self.save_form.control("name").write("")
        return said

    def _remove(self) -> str:
        return self._tell(self.session.training.remove_preset(PresetName.make(name=self.preset_list.value)), "")

    def _take_back(self) -> str:
        return self._tell(self.session.training.settings_back(NoSettings()), "")

    def _why_not_back(self) -> str:
        if reason := self.no_project():
            return reason
        return "" if can_take_back(self.session.training.project) else "Nothing was loaded yet."

    def _why_no_save(self) -> str:
        return self.no_project() or self.session.trouble

    def _tell(self, report: LoadReport, heading: str) -> str:
        """Show the lists of a report. Returns: its sentence."""
        self.session.trouble = ""
        self._told_of.value = lines_of("Changed", report.notes, "info") + lines_of(heading, report.left_out, "warning")
        return report.what

    def _show_source(self) -> None:
        for name, box in self._boxes.items():
            box.layout.display = "" if name == self.source.value else "none"


def lines_of(heading: str, lines: Sequence[str], level: str) -> str:
    """Lines as a list in HTML under their heading, in the colour of a finding; nothing where there are none."""
    items = "".join(f'<li class="lb-{level}">{html.escape(line)}</li>' for line in lines)
    return f'<div class="lb-part" role="heading" aria-level="4">{html.escape(heading)}</div><ul class="lb-findings">{items}</ul>' if items \
        else ""


def _field(control: ipw.Widget, help: str = "") -> ipw.VBox:
    """A control as it stands in a form."""
    words = [ipw.HTML(f'<p class="lb-help">{html.escape(help)}</p>')] if help else []
    return ipw.VBox([control, *words]).add_class("lb-field")


def _offer(control: ipw.Dropdown, options: list[tuple[str, str]]) -> None:
    """Offer these, and leave what is chosen chosen."""
    if list(control.options) == options:
        return
    chosen = control.value
    control.options = options
    control.value = chosen if chosen in [value for _, value in options] else options[0][1]
