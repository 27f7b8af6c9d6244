"""Errors, refusals and endless repetitions are no captions; a picture that shows such words has its caption."""

import time

import pytest

from core.base.errors import DatasetError
from core.dataset.captions.caption_texts import clean_caption

SENTENCE = "A cat sits on a red mat beside the window. "


@pytest.mark.parametrize("answer", [
    "CUDA out of memory. Tried to allocate 2 GiB", "CUDA out of memory", "torch.OutOfMemoryError: CUDA out of memory.",
    "CUDA error: device-side assert triggered", "Error: rate limit exceeded", "[ERROR]: no such model", "Error 503",
    "Error code: 429 - {'a': 1}",
    "RuntimeError: shape mismatch", "openai.RateLimitError: quota", "Rate limit exceeded.", "HTTP 502 Bad Gateway", "Internal Server Error",
    "Traceback (most recent call last): File", '{"error": {"message": "no"}}', "<html><body>502</body></html>",
    "An error occurred while processing the image.", "An unexpected error has occurred.", "Failed to load image.", "Request timed out.",
    "Unable to process the image at this time.",
])
def test_an_error_message_is_no_caption_and_is_told_with_its_first_words(answer):
    with pytest.raises(DatasetError, match="is an error message .*left as it was") as caught:
        clean_caption(answer)
    assert answer.lstrip("[")[:12] in caught.value.message


@pytest.mark.parametrize("answer", [
    "Unfortunately, I can't assist with that request.", "I'm unable to help with this picture.", "I’m unable to identify people.",
    "I am not able to describe it.", "I apologize, but I cannot do that.", "I won't describe this.", "Sorry. I cannot.",
    "I'm afraid I can't.",
    "As a language model I see nothing.", "I must decline.",
])
def test_a_refusal_is_no_caption(answer):
    with pytest.raises(DatasetError, match="The model refused .*left as it was"):
        clean_caption(answer)


@pytest.mark.parametrize("answer", [
    "a " * 40, "a a a a a", "hat, " * 30, SENTENCE * 5, "A room. " + SENTENCE * 7 + "A cat si", "1girl, solo, hat, " * 6,
    "A cat" + "!" * 60,
    "A long hall with the same lamps on the left, " * 5, "She is very, very, very, very, very kind.",
])
def test_the_same_again_and_again_is_no_caption(answer):
    with pytest.raises(DatasetError, match="the same again and again .*left as it was"):
        clean_caption(answer)


@pytest.mark.parametrize("caption", [
    'A sign that says "Error: rate limit exceeded" hangs on a wall.', "A sign that reads I can't assist with that.",
    "Error message on the screen of an old computer", "Error 404 page shown on a laptop", "Internal Server Error page on a laptop",
    "CUDA out of memory message on a monitor", '"Error: disk full" is written on a blue screen.', "error, glitch, blue screen",
    "Unfortunately placed, a lamp covers her face.", "An error page on a phone",
    "A man reads a traceback (most recent call last) on a screen.",
    "Rate limit exceeded sign beside a road", "Terror: a dark house", "Iron gate, i cannon", "HTTP and HTML books on a shelf",
    "An AI robot looks at the viewer", "Unauthorized persons sign at a gate", "Failed landing of a plane", "Sorry-looking dog in the rain",
    "Sorry! box on a table",
    "Unable to stand, the foal lies in the straw.",
    'A comic panel in which a man laughs, "Ha ha ha ha ha ha ha".', "very very long hair", "A red cup, a blue cup, a red cup, a blue cup.",
    "1girl, solo, hat, 1girl, solo, hat", SENTENCE * 2, "Rows of chairs ........................ and a door",
    "A dog, a dog, a dog and a dog.",
    "She stands in the rain. " + " ".join(f"Behind her stands house {number}." for number in range(9)),
])
def test_a_caption_of_a_picture_that_shows_such_words_stays(caption):
    assert clean_caption(caption) in {caption, caption.strip()}


def test_a_long_text_is_judged_at_once():
    text = " ".join(f"word{number}" for number in range(3000))
    started = time.monotonic()
    assert clean_caption(text) == text
    assert time.monotonic() - started < 1
