"""What training makes of the pictures, and what the captions show how often."""

import pytest
from PIL import Image

from core.base.buckets import select_bucket
from core.base.errors import ConfigError
from core.dataset.curation.coverage import NOT_SAID, cover
from core.dataset.curation.overview import OverviewSettings, look_over
from core.dataset.filtering import choose, parse_filter, prepare
from core.dataset.listing import read_captions, scan
from core.dataset.training_file import TRAINING_FILE


def fill(project, sizes, captions=()):
    for number, size in enumerate(sizes):
        Image.new("RGB", size, (number * 20 % 256, 90, 90)).save(project.images / f"{number}.png")
    for number, caption in enumerate(captions):
        (project.images / f"{number}.txt").write_text(caption, encoding="utf-8")


def test_fates_are_the_trainers_own_arithmetic(project):
    sizes = [(512, 512), (1024, 512), (300, 200), (2000, 1500)]
    fill(project, sizes)
    overview = look_over(project, OverviewSettings(resolution=512))
    for fate, size in zip(overview.fates, sizes, strict=True):
        bucket, resized = select_bucket(size, overview.rule)
        assert (fate.size, fate.fit.bucket) == (size, bucket)
        assert fate.fit.cropped == pytest.approx(1 - bucket[0] * bucket[1] / (resized[0] * resized[1]))
    assert [fate.name for fate in overview.enlarged()] == ["2.png"]
    assert sum(count for _, count in overview.buckets()) == 4 and overview.sides() == (200, 512, 1500)
    assert overview.ranges() == [("below 256 px", 1), ("512 to 767 px", 2), ("1024 to 1535 px", 1)]
    assert overview.repeats == 50 and "an epoch shows 200" in overview.sentence()


def test_the_resolution_is_that_of_the_family_and_wrong_limits_are_told(project):
    fill(project, [(512, 512)])
    assert look_over(project, OverviewSettings()).rule.resolution == (512, 512)
    with pytest.raises(ConfigError, match="max_bucket_reso"):
        look_over(project, OverviewSettings(resolution=1024, max_bucket_reso=512))


def test_what_cannot_be_opened_or_is_too_small_is_named(project):
    fill(project, [(512, 512), (40, 40)])
    (project.images / "broken.png").write_bytes(b"no picture")
    overview = look_over(project, OverviewSettings(bucket_no_upscale=True))
    assert sorted(item.name for item in overview.unreadable) == ["1.png", "broken.png"]
    assert overview.findings()[0].level == "warning" and "2 pictures fit no training size" in str(overview.findings()[0])


def test_an_empty_project_is_no_error(project):
    overview = look_over(project, OverviewSettings())
    assert overview.sentence() == "the project has no pictures." and overview.sides() == (0, 0, 0) and overview.as_dict()["images"] == 0


CAPTIONS = ["mychar, from behind, full body, red dress", "mychar, from_side, (Full Body:1.2), red dress",
            "mychar, looking at viewer, portrait", "mychar, red dress", "mychar, facing away, full body"]


def test_every_number_of_the_matrix_is_what_its_filter_shows(project):
    fill(project, [(64, 64)] * 6, CAPTIONS)
    coverage = look_over(project, OverviewSettings()).coverage
    listing = read_captions(scan(project))
    places = [(angle, framing) for angle in (*coverage.angles, NOT_SAID) for framing in (*coverage.framings, NOT_SAID)]
    matrix = dict(zip(places, (count for row in coverage.matrix() for count in row), strict=True))
    assert matrix["behind", "full body"] == 2 and matrix[NOT_SAID, NOT_SAID] == 1 and sum(matrix.values()) == 5
    for (angle, framing), count in matrix.items():
        wanted = parse_filter(coverage.filter_for(angle, framing))
        prepare(listing, wanted)
        assert len(choose(listing, wanted)) == count, (angle, framing)
    assert coverage.matrix("red dress")[list(coverage.angles).index("side")][list(coverage.framings).index("full body")] == 1


def test_what_is_thin_is_said_and_own_groups_can_be_named():
    found = " ".join(str(finding) for finding in cover(CAPTIONS).findings())
    assert "seen from: front (1), side (1), behind (2), above (0), below (0)" in found
    assert "No caption names any angle." in str(cover(["a, b"]).findings()[0])
    own = cover(["mychar, red hair", "mychar, hat"], angles={"red": "red hair; scarlet hair"}, framings={"hat": "hat"})
    assert own.matrix() == [[0, 1], [1, 0]] and own.outfits == {}


def test_one_framing_is_only_called_the_only_one_where_most_captions_name_one():
    mostly_silent = cover(["white dress, close-up", *["white dress"] * 9])
    assert "only ever" not in " ".join(finding.what for finding in mostly_silent.findings())
    mostly_said = cover([*["white dress, close-up"] * 9, "white dress"])
    assert "'white dress' is only ever shown as close-up." in [finding.what for finding in mostly_said.findings()]


def test_what_is_left_open_is_as_trainer_keeps_it(project):
    (project.folder / TRAINING_FILE).write_text('[data]\nresolution = 768\nresolution_height = 640\nmax_bucket_reso = 1536\n')
    rule = look_over(project, OverviewSettings()).rule
    assert (rule.resolution, rule.max_bucket_reso) == ((768, 640), 1536)
    rule = look_over(project, OverviewSettings(resolution=512, max_bucket_reso=1024)).rule
    assert (rule.resolution, rule.max_bucket_reso) == ((512, 512), 1024)
    (project.folder / TRAINING_FILE).write_text('[data]\nresolution = "wide"\nmax_bucket_reso = -4\n')
    assert look_over(project, OverviewSettings()).rule.resolution == (512, 512), "Trainer says what is wrong with its file"


def test_small_training_pictures_are_shown_in_the_buckets_that_trainer_keeps(project):
    (project.folder / TRAINING_FILE).write_text("[data]\nresolution = 128\nmin_bucket_reso = 64\n")
    rule = look_over(project, OverviewSettings()).rule
    assert (rule.resolution, rule.min_bucket_reso) == ((128, 128), 64)
    (project.folder / TRAINING_FILE).write_text("[data]\nresolution = 512\nmin_bucket_reso = 64\n")
    assert look_over(project, OverviewSettings()).rule.min_bucket_reso == 256, "what stands in the panel counts"
