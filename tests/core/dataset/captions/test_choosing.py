"""Which tags are kept, and how they join what is there."""

import pytest

from core.base.errors import ConfigError
from core.dataset.captions.choosing import TagSettings, choose_tags, compose, drop_overlapping, largest_gap, parse_replacements, spaced

SCORES = {"general": {"long_hair": 0.9, "very_long_hair": 0.8, "hat": 0.5, "^_^": 0.45, "parody": 0.9, "dim": 0.1},
          "character": {"mika_(sea)": 0.7, "rin": 0.9}, "rating": {"general": 0.2, "sensitive": 0.8}}


def chosen(**settings) -> list[str]:
    return choose_tags(SCORES, TagSettings.make(**settings))


def joined(present, found, authored=(), trigger="", **settings) -> str:
    return compose(present, found, set(authored), TagSettings.make(**settings), trigger)[0]


def test_thresholds_hold_for_each_category():
    assert chosen(drop_overlap=False) == ["long hair", "very long hair", "hat", "^_^", "rin"]
    assert chosen(general_threshold=0.95, character_threshold=0.6) == ["rin", "mika (sea)"]


def test_a_tag_that_another_one_says_is_dropped():
    assert chosen() == ["very long hair", "hat", "^_^", "rin"]
    assert drop_overlapping(["hair", "long hair", "short_hair", "chair"]) == ["long hair", "short_hair", "chair"]


def test_a_tag_that_only_begins_like_another_one_says_something_of_its_own():
    tags = ["cat", "cat_ears", "hair bow", "hair", "red", "red eyes"]
    assert drop_overlapping(tags) == tags


def test_a_blacklisted_tag_of_two_words_is_found_in_either_spelling():
    assert "very long hair" not in chosen(undesired_tags="hat, Very_Long hair")
    assert "hat" not in chosen(undesired_tags="hat,x")
    assert "parody" in chosen(usual_blacklist=False)


def test_underscores_stay_in_faces_and_where_asked():
    assert spaced("^_^") == "^_^" and spaced("long_hair") == "long hair"
    assert "very_long_hair" in chosen(remove_underscore=False)


def test_rating_characters_and_series_stand_where_asked():
    assert chosen(use_rating_tags=True)[0] == "sensitive"
    assert chosen(use_rating_tags_as_last_tag=True)[-1] == "sensitive"
    assert chosen(character_tags_first=True)[0] == "rin"
    assert {"mika", "sea"} <= set(chosen(character_threshold=0.6, character_tag_expand=True))


def test_tags_are_replaced_by_name():
    assert "big hat" in chosen(tag_replacement="hat,big hat;rin,x")
    assert parse_replacements(r"a\,b,c\;d") == [("a,b", "c;d")]
    with pytest.raises(ConfigError, match="'hat'"):
        parse_replacements("hat")


def test_the_largest_gap_is_the_threshold():
    assert largest_gap([0.9, 0.8, 0.3, 0.2], 0.35) == pytest.approx(0.55)
    assert largest_gap([], 0.35) == 0.35
    assert chosen(mcut=True, drop_overlap=False) == ["long hair", "very long hair", "hat", "^_^", "rin"]  # .45 to .1


def test_the_trigger_word_stands_first_whatever_comes():
    assert joined("zebra, apple", ["1girl", "mika"], trigger="mika") == "mika, zebra, apple, 1girl"
    assert joined("apple, mika", ["1girl"], trigger="mika", always_first_tags="1girl") == "mika, 1girl, apple"


def test_merge_keeps_every_word_and_its_order():
    assert joined("a girl sits, Zebra, apple", ["apple", "hat"], existing="merge") == "a girl sits, Zebra, apple, hat"


def test_replace_takes_out_only_what_a_model_wrote():
    assert joined("mine, old tag", ["hat"], ["old tag"], existing="replace") == "mine, hat"
    assert joined("mine, old tag", ["hat"], ["old tag"], existing="overwrite") == "hat"


def test_a_tag_that_a_person_took_out_does_not_come_back():
    text, written = compose("mine", ["hat", "bow"], {"hat"}, TagSettings(), "")
    assert text == "mine, bow"
    assert compose(text, ["hat"], set(written), TagSettings(existing="replace"), "")[0] == "mine"


@pytest.mark.parametrize("field", ["general_threshold", "character_threshold"])
def test_a_threshold_below_what_taggers_keep_is_refused_rather_than_without_effect(field):
    with pytest.raises(ConfigError, match="must be at least 0.05, but is 0.01"):
        TagSettings.make(**{field: 0.01})
    assert "below 0.05" in TagSettings.fields()[field].description
    TagSettings.make(**{field: 0.05})


def test_an_impossible_threshold_is_named():
    with pytest.raises(ConfigError, match=r"Threshold \(general_threshold\) must be at most 1.0, but is 35"):
        TagSettings.make(general_threshold=35)
    with pytest.raises(ConfigError, match="wd-vit-v3"):
        TagSettings.make(tagger="wd-vit")
