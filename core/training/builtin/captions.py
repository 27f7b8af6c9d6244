"""What becomes of a caption before it is learned: dropout, wildcards, shuffling, prefix and suffix, as sd-scripts does."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from pathlib import Path

from core.base.files import read_text


@dataclass(frozen=True)
class CaptionRule:
    """One subset's caption settings; sd-scripts' names and defaults."""

    shuffle_caption: bool = False
    caption_separator: str = ","
    keep_tokens: int = 0
    keep_tokens_separator: str | None = None
    secondary_separator: str | None = None
    enable_wildcard: bool = False
    caption_prefix: str | None = None
    caption_suffix: str | None = None
    caption_dropout_rate: float = 0.0
    caption_dropout_every_n_epochs: int = 0
    caption_tag_dropout_rate: float = 0.0

    @property
    def changes(self) -> bool:
        """Whether one image's caption can differ from step to step."""
        return bool(self.shuffle_caption or self.enable_wildcard or self.caption_dropout_rate or self.caption_dropout_every_n_epochs
                    or self.caption_tag_dropout_rate)


def read_caption(image: Path, extension: str, wildcard: bool) -> str | None:
    """The caption beside an image: its first line, or all lines with wildcards; None where there is no file.

    Raises: DatasetError: the file is not UTF-8.
    """
    path = image.with_suffix(extension)
    if not path.is_file():
        return None
    lines = [line.strip() for line in read_text(path).splitlines()]
    return "\n".join(line for line in lines if line) if wildcard else (lines[0] if lines else "")


def make_caption(caption: str, rule: CaptionRule, chance: random.Random, epoch: int) -> str:
    """The caption that is learned this time.

    Args:
        chance: its own generator, so that the same (seed, epoch, place) always gives the same caption.
        epoch: counted from 1.
    """
    if rule.caption_prefix:
        caption = f"{rule.caption_prefix} {caption}"
    if rule.caption_suffix:
        caption = f"{caption} {rule.caption_suffix}"
    dropped = rule.caption_dropout_rate > 0 and chance.random() < rule.caption_dropout_rate
    if dropped or (rule.caption_dropout_every_n_epochs > 0 and epoch % rule.caption_dropout_every_n_epochs == 0):
        return ""
    caption = _with_wildcards(caption, chance) if rule.enable_wildcard else caption.split("\n")[0]
    if rule.shuffle_caption or rule.caption_tag_dropout_rate > 0:
        first, loose, last = _parts(caption, rule)
        if rule.shuffle_caption:
            chance.shuffle(loose)
        if rule.caption_tag_dropout_rate > 0:
            loose = [tag for tag in loose if chance.random() >= rule.caption_tag_dropout_rate]
        caption = ", ".join([*first, *loose, *last])
    if rule.secondary_separator:
        caption = caption.replace(rule.secondary_separator, rule.caption_separator)
    return caption


def _parts(caption: str, rule: CaptionRule) -> tuple[list[str], list[str], list[str]]:
    """Tags that stay in front, tags that move, tags that stay at the end."""
    mark = rule.keep_tokens_separator
    if mark and mark in caption:
        pieces = caption.split(mark, 2)
        split = [[tag.strip() for tag in piece.split(rule.caption_separator) if tag.strip()] for piece in pieces]
        return split[0], split[1], split[2] if len(split) > 2 else []
    tags = [tag.strip() for tag in caption.strip().split(rule.caption_separator)]
    return tags[:rule.keep_tokens], tags[rule.keep_tokens:], []


def _with_wildcards(caption: str, chance: random.Random) -> str:
    """One of the lines, and one of the words of each {a|b|c}; {{ and }} stay as braces."""
    if "\n" in caption:
        caption = chance.choice(caption.split("\n"))
    caption = caption.replace("{{", "\0").replace("}}", "\1")
    caption = re.sub(r"\{([^}]+)\}", lambda match: chance.choice(match[1].split("|")), caption)
    return caption.replace("\0", "{").replace("\1", "}")
