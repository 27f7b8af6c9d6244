"""What a file that was made of several says of itself: what they agree on, and of which it was made."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from core.utilities.files.derived import MADE_OF, OF_FACTORS, OF_TENSORS, WEIGHED
from core.utilities.files.metadata import SPEC
from core.utilities.merging.joining import Source

OF_FILES = (*OF_TENSORS, *OF_FACTORS, WEIGHED, MADE_OF, "modelspec.thumbnail", "modelspec.date", "ss_session_id",
            "ss_training_comment", "ss_output_name", "modelspec.title", "modelspec.trigger_phrase")
"""Beginnings of keys that hold for one file alone, or are made anew."""
SOURCES = "lorabook.sources"
"""A list of each file's name, sshs_model_hash and weight, as JSON."""


def merged_metadata(sources: Sequence[Source], ranks: Mapping[str, int], method: str, blocks: Sequence[str] = ()) -> dict[str, str]:
    """What all files say alike; their names, hashes (of the tensors as they are now) and weights; the triggers of all."""
    first, *others = (source.file.metadata for source in sources)
    new = {key: value for key, value in first.items()
           if not key.startswith(OF_FILES) and all(other.get(key) == value for other in others)}
    names = [source.file.path.stem for source in sources]
    told = [{"name": source.file.path.name, "sshs_model_hash": source.file.tensors_hash(), "weight": source.weight} for source in sources]
    sums = " + ".join(f"{source.weight:g} x {name}" for source, name in zip(sources, names, strict=True))
    width = str(next(iter(ranks.values()))) if len(set(ranks.values())) == 1 else "Dynamic"
    new |= {"ss_network_module": "networks.lora", "ss_network_dim": width, "ss_network_alpha": width,
            "ss_training_comment": f"merged ({method}): {sums}", "modelspec.merged_from": ", ".join(names),
            SOURCES: json.dumps({"method": method, "blocks": list(blocks), "files": told}, ensure_ascii=False)}
    triggers = [source.file.metadata.get("modelspec.trigger_phrase", "").strip() for source in sources if source.weight > 0]
    if words := ", ".join(dict.fromkeys(trigger for trigger in triggers if trigger)):
        new["modelspec.trigger_phrase"] = words
    new.setdefault(*SPEC)
    return new


def averaged_of(metadata: Mapping[str, str]) -> list[str]:
    """The sshs_model_hash of each file that a file is the average of, as `average-loras` writes it, the earliest first; else none."""
    try:
        told = json.loads(metadata.get(SOURCES) or "{}")
        is_average = told["method"] == "mean" or told["method"].startswith("EMA ")
        return [str(file["sshs_model_hash"]).lower() for file in told["files"]] if is_average else []
    except (ValueError, TypeError, KeyError, AttributeError):
        return []
