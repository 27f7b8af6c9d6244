"""How fast a model comes over several connections, against one plain stream, where the server holds each connection to a rate.

    python benchmarks/model_download.py [--json] [--megabytes 100] [--per-second 8] [--connections 8]

A server of its own process on the loopback gives each connection so many MB a second, as sites and the way to them do. The same file is
fetched in turn with one stream of urllib into a file, with this house's download over one connection, and over several; each to its end,
hash included for the last two. Then without any limit, which shows what the work itself costs. The ratio stands in one run, so that it
travels between machines.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
import time
import urllib.request
from multiprocessing.connection import Connection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.figures import flags, show
from core.models.download import download_model
from core.models.settings import DownloadSettings
from tests.core.models.fake_sites import SDXL, Blob, Sites, weights

LEAST_RATIO = 3.0
"""How many times as fast as one stream 8 connections must be, where each is held to a rate."""


def serve(pipe: Connection, megabytes: int) -> None:
    """The sites, in a process of their own, so that the two sides do not share one interpreter."""
    blob = Blob(weights(SDXL, megabytes * 10**6), "model.safetensors", block=256 * 1024)
    with Sites() as sites:
        sites.repos["maker/model"] = {"model.safetensors": blob}
        pipe.send(sites.hub.address)
        while (per_second := pipe.recv()) is not None:
            blob.per_second = per_second
            pipe.send(True)


def plain_stream(address: str, target: Path) -> float:
    """Seconds of one urllib stream into a file."""
    begun = time.perf_counter()
    with urllib.request.urlopen(address) as answer, open(target, "wb") as file:
        while block := answer.read(1 << 20):
            file.write(block)
    return time.perf_counter() - begun


def ours(folder: Path, connections: int) -> float:
    """Seconds of the stage, its look at the site, the hash and the renaming included."""
    begun = time.perf_counter()
    download_model(folder, DownloadSettings.make(address="maker/model", connections=connections))
    return time.perf_counter() - begun


def measure(pipe: Connection, endpoint: str, per_second: int, connections: int, scratch: Path) -> dict[str, float]:
    """Seconds of each way at one rate."""
    pipe.send(per_second)
    pipe.recv()
    name = f"{per_second}"
    return {"plain": plain_stream(f"{endpoint}/maker/model/resolve/main/model.safetensors", scratch / f"{name}.plain"),
            "one": ours(scratch / f"{name}-one", 1), "several": ours(scratch / f"{name}-several", connections)}


def main() -> int:
    """Print the figures. Returns: 0 when several connections are as much faster as they must be."""
    parser = flags(str(__doc__))
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--per-second", type=float, default=8.0, help="MB that each connection gets in a second")
    parser.add_argument("--connections", type=int, default=8)
    given = parser.parse_args()
    pipe, far = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(far, given.megabytes), daemon=True)
    server.start()
    try:
        endpoint = pipe.recv()
        os.environ["HF_ENDPOINT"] = endpoint
        with tempfile.TemporaryDirectory(prefix="model-download-") as scratch:
            held = measure(pipe, endpoint, int(given.per_second * 10**6), given.connections, Path(scratch))
            free = measure(pipe, endpoint, 0, given.connections, Path(scratch))
    finally:
        pipe.send(None)
        server.join(10)
    ratio = held["plain"] / held["several"]
    figures = {"megabytes": given.megabytes, "connections": given.connections, "held to MB/s each": given.per_second,
               **{f"held, {name}, s": round(seconds, 2) for name, seconds in held.items()}, "held, plain / several": round(ratio, 2),
               **{f"free, {name}, s": round(seconds, 2) for name, seconds in free.items()},
               "free, plain / several": round(free["plain"] / free["several"], 2),
               "ok": ratio >= min(LEAST_RATIO, 0.5 * given.connections)}
    return show(figures, given.json)


if __name__ == "__main__":
    sys.exit(main())
