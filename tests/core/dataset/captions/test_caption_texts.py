"""What is made of a captioner's answer, and that no word of a person is lost to it."""

import re
from typing import get_args

import pytest

from core.base.errors import ConfigError, DatasetError
from core.dataset.captions.caption_texts import CaptionSettings, clean_caption, put_together, without_opening
from core.dataset.captions.captioners import CAPTIONERS, Mode, card_of, prompt_of
from core.dataset.captions.captioners.prompts import BEGINNINGS, JOY, READY
from core.dataset.captions.captioners.schema import join_parts
from core.dataset.captions.files import tag_key

PROSE = "A girl with red hair, in a long coat, stands by the sea. Behind her, a boat."


def joined(present, text, authored=(), trigger="", **settings):
    return put_together(present, text, {tag_key(part) for part in authored}, CaptionSettings.make(captioner="server", **settings), trigger)


@pytest.mark.parametrize(("answer", "caption"), [
    ("  A red cat.\n\nIt sits. ", "A red cat. It sits."),
    ('"A red cat."', "A red cat."),
    ('A "red" cat', 'A "red" cat'),
    ("Here is a caption for the image: A red cat.", "A red cat."),
    ("Sure! Here's a description:\n\nA red cat.", "A red cat."),
    ("Caption: A red cat.", "A red cat."),
    ("<think>A cat? yes</think>\nA red cat.", "A red cat."),
    ("the prompt ran on</think>A red cat.", "A red cat."),
    ("```\n1girl, red hair\n```", "1girl, red hair"),
    ("**A red cat** on a mat", "A red cat on a mat"),
    ("- A red cat", "A red cat"),
    ("looking_at_viewer, ^_^", "looking_at_viewer, ^_^"),
])
def test_an_answer_becomes_one_line_of_caption(answer, caption):
    assert clean_caption(answer) == caption


@pytest.mark.parametrize("answer", ["", " \n", '""', "<think>only this</think>", "I'm sorry, but I cannot help.",
                                    "I can’t assist with that.",
                                    "As an AI model I cannot see pictures."])
def test_nothing_and_a_refusal_are_no_caption(answer):
    with pytest.raises(DatasetError, match="left as it was"):
        clean_caption(answer)


@pytest.mark.parametrize("opening", ["The image shows ", "This image depicts ", "The picture features ", "This picture is of ",
                                     "The image is ", "In this image, ",
                                     "In the image, we can see ", "In this picture you see ", "This is an image of "])
def test_an_opening_that_says_nothing_of_the_picture_is_taken_off(opening):
    said = f"{opening}a girl with red hair. The image shows a boat, too."
    assert joined(None, said)[0] == "A girl with red hair. The image shows a boat, too."
    assert joined(None, said.lower())[0] == "a girl with red hair. the image shows a boat, too."
    assert joined(None, said, strip_opening=False)[0] == said


@pytest.mark.parametrize("text", ["The photograph shows a girl.", "The drawing depicts a cat.", PROSE,
                                  "The image on the wall shows a cat.", "The image is blurry.",
                                  "This image, torn at its edge, lies on a desk.", "In this image of hers she smiles.",
                                  "The image shows that she smiles.", "The image shows", "The imagery shows a dream.", "image shows, hat"])
def test_what_only_resembles_an_opening_stays(text):
    assert joined(None, text)[0] == text


def test_the_text_without_its_opening_is_the_model_s_and_goes_again():
    said = "The image shows a girl with red hair, in a long coat."
    once, written = joined("hat", said, existing="merge", trigger="mika")
    assert once == "mika, hat, A girl with red hair, in a long coat."
    assert joined(once, said, written, existing="merge", trigger="mika")[0] == once
    assert joined(once, "The image shows a cat.", written, existing="replace", trigger="mika")[0] == "mika, hat, A cat."


def test_a_text_joins_what_is_there():
    assert joined(None, PROSE, trigger="mika")[0] == f"mika, {PROSE}"
    assert joined("mika, hat", PROSE, trigger="mika", existing="merge")[0] == f"mika, hat, {PROSE}"
    assert joined("My own sentence about her dress.", PROSE, existing="merge")[0] == f"My own sentence about her dress. {PROSE}"
    assert joined("mika, hat", PROSE, trigger="mika", existing="overwrite")[0] == f"mika, {PROSE}"
    assert joined("hat", "A cat", prefix="photo of", suffix="grainy", existing="merge")[0] == "photo of, hat, A cat, grainy"


def test_the_same_again_changes_nothing():
    settings = {"prefix": "photo of", "suffix": "grainy", "existing": "merge", "trigger": "mika"}
    once, written = joined("hat", PROSE, **settings)
    assert joined(once, PROSE, written, **settings)[0] == once
    assert joined(once, PROSE, written, **{**settings, "existing": "replace"})[0] == once


def test_a_person_s_words_that_begin_or_end_like_prefix_and_suffix_stay():
    settings = {"prefix": "photo", "suffix": "grainy", "existing": "merge", "trigger": "mika"}
    once = joined("photo of mika dancing by an old grainy", PROSE, **settings)[0]
    assert once == f"mika, photo, photo of mika dancing by an old grainy, {PROSE} grainy"


@pytest.mark.parametrize("own", ["hat, red shoes", "My own sentence about her fine dress.", ""])
def test_replace_takes_out_what_a_model_wrote_and_no_word_of_a_person(own):
    once, written = joined(own or None, PROSE, trigger="mika", existing="merge")
    again = joined(once, "A new text.", written, trigger="mika", existing="replace")[0]
    kept = ", ".join(filter(None, ["mika", own and own.rstrip(",")])).replace("., ", ". ")
    assert again == kept + (" " if own.endswith(".") else ", ") + "A new text."
    behind = once + " And my last words."
    assert joined(behind, "A new text.", written, trigger="mika", existing="replace")[0].endswith("And my last words. A new text.")


def test_a_sentence_that_a_person_mended_stays():
    once, written = joined(None, PROSE)
    mended = once.replace("a boat", "my boat")
    assert "my boat" in joined(mended, "A new text.", written, existing="replace")[0]


@pytest.mark.parametrize("own", ["1,000 flowers", "hat , a,  b", "(red hair, smile:1.2), smile", "hat,",
                                 "A man pays 1,000 yen, or more, for a hat."])
def test_a_person_s_words_stay_byte_for_byte_in_front_of_a_text(own):
    assert joined(own, PROSE, existing="merge")[0] in {f"{own}, {PROSE}", f"{own} {PROSE}"}
    once, written = joined(own, PROSE, trigger="mika", existing="merge")
    assert once.startswith(f"mika, {own}") and joined(once, PROSE, written, trigger="mika", existing="merge")[0] == once


def test_a_tag_that_a_person_took_out_stays_a_model_s_through_a_captioning():
    _, written = joined("mine, bow", PROSE, ["hat", "bow"], existing="merge")
    assert {"hat", "bow"} <= {tag_key(part) for part in written}
    _, written = joined("mine, bow", PROSE, ["hat", "bow"], existing="overwrite")
    assert "hat" not in {tag_key(part) for part in written}
    first, written = joined(None, PROSE, existing="replace")
    _, again = joined(first, "Another text.", written, existing="replace")
    assert again == ["Another text."]  # what a captioning itself replaced was not taken out by a person


@pytest.mark.parametrize("answer", ["<think>A cat? It may be", "Well. <think>A cat? It may be", "<think>so</think><think>but then"])
def test_thoughts_that_were_cut_off_are_no_caption(answer):
    with pytest.raises(DatasetError, match="thoughts were cut off.*Longest text"):
        try:
            clean_caption(answer)
        except DatasetError as error:
            raise DatasetError(str(error)) from error


def test_parts_of_a_character_are_joined_in_their_order():
    assert join_parts('{"style": "drawing", "subject": "a robot.", "pose": null}') == "a robot, drawing"
    assert join_parts('{"subject": "a robot", "clothing": ["a hat.", "", "red shoes"]}') == "a robot, a hat, red shoes"
    for wrong in ("", "no", "[1]", "{}", '{"subject": ""}', '{"subject": {"name": "a robot"}}', '{"subject": ["a", {"b": 1}]}',
                  '{"subject": "a robot", "pose": 3}', '{"subject": "a robot", "pose": false}'):
        with pytest.raises(DatasetError, match="form that was asked for"):
            join_parts(wrong)


def test_every_captioner_says_licence_memory_and_disk_before_it_is_loaded():
    for entry in CAPTIONERS:
        for precision in entry.options["memory"]:
            words = card_of(entry.name, precision).sentence()
            assert entry.licence and entry.licence in words and "memory" in words and "disk" in words and entry.source
        assert callable(CAPTIONERS.load(entry.name))
    assert "about 5 GiB of memory, 8.9 GiB on disk" in card_of("qwen3-vl-4b", "4-bit").sentence()
    with pytest.raises(ConfigError, match="BLIP base cannot be loaded in 4-bit"):
        card_of("blip-base", "4-bit")


def test_each_is_asked_in_its_own_words():
    assert prompt_of("florence-2-large", "short") == "<CAPTION>" and prompt_of("blip-base", "tags") == ""
    assert "Danbooru" in prompt_of("joycaption", "tags") and prompt_of("qwen3-vl-4b", "short") != prompt_of("qwen3-vl-4b", "descriptive")
    with pytest.raises(ConfigError, match="Florence-2 base knows no mode 'tags'"):
        prompt_of("florence-2-base", "tags")


def test_every_kind_of_caption_is_known_to_a_captioner_and_every_captioner_knows_only_such():
    known = {mode for entry in CAPTIONERS for mode in entry.options["prompts"]}
    assert known == set(get_args(Mode)) and set(JOY) == known
    assert "art critic" in prompt_of("joycaption", "art-critic") and "e621" in prompt_of("joycaption", "e621")
    with pytest.raises(ConfigError, match="Qwen3-VL 4B knows no mode 'art-critic'"):
        prompt_of("qwen3-vl-4b", "art-critic")


def test_every_ready_question_names_the_trigger_word_and_nothing_unknown():
    for question in [*READY.values(), *BEGINNINGS.values()]:
        assert "{trigger}" in question and set(re.findall(r"{(\w+)}", question)) <= {"trigger", "caption"}


def test_every_captioner_stands_in_the_docs():
    from core.base.paths import ROOT

    page = (ROOT / "docs" / "dataset.md").read_text(encoding="utf-8")
    assert [name for name in CAPTIONERS.names() if f"| `{name}` |" not in page] == []


def test_the_trigger_word_and_names_keep_their_letters_behind_an_opening():
    assert without_opening("In this image, mychar stands by the sea.", "mychar") == "mychar stands by the sea."
    assert without_opening("The image shows iPhone cases.") == "iPhone cases."
    assert without_opening("The image shows a cat.", "mychar") == "A cat."
