"""Bucket arithmetic; the expected numbers were computed with sd-scripts' own BucketManager at 48d368fa."""

import pytest

from core.base.buckets import BucketRule, bucket_resolutions, crop_edges, fill_buckets, fitting_repeats, select_bucket
from core.base.errors import ConfigError


def test_the_list_for_512_is_that_of_sd_scripts():
    assert bucket_resolutions((512, 512), 256, 1024, 64) == [
        (256, 832), (256, 896), (256, 960), (256, 1024), (320, 704), (320, 768), (384, 640), (448, 576), (512, 512), (576, 448), (640, 384),
        (704, 320), (768, 320), (832, 256), (896, 256), (960, 256), (1024, 256)]


@pytest.mark.parametrize(("size", "bucket", "resized"), [
    ((512, 512), (512, 512), (512, 512)),
    ((1000, 1500), (384, 640), (427, 640)),
    ((1920, 1080), (640, 384), (683, 384)),
    ((300, 200), (640, 384), (640, 427)),
    ((100, 1000), (256, 1024), (256, 2560)),
])
def test_the_nearest_ratio_is_taken_and_covered(size, bucket, resized):
    assert select_bucket(size, BucketRule((512, 512), True).checked()) == (bucket, resized)


@pytest.mark.parametrize(("size", "bucket", "resized"), [
    ((300, 200), (256, 192), (300, 200)),
    ((1000, 1500), (384, 576), (427, 640)),
    ((512, 512), (512, 512), (512, 512)),
])
def test_without_upscaling_small_images_keep_their_size(size, bucket, resized):
    rule = BucketRule((512, 512), True, bucket_no_upscale=True).checked()
    chosen, scaled = select_bucket(size, rule)
    assert scaled == resized or chosen == bucket
    assert chosen[0] % 64 == chosen[1] % 64 == 0 and chosen[0] <= scaled[0] and chosen[1] <= scaled[1]
    assert scaled[0] <= size[0] and scaled[1] <= size[1]


def test_without_buckets_everything_becomes_the_resolution():
    assert select_bucket((300, 900), BucketRule((512, 448)).checked())[0] == (512, 448)


def test_limits_are_brought_to_the_step_and_checked():
    rule = BucketRule((512, 512), True, 300, 1000, 64).checked()
    assert (rule.min_bucket_reso, rule.max_bucket_reso) == (256, 1024)
    with pytest.raises(ConfigError, match="min_bucket_reso"):
        BucketRule((128, 128), True).checked()
    with pytest.raises(ConfigError, match="max_bucket_reso"):
        BucketRule((2048, 2048), True).checked()
    with pytest.raises(ConfigError, match="smaller than bucket_reso_steps"):
        select_bucket((40, 40), BucketRule((512, 512), True, bucket_no_upscale=True).checked())


def test_crop_edges_are_what_sdxl_is_told():
    assert crop_edges((512, 512), (1000, 500)) == (0, 128, 512)
    assert crop_edges((512, 512), (500, 1000)) == (128, 0, 384)


def test_repeats_fill_an_epoch_to_about_two_hundred_pictures():
    assert [fitting_repeats(count) for count in (0, 1, 24, 199, 200, 5000)] == [1, 200, 9, 2, 1, 1]


def test_a_picture_so_long_that_sd_scripts_divides_by_zero_is_named():
    """6390 x 100 at 512 with steps of 64 ends sd-scripts with a ZeroDivisionError (tried); 6300 x 100 does not."""
    rule = BucketRule((512, 512), True, bucket_no_upscale=True).checked()
    with pytest.raises(ConfigError, match="6390 x 100 is too narrow"):
        select_bucket((6390, 100), rule)
    assert select_bucket((6300, 100), rule)[0] == (4032, 64)


def test_buckets_are_filled_with_repeats_and_left_out_pictures_do_not_count():
    rule = BucketRule((512, 512), True).checked()
    assert fill_buckets([((512, 512), 3), ((1024, 1024), 2), ((600, 400), 1), ((30, 3000), 0)], rule) == {(512, 512): 5, (640, 384): 1}


def test_a_shortest_side_below_one_step_is_refused_in_words():
    with pytest.raises(ConfigError, match=r"min_bucket_reso \(32\) is smaller than bucket_reso_steps \(64\)"):
        BucketRule((512, 512), True, 32, 1024, 64).checked()
    without_sizes = BucketRule((512, 512), True, 32, 1024, 64, bucket_no_upscale=True)
    assert without_sizes.checked().min_bucket_reso == 0  # no size is worked out from it
