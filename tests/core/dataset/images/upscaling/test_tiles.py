"""Tiles: every pixel once, of one size, aligned; laid together they are what the network makes of the whole picture."""

from itertools import pairwise

import numpy
import pytest
from PIL import Image

from core.dataset.images.upscaling.enlarging import WHOLE, Enlarger
from core.dataset.images.upscaling.tiles import Canvas, SizeRule, plan_tiles, read_tile
from tests.tiny_upscalers import make_compact, make_esrgan, make_swinir, open_tiny


def photo(width: int, height: int) -> Image.Image:
    from skimage import data

    return Image.fromarray(data.astronaut()).resize((width, height), Image.Resampling.LANCZOS)


def difference(one: Image.Image, other: Image.Image) -> int:
    assert one.size == other.size and one.mode == other.mode
    return int(numpy.abs(numpy.asarray(one).astype(int) - numpy.asarray(other).astype(int)).max())


@pytest.mark.parametrize("seed", range(60))
def test_whatever_the_size_tiles_cover_it_once_and_overlap_enough(seed):
    dice = numpy.random.default_rng(seed)
    size = tuple(int(side) for side in dice.integers(1, 900, 2))
    rule = SizeRule(int(dice.choice([1, 16, 40])), int(dice.choice([1, 2, 8, 32])), bool(dice.integers(2)))
    side, overlap = int(dice.integers(32, 400)), int(dice.integers(4, 40))
    plan = plan_tiles(size, side, overlap, rule)
    widths = {span.end - span.begin for span in plan.columns}
    heights = {span.end - span.begin for span in plan.rows}
    assert len(widths) == len(heights) == 1 and (widths == heights or not rule.square)
    for spans, length in ((plan.columns, size[0]), (plan.rows, size[1])):
        assert spans[0].begin == spans[0].first == 0 and spans[-1].last == length <= spans[-1].end
        assert all(span.begin % rule.multiple == 0 and rule.fit(span.end - span.begin) == span.end - span.begin for span in spans)
        for before, after in pairwise(spans):
            assert after.first < before.last == after.faded or before.last == length
            margin = overlap // 2
            assert after.first - after.begin >= margin and (before.end - before.last >= margin or before.last == length)


def test_tiles_are_as_few_and_as_small_as_they_can_be():
    plan = plan_tiles((1500, 1000), 512, 16)
    assert (len(plan.columns), len(plan.rows)) == (4, 2) and 1500 * 1000 < plan.computed < 1.07 * 1500 * 1000
    assert plan_tiles((512, 512), 512, 16).count == 1 and plan_tiles((513, 512), 512, 16).count == 2


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1), (3, 7), (33, 31)])
def test_what_a_network_needs_more_is_the_picture_mirrored_however_small_it_is(size):
    image = photo(*size)
    plan = plan_tiles(size, 64, 8, SizeRule(40, 8, True))
    (column,), (row,) = plan.columns, plan.rows
    tile = read_tile(image, column, row)
    assert tile.shape == (40, 40, 3) if max(size) <= 40 else (56, 56, 3)
    assert (tile[:size[1], :size[0]] == numpy.asarray(image)).all()
    if size == (33, 31):
        assert (tile[31] == tile[29]).all() and (tile[:, 33] == tile[:, 31]).all()


@pytest.mark.parametrize("size", [(97, 61), (150, 40), (33, 200), (64, 64), (1, 130), (130, 1)])
@pytest.mark.parametrize("scale", [1, 2, 4])
def test_tiled_is_the_same_as_whole_where_the_network_sees_no_further_than_half_the_overlap(tmp_path, size, scale):
    network = open_tiny(make_compact(scale), tmp_path)  # sees 6 pixels far
    whole = Enlarger(WHOLE, 12).enlarge(network, photo(*size))
    tiled = Enlarger(40, 12).enlarge(network, photo(*size))
    assert whole.size == (size[0] * scale, size[1] * scale) and difference(whole, tiled) <= 1
    share = (numpy.asarray(whole) != numpy.asarray(tiled)).mean()
    assert share < 0.001  # rounding only


@pytest.mark.parametrize("overlap", [4, 16, 32])
def test_half_the_overlap_is_how_far_a_network_may_see_for_the_same_result_and_not_a_pixel_further(overlap):
    from scipy.ndimage import correlate1d

    side = 2 * 128 - overlap - overlap // 4  # two tiles of 128 px share exactly the overlap and the fade
    plan = plan_tiles((side, side), 128, overlap)
    noise = Image.fromarray(numpy.random.default_rng(0).integers(0, 256, (side, side, 3), dtype="uint8"))
    found = []
    for reach in (overlap // 2, overlap // 2 + 1):
        weights = [0.5, *[0.0] * (2 * reach - 1), 0.5]

        def seen(pixels, weights=weights):
            return correlate1d(correlate1d(pixels, weights, axis=0), weights, axis=1)

        canvas = Canvas(noise.size, 1)
        for row in plan.rows:
            for column in plan.columns:
                canvas.lay(seen(read_tile(noise, column, row)), column, row)
        found.append(difference(canvas.image, Image.fromarray(seen(numpy.asarray(noise)))))
    assert found[0] == 0 < found[1]


def test_a_network_that_joins_pixels_into_channels_gives_the_same_in_tiles(tmp_path):
    network = open_tiny(make_esrgan(scale=2, shuffle=2), tmp_path)
    assert network.rule.multiple > 1
    whole = Enlarger(WHOLE, 64).enlarge(network, photo(211, 150))
    assert whole.size == (422, 300) and difference(whole, Enlarger(180, 64).enlarge(network, photo(211, 150))) <= 1


@pytest.mark.filterwarnings("ignore:torch.meshgrid:UserWarning")
def test_a_network_that_sees_further_leaves_no_seam(tmp_path):
    """The step across a fade is no larger than elsewhere: the difference to the whole picture grows and falls slowly."""
    network = open_tiny(make_swinir(), tmp_path)
    picture = photo(180, 120)
    whole = numpy.asarray(Enlarger(WHOLE).enlarge(network, picture)).astype(int)
    tiled = numpy.asarray(Enlarger(64).enlarge(network, picture)).astype(int)
    error = tiled - whole
    assert numpy.abs(error).mean() < 2
    steps = numpy.abs(numpy.diff(error, axis=1)).mean(axis=(0, 2))
    assert steps.max() < 3


def test_tiles_that_differ_fade_into_each_other_in_both_directions():
    plan = plan_tiles((100, 100), 60, 16)
    canvas = Canvas((100, 100), 2)
    levels = {(0, 0): 0, (0, 1): 80, (1, 0): 160, (1, 1): 240}
    for y, row in enumerate(plan.rows):
        for x, column in enumerate(plan.columns):
            tile = numpy.full(((row.end - row.begin) * 2, (column.end - column.begin) * 2, 3), levels[y, x], dtype="uint8")
            canvas.lay(tile, column, row)
    made = numpy.asarray(canvas.image).astype(int)[..., 0]
    assert made[0, 0] == 0 and made[0, -1] == 80 and made[-1, 0] == 160 and made[-1, -1] == 240
    assert numpy.abs(numpy.diff(made, axis=0)).max() <= 160 / 8 + 1 and numpy.abs(numpy.diff(made, axis=1)).max() <= 80 / 8 + 1
    middle = made[100 - 1: 101, 100 - 1: 101].mean()
    assert abs(middle - 120) < 3
