"""Where holes are, which pieces are looked at for them, and that a piece comes back as it went."""

import numpy
import pytest

from core.dataset.images.inpainting.pieces import find_pieces, fitted, laid_in, soft_edge, unfitted


def hole(size, *boxes):
    found = numpy.zeros(size[::-1], dtype=bool)
    for left, top, right, bottom in boxes:
        found[top:bottom, left:right] = True
    return found


def noise(size, seed=0):
    return numpy.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3)).astype("uint8")


def test_far_holes_have_a_piece_each_and_near_ones_share_one():
    marks = hole((4000, 3000), (100, 100, 150, 130), (170, 100, 220, 130), (3900, 2950, 4000, 3000))
    pieces = list(find_pieces(marks, 64, 512, 200))
    assert [piece.box for piece in pieces] == [(36, 15, 284, 215), (3772, 2800, 4000, 3000)]
    assert [int(piece.own.sum()) for piece in pieces] == [3000, 5000]


def test_a_hole_that_is_larger_than_a_piece_is_one_piece_with_all_its_context():
    (piece,) = find_pieces(hole((2000, 1500), (300, 200, 1500, 900)), 100, 512, 256)
    assert piece.box == (200, 100, 1600, 1000) and piece.own.sum() == 1200 * 700


@pytest.mark.parametrize("seed", range(12))
def test_every_pixel_of_every_hole_belongs_to_exactly_one_piece(seed):
    dice = numpy.random.default_rng(seed)
    size = tuple(int(side) for side in dice.integers(40, 900, 2))
    marks = numpy.zeros(size[::-1], dtype=bool)
    for _ in range(int(dice.integers(1, 30))):
        left, top = dice.integers(0, size[0]), dice.integers(0, size[1])
        marks[top:top + dice.integers(1, 60), left:left + dice.integers(1, 60)] = True
    counted = numpy.zeros(marks.shape, dtype=int)
    for piece in find_pieces(marks, int(dice.integers(8, 80)), 256, 64):
        left, top, right, bottom = piece.box
        assert 0 <= left < right <= size[0] and 0 <= top < bottom <= size[1]
        counted[piece.place] += piece.own
    assert (counted == marks).all()


@pytest.mark.parametrize("scale", [1.0, 0.37, 2.6])
@pytest.mark.parametrize(("size", "multiple"), [((61, 45), 8), ((64, 64), 64), ((7, 130), 16)])
def test_padding_is_exact_and_taken_off_again(size, multiple, scale):
    pixels, marks = noise(size), hole(size, (2, 10, 6, 30))
    sent, asked = fitted(pixels, marks, scale, multiple, 16)
    assert sent.shape[0] % multiple == sent.shape[1] % multiple == 0 and min(sent.shape[:2]) >= 16 and asked.shape == sent.shape[:2]
    back = unfitted(sent, size, scale)
    assert back.shape == pixels.shape
    if scale == 1:
        assert (back == pixels).all() and (asked[: size[1], : size[0]] == marks).all()
        assert (sent[size[1]:size[1] + 1, :size[0]] == pixels[-1:]).all()  # mirrored: the last row stands twice


def test_nothing_of_a_hole_runs_into_its_surroundings_when_a_piece_is_made_smaller():
    pixels = numpy.full((200, 200, 3), 100, dtype="uint8")
    marks = hole((200, 200), (57, 61, 103, 99))
    pixels[marks] = (255, 0, 255)
    for scale in (0.31, 0.5, 1.7):
        sent, asked = fitted(pixels, marks, scale, 1)
        assert (numpy.abs(sent[~asked].astype(int) - 100) <= 1).all() and asked.any()


def test_the_edge_is_soft_inside_only_and_thin_lines_are_covered():
    marks = hole((60, 60), (10, 10, 40, 40), (50, 5, 53, 55))
    share = soft_edge(marks, 5)
    assert (share[~marks] == 0).all() and (share[marks] > 0).all()
    assert share[10, 25] == pytest.approx(1 / 6) and share[25, 25] == 1 and share[30, 51] == 1
    assert (soft_edge(marks, 0) == marks).all()
    pixels, new = noise((60, 60)), noise((60, 60), 1)
    made = laid_in(pixels, new, marks, 5)
    assert (made[~marks] == pixels[~marks]).all() and (made[25, 25] == new[25, 25]).all()
