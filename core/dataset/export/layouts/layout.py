"""What every layout says: where its files lie, how a caption is written, and which files stand beside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.base.buckets import BucketRule, Size
from core.dataset.captions.files import one_line
from core.dataset.export.settings import ExportSettings


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture that lies in the export, or is pointed at."""

    stem: str
    name: str
    """Below the export's folder; in place: its file's whole path."""
    size: Size
    caption: str
    """As in the project; empty: none."""
    mask: str = ""
    """Below the export's folder; empty: none."""
    has_own_mask: bool = False
    """Whether that is a mask of the project, and none that was made because its trainer wants one for each."""
    is_turned: bool = False
    """Whether its file is stored lying."""


@dataclass(frozen=True)
class Facts:
    """What holds for the whole export."""

    root: Path
    settings: ExportSettings
    project: str
    """Its name."""
    trigger: str
    repeats: int
    rule: BucketRule
    images: Path
    """The project's own pictures."""
    listed: bool = False
    """In place: whether a list names the pictures, as sd-scripts would read something else in the project's own folder."""
    has_regularisation: bool = False
    wildcards: bool = False
    """Whether Trainer's settings draw one line of a caption each time."""

    @property
    def called(self) -> str:
        """What calls that which is shown: the trigger word, or the project's name in its place."""
        return self.trigger or self.project


class Layout:
    """One layout; subclasses change what differs."""

    keeps_lines = True
    """Whether its trainer draws one of several lines of a caption; otherwise they are made one."""
    full_masks = False
    """Whether a picture without a mask gets one that counts wholly, once there are any."""

    def __init__(self, facts: Facts) -> None:
        self.facts, self.settings = facts, facts.settings

    def folder(self) -> str:
        """Of the pictures, below the export's folder."""
        return "images"

    def mask_name(self, stem: str) -> str:
        """Path of a mask below the export's folder."""
        return f"masks/{stem}.png"

    def caption_name(self, stem: str) -> str:
        """Path of a caption file; empty: captions stand in one file."""
        return f"{self.folder()}/{stem}.txt"

    def caption(self, text: str) -> str:
        """A caption as it is written."""
        return text if self.keeps_lines else one_line(text)

    def files(self, pictures: Sequence[Picture]) -> Mapping[str, str]:
        """Path → text of what stands beside the pictures."""
        return {}

    def how(self, pictures: Sequence[Picture]) -> str:
        """How it is given to its trainer, in Markdown."""
        return ""


def subset(**values: object) -> dict[str, object]:
    """A table of a dataset file without what is empty."""
    return {name: value for name, value in values.items() if value not in (None, "")}


def dataset_table(rule: BucketRule, subsets: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """A dataset file of sd-scripts: its training sizes, and its folders."""
    table: dict[str, object] = {"resolution": list(rule.resolution), "enable_bucket": rule.enable_bucket}
    if rule.enable_bucket:
        table |= {"min_bucket_reso": rule.min_bucket_reso, "max_bucket_reso": rule.max_bucket_reso,
                  "bucket_reso_steps": rule.bucket_reso_steps, "bucket_no_upscale": rule.bucket_no_upscale}
    return {"datasets": [{**table, "subsets": [dict(one) for one in subsets]}]}
