"""Model and settings: a preset to begin with, then every setting of the training."""

from __future__ import annotations

import contextlib
import html
from collections.abc import Collection
from pathlib import Path
from typing import cast, get_args

import ipywidgets as ipw

from core.base.errors import ConfigError
from core.base.paths import models_dir
from core.base.words import value_words
from core.models.catalog import PARTS_FOLDER
from core.training.backends.wandb_ready import SENT, wandb_problem
from core.training.base_models import FAMILY_NAMES, about_model, find_models, is_demo_model
from core.training.config import PARTS, Family, ModelSettings, SamplePrompt, TrainingSettings
from core.training.config.applying import idle, idle_of_folders, is_of_another_family, why_not
from core.training.config.components import FIELDS, find_parts, judge_component, parts_here
from core.training.config.network_types import NETWORK_TYPES
from core.training.config.optimizers import USUAL
from core.training.config.own_presets import all_presets
from core.training.config.presets import apply_preset
from core.training.config.sampling import FLAGS
from core.training.config.search import elsewhere
from core.training.fitting import is_own
from widgets.controls import SuggestionControl, Suggestions
from widgets.demo import is_demo
from widgets.form import Form
from widgets.panel import Panel
from widgets.training.choice import first_preset, keep_preset, keep_settings, kept_preset, read_settings, settings_file
from widgets.training.finder import SettingsFinder
from widgets.training.folders import FoldersBox
from widgets.training.launch import backend_of

HIDDEN = ("saving.output_dir", "logging.logging_dir", "saving.resume")
"""Filled in by each run."""
CALM = "The preset is a good start: choose the model, then Check. Everything else may stay as it is."
MODEL = "model.pretrained_model_name_or_path"


OPTIMIZERS = [(title, name) for name, title in USUAL.items()]


class Optimizers(Suggestions):
    """Optimizers to choose from; any other class is typed with its package."""

    typed = "or its name"
    placeholder = "such as pytorch_optimizer.CAME"


class SettingsPanel(Panel):
    """Keeps the settings in the project as soon as they are right; nothing need be pressed."""

    name = "settings"
    title = "Model and settings"
    purpose = ("Choose a preset and the model that is to learn. Changes are saved at once; a preset leaves model, repeats, name and "
               "prompts alone.")
    button = "Use this preset"

    def controls(self) -> list[ipw.Widget]:
        """The presets."""
        self.preset = ipw.Dropdown(description="Preset", options=[("", "")])
        self.preset.observe(lambda _: self._explain(), "value")
        self._purpose = ipw.HTML()
        self._presets_for: Path | None = None
        self._preset_kept = ""
        return [ipw.VBox([self.preset, self._purpose]).add_class("lb-field").add_class("lb-field-preset")]

    def results(self) -> list[ipw.Widget]:
        """The form."""
        families = [(FAMILY_NAMES[name], name) for name in get_args(Family)]
        choices = {"model.family": families, MODEL: Suggestions(find_models()), "optimizer.optimizer_type": Optimizers(OPTIMIZERS),
                   **{f"model.{name}": Suggestions() for name in FIELDS},
                   "network.network_type": [(facts.title, name) for name, facts in NETWORK_TYPES.items()]}
        self.form = Form(TrainingSettings, choices, HIDDEN, folded=[name for name in PARTS if name != "model"])
        self.finder = SettingsFinder(self.form, self._elsewhere)
        self.folders = FoldersBox(self._changed)
        data = self.form.section_box("data")
        data.children = [*data.children, self.folders.view]
        self.model = cast(SuggestionControl, self.form.control(MODEL))
        self.look_again = self.action("Look for models again", self._look_for_models)
        self.look_again.layout.align_self = "flex-start"
        self.model.view.children = [*self.model.view.children, self.look_again]
        self._calm = ipw.HTML(f'<p class="lb-purpose">{CALM}</p>')
        self.prompts = ipw.Textarea(description="Sample prompts", rows=3, continuous_update=False,
                                    placeholder="one a line; begin with the trigger word")
        box = ipw.VBox([self.prompts, ipw.HTML('<p class="lb-help">Pictures to draw during training, one prompt a line. The first ones are '
                                               'proposed from your trigger word and captions; change them as you like.</p>')])
        self._read_from: tuple[Path, int] | None = None
        self._filling = False
        self.form.on_change(self._changed)
        self.prompts.observe(lambda _: self._changed(), "value")
        self._length = ipw.HTML()
        self.form.insert(box.add_class("lb-field"), self._length)
        self._body = ipw.VBox([self._calm, self.finder.view, self.form.view], layout=ipw.Layout(display="none"))
        return [self._body]

    def update(self) -> None:
        """Show the kept settings, unless they are on screen already, and what they amount to for the pictures as they are now."""
        self._body.layout.display = "" if self.session.folder else "none"
        if self.session.folder is None:
            return
        mark, settings = self._mark(), read_settings(self.session)
        self._offer_presets(settings)
        self._offer_files(settings)
        if self._read_from != mark:
            self._fill(settings)
            if self._read_from is not None:
                self.say("ready", "Ready")  # what was done here is no longer what is shown
            self._read_from = mark
        self._show_files(settings)
        self._show_length(settings)
        self._show_what_acts(settings)
        self._offer_loggers(settings)

    def run(self) -> str | None:
        """Apply the preset."""
        settings = self.session.training.configure(apply_preset(self.preset.value, read_settings(self.session)))
        keep_settings(self.session, settings)
        keep_preset(self.session, self.preset.value)
        self._fill(settings)
        self._read_from = self._mark()
        title = all_presets()[self.preset.value].title
        if wrong := self._show_files(settings):
            self.say("attention", f"Needs attention: the preset {title} is in use, but {wrong}")
            self.session.tell()
            return None
        return f"the preset {title} is in use. Choose the model below if none is chosen yet."

    def value(self) -> TrainingSettings:
        """The settings as they stand. Raises: ConfigError: one sentence per wrong value."""
        lines = [line.strip() for line in self.prompts.value.splitlines() if line.strip()]
        return self.form.value().with_values(sampling={"sample_prompts": lines}, data={"subsets": self.folders.value()})

    def _elsewhere(self, words: Collection[str]) -> list[str]:
        return elsewhere(words, read_settings(self.session)) if self.session.folder is not None else []

    def _look_for_models(self) -> str:
        """Look at models/ again: what was fetched meanwhile is offered."""
        count = len(find_models()) - 1
        return f"{count} model{'s lie' if count != 1 else ' lies'} in {models_dir().absolute()}."

    def _offer_presets(self, settings: TrainingSettings) -> None:
        family = self.session.training.project.family
        demo = is_demo(self.session.folder) or is_demo_model(settings.model.pretrained_model_name_or_path)
        presets = [preset for preset in all_presets().values() if preset.listed or (demo and preset.name == "demo")]
        order = sorted(presets, key=lambda preset: (preset.listed, preset.family != family, preset.name))
        options = [(preset.title, preset.name) for preset in order]
        if list(self.preset.options) != options:
            chosen = self.preset.value if self._presets_for == self.session.folder else ""
            self._choose_preset(chosen or kept_preset(self.session), options)
        elif self._preset_kept != kept_preset(self.session):
            self._choose_preset(kept_preset(self.session), options)  # another panel took one
        self._presets_for, self._preset_kept = self.session.folder, kept_preset(self.session)

    def _choose_preset(self, name: str, options: list[tuple[str, str]]) -> None:
        """Offer them and choose one, in one message: between two a person's own choice would be lost."""
        with self.preset.hold_sync():
            if list(self.preset.options) != options:
                self.preset.options = options
            self.preset.value = name if name in [one for _, one in options] else first_preset(self.session)

    def _explain(self) -> None:
        preset = all_presets().get(self.preset.value)
        if preset and self.session.folder is not None and hasattr(self, "form"):
            self._show_what_acts(read_settings(self.session))
        words = f"{preset.purpose} For {FAMILY_NAMES.get(preset.family, preset.family)}." if preset else ""
        self._purpose.value = f'<p class="lb-help">{html.escape(words)}</p>'

    def _mark(self) -> tuple[Path, int]:
        path = settings_file(self.session.training.project.folder)
        return path, path.stat().st_mtime_ns if path.is_file() else 0

    def _fill(self, settings: TrainingSettings) -> None:
        self._filling = True
        self.session.trouble = ""
        self.form.fill(settings)
        project = self.session.training.project
        self.folders.fill(settings.data.subsets, lambda subset: is_own(subset, project))
        self.prompts.value = "\n".join(prompt_text(prompt) for prompt in settings.sampling.sample_prompts)
        self._filling = False

    def _offer_files(self, settings: TrainingSettings) -> None:
        """What lies on this machine now, for the model and for each file beside it that the family reads."""
        self.model.offer(find_models())
        folder, acting = models_dir().absolute() / PARTS_FOLDER, [name for name in FIELDS if not why_not(settings, name)]
        here = parts_here() if acting else []
        for name in FIELDS:
            fitting = find_parts(settings.model.family, name, here) if name in acting else []
            self._file(name).offer([(path.relative_to(folder).as_posix(), str(path)) for path in fitting])

    def _file(self, name: str) -> SuggestionControl:
        """The control of a file beside the model. Args: name: one of `FIELDS`."""
        return cast(SuggestionControl, self.form.control(f"model.{name}"))

    def _show_model(self, model: ModelSettings) -> str:
        finding = about_model(model)
        self.model.remark(str(finding), wrong=finding.level == "error")
        return str(finding) if finding.level == "error" else ""

    def _show_files(self, settings: TrainingSettings) -> str:
        """Say at each field what is wrong with its file. Returns: the first of it; empty: all is well, or not chosen yet."""
        found = [self._show_model(settings.model)]
        for name in FIELDS:
            wrong = judge_component(settings, name)
            self._file(name).remark(str(wrong) if wrong else "", wrong=wrong is not None)
            found.append(str(wrong) if wrong else "")
        return next(filter(None, found), "")

    def _show_what_acts(self, settings: TrainingSettings) -> None:
        """Grey or hide what does nothing with the others as they are, and count what differs from the preset."""
        self.form.set_idle({f"{part}.{name}": _remark(reason) for part, name, reason in idle(settings)})
        self.folders.set_idle({name: _remark(reason) for name, reason in idle_of_folders(settings).items()})
        preset = apply_preset(self.preset.value, settings) if self.preset.value else None
        self.form.compare_with(preset)
        self.finder.differ(differences(settings, preset) if preset is not None else {})

    def _show_length(self, settings: TrainingSettings) -> None:
        lines = self.session.training.amounts(settings, backend_of(self.session))
        self._length.value = "".join(f'<p class="lb-help">{html.escape(line)}</p>' for line in lines)
        project = self.session.training.project
        repeats = [subset.num_repeats for subset in settings.data.subsets if is_own(subset, project)]
        if repeats and settings.data.num_repeats is None:
            self.form.control("data.num_repeats").widget.placeholder = f"fitted to the pictures: {repeats[0]}"

    def _offer_loggers(self, settings: TrainingSettings) -> None:
        """Weights & Biases only where the chosen trainer can send to it; what was chosen before stays, with the reason below."""
        problem, chosen = wandb_problem(backend_of(self.session)), settings.logging.log_with
        offered = ["tensorboard", *(() if problem else SENT), *((chosen,) if problem and chosen in SENT else ())]
        self._filling = True
        remark = f"Weights & Biases: {problem}" if problem else ""
        self.form.section("logging").offer("log_with", offered, remark, bool(problem) and chosen in SENT)
        self._filling = False

    def _changed(self) -> None:
        if not self._filling and self.session.folder is not None:
            self.loop.soon(lambda: self.guard(self._keep))

    def _keep(self) -> None:
        """Keep what is right; what is wrong is told, and the kept settings stay as they were."""
        try:
            settings = self.value()
        except ConfigError as error:
            self.session.trouble = str(error)
            with contextlib.suppress(ConfigError):
                self._show_model(self.form.section("model").value())
            raise
        self.session.trouble = ""
        keep_settings(self.session, settings)
        self._read_from = self._mark()
        self._show_what_acts(settings)
        wrong = self._show_files(settings)
        self.say(*(("attention", f"Needs attention: it is saved, but {wrong}") if wrong else ("done", "Done: saved.")))
        self.session.tell()


def _remark(reason: str) -> tuple[str, bool]:
    """What a field is told that does not act: the words, and whether it is hidden, for only another model would need it."""
    return f"Not used: {reason[:1].lower()}{reason[1:]}", is_of_another_family(reason)


def differences(settings: TrainingSettings, preset: TrainingSettings) -> dict[str, str]:
    """What differs from a preset: "part.field" → the preset's value in words."""
    found = {}
    for part in PARTS:
        mine, its = getattr(settings, part), getattr(preset, part)
        for name in type(mine).fields():
            value = getattr(its, name)
            if getattr(mine, name) != value:
                found[f"{part}.{name}"] = value_words(value)
    return found


def prompt_text(prompt: SamplePrompt) -> str:
    """A prompt as a line of the box: sd-scripts' flags only where they differ from the defaults."""
    words = [prompt.prompt]
    for flag, name in FLAGS.items():
        value = getattr(prompt, name)
        if value != SamplePrompt.fields()[name].default and value is not None:
            words.append(f"--{flag} {value}")
    return " ".join(words)
