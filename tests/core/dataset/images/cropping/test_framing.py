"""Where a picture is cut: exact for thousands of faces, pictures and training sizes drawn by lot."""

import random

import pytest

from core.base.buckets import BucketRule, Fitter
from core.dataset.images.cropping.framing import NoCrop, fit_cut, frame
from core.dataset.images.cropping.people import people_in
from core.dataset.images.cropping.planning import CropSettings, overlap, plan_crops
from core.dataset.images.detecting import Found

RULES = [BucketRule((1024, 1024), True, 256, 4096, 64), BucketRule((512, 512), True, 256, 1024, 64), BucketRule((512, 768)),
         BucketRule((768, 768), True, 320, 1536, 32), BucketRule((1024, 1024), True, 256, 2048, 64, True)]
FRAMINGS = ("face_focus", "upper_body", "full_body")


def a_person(rng, size):
    """A face somewhere in the picture, at its edge too, with or without a body."""
    tall = rng.uniform(2, size[1]) if rng.random() < 0.1 else rng.uniform(2, max(3, size[1] / 4))
    tall = min(tall, size[1])
    wide = min(tall * rng.uniform(0.6, 1), size[0])
    left, top = rng.uniform(0, size[0] - wide), rng.uniform(0, size[1] - tall)
    found = Found((left, top, left + wide, top + tall), 0.9)
    body = Found((max(0, left - wide), max(0, top - tall / 2), min(size[0], left + 2 * wide), min(size[1], top + rng.uniform(3, 9) * tall)),
                 0.8, "person")
    return people_in([found], [body] if rng.random() < 0.5 else [])[0]


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_every_crop_lies_in_the_picture_holds_the_face_and_has_the_proportions_of_its_training_size(rule):
    rng, fitter, made = random.Random(7), Fitter(rule.checked()), 0
    for _ in range(1500):
        size = (rng.randint(64, 4000), rng.randint(64, 4000))
        person = a_person(rng, size)
        for framing in FRAMINGS:
            try:
                framed = frame(person, framing, size, fitter)
            except NoCrop:
                continue
            made += 1
            left, top, right, bottom = framed.cut
            told = (size, person, framing, framed)
            assert 0 <= left < right <= size[0] and 0 <= top < bottom <= size[1], told
            assert left <= person.head[0] + 1e-6 and top <= person.head[1] + 1e-6, told
            assert right >= person.head[2] - 1e-6 and bottom >= person.head[3] - 1e-6, told
            if min(framed.size) < 64 and rule.bucket_no_upscale:
                continue  # smaller than one step: no training takes it
            ratio = framed.bucket[0] / framed.bucket[1]
            away = abs(framed.size[0] - framed.size[1] * ratio), abs(framed.size[1] - framed.size[0] / ratio)
            if not (rule.bucket_no_upscale and _is_large(framed.size, rule)):
                assert min(away) <= 1, told
            if not rule.bucket_no_upscale and min(framed.size) > 100:
                assert fitter.fit(framed.size).bucket == framed.bucket, told
    assert made > 1500


def _is_large(size, rule):
    """A training without enlarging cuts what it shrinks to its steps, by its own arithmetic."""
    return size[0] * size[1] > rule.resolution[0] * rule.resolution[1]


def test_a_head_in_the_middle_of_a_large_picture_stands_in_the_upper_third():
    fitter = Fitter(RULES[0].checked())
    (person,) = people_in([Found((1960, 900, 2040, 1000), 0.9)])
    focus, upper, body = (frame(person, framing, (4000, 3000), fitter) for framing in FRAMINGS)
    assert focus.size == (350, 350) and focus.bucket == (1024, 1024)
    assert (focus.cut[0] + focus.cut[2]) / 2 == 2000 and (person.eyes[1] - focus.cut[1]) / 350 == pytest.approx(1 / 3, abs=0.02)
    assert upper.size[1] == 600 and upper.size[0] / 600 == pytest.approx(0.75, abs=0.05)
    assert (1000 - upper.cut[1]) / 600 < 1 / 3 and (1000 - body.cut[1]) / body.size[1] < 1 / 3
    assert body.size[1] == 1000 and body.size[0] / 1000 == pytest.approx(0.4, abs=0.05)


def test_a_body_that_was_found_is_held_whole():
    fitter = Fitter(RULES[0].checked())
    (person,) = people_in([Found((1960, 900, 2040, 1000), 0.9)], [Found((1800, 860, 2300, 1500), 0.8, "person")])
    left, top, right, bottom = frame(person, "full_body", (4000, 3000), fitter).cut
    assert left <= 1800 and top <= 860 and right >= 2300 and bottom >= 1500


def test_who_is_cut_off_has_no_upper_body():
    fitter = Fitter(RULES[0].checked())
    (person,) = people_in([Found((400, 600, 500, 720), 0.9)])
    assert frame(person, "face_focus", (1000, 1000), fitter).cut[3] <= 1000
    for framing in ("upper_body", "full_body"):
        with pytest.raises(NoCrop, match="ends too soon"):
            frame(person, framing, (1000, 1000), fitter)


def test_a_face_wider_than_any_training_size_allows_is_not_cut():
    with pytest.raises(NoCrop, match="holds the whole face"):
        fit_cut((0, 0, 900, 100), (0, 0, 900, 100), (1000, 100), Fitter(BucketRule((512, 512), True, 512, 512, 64).checked()))


def test_a_wish_smaller_than_the_face_grows_around_it():
    framed = fit_cut((100, 100, 200, 200), (80, 80, 260, 240), (1000, 1000), Fitter(RULES[0].checked()))
    assert framed.size == (180, 180) and framed.cut[0] == 80 and framed.cut[1] <= 80 and framed.cut[3] >= 240


def test_a_body_without_a_face_has_a_full_body_only():
    fitter = Fitter(RULES[0].checked())
    (person,) = people_in([], [Found((100, 100, 500, 1300), 0.8, "person")])
    assert frame(person, "full_body", (2000, 2000), fitter).cut[1] <= 100
    with pytest.raises(NoCrop, match="no face"):
        frame(person, "face_focus", (2000, 2000), fitter)


def test_faces_and_bodies_find_each_other():
    heads = [Found((100, 100, 160, 180), 0.9), Found((500, 80, 600, 200), 0.9), Found((900, 900, 930, 940), 0.9)]
    bodies = [Found((50, 60, 250, 800), 0.8, "person"), Found((420, 20, 700, 900), 0.8, "person"), Found((0, 0, 1000, 1000), 0.5, "person")]
    large, small, tiny, nobody = people_in(heads, bodies)
    assert large.body == bodies[1].box and small.body == bodies[0].box and tiny.body is None
    assert nobody.body == bodies[2].box and nobody.face_height == 0, "who has no face comes last"


def test_of_two_heads_in_one_body_the_larger_gets_it():
    heads = [Found((120, 100, 140, 125), 0.9), Found((200, 100, 260, 180), 0.8)]
    large, small = people_in(heads, [Found((90, 60, 350, 900), 0.8, "person")])
    assert large.face_height == 80 and large.body is not None and small.body is None


def test_a_head_is_taller_than_its_face_and_landmarks_tell_the_eyes():
    (head,) = people_in([Found((0, 0, 80, 100), 0.9, "head")])
    assert head.face_height == pytest.approx(70) and head.eyes[1] == pytest.approx(58) and head.head == (0, 0, 80, 100)
    (face,) = people_in([Found((0, 0, 80, 100), 0.9, "face", ((20, 33), (60, 35), (40, 50), (25, 80), (55, 80)))])
    assert face.eyes == (40, 34)


# Which of them are made


def plan(found, size=(4000, 3000), **values):
    return plan_crops(found, size, Fitter(RULES[0].checked()), CropSettings.make(**values))


def heads(*places, tall=160):
    return people_in([Found((x, y, x + tall * 0.8, y + tall * times), 0.9) for x, y, times in places])


def test_people_are_numbered_by_size_and_the_largest_has_no_number():
    made = plan(heads((400, 400, 1), (1500, 400, 1.2), (2700, 400, 1.1)), framings=("face_focus",))
    assert [crop.label for crop in made.crops] == ["face_focus", "face_focus-2", "face_focus-3"]
    assert [crop.framed.cut[0] > 1000 for crop in made.crops] == [True, True, False]
    assert made.crops[0].framed.cut[0] < made.crops[1].framed.cut[0]


def test_small_ones_are_left_out_with_their_size_or_kept():
    made = plan(heads((2000, 500, 1), tall=100))
    assert [crop.label for crop in made.crops] == [] and made.left_out[0] == "face_focus: 350 x 350 px, below 512"
    assert len(plan(heads((2000, 500, 1), tall=100), keep_small=True).crops) == 3
    assert len(plan(heads((2000, 500, 1), tall=100), smallest=350).crops) == 3


def test_no_crop_below_the_smallest_side_is_ever_made():
    rng = random.Random(3)
    for _ in range(500):
        size = (rng.randint(300, 4000), rng.randint(300, 4000))
        for crop in plan([a_person(rng, size)], size).crops:
            assert min(crop.framed.size) >= 512


def test_what_shows_nothing_new_is_left_out():
    made = plan(heads((300, 250, 1), tall=240), (840, 840))
    assert made.crops == [] and "face_focus: nearly the whole picture" in made.left_out
    twins = plan(heads((2000, 500, 1), (2020, 500, 1)), framings=("face_focus",))
    assert [crop.label for crop in twins.crops] == ["face_focus"] and "face_focus-2: nearly the same as face_focus" in twins.left_out


def test_there_are_limits_for_people_and_for_crops():
    crowd = heads(*((100 + 350 * place, 500, 1) for place in range(11)))
    made = plan(crowd, people=4, most=5, framings=("face_focus", "upper_body"))
    assert [crop.label for crop in made.crops] == ["face_focus", "upper_body", "face_focus-2", "upper_body-2", "face_focus-3"]
    assert "7 smaller people: at most 4 are taken" in made.left_out and "face_focus-4: at most 5 of a picture are made" in made.left_out


def test_overlap_is_what_both_cover_by_what_either_covers():
    assert overlap((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(1 / 3) and overlap((0, 0, 10, 10), (20, 0, 30, 10)) == 0
