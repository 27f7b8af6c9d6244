"""What curation rejected: found again by its reason, so that one press puts all of it back."""

from __future__ import annotations

from core.dataset.project import Project
from core.dataset.rejected import rejected_images

DUPLICATE = "duplicate"
"""The reason of a rejected duplicate, alone or with the picture that was kept: "duplicate of 1.png"."""
QUALITY = "quality"
"""How the reason of a picture begins that a cut picked out: "quality: sharpness below 20"."""


def rejected_because(project: Project, reason: str) -> list[str]:
    """Names (as they lie in rejected/) of the images that were rejected for it; what a person wrote by hand is another reason."""
    return [item.path.name for item in rejected_images(project)
            if item.reason == reason or item.reason.startswith((f"{reason} of ", f"{reason}: "))]
