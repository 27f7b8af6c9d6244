"""What is doubtful for one model family, and that the change which is laid out really mends it."""

import pytest

from core.dataset.captions.edit_settings import EditSettings
from core.dataset.captions.editing import edit_captions
from core.dataset.captions.lint import LintSettings, check_captions, find_in_captions
from tests.core.dataset.small_things import picture

KINDS = "abcdefghijklmnopqrstuvwxyz"
LONG = "mika stands in front of the old house and looks far away over the fields. "


def sound(count=12, more=""):
    """Captions in tags without a fault."""
    return {f"s{number}": f"mika, {'standing' if number % 2 else 'sitting'}, {KINDS[number % 26] * 3} thing{more}, place {number}"
            for number in range(count)}


def told(count=12):
    """The same in sentences."""
    return {f"s{number}": f"A photo of mika, who holds a {KINDS[number] * 3}. Behind her stands house number {number}."
            for number in range(count)}


def fill(project, captions, trigger="mika"):
    for name, text in captions.items():
        picture(project.images / f"{name}.png", size=(8, 8))
        if text is not None:
            (project.images / f"{name}.txt").write_text(text, encoding="utf-8")
    project.write_info(project.info().changed(trigger_word=trigger))


def mend(project, captions, kind, trigger="mika", **settings):
    """Look, do what the finding lays out, look again. Gives the finding and the captions after it."""
    fill(project, captions, trigger)
    found = {finding.kind: finding for finding in check_captions(project, LintSettings(**settings))}
    assert kind in found, sorted(found)
    edit_captions(project, EditSettings.make(**found[kind].fix.model_dump(mode="json")))
    assert kind not in {finding.kind for finding in check_captions(project, LintSettings(**settings))}
    after = {name: path.read_text(encoding="utf-8") for name in captions if (path := project.images / f"{name}.txt").exists()}
    assert {name for name in captions if after.get(name) != captions[name]} <= set(found[kind].ids), "others were changed"
    return found[kind], after


def kinds(captions, trigger="mika", **settings):
    return {finding.kind: finding for finding in find_in_captions(captions, LintSettings(**settings), trigger)}


@pytest.mark.parametrize(("family", "kind", "caption", "mended"), [
    ("pony", "quality", "mika, masterpiece, best quality, hat", "mika, hat"),
    ("illustrious", "quality", "mika, score_9, score_8_up, source_anime, hat", "mika, hat"),
    ("noobai", "quality", "mika, best quality, bad quality, hat", "mika, best quality, hat"),
    ("flux1", "quality", "mika, masterpiece, hat", "mika, hat"),
    ("pony", "ratings", "mika, general, hat", "mika, rating_safe, hat"),
    ("pony", "ratings", "mika, rating:explicit, hat", "mika, rating_explicit, hat"),
    ("illustrious", "ratings", "mika, rating_safe, hat", "mika, general, hat"),
    ("anima", "ratings", "mika, questionable, hat", "mika, nsfw, hat"),
    ("pony", "underscores", "mika, score 9, Rating Safe, hat", "mika, score_9, rating_safe, hat"),
    ("anima", "underscores", "mika, score 7, hat", "mika, score_7, hat")])
def test_words_of_other_families_are_found_and_mended(project, family, kind, caption, mended):
    finding, after = mend(project, {**sound(), "x": caption}, kind, family=family)
    assert finding.ids == ("x",) and after["x"] == mended


@pytest.mark.parametrize(("family", "caption"), [
    ("pony", "mika, score_9, score_8_up, source_anime, rating_safe, hat"), ("illustrious", "mika, masterpiece, general, hat"),
    ("animagine", "mika, masterpiece, very aesthetic, safe, hat"), ("anima", "mika, masterpiece, score_7, safe, hat"),
    ("sdxl", "mika, masterpiece, score_9, general, hat"), ("sd15", "mika, masterpiece, rating:safe, hat"),
    ("noobai", "mika, masterpiece, sensitive, hat")])
def test_a_familys_own_words_are_let_alone_and_of_plain_sdxl_nothing_is_known(family, caption):
    assert not {"quality", "ratings", "underscores", "variants"} & set(kinds({**sound(), "x": caption}, family=family))


def test_words_in_brackets_are_mended_with_those_outside(project):
    captions = {**sound(), "x": "mika, score 9, hat", "y": "mika, (score 9:1.2), hat"}
    finding, after = mend(project, captions, "underscores", family="pony")
    assert finding.ids == ("x", "y") and (after["x"], after["y"]) == ("mika, score_9, hat", "mika, (score_9:1.2), hat")


def test_a_caption_of_quality_words_alone_is_not_promised_to_be_mended():
    assert "quality" not in kinds({**sound(), "x": "masterpiece, best quality"}, trigger="", family="pony")


@pytest.mark.parametrize("family", ["flux1", "flux2_klein", "flux2_dev", "sd3", "qwen_image", "z_image", "hunyuan_image"])
def test_sentences_with_the_trigger_word_in_the_first_one_are_right_where_prose_is_wanted(family):
    assert kinds(told(), family=family) == {}
    assert set(kinds(told(), family="pony")) >= {"style", "trigger_first"}


def test_tags_for_a_family_that_wants_prose_are_named_as_such():
    finding = kinds({**told(), "x": "mika, hat, cap, bow, dog"}, family="flux1")["style"]
    assert finding.ids == ("x",) and finding.fix is None
    assert "FLUX.1 wants prose" in finding.what and "Caption panel" in finding.remedy
    everything = kinds(sound(), family="flux1")["style"]
    assert len(everything.ids) == 12, "not the majority decides, but the family"
    assert "Pony" in kinds(told(), family="pony")["style"].what and "Tag panel" in kinds(told(), family="pony")["style"].remedy


def test_where_both_may_stand_side_by_side_nothing_is_said_of_it_unless_a_person_does():
    mixed = {**sound(), "x": "mika, hat. She stands in the middle of a long street and smiles."}
    assert "style" not in kinds(mixed, family="anima")
    assert kinds(mixed, family="anima", style="tags")["style"].ids == ("x",)
    assert kinds(mixed, family="sd15")["style"].ids == ("x",)


def test_in_prose_the_trigger_word_belongs_into_the_first_sentence(project):
    late = "A girl stands in the street and looks around. The name of the girl is mika."
    finding, after = mend(project, {**told(), "x": late}, "trigger_first", family="flux1")
    assert finding.ids == ("x",) and after["x"].startswith("mika, A girl")


def test_capital_letters_of_the_trigger_word_count_where_the_encoder_reads_them(project):
    captions = {**told(), "x": "A photo of Mika, who holds a hat. Behind her stands a house."}
    assert not [kind for kind in kinds(captions, family="sd15") if kind in ("trigger", "trigger_spelling")]
    finding, _ = mend(project, captions, "trigger_spelling", family="flux1")
    assert finding.ids == ("x",)


def test_each_family_has_its_own_length():
    tags = "mika, " + ", ".join(f"hat {number}" for number in range(100))  # 300 to 500 tokens
    captions = {**sound(), "x": tags}
    assert "tokens" in kinds(captions, family="sdxl") and "more than" not in kinds(captions, family="sdxl")["tokens"].what
    assert "tokens" not in kinds(captions, family="sdxl", max_token_length=500)
    assert "tokens" not in kinds(captions, family="qwen_image")
    assert "longer than 255 tokens" in kinds(captions, family="sd3", style="tags")["tokens"].what
    assert "tokens" not in kinds(captions, family="flux1", style="tags")


def test_a_short_text_of_many_tokens_is_counted_all_the_same():
    assert "tokens" in kinds({**sound(), "x": "mika, " + "黒髪" * 25}, family="sd15"), "56 letters, some 100 tokens"


def test_prose_that_is_too_long_loses_whole_sentences_at_its_end(project):
    finding, after = mend(project, {**told(), "x": LONG * 30}, "tokens", family="sd3")
    assert finding.ids == ("x",)
    kept = after["x"].count("mika stands")
    assert 5 < kept < 30 and after["x"] == (LONG * kept).strip()


def test_tags_that_are_too_long_lose_the_last_ones(project):
    _, after = mend(project, {**sound(), "x": "mika, " + ", ".join(f"something {number}" for number in range(60))}, "tokens")
    assert after["x"].startswith("mika, something 0, something 1") and not after["x"].endswith("59")


def test_one_sentence_that_is_too_long_is_left_to_a_person():
    endless = "mika " + "and the old house by the sea " * 60 + "stand there."
    found = kinds({**told(), "x": endless, "y": LONG * 30}, family="sd3")
    assert found["long_sentence"].ids == ("x",) and found["long_sentence"].fix is None
    assert found["tokens"].ids == ("y",)


def test_a_contradiction_is_mended_only_where_it_is_one(project):
    several = "mika, 1girl, 1boy, short hair, long hair"
    captions = {**sound(more=", long hair"), "x": "mika, short hair, long hair", "several": several}
    finding, after = mend(project, captions, "contradiction")
    assert finding.ids == ("x",) and after["x"] == "mika, long hair" and after["several"] == several


def test_doubles_are_found_and_mended_inside_of_brackets_too(project):
    captions = {**sound(), "a": "mika, hat, (Hat:1.2), bow", "b": "mika, (hat, hat:1.2)", "c": "mika, bow, (hat, bow:1.2)"}
    _, after = mend(project, captions, "doubles")
    assert (after["a"], after["b"], after["c"]) == ("mika, hat, bow", "mika, (hat:1.2)", "mika, bow, (hat:1.2)")


def test_mending_doubles_leaves_sentences_alone(project):
    prose = "She waves, and she smiles, and she smiles, in the very long street before the old house."
    _, after = mend(project, {**sound(), "x": "mika, hat, hat", "prose": f"mika, {prose}"}, "doubles")
    assert after["prose"] == f"mika, {prose}" and after["x"] == "mika, hat"


@pytest.mark.parametrize("caption", [None, "", " ", ",", " ,, ", "\u200b"])
def test_a_caption_without_a_word_is_missing_and_gets_the_trigger_word(project, caption):
    finding, after = mend(project, {**sound(), "x": caption}, "missing")
    assert finding.ids == ("x",) and after["x"] == "mika"


def test_tags_that_are_all_that_a_caption_says_are_not_taken_out_of_all():
    assert kinds({str(number): "red hair" for number in range(12)}, trigger="")["fused"].fix is None
    assert kinds({str(number): f"red hair, hat {number}" for number in range(12)}, trigger="")["fused"].fix is not None


def test_fused_and_near_constant_tags_are_mended(project):
    captions = {f"{number}": f"mika, red hair, {KINDS[number % 26] * 3} thing, place {number}" for number in range(24)}
    captions["23"] = "mika, zzz thing, place 23"
    fused = kinds(captions)["fused"]
    assert "red hair (96%)" in fused.what
    finding, after = mend(project, captions, "near_constant")
    assert finding.ids == ("23",) and after["23"].endswith(", red hair")
    _, after = mend(project, captions, "fused")
    assert not [text for text in after.values() if "red hair" in text]


def test_the_trigger_word_is_right_as_it_stands_in_the_project(project):
    captions = {name: text.replace("mika", "Mika") for name, text in sound().items()} | {"x": "mika, hat"}
    _, after = mend(project, captions, "variants")
    assert all(text.startswith("mika,") for text in after.values())


def test_the_beginnings_of_sentences_are_no_spellings_and_no_slips():
    captions = {f"{number}": f"A girl with red hair, she stands in the long street number {number} and smiles." for number in range(12)}
    captions["x"] = "A girl with red hare, she stands in the long street, a girl with red hair looks at her and smiles."
    assert not {"variants", "misspelt"} & set(kinds(captions, trigger="", family="flux1"))


def test_a_slip_of_the_finger_is_mended(project):
    captions = {name: f"{text}, blue eyes" if int(name[1:]) % 2 else text for name, text in sound(30).items()}
    finding, after = mend(project, {**captions, "x": "mika, blue eyse, hat"}, "misspelt")
    assert finding.ids == ("x",) and after["x"] == "mika, blue eyes, hat"


def test_a_weighted_tag_in_the_usual_spelling_is_no_variant():
    captions = {**sound(), "x": "mika, Hat", "y": "mika, hat", "z": "mika, hat, cap", "w": "mika, (hat:1.2)"}
    assert kinds(captions)["variants"].ids == ("x",)
    assert kinds({**captions, "v": "mika, (Hat:1.2)"})["variants"].ids == ("x", "v"), "inside of brackets too"


def test_the_report_says_for_which_model_and_its_changes_can_be_made_from_json(project):
    import json

    from core.stages import run_stage

    fill(project, {**sound(), "x": "mika, masterpiece, hat"})
    report = json.loads(json.dumps(run_stage("findings", project.folder, {"family": "pony"})))
    assert report["summary"] == "13 captions for Pony V6 (SDXL): 1 finding." and (report["family"], report["reads"]) == ("pony", 225)
    assert report["findings"][0]["ids"] == ["x"]
    run_stage("edit", project.folder, report["findings"][0]["fix"])
    assert (project.images / "x.txt").read_text() == "mika, hat"
    assert run_stage("findings", project.folder, {"family": "pony"})["summary"] == "13 captions for Pony V6 (SDXL): nothing doubtful."
