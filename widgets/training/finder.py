"""Finding a setting among all of them: by its words, or because it differs from the preset."""

from __future__ import annotations

import html
from collections.abc import Callable, Collection, Mapping, Sequence

import ipywidgets as ipw

from core.base.words import counted
from core.training.config.search import fits, typed_words
from widgets.form import Form

NARROWED = "Everything else is put aside for the moment; nothing is lost."


class SettingsFinder:
    """A search box and a switch above a form; the form shows what fits and puts the rest aside.

    Args:
        form: of which it shows a part.
        elsewhere: sentences on where what is looked for stands, if no setting of the form fits.
    """

    def __init__(self, form: Form, elsewhere: Callable[[Collection[str]], Sequence[str]] = lambda words: ()) -> None:
        self.form, self._elsewhere = form, elsewhere
        self.words = ipw.Text(description="Find a setting", placeholder="rank, learning, flip_aug …", continuous_update=True)
        self.changed = ipw.ToggleButton(description="Only what differs from the preset (0)").add_class("lb-fold").add_class("lb-switch")
        self._said = ipw.HTML()
        self._differing: dict[str, str] = {}
        self._shown: set[str] | None = None
        for widget in (self.words, self.changed):
            widget.observe(lambda _: self.look(), "value")
        field = ipw.VBox([self.words]).add_class("lb-field").add_class("lb-field-find")
        self.view = ipw.VBox([ipw.HBox([field, self.changed]).add_class("lb-row"), self._said]).add_class("lb-form")

    def differ(self, values: Mapping[str, str]) -> None:
        """Say what differs from the preset. Args: values: "section.field" → the preset's value in words."""
        if dict(values) != self._differing:
            self._differing = dict(values)
            self.changed.description = f"Only what differs from the preset ({len(values)})"
            self.look()

    def look(self) -> None:
        """Show what fits."""
        names = self._wanted()
        if names != self._shown:
            self._shown = names
            self.form.narrow(names)
        self._said.value = self._words(names)

    def _wanted(self) -> set[str] | None:
        words = self._typed()
        if not words and not self.changed.value:
            return None
        fitting = {name for name, field in self.form.names().items() if fits(name, field, words)}
        return fitting & self._differing.keys() if self.changed.value else fitting

    def _typed(self) -> list[str]:
        return typed_words(self.words.value)

    def _words(self, names: Collection[str] | None) -> str:
        if names is None:
            return ""
        lines = [f"{counted(len(names), 'setting')} {'fits' if len(names) == 1 else 'fit'}. {NARROWED}", *self._elsewhere(self._typed())]
        if self.changed.value:
            fields = self.form.names()
            lines += [f"{fields[name].title}: the preset has {self._differing[name]}." for name in sorted(names)]
        elif not names:
            lines = list(self._elsewhere(self._typed())) or \
                ["No setting fits these words. Fewer letters find more; sd-scripts' own names are known too."]
        return "".join(f'<p class="lb-help">{html.escape(line)}</p>' for line in lines)

