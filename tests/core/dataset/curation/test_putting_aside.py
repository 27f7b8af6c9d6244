"""What curation rejected is found again by its reason."""

from core.dataset.curation.putting_aside import DUPLICATE, QUALITY, rejected_because
from core.dataset.rejecting import RejectSettings, reject_images
from tests.core.dataset.small_things import picture


def test_what_a_person_rejected_for_a_reason_that_begins_alike_is_not_put_back_with_the_rest(project):
    reasons = {"a": "duplicate", "b": "duplicate of a.png", "c": "duplicates the hat", "d": "quality: sharpness below 20",
               "e": "quality too low"}
    for name, reason in reasons.items():
        picture(project.images / f"{name}.png")
        reject_images(project, RejectSettings(images=(name,), reason=reason))
    assert rejected_because(project, DUPLICATE) == ["a.png", "b.png"] and rejected_because(project, QUALITY) == ["d.png"]
