"""The little of Markdown that people write into a description, as HTML: headings, lists, bold, italics, code and addresses on the web.

What is none of these stays as it was written; HTML in it is shown, not obeyed.
"""

from __future__ import annotations

import html
import re

HEADING = re.compile(r"(#{1,6})\s+(.+?)\s*#*")
BULLET, NUMBER = re.compile(r"[-*+]\s+(.+)"), re.compile(r"\d{1,9}[.)]\s+(.+)")
CODE = re.compile(r"`([^`]+)`")
LINK = re.compile(r"\[([^\[\]]+)\]\((https?://[^\s()<>]+)\)")
BOLD = re.compile(r"\*\*(?=\S)(.+?)(?<=\S)\*\*|(?<!\w)__(?=\S)(.+?)(?<=\S)__(?!\w)")
ITALIC = re.compile(r"(?<!\*)\*(?=[^\s*])(.+?)(?<=[^\s*])\*(?!\*)|(?<!\w)_(?=[^\s_])(.+?)(?<=[^\s_])_(?!\w)")
LEAST_HEADING = 2
"""The page's own title is above it."""


def html_of(text: str) -> str:
    """Blocks of a text, with blank lines between them, as HTML."""
    blocks = re.split(r"\n[ \t]*\n", text.replace("\r\n", "\n").strip())
    return "".join(_block([line.strip() for line in block.splitlines() if line.strip()]) for block in blocks)


def _block(lines: list[str]) -> str:
    """One block: runs of lines that are a list, a heading, or a paragraph."""
    made, at = "", 0
    while at < len(lines):
        kind = _kind(lines[at])
        end = at + 1
        while end < len(lines) and kind != "heading" and _kind(lines[end]) == kind:
            end += 1
        made += _made(kind, lines[at:end])
        at = end
    return made


def _kind(line: str) -> str:
    for kind, pattern in (("heading", HEADING), ("ul", BULLET), ("ol", NUMBER)):
        if pattern.fullmatch(line):
            return kind
    return "p"


def _made(kind: str, lines: list[str]) -> str:
    if kind == "heading" and (found := HEADING.fullmatch(lines[0])):
        level = min(6, max(LEAST_HEADING, len(found[1])))
        return f"<h{level}>{_inline(found[2])}</h{level}>"
    if kind == "p":
        return f"<p>{'<br>'.join(map(_inline, lines))}</p>"
    points = [found[1] for line in lines if (found := (BULLET if kind == "ul" else NUMBER).fullmatch(line))]
    return f"<{kind}>{''.join(f'<li>{_inline(point)}</li>' for point in points)}</{kind}>"


def _inline(line: str) -> str:
    """A line; what stands in code or in an address is not looked at again."""
    return "".join(f"<code>{html.escape(part)}</code>" if number % 2 else _linked(part) for number, part in enumerate(CODE.split(line)))


def _linked(text: str) -> str:
    parts = LINK.split(text)  # words, what is pressed, its address, words …
    links = [f'<a href="{html.escape(address)}">{_emphasised(words)}</a>' for words, address in zip(parts[1::3], parts[2::3], strict=True)]
    return "".join(f"{_emphasised(words)}{link}" for words, link in zip(parts[::3], [*links, ""], strict=True))


def _emphasised(words: str) -> str:
    return ITALIC.sub(r"<em>\1\2</em>", BOLD.sub(r"<strong>\1\2</strong>", html.escape(words)))
