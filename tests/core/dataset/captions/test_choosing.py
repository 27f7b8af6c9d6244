"""Which tags are kept, and how they join what is there."""

import pytest

from core.base.errors import ConfigError
from core.dataset.captions.choosing import TagSettings, choose_tags, compose, drop_overlapping, largest_gap, parse_replacements, spaced

SCORES = {"general": {"long_hair": 0.9, "very_long_hair": 0.8, "hat": 0.5, "^_^": 0.45, "parody": 0.9, "dim": 0.1},
          "character": {"mika_(sea)": 0.7, "rin": 0.9}, "rating": {"general": 0.2, "sensitive": 0.8}}


def chosen(**settings) -> list[str]:
    return choose_tags({"wd-eva02-large-v3": SCORES}, TagSettings.make(**settings))


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
    with pytest.raises(ConfigError, match=r"Threshold.* must be at most 1.0, but is 35"):
        TagSettings.make(general_threshold=35)
    with pytest.raises(ConfigError, match="wd-vit-v3"):
        TagSettings.make(tagger="wd-vit")


TWO = {"wd-eva02-large-v3": {"general": {"hat": 0.5, "bow": 0.3, "cap": 0.2}, "rating": {"general": 0.6}},
       "wd-vit-v3": {"general": {"bow": 0.4, "cap": 0.3, "hat": 0.1}, "rating": {"explicit": 0.9}}}


def of_two(**settings) -> list[str]:
    return choose_tags(TWO, TagSettings.make(more_taggers=("wd-vit-v3",), **settings))


def test_an_ensemble_keeps_what_any_tagger_finds_the_best_score_first():
    assert of_two() == ["hat", "bow"]
    assert of_two(general_threshold=0.3) == ["hat", "bow", "cap"]
    assert of_two(use_rating_tags=True)[0] == "explicit"


def test_each_tagger_has_thresholds_of_its_own_where_they_are_given():
    assert of_two(model_thresholds={"wd-vit-v3": "0.25"}) == ["hat", "bow", "cap"]
    assert of_two(model_thresholds={"wd-eva02-large-v3": 0.6, "wd-vit-v3": [0.45, 0.9]}) == []
    assert TagSettings(model_thresholds={"wd-vit-v3": "0.25, 0.7"}).cuts("wd-vit-v3") == (0.25, 0.7)
    assert TagSettings(own_thresholds=True).cuts("wd-vit-v3") == (0.2614, 0.85)
    assert TagSettings(own_thresholds=True).cuts("wd-moat-v2") == (0.35, 0.85)
    again = TagSettings.make(**TagSettings(model_thresholds={"wd-vit-v3": "0.25,0.7"}, more_taggers=("demo",)).model_dump(mode="json"))
    assert again.cuts("wd-vit-v3") == (0.25, 0.7) and again.taggers == ["wd-eva02-large-v3", "demo"]


@pytest.mark.parametrize("given", [{"wd-vit": "0.3"}, {"wd-vit-v3": "much"}, {"wd-vit-v3": "0.3, 0.4, 0.5"}, {"wd-vit-v3": "0.01"},
                                   {"wd-vit-v3": ""}])
def test_a_wrong_threshold_of_one_tagger_is_named(given):
    with pytest.raises(ConfigError, match=next(iter(given))):
        TagSettings.make(model_thresholds=given)


def test_what_stands_in_every_caption_stands_in_front_and_at_the_end():
    fixed = {"prefix": "anime style, high detail", "suffix": "white frame"}
    once = joined("mine", ["1girl", "hat"], trigger="mika", always_first_tags="1girl", **fixed)
    assert once == "mika, anime style, high detail, 1girl, mine, hat, white frame"
    assert joined(once, ["1girl", "hat"], trigger="mika", always_first_tags="1girl", **fixed) == once
    assert joined("white frame, mine", ["hat"], **fixed) == "anime style, high detail, mine, hat, white frame"


def test_another_prefix_takes_the_place_of_the_one_that_was_written_before():
    text, written = compose("mine", ["hat"], set(), TagSettings(prefix="old style"), "")
    assert text == "old style, mine, hat"
    assert compose(text, ["hat"], set(written), TagSettings(prefix="new style", existing="replace"), "")[0] == "new style, mine, hat"
