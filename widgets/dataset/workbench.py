"""One picture at a time: look at its versions, try a tool on it, keep what is good; then the same for many."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets as ipw

from core.base.errors import Cancelled
from core.base.jobs import JobStatus
from core.base.settings import Settings, choices_of
from core.base.words import counted
from core.dataset import filtering
from core.dataset.images.manager import ImagesManager
from core.dataset.project import Project
from widgets.components.canvas import Canvas
from widgets.components.canvas_deeds import Wanted
from widgets.components.strip import Strip
from widgets.controls import Choices, Suggestions
from widgets.dataset.bench.cropping import CropTab
from widgets.dataset.bench.desk import Desk
from widgets.dataset.bench.drawing import DrawTab
from widgets.dataset.bench.many import ManyPictures
from widgets.dataset.bench.models import ModelsList
from widgets.dataset.bench.progress import TryProgress
from widgets.dataset.bench.repainting import RepaintTab
from widgets.dataset.bench.results import Results
from widgets.dataset.bench.tab import Tab, ToolTab
from widgets.dataset.bench.undoing import TakeBackRun
from widgets.dataset.bench.viewing import ViewTab
from widgets.dataset.browsing import Shelf
from widgets.dataset.importing import SHOWN, findings_of
from widgets.jobs_view import newest_job
from widgets.panel import Panel, Work
from widgets.session import Session

if TYPE_CHECKING:
    pass

GLANCE_SECONDS = 2.0
"""How often the folder's time is looked at."""
TIDY_SECONDS = 10.0
"""How often it is looked for models that nobody used for a while, or that are in the way of a job."""
NO_PICTURE = "Press a picture at the left first."


def _left_out_crops(status: JobStatus) -> list[str]:
    """Of a smart crop: which crops of a picture were not made, and why, where others were."""
    looked = [one for one in status.report.get("looked", []) if one["crops"] and one["left_out"]]
    told = [f"{one['name']}: not cut out: {'; '.join(one['left_out'])}." for one in looked[:SHOWN]]
    return [*told, f"and {len(looked) - SHOWN:,} more"] if len(looked) > SHOWN else told


class ModelNames(Suggestions):
    """Models of a kind; a file in its folder of models/ can be named too."""

    typed = "or its name"
    placeholder = "a file in its folder of models/"


class WorkbenchPanel(Panel):
    """The strip of pictures at the left, the canvas at the right, a tab for each kind of tool under it."""

    name = "workbench"
    title = "Workbench"
    purpose = ("Repair pictures one at a time, or try a tool on one before it goes over all. Every tool makes a version beside the "
               "picture; the picture itself is never touched, and training takes the best version.")
    button = "Try on this picture"
    needs_pictures = True

    def __init__(self, session: Session, number: int = 1) -> None:
        self._trying: TryProgress | None = None
        self._watching = False
        self._lying = ""
        super().__init__(session, number)

    def controls(self) -> Sequence[ipw.Widget]:
        """Strip, tabs, canvas and the open tab's settings."""
        self.strip = Strip(lambda kind, given: self.loop.soon(lambda: self.guard(lambda: self._asked(kind, given))),
                           (filtering.__doc__ or "").partition("\n\n")[2].strip(), "There are no pictures yet. Import some first.")
        self.shelf = Shelf(self.strip, self.loop, self.fail, self._rows_changed)
        self.canvas = Canvas(told=lambda deed: self.guard(lambda: self.tab.told(deed)), asked=self._sharpen,
                             soon=self.loop.soon, nothing="Press a picture at the left.")
        self.desk = Desk(self.canvas, self.loop, self._laid_out, self.fail)
        self.tabs: dict[str, Tab] = {tab.name: tab for tab in self._make_tabs()}
        self.tab = next(iter(self.tabs.values()))
        self.tab_choice = ipw.ToggleButtons(options=[(tab.title, name) for name, tab in self.tabs.items()]).add_class("lb-tabs")
        self.tab_choice.observe(self.heard(self._turn), "value")
        self.words = ipw.HTML().add_class("lb-bench-words")
        self.tries = Results(self)
        self._place = ipw.VBox()
        right = ipw.VBox([self.tab_choice, self.words, self.canvas, self.tries.view, self.buttons(), self.status, self._place])
        right.add_class("lb-bench-right")
        self._turn()
        return [ipw.HBox([ipw.VBox([self.strip]).add_class("lb-bench-left"), right]).add_class("lb-bench")]

    def _make_tabs(self) -> Sequence[Tab]:
        return (ViewTab(self), ToolTab(self, "resize", "Resize", {"resize": "Resize"}),
                ToolTab(self, "upscale", "Upscale", {"upscale": "Upscale", "enhance": "Enhance (faces, contrast, noise)"}),
                RepaintTab(self, "inpaint", "Inpaint", {"inpaint": "Inpaint"}), CropTab(self, "crop", "Crop", {"crop": "Crop"}),
                DrawTab(self, "mask", "Mask", {"mask": "Mask"}),
                ToolTab(self, "transparent", "Transparent", {"transparent": "Transparent"}))

    def extras(self) -> Sequence[ipw.Widget]:
        """Keeping or dropping what was tried, and the same for many pictures."""
        self.save = self.action("Save", self.save_now, lambda: self.tab.can_save()).add_class("lb-main")
        self.discard = self.action("Discard", lambda: self.tab.discard(), lambda: self.tab.can_discard())
        self.many = ManyPictures(self)
        return [self.save, self.discard, self.many.view]

    def results(self) -> Sequence[ipw.Widget]:
        """What a job left out."""
        self._skipped, self.models = ipw.HTML(), ModelsList(self)
        self.take_back = TakeBackRun(self, self.kept)
        return [self._skipped, self.take_back.view, self.models.view]

    # What tabs use

    @property
    def manager(self) -> ImagesManager | None:
        """The front desk of the picture tools; None: no project is open."""
        return self.session.dataset.images if self.session.folder is not None else None

    def choices_for(self, stage: str, cls: type[Settings]) -> Mapping[str, Choices]:
        """Values that a tool's fields are offered, which its class cannot list."""
        offered = self.manager.models_for(stage) if self.manager is not None else {}
        return {name: models if choices_of(cls.fields()[name]) else ModelNames(models) for name, models in offered.items()
                if name in cls.fields()}

    def look_at(self, name: str, against: str = "", keep_view: bool = False) -> None:
        """Show another version of the picture on the desk."""
        if self.manager is not None and self.desk.opened is not None:
            self.desk.open(self.manager, self.desk.opened.picture.id, name, against, keep_view)

    def look_again(self) -> None:
        """Something that buttons depend on has changed."""
        self._enable()

    def save_now(self) -> Work | None:
        """What the tab has to save."""
        return self.tab.save() if not self.tab.can_save() else None

    def renew(self) -> None:
        """Something was written that changes nothing of what is shown."""
        if self.manager is not None:
            self.desk.renew(self.manager)

    def kept(self, words: str) -> str:
        """Something was written or taken back: show the picture as it is now. Returns: the words, for the status line."""
        if self.manager is not None and self.desk.opened is not None:
            self.desk.open(self.manager, self.desk.opened.picture.id)
        return words

    # The panel's own work

    def opened(self) -> None:
        """Another project: nothing lies on the desk."""
        self.desk.close()
        self.tries.forget()
        self._skipped.value = ""
        self.take_back.forget()

    def update(self) -> None:
        """Look at the folder again."""
        self.shelf.open(Project(self.session.folder) if self.session.folder is not None else None)
        if not self._watching:
            self._watching = True
            self.loop.repeat(self._glance, GLANCE_SECONDS)
            self.loop.repeat(self._tidy, TIDY_SECONDS)

    def close(self) -> None:
        """Let go."""
        super().close()
        self.shelf.close()

    def advice(self) -> str:
        """A picture must lie on the desk, and the tab must have something to do."""
        return (NO_PICTURE if self.desk.opened is None else "") or (self.tab.blocked() if self.tab.button else "")

    def run(self) -> Work | None:
        """Try the tab's tool on the picture; nothing is written."""
        opened = self.desk.opened
        if opened is None:
            return None
        self._skipped.value = ""
        return self.tab.run(opened)

    def cancel(self) -> None:
        """Stop what is tried, or the job."""
        if self._trying is not None and self._busy:
            self._trying.cancel()
            self.status.say("working", "Working: stopping")
        else:
            super().cancel()

    def fail(self, error: BaseException) -> None:
        """A try that was stopped is no fault."""
        was_trying, self._trying = self._trying, None
        if isinstance(error, Cancelled) and was_trying is not None:
            self.done("stopped. Nothing was changed.")
        else:
            super().fail(error)

    def begun(self) -> None:
        """A job is followed."""
        self._skipped.value = ""
        self.take_back.forget()

    def show_report(self, status: JobStatus) -> None:
        """What the job left out, and the picture as it is now."""
        self._skipped.value = findings_of(_left_out_crops(status), status)
        self.take_back.look(status, self.job.stage if self.job is not None else "")
        self.tab.offer_models()
        if self.desk.tried is None:
            self.kept("")

    def _sharpen(self, wanted: Wanted) -> None:
        self.desk.sharpen(wanted)
        self.tab.sharpen()

    def _say_try(self, words: str, part: float) -> None:
        if self._trying is not None:
            self.status.say("working", words, part)

    def try_progress(self) -> TryProgress:
        """For a tool that is tried now: the status line tells of it, and Cancel stops it."""
        self._trying = TryProgress(self.loop, self._say_try)
        return self._trying

    def settle(self) -> None:
        """Say what is the matter, unless it works."""
        if not self.working():
            self._settle()

    def tried_is_over(self) -> None:
        """Cancel stops nothing any more."""
        self._trying = None

    def _show_tab(self) -> None:
        """Tell the tab what lies on the desk; what it tried on it earlier is shown again."""
        self.tab.show(self.desk.opened)
        self.tries.lay_again()

    def _asked(self, kind: str, given: Mapping[str, Any]) -> None:
        if kind == "open":
            if given["version"] == self.shelf.view.version and 0 <= int(given["row"]) < len(self.shelf):
                self._open(self.shelf.key(int(given["row"])))
        else:
            self.shelf.asked(kind, given)
            if kind == "select":
                self._rows_changed()

    def _open(self, key: str) -> None:
        if self.manager is None or key.startswith("rejected/"):
            return
        if self.desk.opened is None or self.desk.opened.picture.name != key:
            self.desk.open(self.manager, Path(key).stem)

    def _rows_changed(self) -> None:
        self.many.look()
        self._enable()

    def _laid_out(self, is_other: bool) -> None:
        """Something else lies on the desk, or more is known of it."""
        opened, tried = self.desk.opened, self.desk.tried
        key = opened.picture.name if opened is not None else ""
        if key != self._lying:
            self._lying = key
            self.forget_told()
        self.strip.show_opened(key, self.shelf.row_of(key) if key else -1)
        self.tries.look()
        self.canvas.locked = tried is not None  # a result is looked at, not drawn on
        if tried is None and is_other:
            self._show_tab()
        elif not is_other:
            self.tab.renewed(opened)
        present = "" if opened is None else f"<b>{html.escape(opened.picture.name)}</b>: {html.escape(self._shown_words())}"
        if self.words.value != present:
            self.words.value = present
        if not self.working() and tried is None:
            self._settle()
        self._enable()

    def _shown_words(self) -> str:
        opened = self.desk.opened
        if opened is None:
            return ""
        if self.desk.tried is not None:
            return "a try, not saved yet"
        words = opened.shown.words()
        kinds = [version.kind for version in opened.picture.versions if version.kind is not None]
        masks, parts = kinds.count("mask"), kinds.count("part")
        numbers = {"version": len(kinds) - masks - parts, "part": parts, "mask": masks}
        others = [counted(number, what) for what, number in numbers.items() if number]
        present = "" if opened.shown.is_present else "; it is not the present version"
        return f"{words}{present}. Beside it: {', '.join(others) or 'nothing yet'}."

    def _turn(self) -> None:
        """Another tab."""
        self.tab.end()
        self.tab = self.tabs[str(self.tab_choice.value)] if hasattr(self, "tab_choice") else self.tab
        self.tab.begin()
        self._place.children = [self.tab.view]
        self.main.description = self.tab.button or self.button
        self.forget_told()
        opened = self.desk.opened
        if opened is not None and self.manager is not None and (self.desk.tried is not None or not self.tab.may_show(opened.shown)):
            self.desk.open(self.manager, opened.picture.id)
        else:
            self._show_tab()
        self._enable()

    def _enable(self) -> None:
        super()._enable()
        if not hasattr(self, "many"):
            return
        has_tool = bool(self.tab.button)
        for button in (self.main, self.save, self.discard):
            button.layout.display = "" if has_tool else "none"
        self.many.view.layout.display = "" if self.tab.stage else "none"
        if self._trying is not None and self._busy:
            self.stop.layout.display = ""

    def _take_up_job(self) -> None:
        stages = {stage for tab in self.tabs.values() for stage in tab.stages}
        jobs = [job for stage in stages if (job := newest_job(self.place(), stage)) is not None]
        if jobs:
            self.follow(max(jobs, key=lambda job: job.id))

    def _tidy(self) -> bool:
        if self.manager is not None:
            self.manager.unload_idle_models()
        return True

    def _glance(self) -> bool:
        self.guard(self.shelf.glance)
        return True
