"""Pictures of ordinary things, drawn by the base model itself, so that training does not spoil what it can do."""

from __future__ import annotations

from pathlib import Path

import ipywidgets as ipw

from core.base.errors import ConfigError
from core.base.jobs import Job, JobStatus
from core.dataset.images.files import image_files
from core.dataset.project import Project
from core.training.config.data import Subset
from core.training.drawing import FIELDS
from core.training.regularisation import RegularisationSettings, settings_for, words_of
from widgets.components.samples import Picture, Samples
from widgets.form import Form
from widgets.panel import Panel
from widgets.training.choice import keep_settings, read_settings
from widgets.training.pictures import read_picture

FOLDER = str(RegularisationSettings.fields()["folder"].default)
SHOWN = 5


class RegularisationPanel(Panel):
    """Draws the pictures in a process of its own, and adds their folder to what is trained from."""

    name = "regularisation"
    title = "Regularisation pictures"
    purpose = ("Not needed for a first try. The base model draws ordinary pictures that are trained beside yours, so that it does not "
               "forget what it knew.")
    button = "Draw the pictures"
    stage = "regularise"

    def controls(self) -> list[ipw.Widget]:
        """What to draw, and how many."""
        self.form = Form(RegularisationSettings, hide=("model", "width", "height", "folder", *FIELDS))
        prompts = self.form.control("prompts")
        prompts.widget.placeholder = "one a line, such as: 1girl, standing, outdoors"
        prompts.help = "What the model is not to forget; without your trigger word."
        prompts.complain("")
        self.count = ipw.IntText(value=10, description="Pictures for each prompt")
        words = '<p class="lb-help">All together about as many as your own pictures. Model, VAE and size are those of the settings.</p>'
        count = ipw.VBox([self.count, ipw.HTML(words)]).add_class("lb-field").add_class("lb-field-count")
        return [self.form.view, ipw.VBox([count]).add_class("lb-fields")]

    def results(self) -> list[ipw.Widget]:
        """Whether they are used, and some of them."""
        self.use = ipw.Checkbox(description="Train with these pictures", indent=False)
        self.use.observe(lambda _: self._changed(), "value")
        self._showing = False
        self._box = ipw.VBox([self.use]).add_class("lb-field")
        self.grid = Samples(read_picture, nothing="No regularisation pictures were drawn yet.")
        return [self._box, self.grid]

    def update(self) -> None:
        """Look for the pictures, and whether the settings name their folder."""
        pictures = self._pictures()
        self._box.layout.display = "" if pictures else "none"
        if self.session.folder is not None:
            self._showing = True
            self.use.value = any(self._is_ours(subset) for subset in read_settings(self.session).data.subsets)
            self._showing = False
        words = [words_of(path) for path in pictures[:SHOWN]]
        counted = f"{len(pictures)} pictures" if len(pictures) <= SHOWN else f"{SHOWN} of {len(pictures)} pictures"
        self.grid.show([counted] if pictures else [], words,
                       [Picture(0, column, str(path), words[column]) for column, path in enumerate(pictures[:SHOWN])])

    def blocked(self) -> str:
        """The settings must be right."""
        return super().blocked() or self.session.trouble

    def run(self) -> Job:
        """Start the job."""
        training, wanted = read_settings(self.session), self.form.value()
        if not training.model.pretrained_model_name_or_path:
            raise ConfigError("No model is chosen.", "Choose it in the panel Model and settings.")
        if not wanted.prompts:
            raise ConfigError("There is no prompt.", "Write at least one: what the model is not to forget.")
        trigger = Project(self.session.training.project.folder).info().trigger_word
        taken = next((prompt for prompt in wanted.prompts if trigger and trigger in [word.strip() for word in prompt.split(",")]), None)
        if taken is not None:
            raise ConfigError(f"The prompt {taken!r} has the trigger word {trigger!r} in it, which is to be learned, not kept.",
                              "Take it out of the prompt.")
        if not 1 <= self.count.value <= 1000:
            raise ConfigError(f"Pictures for each prompt must be between 1 and 1000, but is {self.count.value}.")
        wanted = wanted.changed(prompts=[prompt for prompt in wanted.prompts for _ in range(self.count.value)])
        return self.session.training.start_regularisation(settings_for(training, wanted))

    def show_report(self, status: JobStatus) -> None:
        """Show what came."""
        self.update()
        if status.state == "done" and not self.use.value:
            self.done(f"{status.message} Tick the box below to train with them.")

    def _folder(self) -> Path | None:
        return self.session.folder / FOLDER if self.session.folder is not None else None

    def _pictures(self) -> list[Path]:
        folder = self._folder()
        return image_files(folder) if folder is not None and folder.is_dir() else []

    def _is_ours(self, subset: Subset) -> bool:
        return subset.is_reg and Path(subset.image_dir).absolute() == self._folder()

    def _changed(self) -> None:
        if not self._showing and self.session.folder is not None:
            self.loop.soon(lambda: self.guard(self._keep))

    def _keep(self) -> str:
        """Add the folder to the training settings, or take it out."""
        settings = read_settings(self.session)
        others = [subset.model_dump() for subset in settings.data.subsets if not self._is_ours(subset)]
        ours = [{"image_dir": str(self._folder()), "is_reg": True}] if self.use.value else []
        keep_settings(self.session, settings.with_values(data={"subsets": [*others, *ours]}))
        return "the training uses these pictures." if ours else "the training does without these pictures."
