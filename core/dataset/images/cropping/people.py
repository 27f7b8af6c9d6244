"""Who is in a picture: faces, heads and bodies that belong together, the largest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.dataset.images.detecting import Box, Found

EYES = 0.4
"""Where the eyes are in a face's box, from above."""
FACE_OF_HEAD = 0.7
"""Height of the face in a head's box, of which it is the lower part."""
HEAD_OF_BODY = 0.25
"""Share of a person's box, from above, that is taken for the head where no face was found."""


@dataclass(frozen=True)
class Person:
    """One person, in pixels of the picture."""

    head: Box
    """What no crop may cut: the face's box, or the head's."""
    face_height: float
    """From the brows or the hairline to the chin; 0: no face was found."""
    eyes: tuple[float, float]
    """Middle between both eyes, about."""
    body: Box | None = None
    """None: nobody looked for it, or it was not found."""
    score: float = 0.0
    """Of the face or head; of the body where there is none."""

    @property
    def size(self) -> float:
        """By which people are put in order, px."""
        return self.face_height or (self.head[3] - self.head[1]) * FACE_OF_HEAD


def people_in(heads: Sequence[Found], bodies: Sequence[Found] = ()) -> list[Person]:
    """Faces or heads, each with the smallest body around it, and bodies without one; the largest first."""
    left = sorted(bodies, key=lambda body: body.width * body.height)
    people = []
    for head in sorted(heads, key=lambda one: -one.height):
        body = next((one for one in left if _belongs(head, one)), None)
        if body is not None:
            left.remove(body)
        people.append(_of_head(head, body.box if body is not None else None))
    return sorted([*people, *(_of_body(body) for body in left)], key=lambda person: (not person.face_height, -person.size))


def _belongs(head: Found, body: Found) -> bool:
    """Whether the middle of a head lies in the upper half of a body."""
    x, y = (head.box[0] + head.box[2]) / 2, (head.box[1] + head.box[3]) / 2
    return body.box[0] <= x <= body.box[2] and body.box[1] <= y <= body.box[1] + body.height / 2 and body.height > head.height


def _of_head(head: Found, body: Box | None) -> Person:
    left, top, right, bottom = head.box
    face = head.height * FACE_OF_HEAD if head.kind == "head" else head.height
    eyes = ((left + right) / 2, bottom - face * (1 - EYES))
    if head.landmarks is not None:
        (one, other) = head.landmarks[:2]
        eyes = ((one[0] + other[0]) / 2, (one[1] + other[1]) / 2)
    return Person((left, top, right, bottom), face, eyes, body, head.score)


def _of_body(body: Found) -> Person:
    left, top, right, bottom = body.box
    chin = top + HEAD_OF_BODY * body.height
    eyes = ((left + right) / 2, chin - (chin - top) * FACE_OF_HEAD * (1 - EYES))
    return Person((left, top, right, min(bottom, chin)), 0.0, eyes, body.box, body.score)
