"""Bring pictures into the project."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

import ipywidgets as ipw

from core.base.errors import StudioError
from core.base.jobs import Job, JobStatus
from core.dataset.sources import SOURCES, places
from core.dataset.sources.download import refuse_password
from core.dataset.sources.drive import connect_drive, is_colab, is_connected
from core.dataset.sources.gallery import SITES, check_credentials, find_program
from core.dataset.sources.import_report import words_of_others
from core.dataset.sources.import_settings import ImportSettings
from widgets.dataset.folder_browser import FolderBrowser
from widgets.demo import demo_pictures, is_demo
from widgets.form import Form
from widgets.panel import Panel
from widgets.pieces import row

SITE_NAMES = [("an address", "address"), ("Gelbooru", "gelbooru"), ("Danbooru", "danbooru"), ("Safebooru", "safebooru"),
              ("Konachan", "konachan"), ("yande.re", "yandere"), ("Pixiv", "pixiv")]
KINDS = [("Folder or archive on this machine", "auto"),
         *((entry.title, entry.name) for entry in SOURCES if entry.options.get("remote"))]
"""What the panel offers; a folder and an archive are told apart by themselves."""
DRIVE = ("Google Drive", "drive")
"""What it offers on Colab besides: nowhere else can Google Drive be connected."""
WORDS = {
    "auto": ("Folder or archive", "/data/cats or /data/cats.zip", "A folder with images, or a zip or tar archive. It is never changed."),
    "drive": ("Folder or archive on Google Drive", "pictures/cats", "Its path inside My Drive; Browse Google Drive looks for one. It is "
                                                                    "never changed."),
    "url": ("Address", "https://example.org/cats.zip", "Of the download itself, not of the page that it stands on."),
    "huggingface": ("Repository", "owner/name", "Its name, or the address of its page or of a folder in it."),
    "gallery": ("Tags or address", "1girl solo rating:general", "Tags as the site writes them, with spaces between, or the address of a "
                                                                "list of pictures."),
}
"""What is asked for, an example, and help, by kind."""


class ImportPanel(Panel):
    """Starts the import job and lists what was left out. One kind of source is chosen, and only its fields are shown."""

    name = "import"
    title = "Import"
    purpose = ("Copy pictures, with their captions, into the project: from a folder or an archive, an address, Hugging Face or a picture "
               "site. The source stays as it is.")
    button = "Import"
    stage = "import"

    def controls(self) -> list[ipw.Widget]:
        """From where, and how."""
        self._filled_for: Path | None = None
        self._given = {"auto": ""}
        self._kind = "auto"
        kinds = [*KINDS[:1], *([DRIVE] if is_colab() else []), *KINDS[1:]]
        self.form = Form(ImportSettings, choices={"kind": kinds, "gallery.site": SITE_NAMES})
        self.browser = FolderBrowser(self, self._take)
        self.drive_browser = FolderBrowser(self, self._take, places.DRIVE, "Browse Google Drive")
        self.connect = self.action("Connect Google Drive", self._connect)
        self.form.control("kind").widget.observe(lambda _: self._show_kind(), "value")
        self.form.control("gallery.site").widget.observe(lambda _: self._show_readiness(), "value")
        fields = self.form.control("source").view
        fields.children = [*fields.children, self.browser.view, *([row(self.connect), self.drive_browser.view] if is_colab() else [])]
        self._show_kind()
        return [self.form.view]

    def _show_kind(self) -> None:
        """Only the fields of the chosen kind, with what was given for it before."""
        chosen, source = self.form.control("kind"), self.form.control("source")
        self._given[self._kind], kind = source.widget.value, chosen.widget.value
        self._kind = kind
        for entry in SOURCES:
            if entry.options.get("remote"):
                self.form.section_box(entry.name).layout.display = "" if entry.name == kind else "none"
        source.widget.description, source.widget.placeholder, source.help = WORDS[kind]
        source.widget.value = self._given.get(kind, "")
        chosen.help = "" if kind == "auto" else SOURCES.entry(kind).note
        self.browser.view.layout.display = "" if kind == "auto" else "none"
        self._show_drive()
        chosen.complain("")
        source.complain("")
        self._show_readiness()

    def _show_readiness(self) -> None:
        """Say what the kind lacks before the button is pressed."""
        kind, source = self._kind, self.form.control("source")
        first = "Connect Google Drive first: Google asks for your consent, and this waits for it."
        hints = {"auto": places.drive_hint(is_colab()), "drive": "" if is_connected() else first}
        source.remark(hints.get(kind, ""))
        if kind != "gallery":
            return
        try:
            find_program()
            check_credentials(SITES.get(self.form.control("gallery.site").widget.value, ""))
        except StudioError as error:
            source.remark(str(error), wrong=True)

    def _show_drive(self) -> None:
        """The way to Google Drive, where that is the kind: first the button, then its folders."""
        chosen, there = self._kind == "drive", is_connected()
        self.connect.layout.display = "" if chosen and not there else "none"
        self.drive_browser.view.layout.display = "" if chosen and there else "none"

    def _connect(self) -> str:
        """In the kernel's own thread, as Colab's question to the browser needs it."""
        self.status.say("working", "Working: waiting for Google's consent in the browser")
        folder = connect_drive()
        self._show_drive()
        self._show_readiness()
        self.drive_browser.toggle.value = True
        return f"Google Drive is connected as {folder}. Choose a folder of it."

    def _take(self, path: Path) -> None:
        self.form.control("source").widget.value = str(path)

    def results(self) -> list[ipw.Widget]:
        """What was left out, with the reasons."""
        self._skipped = ipw.HTML()
        return [self._skipped]

    def opened(self) -> None:
        """Another project has another source; that of the demo project is the demo's pictures."""
        source = self.form.control("source").widget
        self.form.control("kind").widget.value = "auto"
        if is_demo(self.session.folder):
            source.value = str(demo_pictures())
        elif self._filled_for is not None:
            source.value = ""
        self._filled_for = self.session.folder
        self._skipped.value = ""

    def run(self) -> Job:
        """Start the job. Raises: DatasetError: the address holds a password, which is never written down."""
        settings = self.form.value()
        refuse_password(settings.source)
        return self.start(settings)

    def begun(self) -> None:
        """What another import left out is no answer to this one."""
        self._skipped.value = ""

    def show_report(self, status: JobStatus) -> None:
        """Tell what was changed or there already, and what was skipped."""
        self._skipped.value = import_list(status)


SHOWN = 100
"""Files that are named one by one: a browser is slow with thousands of lines."""
NAMED = 5
"""Files that are named for one reason in one line."""


def import_list(status: JobStatus) -> str:
    """What an import changed on the way, what was there before, and what it left out, as a list in HTML; empty where there is nothing."""
    changed: dict[str, list[str]] = {}
    for image in status.report.get("imported", []):
        for change in image["changes"]:
            changed.setdefault(change, []).append(image["source"])
    already = [image["source"] + (f" as {image['name']}" if image["name"] not in ("", Path(image["source"]).name) else "")
               for image in status.report.get("already", [])]
    return findings_of([*(f"{some(names)}: {change}." for change, names in changed.items()),
                        *([f"Already in the project: {some(already)}."] if already else [])], status)


def skipped_list(status: JobStatus) -> str:
    """What a job left out and why, as a list in HTML; empty when nothing was."""
    return findings_of([], status)


def findings_of(said: Sequence[str], status: JobStatus) -> str:
    """Sentences, then what a job left out and why, as a list in HTML. Args: said: what is good to know."""
    others, skipped = words_of_others(status.report.get("others", {})), status.report.get("skipped", [])
    lines = [f"<li class='lb-info'>{html.escape(one)}</li>" for one in (*said, *([others] if others else []))]
    lines += [f"<li class='lb-warning'><b>{html.escape(str(item['name']))}</b>: {html.escape(str(item['reason']))}</li>"
              for item in status.report.get("doubtful", [])[:SHOWN]]
    lines += [f"<li class='lb-warning'><b>{html.escape(str(item['name']))}</b> was left out: {html.escape(str(item['reason']))}</li>"
              for item in skipped[:SHOWN]]
    if more := len(skipped) - SHOWN if len(skipped) > SHOWN else 0:
        lines.append(f"<li class='lb-warning'>and {more:,} more. <code>report.json</code> in the newest folder of the project's "
                     "<code>jobs/</code> names them all.</li>")
    return f'<ul class="lb-findings">{"".join(lines)}</ul>' if lines else ""


def some(names: Sequence[str]) -> str:
    """The first names, and how many more: "a.png, b.png and 3 more"."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more:,} more" if more > 0 else "")
