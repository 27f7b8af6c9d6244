"""What Trainer keeps in a project, and the training sizes that follow from it, read by the side that must not import it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.base.buckets import BucketRule
from core.base.errors import DatasetError
from core.base.files import read_text
from core.dataset.project import Project

TRAINING_FILE = "training.toml"
"""The settings that Trainer keeps: `core.training.kept.FILE`, which this side must not import (a test compares them)."""
USUAL: dict[str, tuple[int, int]] = {"sd15": (512, 1024), "sdxl": (1024, 4096)}
"""Model family → resolution, longest side of a bucket (training-reference)."""
OPEN = BucketRule((0, 0), enable_bucket=True, max_bucket_reso=0)
"""A rule that leaves open what Trainer's settings or the family say."""


def kept_settings(project: Project, section: str) -> dict[str, Any]:
    """One section of the settings that Trainer keeps; empty where it was not used yet. What is wrong with its file, Trainer says."""
    import toml

    try:
        return dict(toml.loads(read_text(project.folder / TRAINING_FILE)).get(section, {}))
    except (OSError, DatasetError, toml.TomlDecodeError, IndexError, TypeError, ValueError):  # as `read_toml` of the other side
        return {}


def bucket_rule(family: str, kept: Mapping[str, Any], own: BucketRule = OPEN) -> BucketRule:
    """The rule by which pictures will find their training size.

    Args:
        family: of the base model.
        kept: the section `data` of the settings that Trainer keeps; it fills what is left open.
        own: what was chosen here; a resolution or longest side of 0 is left open.

    Raises: ConfigError: the resolution lies outside the limits.
    """
    usual, longest = USUAL.get(family, USUAL["sd15"])
    chosen = own.resolution[0]
    width = chosen or _side(kept, "resolution") or usual
    height = width if chosen else _side(kept, "resolution_height") or width
    most = own.max_bucket_reso or _side(kept, "max_bucket_reso") or longest
    side, least = min(width, height), own.min_bucket_reso
    if side < least and not chosen:
        least = min(_side(kept, "min_bucket_reso") or side, side)
    return BucketRule((width, height), own.enable_bucket, least, own.max_bucket_reso or max(most, width, height), own.bucket_reso_steps,
                      own.bucket_no_upscale).checked()


def trainer_rule(project: Project) -> BucketRule:
    """The rule that Trainer's kept settings say, as far as they go. Raises: ConfigError: the resolution lies outside the limits."""
    kept, family = kept_settings(project, "data"), project.info().family
    own = BucketRule((0, 0), kept.get("enable_bucket") is not False, _side(kept, "min_bucket_reso") or OPEN.min_bucket_reso, 0,
                     _side(kept, "bucket_reso_steps") or OPEN.bucket_reso_steps, kept.get("bucket_no_upscale") is True)
    return bucket_rule(family, kept, own)


def _side(kept: Mapping[str, Any], name: str) -> int:
    """A side that Trainer keeps, px; 0: none, or no such number."""
    side = kept.get(name)
    return side if isinstance(side, int) and not isinstance(side, bool) and side > 0 else 0
