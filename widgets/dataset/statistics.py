"""Which tags are used how often, and what is doubtful in the captions."""

from __future__ import annotations

import contextlib
import html
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import ipywidgets as ipw

from core.base.errors import ConfigError, StudioError
from core.base.families import CAPTION_FAMILIES
from core.base.words import counted
from core.dataset.captions.arranging import Sort
from core.dataset.captions.doubts import rename
from core.dataset.captions.edit_settings import EditSettings
from core.dataset.captions.lint import CaptionFinding, LintSettings, find_in_captions, target_of
from core.dataset.captions.operations import Remove
from core.dataset.captions.statistics import TagCounts, holding, tag_frequencies
from core.dataset.captions.target import choose_family, chosen_family, find_target, plain_target
from core.dataset.manager import DatasetManager
from core.dataset.project import Project
from widgets.components.tag_bars import TagBar, TagBars
from widgets.dataset.gallery import shown_gallery
from widgets.dataset.watching import FolderWatch
from widgets.form import Form
from widgets.panel import Panel, Work
from widgets.pieces import findings_list, let_go, part, row

MOST_FINDINGS = 40
GLANCE_SECONDS = 1.0
"""How often the folder's time is looked at once the captions were counted."""
STALE = "Captions were changed since the findings were looked for. Press 'Look at the captions' to look again."
MEND = {"missing": "Give them the trigger word …", "trigger": "Put the trigger word first …", "trigger_first": "Put it first …",
        "trigger_spelling": "Write it alike …", "tokens": "Shorten them …", "quality": "Take them out …", "ratings": "Write them anew …",
        "underscores": "Write them anew …", "contradiction": "Take the rarer one out …", "doubles": "Take the second out …",
        "format": "Mend the format …", "variants": "Write them alike …", "misspelt": "Replace them …", "fused": "Take them out …",
        "near_constant": "Add it …"}
"""Words of the button below a finding; pressing it shows the preview and changes nothing."""
FAMILY_CHOICES = [("As in Trainer, else as the project", "auto"), *((family.title, name) for name, family in CAPTION_FAMILIES.items())]


@dataclass(frozen=True)
class Looked:
    """What was found out at once."""

    captions: dict[str, str | None]
    counts: TagCounts
    findings: list[CaptionFinding]


class StatisticsPanel(Panel):
    """Numbers of tags, and findings that lead to the bulk edit which mends them."""

    name = "statistics"
    title = "Tags and findings"
    purpose = "See which tags are used how often, and what is doubtful. Each finding leads to the change that mends it."
    button = "Look at the captions"
    needs_pictures = True

    def controls(self) -> list[ipw.Widget]:
        """For which training."""
        self._looked: Looked | None = None
        self._chosen: list[str] = []
        self._watch, self._watching, self._counts = FolderWatch(), False, 0
        self.form = Form(LintSettings, choices={"family": FAMILY_CHOICES})
        self.form.on_change(self.heard(self._tell_target))
        self._target: tuple[object, ...] = ()
        self._about = ipw.HTML()
        return [self.form.view, self._about]

    def results(self) -> list[ipw.Widget]:
        """The tags, what can be done with those that are chosen, and the findings."""
        self.bars = TagBars(lambda tag, choose: self.loop.soon(lambda: self.guard(lambda: self._press(tag, choose))))
        self.take_out = self.action("Take the chosen tag out …", lambda: self._lay_out_tag("remove"), self._none_chosen)
        self.replace = self.action("Replace the chosen tag …", lambda: self._lay_out_tag("replace"), self._none_chosen)
        self.show = self.action("Show them in the gallery", self._show_in_gallery, self._none_chosen)
        self.sort = self.action("Sort by frequency …", lambda: self._lay_out(EditSettings(operations=(Sort(),))), self.blocked)
        self._which = ipw.HTML()
        self._tag_row = row(self.show, self.take_out, self.replace, self.sort)
        self._tags = ipw.VBox([part("Tags"), self.bars, self._which, self._tag_row])
        self._found, self._stale = ipw.VBox(), ipw.HTML()
        self._show(None)
        return [self._stale, self._found, self._tags]

    def opened(self) -> None:
        """Numbers of another project are of no use; the family that was chosen for this one is shown."""
        self._chosen = []
        self._show(None)
        folder = self.session.folder
        self.form.control("family").write((chosen_family(Project(folder)) if folder is not None else "") or "auto")
        self._tell_target()

    def update(self) -> None:
        """Trainer may say something else by now, and captions may be others."""
        self._tell_target()
        self._glance()
        if not self._watching:
            self._watching = True
            self.loop.repeat(self.patient(self._glance), GLANCE_SECONDS)

    def _glance(self) -> bool:
        """Where captions were changed after a look, count them anew. Finding what is doubtful takes too long for that."""
        if self._looked is not None and self._watch.changed(self.session.dataset.project.images):
            self.loop.calmly(self._count_again)
        return True

    def _count_again(self) -> None:
        """Count beside the kernel, without a word; what is chosen stays."""
        before = self._looked
        if before is None:
            return
        if self._busy:
            self.loop.calmly(self._count_again)
            return
        self._counts += 1
        count, manager = self._counts, self.session.dataset

        def show(found: tuple[dict[str, str | None], TagCounts] | None, error: BaseException | None) -> None:
            if self._looked is not before or count != self._counts:
                return
            if found is None:
                self.fail(error or RuntimeError("nothing came back"))
            elif found[0] != before.captions:
                self._looked = Looked(*found, before.findings)
                self._chosen = [tag for tag in self._chosen if tag in found[1]]
                self._stale.value = f'<p class="lb-help">{html.escape(STALE)}</p>'
                self._show_tags()
                self._enable()

        self.loop.beside(lambda: count_tags(manager), show)

    def run(self) -> Work:
        """Read all captions, count, and look; the chosen family is remembered, so that the gallery counts for it too."""
        settings, manager = self.form.value(), self.session.dataset
        choose_family(manager.project, settings.family)
        self._watch.changed(manager.project.images)
        return Work("reading the captions", lambda: look(manager, settings), self._done)

    def _tell_target(self) -> None:
        """Say what the family wants and how much of a caption it reads: a vocabulary may have to be opened for that."""
        folder = self.session.folder
        family, tokens = self.form.control("family").read(), 0
        with contextlib.suppress(ConfigError):
            tokens = self.form.value().max_token_length
        asked = (folder, family, tokens)
        self._target = asked

        def told() -> str:
            return (find_target(Project(folder), family, tokens) if folder is not None else plain_target(family, tokens)).sentence()

        def show(sentence: str, error: BaseException | None) -> None:
            if asked == self._target:
                self._about.value = f'<p class="lb-help">{html.escape(sentence)}</p>' if error is None else ""

        self.loop.beside(told, show)

    def _done(self, looked: Looked) -> str:
        self._chosen = [tag for tag in self._chosen if tag in looked.counts]
        self._show(looked)
        with_caption = sum(1 for text in looked.captions.values() if text)
        found = counted(len(looked.findings), "finding") if looked.findings else "nothing doubtful"
        return f"{counted(len(looked.counts), 'different tag')} in {counted(with_caption, 'caption')}, {found}."

    def _show(self, looked: Looked | None) -> None:
        self._looked, self._stale.value = looked, ""
        self._tags.layout.display = "none" if looked is None else ""
        gone = self._found.children
        self._actions = [action for action in self._actions if "lb-mend" not in action[0]._dom_classes]
        self._found.children = self._findings(looked.findings) if looked is not None else []
        for box in gone:
            let_go(box)
        self._show_tags()

    def _show_tags(self) -> None:
        looked = self._looked
        if looked is None:
            self.bars.show([], 0)
            return
        counts = looked.counts
        here = {name: text for name, text in looked.captions.items() if text}
        if self._chosen:
            for tag in self._chosen:
                here = {name: here[name] for name in holding(here, tag)}
            counts = tag_frequencies(here)
        ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        self.bars.show([TagBar(looked.counts.shown(key), count) for key, count in ordered], len(here), self._chosen)
        names = list(here)
        more = f" and {len(names) - 8} more" if len(names) > 8 else ""
        self._which.value = f'<p class="lb-help">In: {html.escape(", ".join(names[:8]))}{more}</p>' if self._chosen else ""

    def _press(self, tag: str, choose: bool) -> None:
        self._chosen = [*self._chosen, tag] if choose else [one for one in self._chosen if one != tag]
        self._show_tags()
        self._enable()

    def _none_chosen(self) -> str:
        return self.blocked() or ("" if self._chosen else "Press a tag in the list first.")

    def _findings(self, findings: Sequence[CaptionFinding]) -> list[ipw.Widget]:
        if not findings:
            return [part("Findings"), ipw.HTML('<p class="lb-help">Nothing doubtful was found.</p>')]
        shown: list[ipw.Widget] = [part("Findings")]
        for finding in findings[:MOST_FINDINGS]:
            buttons: list[ipw.Button] = []
            if finding.fix is not None:
                buttons.append(self.action(MEND.get(finding.kind, "Show the change …"), partial(self._lay_out, finding.fix)))
            if finding.ids:
                words = f"Select {counted(len(finding.ids), 'picture')} in the gallery"
                buttons.append(self.action(words, partial(self._select, finding.ids)))
            told = ipw.HTML(findings_list([finding]))
            below = row(*(button.add_class("lb-mend") for button in buttons))
            below.layout.margin = "0 0 8px 16px"  # under the words, not under the bar before them
            shown.append(ipw.VBox([told, *([below] if buttons else [])]).add_class("lb-finding"))
        if len(findings) > MOST_FINDINGS:
            shown.append(ipw.HTML(f'<p class="lb-help">and {len(findings) - MOST_FINDINGS} more; mend these first, then look again.</p>'))
        return shown

    def _select(self, ids: Sequence[str]) -> str:
        """Select a finding's pictures, so that they can be looked at, tagged or captioned. Raises: StudioError: no gallery."""
        panel = shown_gallery(self.session)
        panel.select(ids)
        panel.status.come()
        return f"{len(ids)} selected in panel {panel.number}, {panel.title}; Tag and Caption offer 'Selected in the gallery'."

    def _show_in_gallery(self) -> str:
        """Only the pictures that hold all chosen tags. Raises: StudioError: the gallery is not on screen."""
        panel = shown_gallery(self.session)
        panel.show_filter(" ".join(f'tag:"{quoted}"' for quoted in (tag.replace('"', '?') for tag in self._chosen)))
        panel.status.come()
        return f"panel {panel.number}, {panel.title}, shows them."

    def _lay_out_tag(self, what: str) -> str:
        tag = self._chosen[-1]
        operation = Remove(tags=tag) if what == "remove" else rename([tag], [tag])
        return self._lay_out(EditSettings(operations=(operation,)))

    def _lay_out(self, settings: EditSettings) -> str:
        """Hand a change to the bulk edit panel. Raises: StudioError: that panel is not on screen."""
        panel = self.session.panels.get("edit")
        if panel is None:
            raise StudioError("The Bulk edit panel is not shown yet.", "Run its cell, then press again.")
        panel.guard(lambda: panel.take(settings))
        panel.status.come()
        return f"the change is laid out in panel {panel.number}, {panel.title}: look at the preview there."


def look(manager: DatasetManager, settings: LintSettings) -> Looked:
    """Read the captions once, for numbers and findings."""
    captions, counts = count_tags(manager)
    trigger = settings.trigger_word or manager.project.trigger_word
    return Looked(captions, counts, find_in_captions(captions, settings, trigger, target=target_of(manager.project, settings)))


def count_tags(manager: DatasetManager) -> tuple[dict[str, str | None], TagCounts]:
    """All captions by picture, and how many of them hold each tag."""
    captions = {item.id: item.caption for item in manager.items()}
    return captions, tag_frequencies({name: text for name, text in captions.items() if text})
