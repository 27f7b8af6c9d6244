"""One picture with what captioners say of it: asked without writing anything, compared, and the best one taken."""

from __future__ import annotations

import html
import time
from collections.abc import Callable
from pathlib import Path

import ipywidgets as ipw

from core.base.errors import StudioError
from core.base.words import model_words
from core.dataset.captions.caption_texts import CaptionSettings
from core.dataset.captions.captioners import CAPTIONERS
from core.dataset.captions.captioners.keeping import KeptCaptioner
from core.dataset.captions.captioning import Description
from core.dataset.captions.told import Told
from core.dataset.items import image_path_of
from widgets.panel import Panel, Work
from widgets.picture_choice import PictureChoice
from widgets.pieces import let_go, part, row

IDLE_SECONDS = 600.0
"""After so long without a question the model is unloaded."""
Shown = tuple[bytes, str, str, list[Told]]
"""Picture, why it cannot be shown, caption, and the texts."""


class OnePicture:
    """The lower part of the caption panel.

    Args:
        panel: in whose frame it stands.
        asked: the settings as they stand in the form; it raises ConfigError where they are wrong.
    """

    def __init__(self, panel: Panel, asked: Callable[[], CaptionSettings]) -> None:
        self.panel, self._asked = panel, asked
        self.kept = KeptCaptioner()
        self._home: Path | None = None
        self._wanted = ""
        self._used = 0.0
        self._latest: Description | None = None
        self._shown: object = None
        self.choice = PictureChoice(panel, self._show)
        self._picture = ipw.Image(layout=ipw.Layout(max_width="100%", max_height="360px", object_fit="contain", display="none"))
        self._caption = ipw.HTML()
        self._texts = ipw.VBox().add_class("lb-form")
        buttons = row(panel.action("Try on this picture", self._try, self._try_blocked), *self.choice.turning,
                      panel.action("Unload the model", self._unload, self._unload_blocked))
        beside = ipw.VBox([self._caption, self._texts], layout=ipw.Layout(flex="1 1 280px"))
        picture = ipw.VBox([self._picture], layout=ipw.Layout(flex="0 1 320px"))
        both = row(picture, beside).add_class("lb-told")
        both.layout.align_items = "flex-start"
        self.view = [part("One picture"), self.choice.view, buttons, both]

    def update(self) -> None:
        """For another project, its first picture; where pictures came or went, their names; what captioners say now."""
        if self.panel.session.folder != self._home:
            self._home, self._wanted = self.panel.session.folder, ""
        self.choice.update()
        self._show()

    def unload(self) -> None:
        """Give the model's memory back."""
        self.kept.close()

    def _try(self) -> Work:
        """Ask the captioner; no caption is touched."""
        settings, name, manager = self._asked(), self.choice.chosen(), self.panel.session.dataset
        entry = CAPTIONERS.entry(settings.captioner)
        disk = "" if settings.model_dir or not entry.options["disk"] else f" (the first time {entry.options['disk']:g} GiB are fetched)"
        looking = f"{model_words(entry.title, settings.model_dir)} looks at {name}{disk}"
        return Work(looking, lambda: manager.describe(name, settings, self.kept), self._tried)

    def _tried(self, said: Description) -> str:
        self._latest, self._used = said, time.monotonic()
        self.panel.loop.after(self._rest, IDLE_SECONDS)
        if said.cut:
            return f"{said.sentence()} Nothing was written, and it is not kept."
        how = f"needed {said.seconds:.1f} s on {said.provider}" if said.provider else "said this before"
        return f"{said.captioner} {how}. Its text stands below; nothing was written."

    def _rest(self) -> None:
        if time.monotonic() - self._used >= IDLE_SECONDS and not self.panel.working():
            self.panel.guard(self._unload)

    def _unload(self) -> str | None:
        title = self.kept.holds
        self.unload()
        return f"{title} was unloaded; its memory is free again." if title else None

    def _unload_blocked(self) -> str:
        if self.panel.working():
            return "It is working. Wait for it."
        return "" if self.kept.holds else "No model is loaded here."

    def _try_blocked(self) -> str:
        return self.panel.blocked() or ("It is working. Wait for it, or cancel it." if self.panel.working() else "")

    def _show(self) -> None:
        """Beside the kernel: the picture, its caption, and what captioners said. Of several that are asked for only the last is shown."""
        name, home = self.choice.name, self._home
        if home is None or name not in self.choice.names:
            self._put(name, (b"", "" if not name else f"No image is called {name!r}.", "", []))
            return
        if name != self._wanted:
            self._latest = None
        self._wanted, manager = name, self.panel.session.dataset

        def look() -> Shown:
            try:
                caption = manager.read_caption(name).text or ""
                return manager.preview(image_path_of(manager.project, name)), "", caption, manager.told(name)
            except StudioError as error:
                return b"", str(error), "", []

        def show(found: Shown | None, error: BaseException | None) -> None:
            if error is not None:
                self.panel.fail(error)
            elif found is not None and (name, home) == (self._wanted, self._home):
                self._put(name, found)

        self.panel.loop.beside(look, show)

    def _put(self, name: str, found: Shown) -> None:
        data, trouble, caption, texts = found
        self._picture.layout.display = "" if data else "none"
        if data:
            self._picture.format = "webp" if data[:4] == b"RIFF" else "jpeg"
            self._picture.value = data
        words = f"<b>Caption now:</b> {html.escape(caption)}" if caption else "It has no caption yet." if data else ""
        kind, words = ("lb-wrong", html.escape(trouble)) if trouble else ("lb-purpose", words)
        self._caption.value = f'<p class="{kind}">{words}</p>' if words else ""
        said = (self._home, name, texts, self._latest)
        if said != self._shown:  # the same buttons stay, and with them the keyboard's focus
            self._shown, gone = said, self._texts.children
            self._texts.children = [self._text(name, one) for one in texts]
            for box in gone:
                let_go(box)

    def _text(self, name: str, told: Told) -> ipw.VBox:
        """One captioner's text, with the button that takes it."""
        latest = self._latest if self._latest is not None and self._latest.text == told.text else None
        becomes = f'<p class="lb-help">The caption would become: {html.escape(latest.caption)}</p>' if latest is not None else ""
        words = f'<div class="lb-part">{html.escape(who(told))}</div><p class="lb-purpose">{html.escape(told.text)}</p>{becomes}'
        button = ipw.Button(description="Use this text", tooltip=f"Writes what {who(told)} says into the caption of {name}")
        button.on_click(lambda _: self.panel.loop.settled(lambda: self.panel.guard(lambda: self._use(name, told))))
        return ipw.VBox([ipw.HTML(words), row(button)]).add_class("lb-form")

    def _use(self, name: str, told: Told) -> str:
        caption = self.panel.session.dataset.use_text(name, told.text, self._asked())
        return f"the caption of {name} is now: {caption}"


def who(told: Told) -> str:
    """Which captioner said it: its title, with the precision, or with the model of a server; or the folder that it lies in."""
    if told.model.startswith("/"):
        return model_words("", told.model.partition(":")[0])
    title = CAPTIONERS.entry(told.captioner).title if told.captioner in CAPTIONERS else told.captioner
    last = told.model.rsplit(" ", 1)[-1]
    return f"{title}, {last}" if last and last != "bf16" else title
