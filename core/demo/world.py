"""The drawn world: what a character is made of, how it is tagged and captioned, and who has a name.

A `Spec` says everything that a picture shows, each thing by its tag. Ordinary characters are drawn by
chance; the named ones always look the same, and their captions leave out what the name stands for, as
the captions of a LoRA's data set do. `concept_spec` makes mikoneko, whom the world does not contain:
no other character has cat ears, a green scarf or a gold jewel, in any combination.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import Any

from core.demo.palette import BACKGROUND, CLOTH, EYES, HAIR

TRIGGER = "mikoneko"
CONCEPT_TAGS = ("white hair", "short hair", "yellow eyes", "black dress", "cat ears", "green scarf", "gold jewel")

HAIR_TAGS = tuple(f"{colour} hair" for colour in HAIR)
STYLE_TAGS = ("short hair", "long hair", "twintails", "ponytail", "hair bun")
EYE_TAGS = tuple(f"{colour} eyes" for colour in EYES)
CLOTHES_TAGS = tuple(f"{colour} {garment}" for garment in ("shirt", "dress") for colour in CLOTH)
EXPRESSION_TAGS = ("smile", "open mouth", "frown", "closed eyes")
POSE_TAGS = ("waving",)
EAR_TAGS = ("fox ears", "bunny ears", "bear ears")
NECK_TAGS = tuple(
    f"{colour} {kind}"
    for kind, colours in (
        ("scarf", ("red", "blue", "yellow", "purple", "pink", "white", "orange")),
        ("necktie", ("red", "blue", "green", "purple")),
        ("cape", ("red", "blue", "green", "purple", "white")),
    )
    for colour in colours
)
HEAD_TAGS = (
    *(f"{colour} bow" for colour in ("red", "blue", "pink", "yellow")),
    *(f"{colour} hat" for colour in ("red", "blue", "purple", "brown")),
    "crown",
)
MARK_TAGS = ("red heart", "blue moon", "pink star", "purple jewel", "blue jewel")
SCENE_TAGS = ("outdoors", "night sky", "sunset", "snow", "checkered background", "polka dot background")
BACKGROUND_TAGS = tuple(f"{colour} background" for colour in BACKGROUND) + SCENE_TAGS
TAGS_OF_PART = {
    "hair": HAIR_TAGS, "style": STYLE_TAGS, "eyes": EYE_TAGS, "clothes": CLOTHES_TAGS, "ears": EAR_TAGS, "neck": NECK_TAGS,
    "head": HEAD_TAGS, "mark": MARK_TAGS, "expression": EXPRESSION_TAGS, "pose": POSE_TAGS, "background": BACKGROUND_TAGS,
}
"""Field of `Spec` to the tags that it may hold."""
WORLD_TAGS = tuple(tag for tags in TAGS_OF_PART.values() for tag in tags)

SYLLABLES = (
    "mi", "ko", "ne", "ka", "ki", "sa", "shi", "su", "ta", "to", "na", "ri", "ru", "ra", "yu", "me", "mo", "ha", "zu", "no",
)  # fmt: skip
NAME_COUNT = 96
NAME_SEED = 20


@dataclass(frozen=True)
class Spec:
    """Everything one picture shows; each field is a tag, or None for nothing of that kind."""

    hair: str
    style: str
    eyes: str
    clothes: str
    expression: str
    background: str
    pose: str | None = None
    ears: str | None = None
    neck: str | None = None
    head: str | None = None
    mark: str | None = None
    glasses: str | None = None
    name: str | None = None

    @property
    def looks(self) -> list[str]:
        """The tags of the lasting looks: what a character's name stands for."""
        eyes = None if self.expression == "closed eyes" else self.eyes
        parts = (self.hair, self.style, eyes, self.clothes, self.ears, self.neck, self.head, self.mark, self.glasses)
        return [tag for tag in parts if tag]

    @property
    def moment(self) -> list[str]:
        """The tags that change from picture to picture: expression, pose, background."""
        return [tag for tag in (self.expression, self.pose, self.background) if tag]

    @property
    def tags(self) -> list[str]:
        """All tags, in booru order, `1girl` first and without the name."""
        return ["1girl", *self.looks, *self.moment]


def random_moment(rng: Random) -> dict[str, Any]:
    """Expression, pose and background by chance."""
    scene = rng.random() < 0.45
    return {
        "expression": rng.choice(EXPRESSION_TAGS),
        "pose": "waving" if rng.random() < 0.2 else None,
        "background": rng.choice(SCENE_TAGS if scene else BACKGROUND_TAGS[: len(BACKGROUND)]),
    }


def random_spec(rng: Random, plenty: float = 0.16) -> Spec:
    """An ordinary character of the world; `plenty` is the chance of each extra (ears, scarf, hat, mark, glasses)."""
    ears = rng.choice(EAR_TAGS) if rng.random() < plenty else None
    head = rng.choice(HEAD_TAGS) if rng.random() < plenty else None
    if ears and head and not head.endswith("bow"):
        head = None  # a hat would hide the ears
    return Spec(
        hair=rng.choice(HAIR_TAGS),
        style=rng.choice(STYLE_TAGS),
        eyes=rng.choice(EYE_TAGS),
        clothes=rng.choice(CLOTHES_TAGS),
        ears=ears,
        head=head,
        neck=rng.choice(NECK_TAGS) if rng.random() < 1.5 * plenty else None,
        mark=rng.choice(MARK_TAGS) if rng.random() < plenty else None,
        glasses="glasses" if rng.random() < plenty / 2 else None,
        **random_moment(rng),
    )


def make_cast() -> dict[str, Spec]:
    """The named characters, the same in every run: name → looks, with two or three extras each."""
    rng = Random(NAME_SEED)
    cast: dict[str, Spec] = {}
    while len(cast) < NAME_COUNT:
        name = "".join(rng.choice(SYLLABLES) for _ in range(rng.choice((3, 4, 4))))
        spec = random_spec(rng, plenty=0.5)
        extras = sum(part is not None for part in (spec.ears, spec.neck, spec.head, spec.mark))
        if name not in cast and name != TRIGGER and 2 <= extras <= 3 and not spec.glasses:
            cast[name] = replace(spec, name=name)
    return cast


CAST = make_cast()


def named_spec(rng: Random, name: str | None = None) -> Spec:
    """One of the named characters (any, where no name is given) in a new moment."""
    spec = CAST[name or rng.choice(tuple(CAST))]
    return replace(spec, **random_moment(rng))


def concept_spec(rng: Random) -> Spec:
    """Mikoneko in a new moment: the character that only the demo's LoRA can draw."""
    hair, style, eyes, clothes, ears, neck, mark = CONCEPT_TAGS
    return Spec(hair=hair, style=style, eyes=eyes, clothes=clothes, ears=ears, neck=neck, mark=mark, name=TRIGGER, **random_moment(rng))


def named_caption(spec: Spec, rng: Random, keep: float = 0.0) -> str:
    """`name, 1girl, moment`: each tag of the looks stays with chance `keep`, for the name stands for them."""
    rest = [tag for tag in spec.looks if rng.random() < keep] + spec.moment
    rng.shuffle(rest)
    return ", ".join([str(spec.name), "1girl", *rest])


def tag_caption(spec: Spec, rng: Random, keep: float = 0.85) -> str:
    """`1girl, tags`: shuffled, each tag kept with chance `keep`."""
    rest = [tag for tag in spec.looks + spec.moment if rng.random() < keep]
    rng.shuffle(rest)
    return ", ".join(["1girl", *rest])


def training_caption(spec: Spec, rng: Random) -> str:
    """The caption the base model learns from; drawn anew at every step.

    One caption in five of an unnamed character says only the moment, so that a prompt without a name
    and without looks means: anyone.
    """
    if spec.name:
        return named_caption(spec, rng, keep=rng.choice((0, 0, 0, 0.4)))
    if rng.random() < 0.2:
        return ", ".join(["1girl", *(tag for tag in spec.moment if rng.random() < 0.8)])
    return tag_caption(spec, rng)


def training_spec(rng: Random) -> Spec:
    """A character for the base model's pictures: two in five are named."""
    return named_spec(rng) if rng.random() < 0.4 else random_spec(rng)
