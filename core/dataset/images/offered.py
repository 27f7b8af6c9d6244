"""What the lists of the picture tools offer: each choice in words, with what it is for, what is fetched for it, and its licence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.base.registry import Entry, Registry
from core.base.settings import choices_of
from core.dataset.images.detecting import DETECTORS
from core.dataset.images.inpainting import PAINTERS
from core.dataset.images.segmenting import SEGMENTERS
from core.models.catalog import Kind
from core.models.having import find_model
from core.models.image_catalog import IMAGE_CATALOG
from core.stages import stage_named

CHOICES: Mapping[str, Mapping[str, tuple[Registry[Any], Kind]]] = {
    "mask": {"segmenter": (SEGMENTERS, "segmenter")},
    "crop": {"detector": (DETECTORS, "detector"), "people_detector": (DETECTORS, "detector")},
    "enhance": {"detector": (DETECTORS, "detector")},
    "inpaint": {"method": (PAINTERS, "inpainter")},
}
"""Tool → its fields that choose of a registry, and the kind of the models behind it."""
NONE = "Nobody: a strip below the face is taken"


def offered_choices(tool: str) -> dict[str, list[tuple[str, str]]]:
    """Field → words and name of each of its choices, in the order of their registry."""
    fields = stage_named(tool).settings_class().fields()
    return {field: [*([(NONE, "none")] if "none" in choices_of(fields[field]) else []),
                    *((_words(entry, kind), entry.name) for entry in registry if entry.name in choices_of(fields[field]))]
            for field, (registry, kind) in CHOICES.get(tool, {}).items()}


def _words(entry: Entry, kind: Kind) -> str:
    """"BiRefNet lite: the subject of any picture, with fine edges (224 MB, MIT)"."""
    facts = [_fetches(entry, kind), *([entry.licence] if entry.licence and _fetches(entry, kind) != "nothing to fetch" else [])]
    return f"{entry.title}{f': {entry.note}' if entry.note else ''} ({', '.join(facts)})"


def _fetches(entry: Entry, kind: Kind) -> str:
    if missing := entry.missing():
        return f"needs {', '.join(missing)}"
    model = IMAGE_CATALOG.get(str(entry.options.get("model", entry.name)))
    if model is not None and model.kind == kind and "fetches" not in entry.options:
        return "is here" if find_model(kind, model.name) is not None else model.told_size
    return str(entry.options.get("fetches", "nothing to fetch"))
