"""The whole way through Dataset_Maker in a browser, from a folder of pictures to the handover; the time of each step is kept."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import expect

from core.base.paths import DEMO_ASSETS, ROOT
from tests.e2e.lab import Browser, Lab, keep_picture, run_all

NOTEBOOK = "Dataset_Maker.ipynb"
TAGGER = DEMO_ASSETS / "tagger"
"""A small tagger of the WD interface, for those taggers' weights are not here."""
EVERY_PANEL = ("import", "rename", "duplicates", "quality", "tag", "gallery", "statistics", "edit", "history", "overview", "preview",
               "check", "handover")


@dataclass
class Way:
    """One person's way on one page.

    Args: page: the notebook, run. patience: seconds after which a step has failed.
    """

    page: Any
    patience: float
    seconds: dict[str, float] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)
    """Step → the sentence that the panel ended it with."""

    def panel(self, name: str) -> Any:
        return self.page.locator(f".lb-panel-{name}")

    def press(self, name: str, words: str, exact: bool = True) -> None:
        self.panel(name).get_by_role("button", name=words, exact=exact).click()

    def does(self, step: str, name: str, words: str, pattern: str = "^Done: ") -> str:
        """Press a button and wait for the sentence. Returns: the sentence."""
        status = self.panel(name).get_by_role("status").first
        with self.timed(step):
            self.press(name, words)
            expect(status).to_have_text(re.compile(pattern), timeout=1000 * self.patience)
        self.said[step] = status.inner_text()
        return self.said[step]

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        begun = time.perf_counter()
        yield
        self.seconds[step] = round(time.perf_counter() - begun, 2)

    def begin(self, source: Path) -> None:
        """A project with the pictures of a folder."""
        project = self.panel("project")
        project.get_by_label("Name").fill("Whole way")
        project.get_by_label("Trigger word").fill("mychar")
        self.does("create", "project", "Create the project", "^Done: Whole way is created")
        self.panel("import").get_by_label("Folder or archive").fill(str(source))
        self.does("import", "import", "Import", "^Done: .* images imported")

    def curate(self) -> None:
        """Names looked at, doubles put aside, all measured. There must be doubles."""
        self.does("rename preview", "rename", "Preview the names", "Done: |would|new names")
        self.does("duplicates", "duplicates", "Look for duplicates")
        keep = "Keep the best of every group"
        expect(self.panel("duplicates").get_by_role("button", name=keep)).to_be_enabled(timeout=1000 * self.patience)
        self.does("keep the best", "duplicates", keep, "rejected")
        self.does("quality", "quality", "Measure the pictures")

    def caption(self) -> None:
        """Tagged, one caption mended by hand, all changed at once and taken back."""
        self.press("tag", "Show more settings", exact=False)
        self.panel("tag").get_by_label("Local model folder").fill(str(TAGGER))
        self.does("tag", "tag", "Tag the pictures")
        with self.timed("save one caption"):
            self.page.get_by_test_id("as-text").click()
            box = self.page.get_by_test_id("caption")
            expect(box).not_to_have_value("")
            box.press("End")
            box.press_sequentially(", by hand")
            box.press("Control+s")
            expect(self.page.get_by_test_id("caption-note")).to_have_text(re.compile("^Saved"))
        self.does("statistics", "statistics", "Look at the captions", "Done: ")
        edit = self.panel("edit")
        self.press("statistics", "Sort by frequency …")
        expect(edit).to_be_in_viewport()  # it comes into view with the change that was laid out
        expect(edit).to_be_focused()
        edit.get_by_label("What to do").select_option(label="Add at the end")
        expect(edit).to_contain_text("they stay where they are")  # the fields of that change
        edit.get_by_label("Tags", exact=True).first.fill("studio photo")
        self.does("edit preview", "edit", "Preview the change", r"Would change \d+ of")
        with self.timed("edit"):
            edit.get_by_role("button", name=re.compile(r"^Change \d+ captions?$")).click()
            expect(edit.get_by_role("status").first).to_have_text(re.compile("^Done: .*changed"), timeout=1000 * self.patience)
        self.does("undo", "history", "Undo the last change")

    def end(self) -> None:
        """Looked over, seen with the trainer's eyes, checked, handed over."""
        self.does("overview", "overview", "Look over the dataset")
        with self.timed("preview"):
            expect(self.page.get_by_test_id("preview-captions").locator("li")).to_have_count(10, timeout=1000 * self.patience)
        self.does("check", "check", "Check the dataset")
        self.does("hand over", "handover", "Hand over to Trainer")


@contextmanager
def on_the_way(folder: Path, theme: str = "light", patience: float = 120) -> Iterator[Way]:
    """The notebook, open and run in a folder of its own, with its projects beside it."""
    notebooks, projects = folder / "notebooks", folder / "projects"
    notebooks.mkdir(parents=True)
    projects.mkdir()
    shutil.copy(ROOT / NOTEBOOK, notebooks / NOTEBOOK)
    environ = {"LORABOOK_PROJECTS": str(projects)}
    with Lab(notebooks, environ, theme=theme) as lab, Browser(height=1600) as context:
        page = lab.open(context, NOTEBOOK)
        run_all(page)
        yield Way(page, patience)
        assert context.errors == []


def keep_pictures(way: Way, mark: str) -> None:
    """A screenshot of every panel."""
    for name in EVERY_PANEL:
        keep_picture(way.page, name, f"{name}_{mark}")
