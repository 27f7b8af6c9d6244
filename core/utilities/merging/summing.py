"""Ranks by a rule for layers that are made of several files: one pass over their singular values before anything is written."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from core.base.progress import SILENT, Progress
from core.utilities.layers.algebra import spectrum_of
from core.utilities.layers.parallel import Ahead
from core.utilities.layers.plans import RELEASE_EVERY
from core.utilities.layers.products import added, factors_of
from core.utilities.layers.ranks import RankRule
from core.utilities.layers.updates import Computing
from core.utilities.merging.joining import JoinedLayer


def dynamic_ranks(layers: Sequence[JoinedLayer], rule: RankRule, device: str, computing: Computing, progress: Progress = SILENT,
                  release: Callable[[], None] = lambda: None) -> dict[str, int]:
    """The rank of each layer's sum. Raises: ModelError: values that are no numbers. Cancelled."""
    def rank_of(layer: JoinedLayer) -> int:
        parts = [(factors_of(source.file, module, device, computing), source.weight_of(module)) for source, module in layer.factored]
        values = spectrum_of(added(parts)).values[:layer.most].tolist()
        shape = layer.shape
        return rule.rank_of(values, min(shape[0], math.prod(shape[1:])), len(shape) > 2 and math.prod(shape[2:]) > 1)

    found = {}
    progress.start("Singular values", len(layers))
    with Ahead(layers, rank_of, device) as ahead:
        for number, (layer, rank) in enumerate(ahead):
            found[layer.name] = rank
            if number % RELEASE_EVERY == 0:
                release()
            progress.advance(layer.name)
    return found
