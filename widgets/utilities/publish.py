"""A LoRA made known: looked through, shown as its page will be, then sent to Hugging Face or written for Civitai."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ipywidgets as ipw

from core.base.findings import Finding
from core.base.jobs import Job, JobStatus
from core.base.settings import Settings
from core.training.saved_loras import saved_loras
from core.utilities.publishing.bases import BASES
from core.utilities.publishing.report import NO_PICTURE, STATES
from core.utilities.publishing.settings import PublishSettings
from widgets.controls import Suggestions
from widgets.download_links import download_links, size_words
from widgets.pieces import Fold, findings_list, part, table
from widgets.token_field import TokenField
from widgets.utilities.licences import Licences
from widgets.utilities.lora_panel import LoraPanel
from widgets.utilities.publish_texts import PublishTexts

CHECK = "check-publish"
CHOICES = {
    "to": [("Hugging Face", "hub"), ("a folder for Civitai", "folder"), ("a zip for Civitai", "zip")],
    "existing": [("nothing is sent", "stop"), ("files of the same names are replaced", "update")],
    "samples_from": [("the first that has some", "auto"), ("Before and after", "evaluation"), ("the training", "training"),
                     ("no samples", "none")],
}
HELP = {"repo_id": "As owner/name; a name alone is made in your own account. Empty: after the title.",
        "to": "For Civitai everything that its form asks for is written, to be uploaded there by hand.",
        "existing": "A repository with other content, or with other files of these names. What is replaced stays in its history."}
"""In the place of what explains the names on the command line."""
WIDE = ("base", "licence", "trigger", "tags", "repo_id", "save_to")


class BaseModels(Suggestions):
    """Base models whose licence is known, beside which any other can be named."""

    nothing = "as the file says"
    typed = "or another one"
    placeholder = "owner/name on Hugging Face, or what it is called"
    quotes = ""


class PublishPanel(LoraPanel):
    """Runs `check-publish` and `publish-lora`."""

    name = "publish"
    title = "Publish"
    purpose = ("Bring a LoRA to Hugging Face with a page of its own, private if you do not choose otherwise, or write everything that "
               "Civitai asks for. It is looked through before anything leaves this machine; your files stay as they are.")
    button = "Publish it"
    stage = "publish-lora"
    stages = {"publish-lora": PublishSettings, CHECK: PublishSettings}

    def controls(self) -> Sequence[ipw.Widget]:
        """What, under which name and licence, where to, and the token."""
        bases = BaseModels((base.title, base.name) for base in BASES.values())
        licences = Licences("name", "as the file says, else that of the base model")
        self.form = self.file_form(PublishSettings, {"base": bases, "licence": licences, **CHOICES})
        for name in WIDE:
            self.form.control(name).view.add_class("lb-wide")
        for name, words in HELP.items():
            self.form.control(name).help = words
            self.form.control(name).complain("")
        self.form.follow()
        self.token = TokenField(self.session, self.heard)
        self.form.insert(self.token.view)
        self.form.on_change(self.heard(self._place_changed))
        self.texts = PublishTexts(self.form, self.place, self.stages)
        return [self.form.view]

    def extras(self) -> Sequence[ipw.Widget]:
        """A look before anything leaves the machine."""
        return [self.action("Check first", self._check, self.not_now, lambda: "No file leaves this machine by this")]

    def results(self) -> Sequence[ipw.Widget]:
        """Where it is; then the check list, what is published, its samples and its page."""
        self._place, self._files = ipw.HTML(), ipw.HTML()
        self._heading = ipw.VBox()
        self._done = ipw.VBox([self._heading, self._place, self._files]).add_class("lb-form")
        self._findings, self._facts, self._samples, self._page = ipw.HTML(), ipw.HTML(), ipw.HTML(), ipw.HTML()
        self.page = Fold("the page", [self._page])
        self._seen_box = ipw.VBox([part("Check list"), self._findings, part("What is published"), self._facts, self._samples,
                                   self.page.view]).add_class("lb-form")
        self._hide()
        return [self._done, self._seen_box]

    def update(self) -> None:
        """Offer the project's files; the newest finished one stands there until another is chosen."""
        super().update()
        self.token.show()
        offered = saved_loras(self.session.folder) if self.session.folder is not None and not self.file else []
        if offered:
            self._chosen = (str(offered[0][1]),)  # chosen by nobody, so the other panels do not hear of it
            self.form.control("file").write(self._chosen[0])
            self.texts.follow(self.file)

    def is_free(self) -> bool:
        """What is being written for one file is not swept away by a choice in another panel."""
        return not self.texts.typed()

    def resumed(self, settings: Settings) -> None:
        """The file of the job with all that was written for it, where no other one was chosen in another panel; what was written or chosen
        here since is not swept away, as by another project that is opened.
        """
        if self.texts.is_touched():
            return
        super().resumed(settings)
        if isinstance(settings, PublishSettings) and self.file == settings.file:
            self.texts.take_up(settings)

    def run(self) -> Job:
        """Publish it. Raises: ConfigError: a setting is wrong."""
        return self._start(self.stage)

    def begun(self) -> None:
        """What was published before is no answer any more; the check list is, until another one is made."""
        self._done.layout.display = "none"
        if self.job is not None and self.job.stage == CHECK:
            self._seen_box.layout.display = "none"

    def file_changed(self) -> None:
        """What stands below is of another file, and so are the words in the form: it has its own."""
        self._hide()
        self.texts.follow(self.file)
        self.forget_told()

    def show_report(self, status: JobStatus) -> None:
        """The check list, or where it is."""
        if status.state != "done" or not status.report or self.job is None:
            return
        if self.job.stage == CHECK:
            self._show_check(status.report, status.message.partition("\n")[0])
        else:
            self._show_published(status.report, status.message)

    def _check(self) -> Job:
        return self._start(CHECK)

    def _start(self, stage: str) -> Job:
        job = self.manager.start_publish(stage, self.form.value(), self.token.take())
        self.texts.used()
        return job

    def _place_changed(self) -> None:
        """A token is for Hugging Face alone."""
        self.token.view.layout.display = "" if self.form.present("to") == "hub" else "none"

    def _hide(self) -> None:
        self._done.layout.display = self._seen_box.layout.display = "none"

    def _show_check(self, report: Mapping[str, Any], sentence: str) -> None:
        findings = [Finding(**one) for one in report["findings"]]
        fine = "".join(f'<li class="lb-info"><b>Fine:</b> {html.escape(words)}</li>' for words in report["fine"])
        self._findings.value = findings_list(findings) + (f'<ul class="lb-findings">{fine}</ul>' if fine else "")
        self._facts.value = table(report["facts"])
        self._samples.value = _pictures(report["samples"])
        self._page.value = f'<pre class="lb-page" tabindex="0">{html.escape(report["card"])}</pre>'
        self._seen_box.layout.display = ""
        words = self.conclude(findings, f"{sentence} Nothing has left this machine.")
        if words:
            self.done(words)

    def _show_published(self, report: Mapping[str, Any], sentence: str) -> None:
        is_on_hub = report["to"] == "hub"
        self._heading.children = [part("Published" if is_on_hub else "Written, to be uploaded by hand")]
        self._place.value = _link(report["pull_request"] or report["place"]) if is_on_hub else _way_to(report)
        rows = [(one["name"], "" if one["state"] == "removed" else size_words(one["size"]), STATES[one["state"]])
                for one in report["files"]]
        self._files.value = table(rows, ("File", "Size", ""))
        self._done.layout.display, self._seen_box.layout.display = "", "none"  # what stood against it is settled
        words = self.conclude([Finding("warning", NO_PICTURE)] if report.get("lacks_pictures") else [], sentence)
        if words:
            self.done(words)


def _link(address: str) -> str:
    link = html.escape(address)
    return f'<p class="lb-help"><a href="{link}" target="_blank" rel="noopener">{link}</a></p>'


def _way_to(report: Mapping[str, Any]) -> str:
    """Where a folder or zip lies, what to do with it, and what of it can be taken home from here."""
    place = Path(report["place"])
    names = [one["name"] for one in report["files"] if "/" not in one["name"]]
    told = "checklist.txt in it says what to fill in at Civitai."
    if report["to"] != "zip":
        pictures = "" if report.get("lacks_pictures") else " The pictures lie in the folder images."
        told = f"Begin with checklist.txt: it says what to fill in at Civitai.{pictures} A zip for Civitai holds it all."
    links = download_links([place] if report["to"] == "zip" else [place / name for name in names])
    return f'<p class="lb-help">{html.escape(str(place))}<br>{told}</p>{links}'


def _pictures(samples: Sequence[Mapping[str, str]]) -> str:
    """The samples with their prompts, small, in HTML."""
    items = []
    for sample in samples:
        words = html.escape(sample["prompt"] or "no prompt")
        by = f'<span class="lb-help">{html.escape(sample["by"])}</span>' if sample["by"] else ""
        picture = html.escape(sample["picture"]) if sample["picture"].startswith("data:image/") else ""
        items.append(f'<li><img alt="{words}" src="{picture}"><span>{words}</span>{by}</li>')
    return f'<ul class="lb-published" aria-label="Samples">{"".join(items)}</ul>' if items else ""
