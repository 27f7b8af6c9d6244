"""Changing many captions at once: the trigger word, adding, taking out and replacing tags. One entry of the history each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.base.errors import ConfigError, DatasetError
from core.base.progress import SILENT, Progress
from core.base.settings import Settings, setting
from core.dataset.captions.files import join_tags, one_line, read_caption, split_tags, tag_key, write_caption
from core.dataset.history import History
from core.dataset.items import ImageItem, Skipped, list_items
from core.dataset.project import Project, one_trigger


class TriggerSettings(Settings):
    """The trigger word, written first into every caption."""

    title = "Trigger word"

    trigger_word: str = setting(..., "Trigger word", "An invented word without a meaning of its own, such as mychar. An earlier trigger "
                                "word of this project is replaced. Empty takes it out.")
    write_missing: bool = setting(True, "Also where there is no caption", "An image without a caption gets the trigger word alone.")


class EditSettings(Settings):
    """Tags to add, take out or replace, in all captions or in some. Whole tags only."""

    title = "Edit captions"

    add_first: str = setting("", "Add in front", "Tags with commas between; after the trigger word.")
    add_last: str = setting("", "Add at the end", "Tags with commas between.")
    remove: str = setting("", "Take out", "Tags with commas between.")
    replace: str = setting("", "Replace this tag", "One tag.")
    replace_by: str = setting("", "by this", "One or more tags.")
    only_if_empty: bool = setting(False, "Only where there is no caption", "Captions that exist stay as they are.")


@dataclass
class EditReport:
    """What a bulk change did."""

    changed: int = 0
    unchanged: int = 0
    skipped: list[Skipped] = field(default_factory=list)

    def sentence(self) -> str:
        """The result in one line."""
        skipped = f", {len(self.skipped)} skipped" if self.skipped else ""
        return f"{self.changed} captions changed, {self.unchanged} as before{skipped}."

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"changed": self.changed, "unchanged": self.unchanged, "skipped": [vars(item) for item in self.skipped]}


def add_trigger(project: Project, settings: TriggerSettings, progress: Progress = SILENT) -> EditReport:
    """Write the trigger word first into every caption, and into project.toml.

    Returns: counts, and every caption that was skipped with the reason.
    Raises: ConfigError: it holds a comma; Cancelled: what is done stays; DiskError.
    """
    trigger = one_trigger(settings.trigger_word)
    info = project.info()
    drop = {tag_key(word) for word in (trigger, info.trigger_word) if word}

    def change(tags: list[str]) -> list[str]:
        if not tags and not settings.write_missing:
            return tags
        return [*([trigger] if trigger else []), *(tag for tag in tags if tag_key(tag) not in drop)]

    what = f"Trigger word {trigger!r} put first" if trigger else f"Trigger word {info.trigger_word!r} taken out"
    report = _change_all(project, what, change, progress, trigger=(info.trigger_word, trigger))
    project.write_info(project.info().changed(trigger_word=trigger))  # read again: an import may have written into it meanwhile
    return report


def edit_captions(project: Project, settings: EditSettings, progress: Progress = SILENT, only: Sequence[str] | None = None) -> EditReport:
    """Add, take out and replace tags.

    Args: only: ids of the images to change; None: all.
    Raises: ConfigError: nothing to do was given; Cancelled; DiskError.
    """
    first, last = split_tags(settings.add_first), split_tags(settings.add_last)
    remove, old, new = {tag_key(tag) for tag in split_tags(settings.remove)}, split_tags(settings.replace), split_tags(settings.replace_by)
    if len(old) > 1:
        raise ConfigError(f"Replace this tag (replace) must be one tag, but is {settings.replace!r}.", "Replace them one after the other.")
    if not (first or last or remove or old):
        raise ConfigError("There is nothing to change.", "Fill in a tag to add, to take out or to replace.")
    if old and not new:
        raise ConfigError(f"The tag {old[0]!r} is to be replaced by nothing.", "To take it out, write it under 'Take out'.")
    trigger = project.trigger_word

    def change(tags: list[str]) -> list[str]:
        if settings.only_if_empty and tags:
            return tags
        kept = [tag for tag in tags if tag_key(tag) not in remove]
        if old:
            kept = [part for tag in kept for part in (new if tag_key(tag) == tag_key(old[0]) else [tag])]
        lead = kept[:1] if trigger and kept[:1] == [trigger] else []
        adding = {tag_key(tag) for tag in first}
        return [*lead, *first, *(tag for tag in kept[len(lead):] if tag_key(tag) not in adding), *last]

    done = [f"added {', '.join(first + last)}" if first or last else "", f"took out {settings.remove}" if remove else "",
            f"replaced {old[0]} by {', '.join(new)}" if old else ""]
    return _change_all(project, "; ".join(filter(None, done)).capitalize(), change, progress, only)


def _change_all(project: Project, what: str, change: Callable[[list[str]], list[str]], progress: Progress,
                only: Sequence[str] | None = None, trigger: tuple[str, str] | None = None) -> EditReport:
    items = [item for item in list_items(project) if only is None or item.id in set(only)]
    if not items:
        raise DatasetError("There are no images whose captions could be changed.", "Import some first.")
    report = EditReport()
    with History.of(project).entry(what, trigger) as record:
        for item in progress.track(items, "Changing captions"):
            try:
                _change_one(item, change, record.change, report)
            except DatasetError as error:
                report.skipped.append(Skipped(item.caption_path.name, error.message))
                progress.warn(f"{item.caption_path.name}: {error}")
    return report


def _change_one(item: ImageItem, change: Callable[[list[str]], list[str]], note: Callable[..., None], report: EditReport) -> None:
    present = read_caption(item.caption_path, item.id)
    tags = split_tags(present.text)
    wanted = change(tags)
    text = one_line(join_tags(wanted))
    if wanted == tags or text == (present.text or ""):
        report.unchanged += 1
        return
    if not text:
        raise DatasetError("The caption would become empty, so it was left as it was.", "Add another word first.")
    note(item.id, item.caption_path.name, present.text, text)
    write_caption(item.caption_path, text, present.revision, item.id)
    report.changed += 1
