"""A list of LoRA files with a weight each: a file is added, weighed, block by block if wanted, and taken out again."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Sequence
from typing import cast

import ipywidgets as ipw

from core.base.settings import Settings, setting
from widgets.components.block_weights import BlockWeights
from widgets.controls import Choices, SuggestionControl, make_control
from widgets.panel import Panel
from widgets.pieces import Fold, part, row
from widgets.utilities import showing
from widgets.utilities.lora_panel import LoraFiles
from widgets.utilities.reading import READING, LoraFacts, Reads

ALL_ZERO = "Every weight is 0, so nothing would be added. Give at least one file another weight."
NUMBER = re.compile(r"-?(\d+\.?\d*|\.\d+)(e-?\d+)?")
BLOCKS_HELP = ("Multiplies the file's weight in that block, or in a whole part of the model; empty is 1, and 0 leaves it out. A block's "
               "own number counts before its part's.")
RULE = re.compile(r"(?:(\d+)\s*:)?\s*([^=:]+?)\s*=\s*(\S+)")
"""As the settings have it: "2: up 1=0.5"."""


class WeightedFile(Settings):
    """One row."""

    file: str = setting(..., "LoRA file")
    weight: float = setting(1.0, "Weight", "1 is all of it, 0.5 half; below 0 takes it away.")


class WeightedFiles:
    """Rows of files. Whatever a person changes is told at once; each file's header is read as soon as it is chosen.

    Args:
        panel: whose buttons they are, and in whose thread they change.
        least: rows that are always there.
        reads: what is known of a file.
        changed: called after something was changed.
    """

    def __init__(self, panel: Panel, least: int, reads: Reads[LoraFacts], changed: Callable[[], None]) -> None:
        self._panel, self._least, self._reads, self._tell = panel, least, reads, changed
        self._offered: Choices = ()
        self._filling = False
        self._followed = ""
        self._made: list[FileRow] = []
        self.rows: list[FileRow] = []
        """Those that are shown."""
        self._box = ipw.VBox().add_class("lb-form")
        self.add = panel.action("Add a file", self._add)
        self.add.layout.align_self = "flex-start"
        self.view = ipw.VBox([part("LoRA files"), self._box, self.add]).add_class("lb-form")
        self._keep_rows(least)

    @property
    def files(self) -> tuple[str, ...]:
        """Those that are chosen; rows without a file count as none."""
        return tuple(line.file for line in self._given())

    @property
    def weights(self) -> tuple[float, ...]:
        """One for each of `files`."""
        return tuple(line.weight for line in self._given())

    @property
    def blocks(self) -> tuple[str, ...]:
        """Weights of blocks, as the settings have them: "2: up 1=0.5"."""
        return tuple(f"{number}: {name}={value}" for number, line in enumerate(self._given(), 1) for name, value in line.blocks().items())

    def fill(self, files: Sequence[str], weights: Sequence[float] = (), blocks: Sequence[str] = ()) -> None:
        """Show these files. Args: as the settings have them."""
        self._filling = True
        self._keep_rows(max(len(files), self._least))
        own: list[dict[str, str]] = [{} for _ in self.rows]
        for rule in filter(None, map(RULE.fullmatch, blocks)):
            for number in [int(rule[1]) - 1] if rule[1] else range(len(files)):
                own[number][rule[2]] = rule[3]
        for number, line in enumerate(self.rows):
            given = number < len(files)
            line.fill(files[number] if given else "", weights[number] if given and number < len(weights) else 1.0, own[number])
        self._filling = False
        self.look()
        self._tell()

    def follow(self, choice: str) -> None:
        """Show the file that is looked at in other panels, as long as nothing else was chosen here. Args: choice: empty: none is new."""
        followed = (self._followed,) if self._followed else ()
        if choice and self.files == followed and all(weight == 1 for weight in self.weights) and not self.blocks:
            self._followed = choice
            self.fill([choice])

    def offer(self, choices: Choices) -> None:
        """Replace what is offered in every row."""
        self._offered = choices
        for line in self._made:
            line.control.offer(choices)

    def look(self) -> None:
        """Show at each row what its file is."""
        for number, line in enumerate(self.rows):
            first = next((other.title for other in self.rows[:number] if other.file == line.file), "")
            line.look(self._reads, f" It is {first} again, and counts twice." if first and line.file else "")

    def problem(self) -> str:
        """Why nothing can be begun: the first row's that is wrong; empty: none is."""
        wrong = next((f"{line.title}: {wrong}" for line in self.rows if (wrong := line.problem())), "")
        return wrong or (ALL_ZERO if self.files and not any(self.weights) else "")

    def reading(self) -> str:
        """What is still waited for; empty: nothing."""
        files = [line.file for line in self._given() if line.facts is None]
        return READING.format(f"{showing.name_of(files[0])} is" if len(files) == 1 else f"{len(files)} files are") if files else ""

    def _given(self) -> list[FileRow]:
        return [line for line in self.rows if line.file]

    def _add(self) -> None:
        self._keep_rows(len(self.rows) + 1)
        self._tell()

    def _take_out(self, number: int) -> None:
        """The files below move up."""
        left = [line for place, line in enumerate(self.rows) if place != number and line.file]
        rules = [f"{place}: {name}={value}" for place, line in enumerate(left, 1) for name, value in line.texts().items()]
        self.fill([line.file for line in left], [line.weight for line in left], rules)

    def _keep_rows(self, count: int) -> None:
        while len(self._made) < count:
            line = FileRow(self._panel, len(self._made), self._take_out)
            line.control.offer(self._offered)
            for widget, name in ((line.control.widget, "value"), (line.amount.widget, "value"), (line.weights, "values")):
                widget.observe(self._panel.heard(self._changed), name)
            self._made.append(line)
        for line in self._made[count:]:
            line.fill("", 1.0, {})
        self.rows = self._made[:count]
        for line in self.rows:
            line.out.layout.display = "" if count > self._least else "none"
        self._box.children = [line.view for line in self.rows]

    def _changed(self) -> None:
        if not self._filling:
            self.look()
            self._tell()


class FileRow:
    """One file, its weight and what is known of it. Args: number: from 0. take_out: called with it."""

    def __init__(self, panel: Panel, number: int, take_out: Callable[[int], None]) -> None:
        self.number, self.title = number, f"LoRA file {number + 1}"
        self.facts: LoraFacts | None = None
        self._wrong = ""
        fields = {name: copy.copy(field) for name, field in WeightedFile.fields().items()}
        fields["file"].title, fields["weight"].title = self.title, f"Weight of file {number + 1}"
        self.control = cast(SuggestionControl, make_control("file", fields["file"], LoraFiles()))
        self.amount = make_control("weight", fields["weight"])
        self.amount.write(1.0)
        self.weights = BlockWeights(of=f"file {number + 1}")
        self.fold = Fold(f"weights of blocks of file {number + 1}", [ipw.HTML(f'<p class="lb-help">{BLOCKS_HELP}</p>'), self.weights])
        self.fold.button.layout.display = "none"
        self.out = panel.action(f"Take file {number + 1} out", lambda: take_out(number), hint=lambda: "The file itself stays where it is")
        self.out.layout.align_self = "flex-end"
        fields_box = ipw.VBox([self.control.view, self.amount.view]).add_class("lb-fields")
        self.view = ipw.VBox([fields_box, row(self.fold.button, self.out), self.fold.body]).add_class("lb-form").add_class("lb-weighted")

    @property
    def file(self) -> str:
        """Empty: none is chosen."""
        return str(self.control.read() or "")

    @property
    def weight(self) -> float:
        """Of the whole file."""
        return float(self.amount.read())

    def texts(self) -> dict[str, str]:
        """What was typed for blocks, right or wrong."""
        return dict(self.weights.values)

    def blocks(self) -> dict[str, str]:
        """Numbers of the blocks that were given one, by the names that Inspect shows."""
        return {name: _number(text) for name, text in self.weights.values.items()}

    def fill(self, file: str, weight: float, blocks: dict[str, str]) -> None:
        """Show another file."""
        self.control.write(file)
        self.amount.write(weight)
        self.weights.fill(blocks)

    def look(self, reads: Reads[LoraFacts], more: str = "") -> None:
        """Say below the field what the file is, and offer its blocks. Args: more: what else is to be said of it."""
        answer = reads.of(self.file) if self.file else None
        before, self.facts = self.facts, answer.value if answer is not None else None
        self._wrong = answer.problem if answer is not None else ""
        known = self.facts.words if self.facts is not None else ""
        words = f"{known}.{more}" if known and more else known or ("The file is being read." if self.file and answer is None else "")
        self.control.remark(self._wrong or words, bool(self._wrong))
        self.fold.button.layout.display = "" if self.facts is not None else "none"
        if self.facts is not None and self.facts != before:
            self.weights.show(*fields_of(self.facts.blocks))
        self.fold.rename(f"weights of blocks of file {self.number + 1}{f' ({len(self.texts())})' if self.texts() else ''}")
        if self.facts is None and self.fold.is_open:
            self.fold.button.value = False

    def problem(self) -> str:
        """What is wrong with it; empty: nothing."""
        if self._wrong:
            return self._wrong
        odd = next((name for name, text in self.weights.values.items() if not NUMBER.fullmatch(_number(text))), "")
        return f"{self.weights.values[odd]!r} is no weight of {odd}. Write a number such as 0.5, or leave it empty." if odd else ""


def fields_of(blocks: Sequence[str]) -> tuple[list[tuple[str, str]], list[tuple[int, str, str]]]:
    """Parts and blocks as `BlockWeights.show` takes them: "text 1, layer 3" belongs to "text 1", "down 1.0" to "down"."""
    parts: dict[str, str] = {}
    fields = []
    for block in blocks:
        name = block.partition(",")[0] if block.startswith("text") else block.split()[0]
        title, place = showing.part_and_place(block)
        parts.setdefault(name, title)
        fields.append((list(parts).index(name), block, place))
    return list(parts.items()), fields


def _number(text: str) -> str:
    """With a point for the comma."""
    return text.strip().replace(",", ".")
