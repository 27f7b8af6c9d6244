"""What a captioner is asked, what is made of its answer, and how that joins the caption that is there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from core.base.errors import DatasetError
from core.base.settings import setting
from core.dataset.captions.captioners import CaptionerName, CutText, Mode, Precision, Request
from core.dataset.captions.files import one_line, split_tags, tag_key
from core.dataset.captions.no_caption import check_is_caption
from core.dataset.captions.tags import caption_keys, is_prose, join_kept, parse_clauses, parse_tags
from core.dataset.captions.which import WhichImages

THOUGHT = re.compile(r"<think>.*?</think>|^.*?</think>", re.DOTALL)
FENCE = re.compile(r"^```\w*\s*|\s*```$")
PREAMBLE = re.compile(r"^(?:(?:sure|certainly|of course)[,.!:]?\s+)?"
                      r"(?:here(?:'s| is| are)\b[^.:\n]{0,80}|(?:caption|description|prompt|tags)\s*):\s+",
                      re.IGNORECASE)
OPENING = re.compile(r"^(?:(?:the|this) (?:image|picture) (?:(?:shows|depicts|features|displays|presents|portrays|captures|contains|is of)"
                     r"|is (?=an? ))|this is an? (?:image|picture) (?:of|showing|depicting|featuring)"
                     r"|in (?:the|this) (?:image|picture)(?:,(?: (?:we|you|one)(?: can)? see\b)?| (?:we|you|one)(?: can)? see\b))"
                     r"\s*(?!(?:that|how|what|why|where|when|us)\b)(?=\w)", re.IGNORECASE)
"""What says of a caption only that it is one. "The photograph shows" stays: it says what kind of picture that is."""

AT_A_STRETCH = 20
"""Letters: what a model wrote of at least this length is found inside of other words."""


class CaptionSettings(WhichImages):
    """Which captioner, what it is asked, and what becomes of captions that exist."""

    title = "Caption"

    captioner: CaptionerName = setting("qwen3-vl-4b", "Captioner", "The model that describes the images.")  # type: ignore[valid-type]
    precision: Precision = setting("bf16", "Precision", "8-bit and 4-bit take less memory of the GPU, and write a little worse.")
    server_url: str = setting("", "Server", "Address of an OpenAI-compatible server, such as http://localhost:11434/v1.")
    server_model: str = setting("", "Model of the server", "Such as qwen3-vl:8b.")
    key_variable: str = setting("OPENAI_API_KEY", "Variable with its key", "Name of the environment variable that holds the server's key. "
                                "The key itself is never written down.", pattern=r"^[A-Za-z_]\w*$")
    mode: Mode = setting("descriptive", "Kind of caption", "descriptive: a paragraph. short: a sentence. prompt: phrases with commas. "
                         "tags: booru words (a tagger knows these better). BLIP always writes a sentence. JoyCaption knows more: "
                         "straightforward (plain and exact, with the text and watermarks that it sees), midjourney, tags as on e621, "
                         "rule34 or any booru, art-critic, product-listing, social-media.")
    existing: Literal["keep", "merge", "replace", "overwrite"] = setting(
        "keep", "Existing captions", "keep: images with a caption are left alone. merge: the text is added behind. replace: what a model "
        "wrote goes, your own words stay in front. overwrite: everything goes, your own words too (undo brings them back).")
    trigger_word: str = setting("", "Trigger word", "Stands first in every caption; empty takes the project's.")
    prompt: str = setting("", "Own question", "Asked instead of the kind's own. {trigger} stands for the trigger word (without one: 'it'), "
                          "{caption} for the caption as it is, such as tags to be made into sentences. The list has ready ones.")
    schema_guided: bool = setting(False, "Character in parts", "Ask for subject, looks, clothes, pose, expression, framing, background and "
                                  "style each by itself, and join them. For Qwen and servers.", level="advanced")
    strip_opening: bool = setting(True, "Without its opening", "Takes 'The image shows', 'This image depicts', 'In this image, …' off the "
                                  "text. On, because these words say nothing of the picture, and who trains with such captions takes them "
                                  "off by hand. 'The photograph shows' stays, for it names the kind of picture.", level="advanced")
    prefix: str = setting("", "Always in front", "Behind the trigger word, before the text.", level="advanced")
    suffix: str = setting("", "Always at the end", "Behind the text.", level="advanced")
    parallel: int = setting(4, "Requests at a time", "To a server.", ge=1, le=32, level="advanced")
    max_new_tokens: int = setting(300, "Longest text", "A text that is longer ends in the middle.",
                                  ge=8, le=2048, level="advanced", unit="tokens")
    temperature: float = setting(0.0, "Temperature", "0 gives the same text each time; JoyCaption's makers use 0.6.",
                                 ge=0, le=2, level="advanced")
    top_p: float = setting(0.9, "Top p", "Only with a temperature.", gt=0, le=1, level="expert")
    largest_side: int = setting(1024, "Largest picture", "Pictures are shown to the model no larger than this.", ge=224, le=4096,
                                level="advanced", unit="px")
    ask_again: bool = setting(False, "Ask again", "Also where this captioner answered this question before.", level="advanced")
    device: Literal["auto", "cuda", "cpu"] = setting("auto", "Device", "auto takes the GPU where it works.", level="expert")
    model_dir: str = setting("", "Local model folder", "A folder that holds what the captioner's repository holds; "
                             "nothing is fetched then.",
                             level="expert")
    revision: str = setting("", "Revision", "Branch, tag or commit of the repository; empty takes the newest.", level="expert")
    download_dir: str = setting("", "Download folder", "Where fetched models are kept; empty is the models folder.", level="expert")


def ask(settings: CaptionSettings) -> Request:
    """How the captioner is opened and asked."""
    return Request(settings.precision, settings.device, settings.model_dir, settings.revision, settings.download_dir,
                   settings.max_new_tokens, settings.temperature, settings.top_p, settings.server_url, settings.server_model,
                   settings.key_variable, settings.schema_guided, settings.parallel)


def clean_caption(answer: str) -> str:
    """A model's answer as one line of caption: without thoughts, code fences, quotation marks, markdown and "Here is a caption:".

    Raises: DatasetError: nothing is left, or it is no caption (`check_is_caption`).
    """
    text = THOUGHT.sub("", answer)
    if "<think>" in text or (isinstance(answer, CutText) and not text.strip()):
        raise DatasetError("The model's thoughts were cut off before it said anything; the caption was left as it was.",
                           "Raise 'Longest text', or choose a model that does not think aloud.")
    text = FENCE.sub("", text.strip()).strip()
    text = PREAMBLE.sub("", text, count=1)
    text = re.sub(r"^[#>*\-\s]+", "", re.sub(r"\*\*|__(?=\w)|(?<=\w)__", "", text))
    text = one_line(" ".join(text.split()) if "\n" not in text else text).strip()
    if len(text) > 1 and (text[0], text[-1]) in {('"', '"'), ("“", "”"), ("'", "'")} and text[0] not in text[1:-1]:
        text = text[1:-1].strip()
    if not text:
        raise DatasetError("The model said nothing; the caption was left as it was.", "Try again, or choose another captioner.")
    check_is_caption(text)
    return text


def without_opening(text: str, trigger: str = "") -> str:
    """A caption without "The image shows", "This image depicts", "In this image, …"; the rest begins with a capital letter as it did.

    The trigger word and names such as iPhone stay as they are written: some models tell capitals apart.
    """
    rest = OPENING.sub("", text, count=1)
    first = rest.split(" ", 1)[0]
    is_name = first != first.lower() or (trigger and rest.casefold().startswith(trigger.casefold()))
    return rest if rest == text or is_name or not text[:1].isupper() else rest[:1].upper() + rest[1:]


def put_together(present: str | None, text: str, authored: set[str], settings: CaptionSettings, trigger: str) -> tuple[str, list[str]]:
    """The new caption, and the parts of it that are the models'.

    Args: present: the caption as it is. text: what the model says. authored: keys of the parts that a model wrote here before.
    """
    said, text = text, without_opening(text, trigger) if settings.strip_opening else text
    own = "" if settings.existing == "overwrite" else (present or "")
    own = own_words(own, authored if settings.existing == "replace" else set(), settings, trigger)
    if settings.existing == "merge" and (text in own or said in own):
        text = ""
    pieces = [piece for piece in (trigger, settings.prefix.strip(" ,"), own, text, settings.suffix.strip(" ,")) if piece]
    caption = ""
    for piece in pieces:
        caption += ("" if not caption else " " if caption[-1] in ".!?," else ", ") + piece
    mine = {tag_key(part) for part in _parts(own)}
    written = [part for part in [*text_parts(text), *_parts(settings.prefix), *_parts(settings.suffix)] if tag_key(part) not in mine]
    gone = _taken_out(present or "", authored) if settings.existing != "overwrite" else []
    return one_line(caption), [*dict.fromkeys([*written, *(part for part in _parts(own) if tag_key(part) in authored), *gone])]


def own_words(present: str, authored: set[str], settings: CaptionSettings, trigger: str) -> str:
    """A caption without the parts of these keys, trigger word, prefix and suffix; all else stays letter by letter."""
    own = _without_ends(_without(present, authored), (trigger, settings.prefix.strip(" ,")), settings.suffix.strip(" ,"))
    fixed = {tag_key(part) for one in (trigger, settings.prefix, settings.suffix) for part in _parts(one)}
    parts = _parts(own)
    kept = [(part, place) for place, part in enumerate(parts) if tag_key(part) not in authored and tag_key(part) not in fixed]
    return join_kept(kept, own, parts, prose=is_prose(own)).strip()


def text_parts(text: str) -> list[str]:
    """What a captioner's text leaves in a caption: the whole, its clauses, and what stands between its commas."""
    return [part for part in [text, *_parts(text), *split_tags(text)] if part]


def _taken_out(present: str, authored: set[str]) -> list[str]:
    """Keys of what a model wrote and a person took out of the caption. It stays the model's, so that no tagging brings it back."""
    here, folded = caption_keys(present).union(map(tag_key, _parts(present))), present.lower().replace("_", " ")
    return sorted(key for key in authored - here if len(key) < AT_A_STRETCH or key not in folded)


def _without(text: str, authored: set[str]) -> str:
    """The text without what a model wrote at a stretch, wherever a person's words stand before or behind it."""
    for key in sorted(authored, key=len, reverse=True):
        folded = text.lower().replace("_", " ")
        place = folded.find(key) if len(key) >= AT_A_STRETCH and len(folded) == len(text) else -1
        if place >= 0 and not text[place - 1:place].isalnum() and not text[place + len(key):place + len(key) + 1].isalnum():
            before, behind = text[:place].rstrip(" ,"), text[place + len(key):].lstrip(" ,")
            text = before + ("" if not before or not behind else " " if before[-1] in ".!?" else ", ") + behind
    return text


def _without_ends(text: str, first: Sequence[str], last: str) -> str:
    """The text without what an earlier captioning laid around it; behind the end of a sentence no comma sets that apart."""
    for piece in filter(None, first):
        rest = text[len(piece):]
        if text.lower().startswith(piece.lower()) and (rest[:1] in {"", ","} or piece[-1] in ".!?"):
            text = rest.lstrip(" ,")
    before = text[:-len(last)].rstrip() if last else ""
    if last and text.lower().endswith(last.lower()) and (not before or before[-1] in ",.!?"):
        text = before.rstrip(" ,")
    return text


def _parts(text: str) -> list[str]:
    """The parts of a caption: clauses of prose, else tags."""
    return parse_clauses(text) if is_prose(text) else parse_tags(text)
