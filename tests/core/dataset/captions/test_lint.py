"""What is doubtful is found, and the change that is laid out mends it."""

import pytest

from core.dataset.captions.edit_settings import EditSettings
from core.dataset.captions.editing import edit_captions
from core.dataset.captions.lint import LintSettings, check_captions, find_in_captions
from core.dataset.captions.spelling import near_misses
from tests.core.dataset.small_things import picture

KINDS = "abcdefghijklmnopqrstuvwxyz"
PROSE = "mika, a girl with red hair stands in the middle of a long street and smiles."


def sound(count=40):
    """Captions without a fault: no tag stands in nearly all of them."""
    return {f"{number}": f"mika, {'standing' if number % 2 else 'sitting'}, {KINDS[number % 26] * 3} thing, place {number}"
            for number in range(count)}


def kinds(captions, **settings):
    return {finding.kind: finding for finding in find_in_captions(captions, LintSettings(**settings), "mika")}


def test_sound_captions_give_no_finding():
    assert kinds(sound()) == {}


@pytest.mark.parametrize(("kind", "caption"), [
    ("missing", None), ("missing", ""), ("trigger", "standing, hat"), ("trigger_first", "standing, mika, hat"),
    ("contradiction", "mika, short hair, long hair"), ("contradiction", "mika, red hair, blue hair"), ("style", PROSE),
    ("doubles", "mika, hat, standing, Hat"), ("format", "mika,, hat"), ("format", "mika, h\u200bat"), ("variants", "mika, Standing"),
    ("tokens", "mika, " + ", ".join(f"something {number}" for number in range(60))), ("bare", "mika"), ("bare", "Mika, (mika:1.2)")])
def test_a_fault_is_found_at_its_image(kind, caption):
    found = kinds({**sound(), "0": caption})
    assert kind in found and "0" in found[kind].ids


def test_several_people_contradict_nothing():
    several = {"0": "mika, 1girl, 1boy, short hair, long hair", "1": "mika, 2girls, red hair, blue hair"}
    assert "contradiction" not in kinds({**sound(), **several})
    assert "contradiction" not in kinds({**sound(), "0": "mika, two-tone hair, red hair, blue hair"})


def test_a_tag_that_goes_with_the_trigger_word_nearly_always_is_named_with_its_share():
    captions = {name: f"{text}, red hair" if int(name) < 38 else text for name, text in sound().items()}
    found = kinds(captions)
    assert "red hair (95%)" in found["fused"].what and found["fused"].fix.sentence() == "Took out red hair"
    assert set(found["near_constant"].ids) == {"38", "39"}
    assert "fused" not in kinds(captions, fused_share=0.99)


def test_tags_among_prose_are_found_as_well():
    captions = {f"{number}": f"{PROSE} Place {number}." for number in range(12)} | {"x": "mika, hat, cap, bow, dog"}
    assert kinds(captions)["style"].ids == ("x",)
    assert kinds(sound(), style="prose")["style"].fix is None


def test_a_caption_of_the_trigger_word_alone_is_left_to_a_person():
    found = kinds({**sound(), "0": "mika", "1": "mika"})
    assert found["bare"].what == "Captions that hold only the trigger word 'mika': 2 (0, 1)."
    assert found["bare"].fix is None and "becomes part of the trigger word" in found["bare"].remedy


@pytest.mark.parametrize("word", ["girl", "Girls", "1girl", "red hair", "red_hair", "cat", "my character", "cats' eyes", "the knight"])
def test_a_trigger_word_that_the_model_knows_already_is_named(word):
    found = {finding.kind: finding for finding in find_in_captions(sound(), trigger=word)}
    assert repr(word) in found["ordinary_trigger"].what and found["ordinary_trigger"].level == "warning"


@pytest.mark.parametrize(("trigger", "caption", "kind"), [
    ("mika", "mikasa ackerman, hat", "trigger"), ("ren", "renamon, hat", "trigger"), ("mochi", "mochi_cat, hat", "trigger"),
    ("mika", "hat, mikasa ackerman", "trigger"), ("my char", "my_char, hat", "trigger_spelling"),
    ("my_char", "hat, (my char:1.2)", "trigger_spelling"), ("ren", "a tall ren. He sits.", "trigger_first"),
    ("mika", "Mika, hat", ""), ("mika", "(mika:1.2), hat", ""), ("mika", "mika's hat lies on the floor.", ""), ("ミカ", "ミカ, hat", "")])
def test_a_word_that_only_holds_the_trigger_word_is_not_it(trigger, caption, kind):
    found = find_in_captions({"0": caption}, trigger=trigger)
    assert {one.kind for one in found if one.kind.startswith("trigger")} == ({kind} if kind else set())
    for finding in found:
        if finding.kind.startswith("trigger"):
            assert finding.fix is not None


@pytest.mark.parametrize("word", ["lil", "jo", "bo", "kitt", "bunn", "ver", "hol", "ivor", "lad", "ines", "ares", "hes",
                                  "mika", "mychar", "mikoneko", "ohwx", "sks", "mika girl", "ミカ", "m1ka", "grl", "123", ""])
def test_an_invented_word_is_no_ordinary_trigger_word(word):
    assert "ordinary_trigger" not in {finding.kind for finding in find_in_captions(sound(), trigger=word)}


def test_an_ordinary_trigger_word_is_told_before_there_is_any_caption():
    assert {finding.kind for finding in find_in_captions({"0": None}, trigger="girl")} == {"missing", "ordinary_trigger"}


def test_slips_of_the_finger_are_told_from_other_tags():
    counts = {"blue eyes": 200, "blue eyse": 1, "bleu eyes": 2, "1girl": 200, "2girl": 1, "red hat": 50, "red hats": 30, "smile": 100,
              "smie": 3}
    assert near_misses(counts) == [("bleu eyes", "blue eyes"), ("blue eyse", "blue eyes")]


def test_the_estimate_of_tokens_is_called_one(monkeypatch):
    from core.dataset.captions import lint_family, target
    from core.dataset.captions.tokens import TokenCounter, estimate_tokens

    caption = "mika, " + ", ".join(f"something {number}" for number in range(60))
    for exact in (True, False):
        for module in (lint_family, target):
            monkeypatch.setattr(module, "token_counter", lambda name, exact=exact: TokenCounter(estimate_tokens, exact))
        assert ("by an estimate" in kinds({**sound(), "0": caption})["tokens"].what) is not exact
        assert "tokens" not in kinds({**sound(), "0": caption[:300]}, max_token_length=150)


def test_each_change_that_is_laid_out_mends_its_finding(project):
    faults = {"0": "standing, mika, hat", "1": "hat, standing", "2": "mika, short hair, long hair", "3": "mika, hat, Hat",
              "4": "mika,, hat", "5": "mika, Standing", "6": "mika, " + ", ".join(f"something {number}" for number in range(60)), "7": None}
    captions = {**{name: f"{text}, red hair" for name, text in sound().items()}, **faults}
    for name, text in captions.items():
        picture(project.images / f"{name}.png", size=(8, 8))
        if text is not None:
            (project.images / f"{name}.txt").write_text(text)
    project.write_info(project.info().changed(trigger_word="mika"))
    seen = set()
    for _ in range(20):
        findings = [one for one in check_captions(project) if one.fix is not None and one.kind not in ("near_constant", "misspelt")]
        if not findings:
            break
        seen.add(findings[0].kind)
        settings = EditSettings.make(**findings[0].fix.model_dump(mode="json"))
        assert edit_captions(project, settings).changed > 0, findings[0].what
    assert findings == [] and seen >= {"missing", "trigger", "trigger_first", "contradiction", "tokens", "doubles", "format", "variants"}
