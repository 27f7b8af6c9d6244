"""All pairs that are near each other, exactly and in bounded memory, and the groups that they make.

Nothing here is approximate: up to about 100,000 pictures a blockwise look at all pairs is quicker than an index would be built.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from functools import lru_cache
from typing import TYPE_CHECKING

from core.base.errors import StudioError
from core.dataset.parallel import bounded_map

if TYPE_CHECKING:
    import numpy

Pairs = tuple["numpy.ndarray", "numpy.ndarray"]
"""Rows and columns of pairs, each row below its column; int64."""
HASH_ROWS, HASH_COLUMNS = 128, 4096
"""A block of pairs of hashes: 4 MiB of differences, which stay in the processor's cache."""
VECTOR_ROWS, VECTOR_COLUMNS = 512, 4096
"""A block of pairs of vectors: 8 MiB of products."""
BASIS = 64
"""Dimensions in which most pairs of vectors are told apart."""
DENSE = 0.002
"""Share of a block's pairs above which all of them are worked out, instead of each by itself."""
SLACK = 1e-4
"""Rounding of float32 products of unit vectors, generously."""


def popcount(values: numpy.ndarray) -> numpy.ndarray:
    """Number of set bits of each uint64."""
    import numpy

    if hasattr(numpy, "bitwise_count"):
        return numpy.bitwise_count(values)
    parts = numpy.ascontiguousarray(values).view(numpy.uint16).reshape(*values.shape, 4)  # numpy 1.26
    return _bits_of_16()[parts].sum(-1, dtype=numpy.uint8)


@lru_cache(maxsize=1)
def _bits_of_16() -> numpy.ndarray:
    import numpy

    return numpy.array([bin(number).count("1") for number in range(1 << 16)], dtype=numpy.uint8)


def hamming_pairs(hashes: numpy.ndarray, distance: int, mirrored: numpy.ndarray | None = None) -> Iterator[Pairs]:
    """Every pair of hashes that differ in at most `distance` bits, block by block.

    Args: hashes: (n,) uint64. mirrored: hashes of the mirrored pictures; a pair then also counts when either in a mirror is near the other.
    """
    import numpy

    def block(start: int) -> Pairs:
        rows, columns = [], []
        mine = hashes[start:start + HASH_ROWS, None]
        for left in range(start, len(hashes), HASH_COLUMNS):
            near = popcount(mine ^ hashes[None, left:left + HASH_COLUMNS]) <= distance
            if mirrored is not None:
                near |= popcount(mine ^ mirrored[None, left:left + HASH_COLUMNS]) <= distance
                near |= popcount(mirrored[start:start + HASH_ROWS, None] ^ hashes[None, left:left + HASH_COLUMNS]) <= distance
            row, column = _places(near)
            later = row + start < column + left
            rows.append(row[later] + start)
            columns.append(column[later] + left)
        return numpy.concatenate(rows), numpy.concatenate(columns)

    with closing(bounded_map(block, range(0, len(hashes), HASH_ROWS))) as results:
        for _, pairs in results:
            if isinstance(pairs, StudioError):
                raise pairs
            yield pairs


def cosine_pairs(vectors: numpy.ndarray, likeness: float) -> Iterator[Pairs]:
    """Every pair of unit vectors whose cosine is at least `likeness`, block by block.

    Most pairs are ruled out in fewer dimensions: with a = (a', a") split along an orthonormal basis, a·b <= a'·b' + |a"| |b"|
    (Cauchy and Schwarz), which is itself one short product. What is left is worked out whole, so that none is missed.

    Args: vectors: (n, d) float32 of length 1.
    """
    import numpy

    if len(vectors) < 2:
        return
    short = _shortened(vectors)
    for start in range(0, len(vectors), VECTOR_ROWS):  # one after the other: each product runs on all cores by itself
        for left in range(start, len(vectors), VECTOR_COLUMNS):
            bound = short[start:start + VECTOR_ROWS] @ short[left:left + VECTOR_COLUMNS].T
            row, column = _places(bound >= likeness - SLACK)
            if len(row) > DENSE * bound.size:
                exact = vectors[start:start + VECTOR_ROWS] @ vectors[left:left + VECTOR_COLUMNS].T
                row, column = _places(exact >= likeness)
                later = row + start < column + left
            else:
                later = row + start < column + left
                row, column = row[later], column[later]
                later = numpy.einsum("ij,ij->i", vectors[row + start], vectors[column + left]) >= likeness
            yield row[later] + start, column[later] + left


def _places(found: numpy.ndarray) -> Pairs:
    """Rows and columns where it is true; quicker than `nonzero` of two dimensions."""
    import numpy

    return numpy.divmod(numpy.flatnonzero(found), found.shape[1])


def _shortened(vectors: numpy.ndarray) -> numpy.ndarray:
    """(n, d) → (n, at most BASIS + 1): the vectors along their main axes, and behind them the length of what is left out."""
    import numpy

    if vectors.shape[1] <= 2 * BASIS:
        return vectors
    sample = vectors[::max(1, len(vectors) // 4096)]
    _, axes = numpy.linalg.eigh((sample.T @ sample).astype(numpy.float64))
    inner = vectors @ numpy.ascontiguousarray(axes[:, -BASIS:], dtype=numpy.float32)
    rest = numpy.sqrt(numpy.maximum(0, numpy.einsum("ij,ij->i", vectors, vectors) - numpy.einsum("ij,ij->i", inner, inner)))
    return numpy.ascontiguousarray(numpy.concatenate([inner, rest[:, None]], axis=1))


class Groups:
    """Which of `count` things hang together (union-find, whole arrays of pairs at a time)."""

    def __init__(self, count: int) -> None:
        import numpy

        self.labels = numpy.arange(count)
        """Of each thing, the lowest number of its group."""

    def join(self, rows: numpy.ndarray, columns: numpy.ndarray) -> None:
        """Things at the same places of both arrays hang together."""
        import numpy

        while len(rows):
            first, second = self.labels[rows], self.labels[columns]
            apart = first != second
            rows, columns, first, second = rows[apart], columns[apart], first[apart], second[apart]
            numpy.minimum.at(self.labels, numpy.maximum(first, second), numpy.minimum(first, second))
            while True:
                flatter = self.labels[self.labels]
                if (flatter == self.labels).all():
                    break
                self.labels = flatter

    def join_equal(self, keys: numpy.ndarray) -> None:
        """Things with the same key hang together."""
        import numpy

        _, first, which = numpy.unique(keys, return_index=True, return_inverse=True)
        self.join(numpy.arange(len(keys)), first[which.reshape(-1)])

    def members(self) -> list[numpy.ndarray]:
        """The groups of more than one, each in rising order."""
        import numpy

        order = numpy.argsort(self.labels, kind="stable")
        _, starts = numpy.unique(self.labels[order], return_index=True)
        return [group for group in numpy.split(order, starts[1:]) if len(group) > 1]
