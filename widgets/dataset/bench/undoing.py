"""The way back from a job: every version that it made is put aside, and what it replaced stands again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.base.jobs import JobStatus
from widgets.panel import Panel, Work
from widgets.pieces import row

if TYPE_CHECKING:
    from core.dataset.images.manager import ImagesManager


class TakeBackRun:
    """A button under the report of a finished job; it is shown where the job made versions.

    Args: panel: which stands in its place. done: called when they were put aside, with the sentence for the status line; returns it.
    """

    def __init__(self, panel: Panel, done: Callable[[str], str]) -> None:
        self._panel, self._done = panel, done
        self._names: tuple[str, ...] = ()
        self._tools: tuple[str, ...] = ()
        self.button = panel.action("Take back what it made", self._act, lambda: "" if self._names else "There is nothing to take back.",
                                   lambda: "Put these versions aside; what they replaced stands again", alone=True)
        self.view = row(self.button)
        self.forget()

    def look(self, status: JobStatus, stage: str) -> None:
        """Offer it for what a job made. Args: stage: the job's, where its report does not name the tools."""
        made = made_by(status.report, stage)
        self._names, self._tools = tuple(name for names in made.values() for name in names), tuple(made)
        self.view.layout.display = "" if self._names else "none"

    def forget(self) -> None:
        """Another project, or another job."""
        self._names, self._tools, self.view.layout.display = (), (), "none"

    def _act(self) -> Work | None:
        manager: ImagesManager = self._panel.session.dataset.images
        names, tools = self._names, self._tools

        def back(words: str) -> str:
            self.forget()
            return self._done(words)

        return Work("taking the versions back", lambda: manager.take_back_made(names, tools), back)


def made_by(report: Mapping[str, Any], stage: str) -> dict[str, list[str]]:
    """Tool → file names of the versions that it made, of the report of a tool's job, or of one of several tools."""
    steps: Mapping[str, Mapping[str, Any]] = report.get("steps") or {stage: report}
    return {tool: [str(one["name"]) for one in made] for tool, step in steps.items() if (made := _listed(step.get("made")))}


def _listed(made: object) -> Sequence[Mapping[str, Any]]:
    return made if isinstance(made, list) else ()
