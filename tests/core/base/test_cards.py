"""Pages of repositories: their top is found however it is written, and what we write on top can be read by YAML."""

import pytest
import yaml as reader

from core.base.cards import BEGIN, END, plain, split_card, with_part, yaml


@pytest.mark.parametrize(("text", "head", "body"), [
    ("---\nlicense: mit\n---\nhi", "license: mit\n", "hi"), ("---\nlicense: mit\nfoo: bar\n---", "license: mit\nfoo: bar\n", ""),
    ("--- \nlicense: mit\n---\t \nhi\n", "license: mit\n", "hi\n"), ("\ufeff---\r\nlicense: mit\r\n---\r\nhi", "license: mit\n", "hi"),
    ("---\n---\nhi", "", "hi"), ("hi\n---\nfoo\n---\n", "", "hi\n---\nfoo\n---\n"), ("---\nno end", "", "---\nno end"),
    ("----\na\n----\n", "", "----\na\n----\n"), ("---\na: --- b\n---\nhi\n---\n", "a: --- b\n", "hi\n---\n"), ("", "", "")])
def test_the_top_is_found(text, head, body):
    assert split_card(text) == (head, body)


@pytest.mark.parametrize("letter", ["\x00", "\x07", "\x1b", "\x7f", "\x85", "\x9f", "\u2028", "\u2029", "\ufeff", "\ufffe", "\uffff",
                                    "\ud800", "\U0001f600", "ä", '"', "\\", "\n", "'", ": ", "#"])
def test_every_letter_can_be_read_again(letter):
    values = {"a": f"x{letter}y", "list": [f"{letter}z"], "table": [{"text": f"a{letter}"}]}
    written = yaml(values)
    assert reader.safe_load(written) == values and len(written.splitlines()) == len(written.split("\n")) - 1


def test_plain_words_are_no_markdown():
    assert plain("[x](y) ![p](q) `c`\n<img src=x> a|b *c* _d_ #e") == \
        r"\[x\](y) !\[p\](q) \`c\` \<img src=x\> a\|b \*c\* \_d\_ \#e"


def test_our_part_takes_the_place_of_the_one_before():
    page = with_part("Above.", "One")
    assert with_part(page, "Two") == f"Above.\n\n{BEGIN}\n\nTwo\n\n{END}\n" and page.startswith("Above.")
