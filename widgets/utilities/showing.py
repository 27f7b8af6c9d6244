"""What a report on a LoRA file looks like: tables, and a map of blocks that is read by its numbers, not by its colours."""

from __future__ import annotations

import html
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from core.base.words import counted, told_size
from core.utilities.inspecting.told import number_words, rank_words
from core.utilities.layers.plans import percent
from widgets.components.chart import Curve
from widgets.pieces import table

SHOWN = 400
"""Rows of a long table."""
PANES = ["Energy kept (%)", "Singular values (largest = 1)"]
PARTS = {"down": "Down", "up": "Up", "middle": "Middle", "input": "Input", "output": "Output", "joint": "Joint", "double": "Double",
         "single": "Single", "block": "Blocks", "other": "Other"}
Report = Mapping[str, Any]


@dataclass(frozen=True)
class Cell:
    """One block of a map."""

    block: str
    value: float | None
    """None: not measured, or broken."""
    told: str
    """The value in a few characters."""
    about: str
    """What is said when one points at it."""


def heat_map(cells: Sequence[Cell], what: str) -> str:
    """The blocks by part of the model, each with its number, in a stronger colour the larger it is; in HTML.

    Args: what: what the number is.
    """
    most = max((cell.value for cell in cells if cell.value is not None and math.isfinite(cell.value)), default=0.0)
    rows = []
    for part, inside in groupby(cells, key=lambda cell: part_and_place(cell.block)[0]):
        items = "".join(_item(cell, most) for cell in inside)
        rows.append(f'<div class="lb-heat-part"><span class="lb-heat-name">{html.escape(part)}</span>'
                    f'<ul aria-label="{html.escape(f"{part}: {what}")}">{items}</ul></div>')
    return f'<div class="lb-heat">{"".join(rows)}</div>' if rows else ""


def _item(cell: Cell, most: float) -> str:
    place = part_and_place(cell.block)[1]
    much = 70 * math.sqrt(cell.value / most) if cell.value and most and math.isfinite(cell.value) else 0
    none = " class='lb-heat-none'" if not much else ""
    name = f'<span class="lb-heat-place">{html.escape(place)}</span>' if place else ""
    return (f'<li{none} style="--lb-much: {much:.0f}%" title="{html.escape(f"{cell.block}: {cell.about}")}">{name}'
            f'<b>{html.escape(cell.told)}</b></li>')


def part_and_place(block: str) -> tuple[str, str]:
    """"text 1, layer 3" as ("Text encoder 1", "3"), "down 1.0" as ("Down", "1.0")."""
    first, _, rest = block.partition(" ")
    if first == "text":
        number, _, layer = rest.partition(", layer ")
        return f"Text encoder {number}", layer
    return PARTS.get(first, first.capitalize()), rest


def extremes(cells: Sequence[Cell], most: str, least: str) -> str:
    """The two ends of a map in a sentence, in HTML."""
    having = sorted((cell for cell in cells if cell.value is not None), key=lambda cell: -(cell.value or 0))
    if len(having) < 2:
        return ""
    named = [", ".join(f"{cell.block} ({cell.told})" for cell in part) for part in (having[:3], having[:-3:-1])]
    return f'<p class="lb-help">{html.escape(f"{most}: {named[0]}. {least}: {named[1]}.")}</p>'


def norm_cells(report: Report) -> list[Cell]:
    """Norm of each block's update."""
    return [Cell(block["block"], block["norm"], "not measured" if block["norm"] is None else f"{block['norm']:.3g}",
                 f"{counted(block['layers'], 'layer')}, rank {number_words(block['ranks'])}, alpha {number_words(block['alphas'])}")
            for block in report["blocks"]]


def error_cells(blocks: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Cell]:
    """What each block loses, relative to itself. Args: blocks: block to its layers of a resize's report."""
    cells = []
    for block, layers in blocks.items():
        whole = math.sqrt(sum(layer["norm"] ** 2 for layer in layers))
        lost = math.sqrt(sum((layer["error"] * layer["norm"]) ** 2 for layer in layers)) / whole if whole else 0.0
        ranks = sorted({layer["new_rank"] for layer in layers})
        cells.append(Cell(block, lost, share(lost), f"{counted(len(layers), 'layer')}, rank {number_words(ranks)}"))
    return cells


def share(value: float) -> str:
    """"0.8 %", "12 %", "0 %"."""
    return percent(value)


def facts_table(report: Report) -> str:
    """What a file is and what it says of itself, in HTML."""
    return table(report["told"]["facts"])


def lost(error: float) -> str:
    """"9.8 % (99 % of the energy is kept)": both ways to say what a rank leaves out. Args: error: relative, of norms."""
    return f"{share(error)} ({kept(error)} of the energy is kept)" if share(error) != "0 %" else "0 %"


def kept(error: float) -> str:
    """What is kept of the energy, which is the square of the norm, where so much of the norm is lost: 0.1 is "99 %"."""
    return f"{math.floor(1000 * (1 - error * error)) / 10:g} %"


def made_of(sources: Sequence[tuple[str, float]], blocks: Sequence[str] = ()) -> list[tuple[str, str]]:
    """Files, their weights and those of blocks, as rows of facts. Args: blocks: as the settings have them: "2: up 1=0.5"."""
    parts = ", ".join(f"{weight:g} × {name_of(file)}" for file, weight in sources)
    told = []
    for rule in blocks:
        number, _, block = rule.rpartition(":")
        of = f" of {name_of(sources[int(number) - 1][0])}" if number.strip().isdecimal() and int(number) <= len(sources) else ""
        told.append(f"{block.strip().replace('=', ' × ')}{of}")
    return [("Made of", parts), ("Weights of blocks", ", ".join(told))]


def what_it_is(report: Report) -> str:
    """"LoRA for Stable Diffusion XL, rank 32, 218 MiB"."""
    return f"{report['kind']} for {report['family']['title']}, rank {rank_words(report['ranks'])}, {told_size(report['size'])}"


def ranks_of(layers: Sequence[Report]) -> str:
    """"16", "2 to 31": the ranks that layers have now."""
    ranks = [layer["new_rank"] for layer in layers]
    low, high = min(ranks, default=0), max(ranks, default=0)
    return f"{low}" if low == high else f"{low} to {high}"


def programs_table(report: Report) -> str:
    """Which programs load it, in HTML."""
    rows = [(program, f"{told}. {reason}" if reason else told) for program, told, reason in report["told"]["loads"]]
    return table(rows, ("Program", "Does it load?"))


def blocks_table(report: Report) -> str:
    """Rank, alpha and norm of each block, in HTML."""
    rows = [(block["block"], block["layers"], number_words(block["ranks"]), number_words(block["alphas"]) or "none",
             "" if block["norm"] is None else f"{block['norm']:.4g}") for block in report["blocks"]]
    return cut_table(rows, ("Block", "Layers", "Rank", "Alpha", "Norm of the update"))


def layers_table(report: Report) -> str:
    """Every layer, in HTML."""
    rows = [(f"{layer['block']}: {layer['layer']}", layer["kind"], layer["rank"] or "",
             "" if layer["alpha"] is None else f"{layer['alpha']:g}", "" if layer["norm"] is None else f"{layer['norm']:.4g}",
             layer.get("rank_90", ""), layer.get("rank_99", ""), layer["problem"])
            for layer in report["layers"]]
    return cut_table(rows, ("Layer", "Type", "Rank", "Alpha", "Norm", "Rank for 90 %", "for 99 %", "Broken"))


def cut_table(rows: Sequence[Sequence[object]], head: Sequence[str] = ()) -> str:
    """A table of at most SHOWN rows, and how many more there are."""
    more = f'<p class="lb-help">and {len(rows) - SHOWN:,} more; the command (docs/utilities.md) with --json lists all.</p>'
    return table(rows[:SHOWN], head) + (more if len(rows) > SHOWN else "") if rows else ""


def names_list(names: Sequence[str]) -> str:
    """At most SHOWN names, one a line, and how many more there are; in HTML."""
    lines = "".join(f"<li>{html.escape(name)}</li>" for name in names[:SHOWN])
    more = f'<p class="lb-help">and {len(names) - SHOWN:,} more; the command (docs/utilities.md) with --json lists all.</p>'
    return f'<ul class="lb-names">{lines}</ul>{more if len(names) > SHOWN else ""}' if names else ""


def spectrum_curves(report: Report) -> list[Curve]:
    """Energy kept when all layers are cut to a rank, of the parts and of all; and how singular values fall off."""
    layers = [layer for layer in report["layers"] if layer["values"] and layer["values"][0]]
    if not layers:
        return []
    curves = [Curve("all layers", _count(report["energy"]), [100 * value for value in report["energy"]], colour=1)]
    parts = {"text encoders": [layer for layer in layers if layer["is_text"]],
             "U-Net or transformer": [layer for layer in layers if not layer["is_text"]]}
    if all(parts.values()):
        curves += [Curve(name, _count(kept := _energy(inside)), kept, colour=number)
                   for number, (name, inside) in enumerate(parts.items(), 2)]
    falls = [[value / layer["values"][0] for value in layer["values"]] for layer in layers]
    by_rank = [[fall[place] for fall in falls if place < len(fall)] for place in range(max(map(len, falls)))]
    kinds: list[tuple[str, Callable[[list[float]], float], int]] = [("middle layer", statistics.median, 1), ("slowest fall", max, 4),
                                                                    ("fastest fall", min, 5)]
    return curves + [Curve(name, _count(by_rank), [of(values) for values in by_rank], pane=1, colour=colour) for name, of, colour in kinds]


def name_of(place: str) -> str:
    """A file's name."""
    return Path(place).name


def _energy(layers: Sequence[Report]) -> list[float]:
    sums = [0.0] * max(len(layer["values"]) for layer in layers)
    for layer in layers:
        for place, value in enumerate(layer["values"]):
            sums[place] += value * value
    whole, kept, found = sum(sums) or 1.0, 0.0, []
    for one in sums:
        kept += one
        found.append(100 * kept / whole)
    return found


def _count(values: Sequence[object]) -> list[float]:
    return [float(rank) for rank in range(1, len(values) + 1)]
