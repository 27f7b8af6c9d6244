"""What curation rejected: found again by its reason, so that one press puts all of it back."""

from __future__ import annotations

from core.dataset.project import Project
from core.dataset.rejecting import rejected_images

DUPLICATE = "duplicate"
"""How the reason of a rejected duplicate begins."""
QUALITY = "quality"
"""How the reason of a picture begins that a cut picked out."""


def rejected_because(project: Project, reason: str) -> list[str]:
    """Names (as they lie in rejected/) of the images whose reason begins so."""
    return [item.path.name for item in rejected_images(project) if item.reason.startswith(reason)]
