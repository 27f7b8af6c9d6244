"""All near pairs, none missed, compared with looking at every pair one by one."""

import tracemalloc

import numpy
import pytest

from core.dataset.curation import pairs
from core.dataset.curation.pairs import Groups, cosine_pairs, hamming_pairs, popcount


def near_hashes(count: int, seed: int = 0) -> numpy.ndarray:
    """Random hashes of which every third differs from another in a few bits."""
    random = numpy.random.default_rng(seed)
    hashes = random.integers(0, 2**63, count, dtype=numpy.uint64) * numpy.uint64(2)
    for number in range(0, count, 3):
        flips = random.choice(64, random.integers(0, 12), replace=False).astype(numpy.uint64)
        hashes[number] = hashes[(number * 7) % count] ^ numpy.bitwise_or.reduce(numpy.uint64(1) << flips, initial=numpy.uint64(0))
    return hashes


def collected(found) -> set[tuple[int, int]]:
    return {(int(row), int(column)) for rows, columns in found for row, column in zip(rows, columns, strict=True)}


def unit(values: numpy.ndarray) -> numpy.ndarray:
    return (values / numpy.linalg.norm(values, axis=1, keepdims=True)).astype(numpy.float32)


def clustered(count: int, dimensions: int, seed: int = 0) -> numpy.ndarray:
    random = numpy.random.default_rng(seed)
    centres = random.normal(size=(count // 5, dimensions))
    return unit(centres[random.integers(0, len(centres), count)] + 0.25 * random.normal(size=(count, dimensions)))


@pytest.mark.parametrize("distance", [0, 3, 8])
def test_every_pair_of_hashes_within_the_distance_is_found(distance):
    hashes, mirrored = near_hashes(700), near_hashes(700, 1)
    mirrored[5] = hashes[600]
    numbers, turned = [int(value) for value in hashes], [int(value) for value in mirrored]

    def near(first: int, second: int) -> bool:
        options = (numbers[first] ^ numbers[second], numbers[first] ^ turned[second], turned[first] ^ numbers[second])
        return min(bin(value).count("1") for value in options) <= distance

    wanted = {(row, column) for row in range(700) for column in range(row + 1, 700) if near(row, column)}
    assert wanted and collected(hamming_pairs(hashes, distance, mirrored)) == wanted
    assert (5, 600) in wanted


def test_blocks_of_hashes_meet_at_their_borders(monkeypatch):
    hashes = near_hashes(300)
    whole = collected(hamming_pairs(hashes, 8))
    monkeypatch.setattr(pairs, "HASH_ROWS", 7)
    monkeypatch.setattr(pairs, "HASH_COLUMNS", 13)
    assert collected(hamming_pairs(hashes, 8)) == whole


@pytest.mark.parametrize(("dimensions", "dense"), [(24, 0.002), (300, 0.002), (300, 1.0), (300, 0.0)])
def test_every_pair_of_vectors_above_the_likeness_is_found(monkeypatch, dimensions, dense):
    monkeypatch.setattr(pairs, "DENSE", dense)
    monkeypatch.setattr(pairs, "VECTOR_ROWS", 64)
    monkeypatch.setattr(pairs, "VECTOR_COLUMNS", 100)
    vectors = clustered(600, dimensions)
    cosines = vectors.astype(numpy.float64) @ vectors.T.astype(numpy.float64)
    found = collected(cosine_pairs(vectors, 0.94))
    sure = {(int(row), int(column)) for row, column in zip(*numpy.nonzero(cosines > 0.94 + 1e-5), strict=True) if row < column}
    perhaps = {(int(row), int(column)) for row, column in zip(*numpy.nonzero(cosines > 0.94 - 1e-5), strict=True) if row < column}
    assert len(sure) > 100 and sure <= found <= perhaps


def test_bits_are_counted_the_same_without_numpys_own_function(monkeypatch):
    values = near_hashes(50).reshape(5, 10)
    wanted = [[bin(int(value)).count("1") for value in row] for row in values]
    assert popcount(values).tolist() == wanted
    monkeypatch.delattr(numpy, "bitwise_count", raising=False)
    assert popcount(values).tolist() == wanted


def test_things_hang_together_through_others():
    groups = Groups(8)
    groups.join(numpy.array([6, 2, 4]), numpy.array([4, 3, 1]))
    groups.join_equal(numpy.array([9, 8, 7, 6, 5, 9, 4, 3]))
    assert [group.tolist() for group in groups.members()] == [[0, 5], [1, 4, 6], [2, 3]]


def test_six_thousand_equal_pictures_take_little_memory():
    hashes = numpy.zeros(6000, numpy.uint64)
    groups = Groups(len(hashes))
    tracemalloc.start()
    for rows, columns in hamming_pairs(hashes, 4):
        groups.join(rows, columns)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [len(group) for group in groups.members()] == [6000]
    assert peak < 150e6, "18 million pairs would take 288 MB if they were kept, and far more while they are found"
