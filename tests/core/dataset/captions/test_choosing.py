"""Which tags are kept, and how they join what is there."""

import pytest

from core.base.errors import ConfigError
from core.dataset.captions.arranging import FixFormat
from core.dataset.captions.choosing import TagSettings, choose_tags, drop_overlapping, largest_gap, parse_replacements
from core.dataset.captions.editing import caption_change
from core.dataset.captions.files import spaced, tag_key
from core.dataset.captions.joining import compose
from core.dataset.captions.operation import Context
from core.dataset.captions.taggers import TAGGERS
from core.dataset.sources.gallery import tag_words

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


FACES = ["^_^", ">_<", "@_@", "+_+", "+_-", "=_=", "-_-", "._.", ";_;", "?_?", "!_!", "$_$", "*_*", "|_|", "||_||", "<|>_<|>",
         "<o>_<o>", "(o)_(o)", ">_o",
         "o_o", "0_0", "u_u", "x_x", "t_t", "T_T", "n_n", "q_q", "v_v", "3_3", "6_9", "9_9", "\\(o\\)_\\(o\\)"]
"""Danbooru's, as far as they have an underscore."""


@pytest.mark.parametrize("face", FACES)
def test_faces_keep_their_underscore_wherever_tags_are_spaced(face):
    assert spaced(face) == face == tag_words(f" {face} ") and tag_key(face) == face.lower()
    assert caption_change([FixFormat(underscores=True)], Context())(f"mika, {face}")[0] == f"mika, {face}"


@pytest.mark.parametrize("tag", ["long_hair", "3d_model", "m_(bloodsport)", "v_sign", "2b_(nier)", "x-ray_vision", "^_^_face", "a_b_c"])
def test_words_do_not(tag):
    assert spaced(tag) == tag.replace("_", " ") == tag_words(tag) == tag_key(tag)


def test_underscores_stay_where_asked():
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
    assert joined("Mika, apple, Long_Hair", [], trigger="mika", always_first_tags="long hair") == "mika, Long_Hair, apple"


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
    assert TagSettings(own_thresholds=True).cuts("wd-moat-v2") == (0.3771, 0.85)
    again = TagSettings.make(**TagSettings(model_thresholds={"wd-vit-v3": "0.25,0.7"}, more_taggers=("demo",)).model_dump(mode="json"))
    assert again.cuts("wd-vit-v3") == (0.25, 0.7) and again.taggers == ["wd-eva02-large-v3", "demo"]


def test_taggers_whose_own_threshold_is_not_known_are_named_in_the_help():
    unknown = {entry.title for entry in TAGGERS if "balanced" not in entry.options}
    assert unknown == {"WD ConvNeXt v3", "Demo tagger"}
    words = TagSettings.fields()["own_thresholds"].description
    assert all(title in words for title in unknown)
    assert TagSettings(own_thresholds=True).cuts("wd-swinv2-v3")[0] == 0.2653


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


@pytest.mark.parametrize("present", [
    "(red hair, smile:1.2), (blue coat, smile:1.1), (green hat, smile:1.2)",
    "A girl, smiling, stands on a hill by the sea. Her dog, smiling, sits.",
    "1,000 flowers", "mika,  1,000 flowers , a , a", "hat ,, Hat,", "He said: \"so, so, so\", and went away from the old house."])
@pytest.mark.parametrize("trigger", ["", "mika"])
def test_a_person_s_words_stay_byte_for_byte_in_front_of_new_tags(present, trigger):
    lead = "mika, " if trigger and not present.startswith("mika") else ""
    text, written = compose(present, ["bow"], set(), TagSettings(), trigger)
    assert text.startswith(lead + present) and text.removeprefix(lead + present).lstrip(" ,") == "bow"
    assert compose(text, ["bow"], set(written), TagSettings(), trigger)[0] == text
    assert compose(text, ["cap"], set(written), TagSettings(existing="replace"), trigger)[0].startswith(lead + present.rstrip(" ,"))
    assert "bow" not in compose(text, ["cap"], set(written), TagSettings(existing="replace"), trigger)[0]


def test_a_tag_inside_brackets_or_with_a_weight_is_there_already():
    present = r"saber \(fate\), (long hair:1.2), [red eyes, hat]"
    assert joined(present, ["saber (fate)", "long hair", "hat", "bow"]) == present + ", bow"
    assert joined("hat, (mika:1.2)", [], trigger="mika") == "(mika:1.2), hat"


def test_a_model_s_tag_that_a_person_weighted_is_the_person_s_and_one_taken_out_of_a_group_stays_out():
    text, written = compose("(hat:1.2), bow", ["hat", "bow"], {"hat", "bow", "cap"}, TagSettings(existing="replace"), "")
    assert text == "(hat:1.2), bow" and {"hat", "bow", "cap"} <= set(written)
    assert compose("bow", ["hat", "bow", "cap"], set(written), TagSettings(), "")[0] == "bow"


def test_replace_takes_a_captioner_s_text_and_tags_behind_sentences():
    told = "A girl in a coat, stands by the sea. Behind her, a boat."
    present, authored = f"My very own sentence of her. {told} hat, bow", {
        "a girl in a coat", "stands by the sea. behind her", "a boat.", "hat", "bow"}
    assert joined(present, ["cap"], authored, existing="replace") == "My very own sentence of her. cap"


def test_what_is_never_written_covers_no_other_tag():
    assert "long hair" in chosen(undesired_tags="very long hair")
    assert {"long hair", "braid"} <= set(chosen(tag_replacement="very long hair,braid"))
    found = choose_tags({"wd-eva02-large-v3": SCORES}, TagSettings(), {"very long hair"})
    assert "long hair" in found and "very long hair" not in found


def test_a_prefix_in_brackets_stands_once():
    settings = {"prefix": "(fine, sharp:1.2)", "suffix": "frame"}
    once = joined("A girl sits by the old sea, alone.", ["hat"], trigger="mika", **settings)
    assert once == "mika, (fine, sharp:1.2), A girl sits by the old sea, alone. hat, frame"
    assert joined(once, ["hat", "bow"], trigger="mika", **settings) == once.removesuffix("frame") + "bow, frame"
    once = joined("frame, :(, frame", ["hat"], **settings)
    assert once == "(fine, sharp:1.2), frame, :(, hat, frame" and joined(once, ["hat"], **settings) == once
