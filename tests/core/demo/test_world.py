"""The drawn world: reproducible, and without mikoneko."""

from random import Random

import numpy as np
import pytest

from core.demo import world
from core.demo.drawing import draw
from core.demo.world import CAST, CONCEPT_TAGS, SYLLABLES, TRIGGER, Spec

OWN_TAGS = {"cat ears", "green scarf", "gold jewel"}


@pytest.fixture
def rng() -> Random:
    return Random(1)


def test_same_seed_draws_the_same_picture(rng: Random) -> None:
    spec = world.random_spec(rng)
    assert draw(spec, 3).tobytes() == draw(spec, 3).tobytes()
    assert draw(spec, 3).tobytes() != draw(spec, 4).tobytes()


def test_a_larger_drawing_shows_the_same_picture(rng: Random) -> None:
    spec = world.concept_spec(rng)
    small, large = draw(spec, 5), draw(spec, 5, 256)
    assert large.size == (256, 256)
    difference = np.asarray(large.resize((64, 64))).astype(float) - np.asarray(small)
    assert np.abs(difference).mean() < 6


def test_every_tag_can_be_drawn(rng: Random) -> None:
    groups = {"ears": world.EAR_TAGS, "neck": world.NECK_TAGS, "head": world.HEAD_TAGS, "mark": world.MARK_TAGS}
    groups |= {"background": world.BACKGROUND_TAGS, "clothes": world.CLOTHES_TAGS, "style": world.STYLE_TAGS}
    plain = Spec("red hair", "short hair", "blue eyes", "red dress", "smile", "white background")
    for field, tags in groups.items():
        for tag in tags:
            picture = draw(Spec(**{**vars(plain), field: tag}), 0)
            assert getattr(plain, field) == tag or picture.tobytes() != draw(plain, 0).tobytes(), tag


def test_ordinary_characters_never_have_a_part_that_is_mikonekos_alone(rng: Random) -> None:
    specs = [world.training_spec(rng) for _ in range(5000)] + list(CAST.values())
    assert not OWN_TAGS & {tag for spec in specs for tag in spec.tags}
    assert TRIGGER not in CAST
    assert set(CONCEPT_TAGS) > OWN_TAGS


def test_base_captions_never_say_the_trigger_or_her_parts(rng: Random) -> None:
    captions = [world.training_caption(world.training_spec(rng), rng) for _ in range(2000)]
    assert not any(word in caption for caption in captions for word in (TRIGGER, *OWN_TAGS))


def test_a_name_stands_for_the_looks(rng: Random) -> None:
    name = next(iter(CAST))
    first, second = world.named_spec(rng, name), world.named_spec(rng, name)
    assert (first.hair, first.clothes, first.ears) == (second.hair, second.clothes, second.ears)
    assert world.named_caption(first, rng).split(", ")[:2] == [name, "1girl"]
    assert not {first.hair, first.clothes} & set(world.named_caption(first, rng).split(", "))


def test_the_trigger_is_made_of_known_syllables() -> None:
    assert "".join(("mi", "ko", "ne", "ko")) == TRIGGER
    assert {"mi", "ko", "ne"} <= set(SYLLABLES)


def test_closed_eyes_hide_their_colour(rng: Random) -> None:
    spec = Spec("red hair", "short hair", "blue eyes", "red dress", "closed eyes", "white background")
    assert "blue eyes" not in spec.tags
