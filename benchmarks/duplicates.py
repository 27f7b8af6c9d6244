"""How long it takes to find the duplicates among 20,000 pictures whose hashes and embeddings are stored.

    python benchmarks/duplicates.py [--json] [--images 20000]

Reading the store is part of the time. Both tiers look at all pairs: the time of a plain loop over them (one XOR or one matrix product
per block, in the same NumPy) is measured too, so that the ratio travels; what it finds must be found, pair for pair.
"""

from __future__ import annotations

import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.figures import flags, show
from core.dataset.curation.duplicates import DuplicateSettings, group_alike
from core.dataset.curation.embedding import embed
from core.dataset.curation.hashes import Fingerprint
from core.dataset.curation.looking import KIND, Look, look_at
from core.dataset.curation.measures import Measures
from core.dataset.curation.pairs import cosine_pairs, hamming_pairs, popcount
from core.dataset.curation.store import Store
from core.dataset.index import Index
from core.dataset.items import ImageItem

GOAL_SECONDS = 4.0
GOAL_MEMORY = 200
"""MiB above what was read from the store."""
DIMENSIONS = 512
LIKENESS, DISTANCE = 0.96, 8


class StoredFiles:
    """Stands for an embedder whose vectors are all stored; it is never opened."""

    identity = "benchmark"
    stated = "benchmark"

    def open(self, device: str) -> object:
        """Never called."""
        raise AssertionError("an embedding was missing")


def make_set(count: int, store: Store) -> list[ImageItem]:
    """Items whose hashes and vectors are stored: clusters as of one subject, and a twentieth near copies of others."""
    random = numpy.random.default_rng(0)
    hashes = random.integers(0, 2**63, (count, 4), dtype=numpy.uint64) * numpy.uint64(2)
    falling = numpy.exp(-numpy.arange(DIMENSIONS) / 80)
    centres = random.normal(size=(300, DIMENSIONS)) * falling
    vectors = centres[random.integers(0, 300, count)] + 0.6 * random.normal(size=(count, DIMENSIONS)) * falling
    for number in range(0, count, 20):
        other = int(random.integers(0, count))
        flip = numpy.uint64(1) << random.integers(0, 64, 4).astype(numpy.uint64)
        hashes[number] = hashes[other] ^ flip
        vectors[number] = vectors[other] + 0.1 * random.normal(size=DIMENSIONS) * falling
    vectors /= numpy.linalg.norm(vectors, axis=1, keepdims=True)
    items, looks, rows = [], {}, {}
    for number in range(count):
        sha = f"{number:064x}"
        items.append(ImageItem(f"{number}", Path("/nowhere"), f"{number}.png", 640, 480, 1000, 0, sha, None))
        print_ = Fingerprint(number.to_bytes(16, "big"), *(int(value) for value in hashes[number]))
        looks[sha] = Look(print_, Measures(100.0, 0.0, 0.0, 40.0)).packed()
        rows[sha] = vectors[number].astype(numpy.float32).tobytes()
    store.remember(KIND, looks)
    store.remember(f"embed:{StoredFiles.identity}", rows)
    return items


def plain_loop(hashes: numpy.ndarray, mirrored: numpy.ndarray, vectors: numpy.ndarray) -> tuple[float, set[int], set[int]]:
    """Seconds of the plain look at all pairs, and what it finds (pairs as row * count + column)."""
    count = len(hashes)
    began = time.perf_counter()
    by_hash: set[int] = set()
    for row in range(count):
        rest = hashes[row + 1:]
        near = popcount(hashes[row] ^ rest) <= DISTANCE
        near |= popcount(hashes[row] ^ mirrored[row + 1:]) <= DISTANCE
        near |= popcount(mirrored[row] ^ rest) <= DISTANCE
        by_hash.update(row * count + row + 1 + int(column) for column in numpy.flatnonzero(near))
    by_vector: set[int] = set()
    for start in range(0, count, 256):
        rows, columns = numpy.nonzero(vectors[start:start + 256] @ vectors.T >= LIKENESS)
        by_vector.update(int(row + start) * count + int(column) for row, column in zip(rows, columns, strict=True) if row + start < column)
    return time.perf_counter() - began, by_hash, by_vector


def peak_mib(work: Callable[[], object]) -> float:
    """Most memory that the work holds beside what was there before, MiB."""
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def measure(count: int, repeats: int) -> dict[str, object]:
    """Seconds of each part (the best of some tries), memory, and whether every pair was found."""
    settings = DuplicateSettings(hash_distance=DISTANCE, likeness=LIKENESS)
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "curation.sqlite") as store, \
            Index(Path(folder) / "index.sqlite") as index:
        items = make_set(count, store)
        best: dict[str, float] = {}
        for _ in range(repeats):
            began = time.perf_counter()
            looks = look_at(items, store, index, stored_only=True)
            vectors = embed(items, StoredFiles(), store, stored_only=True)  # type: ignore[arg-type]
            read = time.perf_counter() - began
            groups = group_alike(looks, vectors, settings)
            total = time.perf_counter() - began
            if not best or total < best["seconds"]:
                best = {"seconds": total, "reading": read}
        grown = peak_mib(lambda: group_alike(looks, vectors, settings))
    hashes, mirrored = looks.column("phash").copy(), looks.column("phash_mirrored").copy()
    began = time.perf_counter()
    by_hash = {int(r) * count + int(c) for rows, cols in hamming_pairs(hashes, DISTANCE, mirrored) for r, c in zip(rows, cols, strict=True)}
    hash_seconds = time.perf_counter() - began
    began = time.perf_counter()
    by_vector = {int(r) * count + int(c) for rows, cols in cosine_pairs(vectors.vectors, LIKENESS) for r, c in zip(rows, cols, strict=True)}
    vector_seconds = time.perf_counter() - began
    plain, all_hash, all_vector = plain_loop(hashes, mirrored, vectors.vectors)
    exact = by_hash == all_hash and by_vector == all_vector
    return {"name": "duplicates", "images": count, "seconds": round(best["seconds"], 2), "of which reading": round(best["reading"], 2),
            "hash_seconds": round(hash_seconds, 2), "vector_seconds": round(vector_seconds, 2), "plain_seconds": round(plain, 2),
            "ratio": round(plain / (hash_seconds + vector_seconds), 2), "pairs": len(by_hash) + len(by_vector), "groups": len(groups),
            "exact": exact, "grown_mib": round(grown),
            "goal": f"{GOAL_SECONDS:g} s together for 20,000, exact, memory bounded ({GOAL_MEMORY} MiB)",
            "ok": exact and best["seconds"] <= GOAL_SECONDS and grown <= GOAL_MEMORY}


def main() -> int:
    """Print the figures. Returns: 0 when the goal is met."""
    parser = flags("How long it takes to find duplicates.")
    parser.add_argument("--images", type=int, default=20000)
    parser.add_argument("--repeats", type=int, default=2)
    given = parser.parse_args()
    return show(measure(given.images, given.repeats), given.json)


if __name__ == "__main__":
    sys.exit(main())
