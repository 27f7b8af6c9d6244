"""Only what is doubtful is shown; what a person decided is asked no more, holds through every tagging, and can be undone."""

import pytest

from core.base.errors import DatasetError, DiskError
from core.dataset.captions import reviewing
from core.dataset.captions.reviewing import ReviewSettings, find_doubts, review_image
from core.dataset.captions.swapping import swap_captions
from core.dataset.captions.tagging import TagSettings, tag_images
from core.dataset.history import History, undo_last
from tests.core.dataset.small_things import picture

NEAR = ReviewSettings(character=False)


@pytest.fixture
def settings(tagger):
    def make(**values) -> TagSettings:
        return TagSettings.make(**{"model_dir": str(tagger), "device": "cpu", "drop_overlap": False, **values})

    return make


@pytest.fixture
def two(project, settings):
    """a: red .39, green .31, dark red .2; b: only blue, far above."""
    picture(project.images / "a.png", (100, 80, 0), size=(60, 60))
    picture(project.images / "b.png", (0, 0, 250), size=(60, 60))
    tag_images(project, settings())
    return project


def text(project, name="a"):
    return (project.images / f"{name}.txt").read_text()


def names(doubts):
    return {one.id: [(tag.name, tag.present) for tag in one.tags] for one in doubts}


def test_only_tags_near_the_threshold_are_shown_the_nearest_first(two):
    assert text(two) == "red theme"
    assert names(find_doubts(two, NEAR)) == {"a": [("green theme", False), ("red theme", True)]}
    assert names(find_doubts(two, NEAR.changed(margin=0.04))) == {"a": [("green theme", False)]}
    assert names(find_doubts(two, NEAR.changed(margin=0.2)))["a"][-1] == ("dark red theme", False)
    doubt = find_doubts(two, NEAR)[0].tags[0]
    assert doubt.score == pytest.approx(80 / 255, abs=1e-4) and doubt.threshold == 0.35


def test_what_was_decided_is_asked_no_more_until_it_is_undone(two):
    assert review_image(two, "a", keep=["green theme"], drop=["red theme"]).caption == "green theme" == text(two)
    assert find_doubts(two, NEAR) == []
    assert names(find_doubts(two, NEAR.changed(decided=True)))["a"] == [("green theme", True), ("red theme", False)]
    report = undo_last(two)
    assert report.what == "Reviewed a: kept green theme; dropped red theme" and text(two) == "red theme"
    assert names(find_doubts(two, NEAR)) == {"a": [("green theme", False), ("red theme", True)]}


def test_a_decision_that_changes_no_word_is_a_decision_too(two):
    review_image(two, "a", keep=["red theme"], drop=["green theme"])
    assert text(two) == "red theme" and find_doubts(two, NEAR) == []
    undo_last(two)
    assert len(find_doubts(two, NEAR)[0].tags) == 2


def test_no_later_tagging_takes_out_what_was_kept_or_brings_back_what_was_dropped(two, settings):
    review_image(two, "a", keep=["red theme"], drop=["green theme"])
    tag_images(two, settings(existing="replace", general_threshold=0.9))
    assert text(two) == "red theme"
    tag_images(two, settings(existing="replace", general_threshold=0.1))
    assert text(two) == "red theme, dark red theme"
    tag_images(two, settings(existing="merge", general_threshold=0.05))
    assert "green theme" not in text(two)


def test_a_decision_is_not_written_for_another_picture_that_has_the_name_now(two):
    seen = find_doubts(two, NEAR)[0]
    for old, new in (("a", "c"), ("b", "a"), ("c", "b")):
        (two.images / f"{old}.png").rename(two.images / f"{new}.png")
        (two.images / f"{old}.txt").rename(two.images / f"{new}.txt")
    with pytest.raises(DatasetError, match="a is no longer the picture that was looked at"):
        review_image(two, "a", keep=["green theme"], sha256=seen.sha256)
    assert "green theme" not in text(two, "a") and len(History.of(two).entries()) == 1
    assert review_image(two, "b", keep=["green theme"], sha256=seen.sha256).caption == "red theme, green theme"


def test_a_decision_that_could_not_be_written_counts_for_nothing(two, monkeypatch):
    def too_late(folder, swaps, **given):
        (folder / "a.txt").write_text("red theme, by hand")
        return swap_captions(folder, swaps, **given)

    monkeypatch.setattr(reviewing, "swap_captions", too_late)
    with pytest.raises(DatasetError, match="changed by something else"):
        review_image(two, "a", keep=["red theme", "green theme"])
    assert text(two) == "red theme, by hand"
    assert History.of(two).authored({"a": ""}) == {"a": {"red theme"}}


def test_a_decision_that_a_full_disk_did_not_take_counts_for_nothing(two, monkeypatch):
    def full(*_, **__):
        raise DiskError("The disk is full.")

    monkeypatch.setattr(reviewing, "swap_captions", full)
    with pytest.raises(DiskError):
        review_image(two, "a", keep=["green theme"], drop=["red theme"])
    assert text(two) == "red theme" and names(find_doubts(two, NEAR)) == {"a": [("green theme", False), ("red theme", True)]}


def test_a_caption_never_becomes_empty_and_one_without_file_needs_a_word(two):
    with pytest.raises(DatasetError, match="would become empty"):
        review_image(two, "a", drop=["red theme"])
    assert text(two) == "red theme"
    (two.images / "a.txt").unlink()
    with pytest.raises(DatasetError, match="nothing was kept"):
        review_image(two, "a", drop=["green theme"])
    assert review_image(two, "a", keep=["green theme"]).caption == "green theme" == text(two)


def test_words_of_a_person_stand_untouched(two):
    (two.images / "a.txt").write_text("mine, (red theme:1.2), a long hat")
    assert review_image(two, "a", keep=["green theme"], drop=["red theme"]).caption == "mine, a long hat, green theme"


def test_spelling_blacklist_and_overlap_are_those_of_the_tagging(two, settings):
    tagging = settings(remove_underscore=False, undesired_tags="green theme")
    assert names(find_doubts(two, NEAR, tagging)) == {"a": [("red_theme", True)]}
    picture(two.images / "a.png", (200, 0, 0), size=(60, 60))
    tag_images(two, settings(drop_overlap=True, existing="overwrite"))
    assert text(two) == "dark red theme"  # .39; "red theme" is said by it
    assert names(find_doubts(two, NEAR, settings(drop_overlap=True))) == {"a": [("dark red theme", True)]}
    assert names(find_doubts(two, NEAR.changed(margin=0.5), settings(drop_overlap=True)))["a"] == [("dark red theme", True)]


def test_an_ensemble_is_as_sure_as_its_surest_tagger(two, settings):
    both = settings(more_taggers=("demo",))
    tag_images(two, both)
    shown = names(find_doubts(two, NEAR, both.changed(model_thresholds={"wd-eva02-large-v3": "0.2"})))
    assert ("red theme", True) not in shown["a"] and ("dark red theme", False) in shown["a"]


def test_without_scores_it_says_what_to_do(project):
    picture(project.images / "a.png")
    with pytest.raises(DatasetError, match=r"No tagger has looked at these images yet\. Tag them first"):
        find_doubts(project, NEAR)


def test_thresholds_that_the_tagging_found_by_the_largest_gap_are_those_of_the_review(two, settings):
    picture(two.images / "a.png", (100, 80, 30), size=(60, 60))
    tagging = settings(mcut=True, existing="overwrite")
    tag_images(two, tagging)
    assert text(two) == "red theme, green theme"
    doubts = find_doubts(two, NEAR, tagging)[0]
    assert [(tag.name, tag.present) for tag in doubts.tags] == [("dark red theme", False), ("green theme", True)]
    assert doubts.tags[0].threshold == pytest.approx((80 + 50) / 2 / 255, abs=1e-4)  # between green and dark red


def test_a_characters_name_and_series_are_asked_for_one_by_one_where_the_tagging_split_them(two, settings):
    tagging = settings(character_tag_expand=True, character_threshold=0.3, existing="overwrite")
    tag_images(two, tagging)
    assert text(two) == "red theme, mika, sea"
    names_only = ReviewSettings(general=False, character_threshold=0.3)
    assert names(find_doubts(two, names_only, tagging)) == {"a": [("mika", True), ("sea", True)]}
    assert review_image(two, "a", keep=["mika"], drop=["sea"]).caption == "red theme, mika" and find_doubts(two, names_only, tagging) == []
