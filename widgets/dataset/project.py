"""Make a project, open one that exists, or open the demo."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING

import ipywidgets as ipw

from core.base.errors import ConfigError, DatasetError
from core.dataset.project import PROJECT_FILE, Project, ProjectInfo, folder_for, named_projects, shown_name
from widgets.demo import open_demo
from widgets.form import Form
from widgets.panel import Panel, Work
from widgets.pieces import findings_list, part, row, table

if TYPE_CHECKING:
    from core.dataset.opening_report import OpeningReport

FAMILIES = [("Stable Diffusion 1.5", "sd15"), ("SDXL, Pony, Illustrious, NoobAI", "sdxl")]


class ProjectPicker:
    """A list of the known projects, each by its name, and the folder of the chosen one."""

    def __init__(self) -> None:
        self._present: Path | None = None
        self.list = ipw.Dropdown(description="Your projects", options=[("none yet", "")])
        self.place = ipw.HTML()
        self.list.observe(lambda _: self._show_place(), "value")
        self.view = ipw.VBox([self.list, self.place]).add_class("lb-field").add_class("lb-field-projects")

    def look(self, present: Path | None) -> None:
        """Read the folder again; when another project was opened, it is the chosen one."""
        known = [(name, str(path)) for name, path in named_projects()]
        if present is not None and str(present) not in [value for _, value in known]:
            name = shown_name(present)
            known.append((f"{name} ({present})" if name in [other for other, _ in known] else name, str(present)))
        options = known or [("none yet", "")]
        if list(self.list.options) != options:
            chosen = self.list.value
            self.list.options = options
            if chosen in [value for _, value in options]:
                self.list.value = chosen
        if present is not None and present != self._present:
            self.list.value = str(present)
        self._present = present

    def choose(self, folder: Path) -> None:
        """Mark a project as the chosen one."""
        self.look(folder)
        self.list.value = str(folder)

    def chosen(self) -> Path:
        """The chosen folder. Raises: DatasetError: there is no project yet."""
        if not self.list.value:
            raise DatasetError("There is no project yet.", "Create one, or open the demo project.")
        return Path(self.list.value)

    def _show_place(self) -> None:
        self.place.value = _help(self.list.value and f"Opens the folder {self.list.value}.")


def facts(project: Project, report: OpeningReport | None = None) -> str:
    """What is known of a project, in HTML. Args: report: what lies in it, where that was looked for."""
    from core.dataset.images.files import count_images

    info = project.info()
    family = {value: label for label, value in FAMILIES}.get(info.family, info.family)
    held = report.rows() if report is not None else [("Pictures", f"{count_images(project.images):,}")]
    where = {"Beside the sources": ": look at them in the panel Captions beside the sources"}
    rows = [("Open project", info.name), *((name, words + where.get(name, "")) for name, words in held),
            ("Trigger word", info.trigger_word or "none yet"), ("Model family", family), ("Folder", project.folder)]
    return table(rows) + (findings_list(report.unfinished) if report is not None else "")


def nothing_open(lost: str, otherwise: str = "") -> str:
    """Why no project is open, in HTML. Args: lost: why the last one cannot be opened; otherwise: what is said where there was none."""
    return _help(f"The project that was open last cannot be opened. {lost}" if lost else otherwise)


def _help(sentence: str) -> str:
    return f'<p class="lb-help">{html.escape(sentence)}</p>' if sentence else ""


class ProjectPanel(Panel):
    """Creates and opens projects."""

    name = "project"
    title = "Project"
    purpose = "A project is one folder that holds your pictures, captions and trainings. Your own files are never changed."
    button = "Create the project"
    needs_project = False

    def controls(self) -> list[ipw.Widget]:
        """The known projects, and a form for a new one."""
        self.picker = ProjectPicker()
        self.form = Form(ProjectInfo, choices={"family": FAMILIES}, hide=("sources",))
        self._place = ipw.HTML()
        # Not at each letter: while the kernel is busy with one, the letters behind it wait, and a press of the button overtakes them.
        self.form.control("name").widget.observe(lambda _: self._show_place(), "value")
        opener = self.action("Open this project", self._open)
        demo = self.action("Open the demo project", self._open_demo)
        return [part("Open a project"), self.picker.view, row(opener, demo), part("Or make a new one"), self.form.view,
                self._place]

    def results(self) -> list[ipw.Widget]:
        """What is open."""
        self._facts = ipw.HTML()
        self._report: OpeningReport | None = None
        self._counting, self._again = False, False
        self._complaint = ""
        return [self._facts]

    def opened(self) -> None:
        """What was counted belongs to another project."""
        self._report = None

    def update(self) -> None:
        """Read the list of projects and the open one again; what lies in it is counted beside the kernel."""
        self.picker.look(self.session.folder)
        self._show_place()
        self._show_facts()
        if self._report is None:
            self._count()
        else:
            self.loop.calmly(self._count)

    def _show_facts(self) -> None:
        folder = self.session.folder
        self._facts.value = facts(Project(folder), self._report) if folder else nothing_open(self.session.lost)

    def _count(self, sources: bool = False) -> None:
        """First what lies in the project, then what stands beside its sources: these may lie on a slow drive."""
        folder = self.session.folder
        if self._counting:
            self._again = True
            return
        if folder is None:
            return
        self._counting, self._again = True, False

        def count() -> OpeningReport:
            from core.dataset.manager import DatasetManager
            from core.dataset.opening_report import OpeningSettings

            return DatasetManager.open(folder).opening(OpeningSettings(sources=sources))

        def show(report: OpeningReport | None, error: BaseException | None) -> None:
            self._counting = False
            if folder == self.session.folder and report is not None:
                if report.found is None and self._report is not None:
                    report.found = self._report.found
                self._report = report
                self._show_facts()
                if self.status.text == self._complaint:  # what could not be read can be read again
                    self.say("ready", "Ready")
            elif folder == self.session.folder and error is not None:
                self.fail(error)
                self._complaint = self.status.text
            if self._again or folder != self.session.folder:
                self._count()
            elif not sources and error is None:
                self._count(sources=True)

        self.loop.beside(count, show)

    def _show_place(self) -> None:
        """Say which folder the button would make."""
        name = self.form.control("name").widget.value.strip()
        try:
            folder = folder_for(name or "a")
        except ConfigError as error:
            self._place.value = _help(str(error))
            return
        if not name:
            self._place.value = _help(f"Its folder is made in {folder.parent}.")
        elif folder == self.session.folder:
            self._place.value = _help(f"The folder {folder} is the project that is open.")
        elif (folder / PROJECT_FILE).exists():
            self._place.value = _help(f"The folder {folder} is a project already: open it above, or take another name.")
        else:
            self._place.value = _help(f"It is made in the folder {folder}.")

    def run(self) -> str:
        """Create and open."""
        from core.dataset.manager import DatasetManager

        info = self.form.value()
        manager = DatasetManager.create(info.name, trigger=info.trigger_word, family=info.family)
        for name in ("name", "trigger_word"):  # the next project is another one
            self.form.control(name).write("")
        return self._opened(manager.project.folder, "created")

    def _open(self) -> str:
        return self._opened(self.picker.chosen(), "open")

    def _open_demo(self) -> Work:
        return Work("preparing the demo project", open_demo, lambda folder: self._opened(folder, "open"))

    def _opened(self, folder: Path, word: str) -> str:
        self.session.open(folder)
        self.picker.choose(folder)
        return f"{shown_name(folder)} is {word}. Go on with the next panel."
