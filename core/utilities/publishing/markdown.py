"""A description's Markdown as HTML. HTML in it is shown, not obeyed, and only addresses on the web are linked."""

from __future__ import annotations

from markdown_it import MarkdownIt

LEAST_HEADING = 2
"""The page's own title is above it."""


class _Description(MarkdownIt):
    """CommonMark where a line that ends is a line that ends."""

    def __init__(self) -> None:
        super().__init__("commonmark", {"html": False, "breaks": True, "xhtmlOut": False})
        self.disable("image")

    def validateLink(self, url: str) -> bool:
        return url.lower().startswith(("https://", "http://"))


def html_of(text: str) -> str:
    """A text as HTML."""
    page = _Description()
    tokens = page.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{max(LEAST_HEADING, int(token.tag[1:]))}"
    return str(page.renderer.render(tokens, page.options, {})).strip()
