"""How much of a network's own speed upscaling keeps: one large picture in tiles, and a job over 50 photographs from file to file.

    python benchmarks/upscale.py [--json] [--images 50] [--device cpu] [--side 1500]

The network has random weights and the size of a real one (Real-ESRGAN's compact network: 64 channels, 16 convolutions, 2x). Its own rate
is that of one input of a tile's size, called as spandrel gives it, from numbers to numbers. Both are measured in turns and the best of each
counts. On a CPU reading and writing take cores from the network, and so does whatever else the machine does: there the seconds of the CPU
that each took are compared too, which others do not touch.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.figures import flags, show

GOAL = 0.9
ROUNDS = 2
PHOTOGRAPH = (320, 240)


def timed(act: Callable[[], object], device: str) -> tuple[float, float]:
    """Seconds by the clock, and of the CPU's cores."""
    import torch

    began, used = time.perf_counter(), time.process_time()
    act()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began, time.process_time() - used


def best(times: list[tuple[float, float]]) -> tuple[float, float]:
    """The shortest of each kind."""
    return min(one for one, _ in times), min(one for _, one in times)


def photographs(size: tuple[int, int], count: int) -> list[Any]:
    """Pieces of real photographs."""
    from PIL import Image
    from skimage import data
    from sklearn.datasets import load_sample_images

    sources = [Image.fromarray(one) for one in (data.astronaut(), data.coffee(), data.chelsea(), *load_sample_images().images)]
    return [sources[number % len(sources)].rotate(number, expand=False).resize(size) for number in range(count)]


def tiled(network: Any, side: int, device: str) -> dict[str, object]:
    """A picture in tiles against one tile."""
    import torch

    from core.dataset.images.upscaling.enlarging import SIDES, Enlarger
    from core.dataset.images.upscaling.tiles import plan_tiles

    (picture,) = photographs((side, side * 2 // 3), 1)
    tile = SIDES[device]
    values = torch.rand(1, 3, tile, tile, dtype=network.dtype, device=device).contiguous(memory_format=torch.channels_last)
    enlarger = Enlarger(tile)
    own, whole = [], []
    network.described(values)
    for _ in range(ROUNDS):
        own.append(timed(lambda: network.described(values), device))
        whole.append(timed(lambda: enlarger.enlarge(network, picture), device))
    share = picture.width * picture.height / tile**2
    plan = plan_tiles(picture.size, tile, enlarger.overlap)
    return {"tile": tile, "tiles": plan.count, "computed_for_each_pixel": round(plan.computed / picture.width / picture.height, 3),
            "own_kpx_per_second": round(tile**2 / best(own)[0] / 1e3, 1),
            "tiled_kpx_per_second": round(share * tile**2 / best(whole)[0] / 1e3, 1),
            "tiled_ratio": round(share * best(own)[0] / best(whole)[0], 3),
            "tiled_cpu_ratio": round(share * best(own)[1] / best(whole)[1], 3)}


def job(file: Path, place: Path, count: int, device: str) -> dict[str, object]:
    """A job over photographs against the network alone over the same ones."""
    from core.dataset.images.opening import open_image
    from core.dataset.images.saving import SaveSettings, encode
    from core.dataset.images.upscaling.tool import UpscaleSettings, upscale_images
    from core.dataset.project import Project

    os.environ["LORABOOK_MODELS"] = str(place / "models")
    project = Project.create(place / "project", "Upscaling")
    for number, picture in enumerate(photographs(PHOTOGRAPH, count)):
        picture.save(project.images / f"{number:03}.jpg", quality=92)
    paths = sorted(project.images.iterdir())
    settings = UpscaleSettings.make(model=file.name, mode="model", device=device)
    pure, whole = [], []
    for turn in range(ROUNDS):
        pure.append(timed(lambda: pure_inference(count, file.name, device), device))
        whole.append(timed(lambda turn=turn: upscale_images(project, settings.changed(overlap=16 + turn)), device))  # other settings: anew
    decoded = [open_image(path).image for path in paths]
    read = timed(lambda: [open_image(path) for path in paths], device)[1]
    write = timed(lambda: [encode(one.resize((one.width * 2, one.height * 2)), SaveSettings(), "JPEG") for one in decoded], device)[1]
    return {"images": count, "pure_inference_seconds": round(best(pure)[0], 1), "job_seconds": round(best(whole)[0], 1),
            "reading_alone_cpu_seconds": round(read, 2), "writing_alone_cpu_seconds": round(write, 2),
            "job_ratio": round(best(pure)[0] / best(whole)[0], 3), "job_cpu_ratio": round(best(pure)[1] / best(whole)[1], 3)}


def pure_inference(count: int, name: str, device: str) -> None:
    """The network alone, on what is ready in memory."""
    import torch

    from core.dataset.images.upscaling.opened import opened_network

    with opened_network(name, device) as network:
        values = torch.rand(1, 3, *PHOTOGRAPH[::-1], dtype=network.dtype, device=device).contiguous(memory_format=torch.channels_last)
        for _ in range(count):
            network.described(values)


def main() -> int:
    """Print the figures. Returns: 0 when the goals are met."""
    parser = flags("How much of a network's own speed upscaling keeps.")
    parser.add_argument("--images", type=int, default=50)
    parser.add_argument("--side", type=int, default=1500)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--width", type=int, default=64, help="channels of the network; fewer: a faster one")
    given = parser.parse_args()
    import torch

    from core.dataset.images.upscaling.opened import opened_network
    from tests.tiny_upscalers import make_compact, save_network

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        os.environ["LORABOOK_MODELS"] = str(place / "models")
        file = save_network(make_compact(2, given.width, 16), place / "models" / "upscalers" / "compact.safetensors")
        with opened_network(file.name, given.device) as network:
            figures: dict[str, object] = {"name": "upscale", "device": given.device, "threads": torch.get_num_threads(),
                                          **tiled(network, given.side, given.device)}
        figures |= job(file, place, given.images, given.device)
    ratios = [float(str(figures[name])) for name in ("tiled_ratio", "job_ratio")]
    return show({**figures, "goal": f"both ratios {GOAL} or more", "ok": min(ratios) >= GOAL}, given.json)


if __name__ == "__main__":
    sys.exit(main())
