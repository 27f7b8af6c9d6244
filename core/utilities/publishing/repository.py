"""Names of repositories."""

from __future__ import annotations

import re

from core.utilities.publishing.release import Release


def repository_of(release: Release) -> str:
    """The chosen repository, else one after the title, in the person's own account."""
    return release.settings.repo_id or slug(release.title)


def slug(title: str) -> str:
    """A title as the name of a repository."""
    words = re.sub(r"[^\w.\-]+", "-", title, flags=re.ASCII)
    return re.sub(r"[-.]{2,}", "-", words).strip("-.")[:96].strip("-.") or "lora"
