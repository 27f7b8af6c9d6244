"""One picture as the trainer will see it: what is cut away, at which size it is learned, and its caption over ten steps."""

from __future__ import annotations

import base64
import html
from pathlib import Path

import ipywidgets as ipw

from core.base.errors import StudioError
from core.training.preview import ImagePreview, PreviewSettings, SeenCaption
from widgets.panel import Panel
from widgets.picture_choice import PictureChoice
from widgets.pieces import part, row

Shown = tuple[ImagePreview, bytes, bytes]
"""What is made of the picture, the picture as it is, and as it is learned."""


class PreviewPanel(Panel):
    """Follows the kept training settings; nothing is written."""

    name = "preview"
    title = "As the trainer sees it"
    purpose = ("Look at a picture with the eyes of the trainer: what is cut away, at which size it is learned, and which words come "
               "with it, by the settings kept in Trainer (panel Model and settings).")
    needs_pictures = True

    def controls(self) -> list[ipw.Widget]:
        """Which picture."""
        self._draw = 0
        self._wanted: tuple[Path | None, str, int] | None = None
        self.choice = PictureChoice(self, self._show)
        return [self.choice.view, row(*self.choice.turning, self.action("Draw the captions anew", self._anew, self.blocked))]

    def results(self) -> list[ipw.Widget]:
        """The picture, and its captions."""
        self._found = ipw.HTML()
        return [self._found]

    def update(self) -> None:
        """The present picture with the settings as they are now."""
        self.choice.update()
        if self._wanted == (self.session.folder, self.choice.name, self._draw):
            self.loop.calmly(self._show)
        else:
            self._show()

    def _anew(self) -> None:
        self._draw += 1
        self._show()

    def _show(self) -> None:
        """Beside the kernel; of several that are asked for only the last is shown."""
        name = self.choice.name
        self._wanted = wanted = (self.session.folder, name, self._draw)
        if self.session.folder is None or name not in self.choice.names:
            words = self.blocked() or (f"No image is called {name!r}." if name else "")
            self._found.value = f'<p class="lb-purpose">{html.escape(words)}</p>'
            return
        manager, asked = self.session.training, PreviewSettings(image=name, seed=self._draw)

        def look() -> Shown | StudioError:
            try:
                preview = manager.preview(asked)
                return (preview, *manager.preview_pictures(preview))
            except StudioError as error:
                return error

        def show(found: Shown | StudioError | None, error: BaseException | None) -> None:
            if error is not None:
                self.fail(error)
            elif found is not None and self._wanted == wanted:
                self._found.value = (f'<p class="lb-wrong">{html.escape(str(found))}</p>' if isinstance(found, StudioError)
                                     else page(*found))

        self.loop.beside(look, show)


def page(preview: ImagePreview, own: bytes, learned: bytes) -> str:
    """The two pictures and the captions, in HTML."""
    width, height = preview.size
    left, top, right, bottom = preview.crop
    edges = {"left": left / width, "top": top / height, "width": (right - left) / width, "height": (bottom - top) / height}
    frame = ";".join(f"{name}:{100 * value:.3f}%" for name, value in edges.items())
    bucket = f"{preview.bucket[0]} × {preview.bucket[1]}"
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in preview.notes)
    return (f'<p class="lb-purpose" data-testid="preview-words">{html.escape(preview.sentence())}</p><div class="lb-seen">'
            f'<figure><div class="lb-seen-own"><img src="{_address(own)}" alt="{html.escape(preview.image)} as it is">'
            f'<div class="lb-seen-cut" style="{frame}"></div></div><figcaption>As it is; dark is what is cut away</figcaption></figure>'
            f'<figure><img src="{_address(learned)}" alt="{html.escape(preview.image)} as it is learned">'
            f"<figcaption>As it is learned, {bucket} px</figcaption></figure></div>"
            f'{f"<ul class={chr(34)}lb-seen-notes{chr(34)}>{notes}</ul>" if notes else ""}' + _captions(preview))


def _captions(preview: ImagePreview) -> str:
    seen = preview.captions
    cut = any(caption.read < len(caption.text) for caption in seen)
    how = "" if preview.exact else " (estimated: CLIP's vocabulary is not on this machine)"
    told = (f"Struck through is what is not read: {preview.tokens} tokens are{how}." if cut else
            f"All of it is read: none is longer than {preview.tokens} tokens{how}.")
    if len({caption.text for caption in seen}) == 1:
        told = f"It is the same each time. {told}"
    rows = "".join(f"<li>{_caption(caption)}</li>" for caption in seen)
    last = seen[-1].epoch
    times = (f"its first {len(seen)} times of the {preview.repeats} in an epoch" if last == 1 < preview.repeats else
             f"the first {len(seen)} times that the picture comes up, {preview.repeats} in each epoch")
    told = f"{told} Shown are {times}; a real run draws in its own way, by the same rules."
    return (f'{part(f"Its caption, {len(seen)} times").value}<p class="lb-help">{html.escape(told)}</p>'
            f'<ol class="lb-seen-captions" data-testid="preview-captions">{rows}</ol>')


def _caption(caption: SeenCaption) -> str:
    if not caption.text:
        return "<i>without words</i>"
    rest = caption.text[caption.read:]
    return html.escape(caption.text[:caption.read]) + (f"<s>{html.escape(rest)}</s>" if rest else "")


def _address(data: bytes) -> str:
    kind = "webp" if data[:4] == b"RIFF" else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
