"""A LoRA file in words: the rows that the panel shows and the page that a terminal prints, of one report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from core.base.words import aligned, counted, told_size
from core.utilities.inspecting.about import most_important

if TYPE_CHECKING:
    from core.utilities.inspecting.inspecting import LoraReport

TAGS = 15
"""Tags that are told without being asked for."""
SHARES = (0.9, 0.95, 0.99)
"""Of the whole update's energy, for which the rank is told."""
HASHES = {"autov3": "AutoV3 (A1111, Forge, Civitai)", "autov2": "AutoV2 (Civitai)", "autov1": "AutoV1", "sha256": "SHA-256"}
"""Those that are asked for stand first; others bear their own names."""
Rows = list[tuple[str, str]]


def facts_of_file(report: LoraReport) -> Rows:
    """What a file is and what it says of itself."""
    about, family = report.about, report.family
    conflict = f"; its metadata says {family.conflict}" if family.conflict else ""
    by = f" (by {family.by}{conflict})" if family.by else ""
    alphas = sorted({layer.alpha for layer in report.layers if layer.alpha is not None})
    probably = "" if about.trigger_by == "metadata" else " (probably: it stands at every picture)"
    rows = [("File", report.file), ("Type", report.kind), ("Made for", f"{family.title}{by}"),
            ("Rank", rank_words(report.ranks)), ("Alpha", number_words(alphas) or "none: it counts as the rank"),
            ("Layers", f"{len(report.layers)}, under {report.names} names"), ("Tensors", tensor_words(report.dtypes)),
            ("Size", told_size(report.size)), ("Title", about.title), ("Author", about.author), ("Licence", about.licence),
            ("Trigger", f"{about.trigger}{probably}" if about.trigger else "none is told"),
            ("Frequent tags", ", ".join(f"{tag} {count}" for tag, count in about.tags[:TAGS])),
            ("Pictures", str(about.pictures or ""))]
    return [(name, value) for name, value in rows if value]


def loads_of_file(report: LoraReport) -> list[tuple[str, str, str]]:
    """Program, whether it loads the file, and what is left out and why."""
    rows: list[tuple[str, str, str]] = []
    for one in report.programs:
        part = f"in part: {one.loaded} of {counted(one.total, 'layer')}"
        told = "yes, all of it" if one.loaded == one.total else part if one.loaded else "no"
        rows.append((one.program, told, one.reason))
    return rows


def hashes_of_file(report: LoraReport) -> Rows:
    """By the names that sites and programs know them by."""
    order = [*(name for name in HASHES if name in report.hashes), *(name for name in report.hashes if name not in HASHES)]
    return [(HASHES.get(name, name), report.hashes[name]) for name in order]


def page_of(report: LoraReport) -> str:
    """All of it for a terminal, without the singular values of each layer."""
    blocks = [("", "layers", "rank", "alpha", "norm of the update"),
              *((one.block, str(one.layers), number_words(one.ranks), number_words(one.alphas) or "none",
                 "" if one.norm is None else f"{one.norm:.3g}") for one in report.blocks)]
    parts: list[tuple[str, Sequence[Sequence[str]]]] = [
        ("", facts_of_file(report)), ("Will it load?", loads_of_file(report)), ("Training", most_important(report.about.training)),
        ("Blocks", blocks), ("", [(words,)] if (words := energy_words(report.energy)) else []), ("Hashes", hashes_of_file(report))]
    pages = ["\n".join([*([title] if title else []), *aligned(rows, "  " if title else "")]) for title, rows in parts if rows]
    head = f"{Path(report.file).name}: {report.kind} for {report.family.title}, rank {rank_words(report.ranks)}, {told_size(report.size)}."
    return "\n\n".join([head, *pages, *(["\n".join(f"{one.level}: {one}" for one in report.findings)] if report.findings else [])])


def rank_words(ranks: Mapping[int, int] | Mapping[str, int]) -> str:
    """"16", "8 (72 layers), 16 (192 layers)", "2 to 31". Args: ranks: and how many layers have each."""
    counts = {int(rank): count for rank, count in ranks.items()}
    order = sorted(counts)
    if len(order) > 6:
        return f"{order[0]} to {order[-1]}"
    return str(order[0]) if len(order) == 1 else ", ".join(f"{rank} ({counted(counts[rank], 'layer')})" for rank in order) or "none"


def tensor_words(dtypes: Mapping[str, int]) -> str:
    """"F16 (218 MiB)". Args: dtypes: types and bytes."""
    return ", ".join(f"{name} ({told_size(size)})" for name, size in dtypes.items())


def number_words(values: Sequence[float]) -> str:
    """"16", "8, 16", "2 to 31"."""
    return f"{min(values):g} to {max(values):g}" if len(values) > 4 else ", ".join(f"{value:g}" for value in values)


def energy_words(energy: Sequence[float]) -> str:
    """Which rank is enough, in a sentence; empty: not measured."""
    told = [f"{part * 100:g} % at rank {next((rank for rank, kept in enumerate(energy, 1) if kept >= part - 1e-9), len(energy))}"
            for part in SHARES]
    return f"Of the update's energy are kept: {', '.join(told)}." if energy else ""
