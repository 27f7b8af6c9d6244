"""Answers of a captioner that are no captions: refusals, error messages, and words that go round in circles."""

from __future__ import annotations

import re

from core.base.errors import DatasetError

REFUSAL = re.compile(r"(?:i(?:['’]?m| am) (?:(?:really |very |so )?sorry\b|afraid (?:i|that|this|we)\b"
                     r"|(?:not able|unable|not comfortable)\b)|sorry,|sorry[.!]?\s+(?:but|i|we|this|as)\b|my apologies\b|i apologi[sz]e\b"
                     r"|i (?:can(?:['’]t|not)|won['’]t|will not|must decline|do not feel|don['’]t feel)\b"
                     r"|(?:as|i am|i['’]m)(?: just| only)? an? (?:ai\b|(?:large )?language model)"
                     r"|unfortunately,? (?:i|we)\b)", re.IGNORECASE)
END = r"\s*(?:[.:;!([{]|[-–—]\s|$)"
"""Behind a bare message: "Internal Server Error page on a laptop" goes on, and may be a caption."""
ERROR = re.compile(
    rf"(?:(?:fatal )?error:|\[(?:fatal )?error\]|error(?: code)?[ #:]*[1-5]\d\d{END}|http(?:/[\d.]+)?(?: error)? [45]\d\d\b"
    rf"|(?-i:(?:[A-Za-z_]+\.)*[A-Z][A-Za-z]*(?:Error|Exception)):|traceback \(most recent call"
    rf"|(?:cuda (?:error|out of memory)|out of memory|outofmemoryerror)(?:{END}|\s*,? tried to allocate)"
    rf"|(?:rate limit (?:exceeded|reached)|quota exceeded|too many requests|internal server error|bad gateway|gateway time-?out"
    rf"|service (?:temporarily )?unavailable|unauthorized|(?:the )?(?:request|connection) (?:has )?(?:timed out|failed|refused)){END}"
    rf"|an? (?:\w+ )?error (?:has )?occurred(?: (?:while|during|in|when|processing)\b|{END})"
    r"|(?:failed|unable|could not|couldn['’]t|cannot) (?:to )?(?:load|process|open|decode|read|analy[sz]e) (?:the |this |your )?"
    r"(?:image|picture|photo|file)\b"
    r"|\{\s*[\"']?(?:error|detail)[\"']?\s*:|<!doctype html|<html\b)", re.IGNORECASE)
QUOTED = re.compile(r"\"[^\"]*\"|“[^”]*”")
SAME_LETTER = re.compile(r"([^\s\-_=*#~.])\1{19}")
"""Twenty times: "!!!!" without an end is what a model says whose numbers overflowed."""
ROUNDS = 5
"""So often the same words, one round after the other, are no caption."""
LONGEST_ROUND = 60
"""Words."""
FIRST_WORDS = 80
"""Letters of an answer that are told."""


def check_is_caption(text: str) -> None:
    """Raises: DatasetError: the cleaned answer is a refusal or an error message, or it says the same again and again.

    An answer is judged by how it begins, so that a picture of a sign that says "Error" has its caption.
    """
    first = text if len(text) <= FIRST_WORDS else text[:FIRST_WORDS].rstrip() + " …"
    if REFUSAL.match(text):
        raise DatasetError(f"The model refused ({first}); the caption was left as it was.", "Choose another captioner.")
    if ERROR.match(text):
        raise DatasetError(f"The model's answer is an error message ({first}); the caption was left as it was.",
                           "Mend what it says, or choose another captioner, and caption this picture again.")
    if goes_round(text):
        raise DatasetError(f"The model said the same again and again ({first}); the caption was left as it was.",
                           "Ask again with a temperature of 0.6, with another question, or choose another captioner.")


def goes_round(text: str) -> bool:
    """Whether the same word, or the same up to `LONGEST_ROUND` words, stand `ROUNDS` times one after the other.

    What a picture says in quotation marks may do so ("Ha ha ha ha ha ha").
    """
    if SAME_LETTER.search(text):
        return True
    words = re.findall(r"\w+", QUOTED.sub(" ", text).lower())
    for length in range(1, min(LONGEST_ROUND, len(words) // ROUNDS) + 1):
        same = 0
        for word, before in zip(words[length:], words, strict=False):
            same = same + 1 if word == before else 0
            if same >= length * (ROUNDS - 1):
                return True
    return False
