"""Folders of pictures as other programs name them, and whether they lie on this machine.

`10_miko` in a folder of folders: ten repeats, and `miko` for pictures without a caption. Source: kohya-ss/sd-scripts at 48d368fa,
generate_dreambooth_subsets_config_by_subdirs in library/config_util.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from core.base.paths import place_of

Left = tuple[str, Any, str]
"""Name, value and reason of something that was not taken over."""
NO_FOLDER = "there is no such folder on this machine"


def named_subsets(parent: str, beside: Path, is_reg: bool = False) -> tuple[list[dict[str, Any]], list[Left]]:
    """The folders `N_name` inside a folder, as tables of subsets, and what was left out.

    Args:
        parent: train_data_dir or reg_data_dir.
        beside: the file that names it; a place that is not found as it is written is looked for there.
    """
    name = "reg_data_dir" if is_reg else "train_data_dir"
    folder = found_folder(parent, beside)
    if folder is None:
        return [], [(name, parent, NO_FOLDER)]
    subsets: list[dict[str, Any]] = []
    left: list[Left] = []
    for inner in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
        count, _, words = inner.name.partition("_")
        if not count.isdecimal() or not int(count):
            left.append((f"folder in {name}", str(inner), "its name does not begin with a number of repeats, as in 10_name"))
            continue
        subsets.append({"image_dir": str(inner), "num_repeats": int(count), **({"is_reg": True} if is_reg else {}),
                        **({"class_tokens": words} if words else {})})
    if not subsets:
        left.append((name, parent, "it has no folder whose name begins with a number of repeats, as in 10_name"))
    return subsets, left


def lone_repeats(subsets: Sequence[Mapping[str, Any]], beside: Path) -> int | None:
    """The repeats of the only folder to learn from, where that does not lie here: they then hold for the project's own pictures."""
    learned = [subset for subset in subsets if not subset.get("is_reg")]
    if len(learned) != 1 or found_folder(str(learned[0].get("image_dir") or ""), beside) is not None:
        return None
    repeats = learned[0].get("num_repeats")
    return repeats if isinstance(repeats, int) and not isinstance(repeats, bool) and repeats > 0 else None


def here(subsets: Sequence[Mapping[str, Any]], beside: Path, taken: str = "") -> tuple[list[dict[str, Any]], list[Left]]:
    """Subsets whose folders lie on this machine, at their absolute places, and what was left out.

    Args: taken: what else is said of a folder to learn from that is not here.
    """
    kept: list[dict[str, Any]] = []
    left: list[Left] = []
    for subset in subsets:
        folder = found_folder(str(subset.get("image_dir") or ""), beside)
        if folder is not None:
            kept.append({**subset, "image_dir": str(folder)})
            continue
        others = {name: value for name, value in subset.items() if name != "image_dir" and value not in (None, "", False)}
        said = f" ({', '.join(f'{name} {value}' for name, value in others.items())})" if others else ""
        name, more = ("regularisation folder", "") if subset.get("is_reg") else ("folder", taken)
        left.append((name, f"{subset.get('image_dir', '')}{said}", NO_FOLDER + more))
    return kept, left


def found_folder(text: str, beside: Path) -> Path | None:
    """The folder that a file of another program names; None where it does not lie on this machine."""
    return next((place for place in (place_of(text), beside.parent / text) if place.is_dir()), None) if text.strip() else None


def found_file(text: str, beside: Path) -> Path | None:
    """The same for a file; one of that name beside the file that names it counts too."""
    name = text.replace("\\", "/").rpartition("/")[2]
    places = (place_of(text), beside.parent / text, beside.parent / name) if name else ()
    return next((place for place in places if place.is_file()), None)
