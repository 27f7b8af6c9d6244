"""Let a captioner write captions in sentences; try it on one picture, and choose between the texts of several."""

from __future__ import annotations

import html

import ipywidgets as ipw

from core.base.errors import ConfigError
from core.base.jobs import Job, JobStatus
from core.base.settings import Settings
from core.dataset.captions.caption_texts import CaptionSettings
from core.dataset.captions.captioners import CAPTIONERS, card_of
from core.dataset.captions.captioners.prompts import PROMPTS, ready_questions
from core.dataset.captions.questions import check_question
from core.dataset.captions.which import WhichImages
from widgets.controls import Suggestions
from widgets.dataset.caption_job import CaptionJobPanel
from widgets.dataset.one_picture import OnePicture
from widgets.dataset.which import WhichChoice
from widgets.form import Form

SERVER_FIELDS = ("server_url", "server_model", "key_variable")


class ReadyQuestions(Suggestions):
    """Questions that are chosen from a list and changed as one likes."""

    nothing = "the kind's own question"
    typed = "or your own words"
    placeholder = "Describe {trigger} …"
    quotes = " "


class CaptionPanel(CaptionJobPanel):
    """Starts the captioning job; below, one picture can be tried. Only the fields that the captioner knows are shown."""

    name = "caption"
    title = "Caption"
    purpose = ("Let a captioner describe the pictures in sentences. Your own words are kept; licence, memory and disk are said before "
               "anything is fetched.")
    button = "Caption the pictures"
    stage = "caption"
    worker = "The captioner"

    def controls(self) -> list[ipw.Widget]:
        """Which captioner, and what it is asked."""
        self._adapted: tuple[str, str, str] = ("", "", "")
        self.which = WhichChoice(self.session, self.refresh)
        self.form = Form(CaptionSettings, choices={"captioner": [(entry.title, entry.name) for entry in CAPTIONERS],
                                               "prompt": ReadyQuestions(ready_questions(PROMPTS).items())},
                         hide=tuple(WhichImages.fields()))
        self.form.on_change(self.heard(self._adapt))
        return [self.which.view, self.form.view]

    def results(self) -> list[ipw.Widget]:
        """What came out, and one picture."""
        found = super().results()
        self.one = OnePicture(self, self.asked)
        self._adapt()
        return [*found, *self.one.view]

    def update(self) -> None:
        """Show the present picture's texts as they are now."""
        super().update()
        self.one.update()

    def start(self, settings: Settings) -> Job:
        """Start the job; the memory of a model that was tried here is given to it."""
        self.one.unload()
        return super().start(settings)

    def close(self) -> None:
        """Let go of the model."""
        super().close()
        self.one.unload()

    def summary(self, status: JobStatus) -> str:
        """Who computed what."""
        report = status.report
        if "provider" not in report:
            return ""
        parts = [f"{report['captioner']} on {report['provider']}" if report["provider"] else "",
                 f"{report['remembered']} texts were known from before" if report["remembered"] else ""]
        words = "; ".join(filter(None, parts)) + "." if any(parts) else ""
        return html.escape(words[:1].upper() + words[1:])

    def asked(self) -> CaptionSettings:
        """The form's settings. Raises: ConfigError: a value is wrong, or the captioner cannot be asked so."""
        settings = self.form.value()
        check_question(settings)
        return settings

    def _adapt(self) -> None:
        """Show what the captioner takes, and only the fields and choices that it knows."""
        fields = {name: self.form.control(name) for name in ("captioner", "mode", "precision", *SERVER_FIELDS)}
        name, precision = fields["captioner"].read(), fields["precision"].read()
        if (name, precision, fields["mode"].read()) == self._adapted:
            return
        memory, modes = (CAPTIONERS.entry(name).options[option] for option in ("memory", "prompts"))
        if name != self._adapted[0]:
            self._adapted = (name, precision, fields["mode"].read())  # what is offered now brings one back here
            for field, choices in (("precision", list(memory)), ("mode", list(modes) or ["descriptive"])):
                fields[field].offer(choices)  # type: ignore[attr-defined]
            self.form.control("prompt").offer(list(ready_questions(modes).items()))  # type: ignore[attr-defined]
            _show(fields["mode"].view, bool(modes))
            _show(fields["precision"].view, len(memory) > 1 and any(memory.values()))
            for field in SERVER_FIELDS:
                _show(fields[field].view, name == "server")
        self._adapted = (name, fields["precision"].read(), fields["mode"].read())
        fields["captioner"].remark(*_card(name, self._adapted[1]))


def _card(name: str, precision: str) -> tuple[str, bool]:
    """The captioner's card, and whether it cannot be used as things are."""
    try:
        card = card_of(name, precision)
    except ConfigError as error:
        return str(error), True
    return card.sentence(), bool(card.missing)


def _show(view: ipw.Widget, is_shown: bool) -> None:
    view.layout.display = "" if is_shown else "none"
