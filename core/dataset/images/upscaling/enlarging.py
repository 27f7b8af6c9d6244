"""One picture through a network, tile by tile: bounded memory, a tile that shrinks where there is no room, a stop between two tiles."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.base.errors import ModelError
from core.base.progress import SILENT, Progress
from core.dataset.images.upscaling.alpha import bled
from core.dataset.images.upscaling.network import Network, Result
from core.dataset.images.upscaling.tiles import Canvas, Plan, Span, plan_tiles, read_tile
from core.models.warm import WARM, is_no_room

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

    from core.dataset.images.upscaling.network import Pixels

SIDES = {"cuda": 1024, "cpu": 512}
"""Of a tile at most where nothing is chosen, px."""
LEAST_SIDE = 32
"""Below this a tile is not made smaller, px."""
SHARE = 0.5
"""Of the free memory, that a tile may take."""
WHOLE = 1 << 20
"""Side of a tile that no picture reaches."""


@dataclass(frozen=True)
class Tile:
    """A tile and what the network makes of it; None: nothing of it is seen."""

    column: Span
    row: Span
    pixels: Pixels
    result: Result | None


class Enlarger:
    """Enlarges pictures one after the other. It remembers how large a tile may be.

    Args:
        side: of a tile at most, px; 0: by the device and its memory.
        overlap: of tiles, px.
    """

    def __init__(self, side: int = 0, overlap: int = 16) -> None:
        self.side, self.overlap = side, overlap
        self._fits: int | None = None
        self.shrunk = 0
        """Side that tiles had to be made smaller to, px; 0: they were not."""

    def enlarge(self, network: Network, image: Picture, name: str = "", progress: Progress = SILENT) -> Picture:
        """A picture `network.scale` times as large; RGB or RGBA as it was.

        Where there is no room, tiles are made half as large, and it begins anew. Transparency is enlarged by Lanczos: what is opaque
        stays wholly so and no network invents holes, and it costs nothing.

        Raises: ModelError: there is no room for the smallest tile, or the network computes no numbers; Cancelled.
        """
        while True:
            plan = self._plan(network, image)
            try:
                return self._enlarged(network, image, plan, name, progress)
            except (RuntimeError, MemoryError) as error:
                if not is_no_room(error):
                    raise ModelError(f"{network.title} failed on {name or 'a picture'}: {_first_line(error)}.",
                                     "Choose another model, or the device 'cpu'.") from error
                self._shrink(network, image, plan, error)
            _free_memory()

    def _plan(self, network: Network, image: Picture) -> Plan:
        if self._fits is None:
            self._fits = self._side_for(network)
        overlap = 2 * self.overlap if network.tiling == "DISCOURAGED" else self.overlap
        return plan_tiles(image.size, self._fits, overlap, network.rule)

    def _side_for(self, network: Network) -> int:
        """The largest tile that there is room for."""
        if network.tiling == "INTERNAL" and not self.side:
            return WHOLE
        side, room = self.side or SIDES[network.device], SHARE * WARM.free(network.device)
        while side > 2 * LEAST_SIDE and side * side * network.memory() > room > 0:
            side //= 2
        return side

    def _shrink(self, network: Network, image: Picture, plan: Plan, error: Exception) -> None:
        """Raises: ModelError: it cannot be smaller."""
        present = plan.side
        self._fits = self.shrunk = present // 2
        if self._fits < LEAST_SIDE or self._plan(network, image).side >= present:
            raise ModelError(f"There is no room for a tile of {present} px with {network.title}.",
                             "Unload other models, end other programs, or choose a smaller model.") from error

    def _enlarged(self, network: Network, image: Picture, plan: Plan, name: str, progress: Progress) -> Picture:
        from PIL import Image

        canvas = Canvas(image.size, network.scale)
        for number, tile in enumerate(self._tiles(network, image, plan), 1):
            if plan.count > 1:
                progress.advance(f"{name}: tile {number} of {plan.count}".lstrip(": "), by=0)
            canvas.lay(_fetched(network, tile), tile.column, tile.row)
        if image.mode == "RGBA":
            canvas.image.putalpha(image.getchannel("A").resize(canvas.image.size, Image.Resampling.LANCZOS))
        progress.check()
        return canvas.image

    def _tiles(self, network: Network, image: Picture, plan: Plan) -> Iterator[Tile]:
        """Every tile under way; the next is begun before one is taken, so that a GPU need not wait for the picture."""
        before: Tile | None = None
        for row in plan.rows:
            for column in plan.columns:
                pixels = read_tile(image, column, row)
                seen = bled(pixels) if pixels.shape[2] == 4 else pixels
                tile = Tile(column, row, seen if seen is not None else pixels, network.start(seen) if seen is not None else None)
                if before is not None:
                    yield before
                before = tile
        if before is not None:
            yield before


def _fetched(network: Network, tile: Tile) -> Pixels:
    """What the network made of a tile; in half precision it may fail where full precision does not. Raises: ModelError: no numbers."""
    import numpy

    if tile.result is None:
        return numpy.zeros((tile.pixels.shape[0] * network.scale, tile.pixels.shape[1] * network.scale, 3), dtype=numpy.uint8)
    made = tile.result.fetch()
    while made is None:
        if not network.widen():
            raise ModelError(f"{network.title} computes what is no number.", "The file is damaged, or no finished model: choose another.")
        made = network.start(tile.pixels).fetch()
    return made


def _free_memory() -> None:
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
