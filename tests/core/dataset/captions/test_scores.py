"""Kept scores decide as what the model said, take little room, and may be lost."""

import sqlite3

import pytest

from core.dataset.captions.scores import STEPS, ScoreStore, rounded

SHA = "ab" * 32
SCORES = {"general": {"long_hair": rounded(0.91234), "hat": 0.35}, "character": {"mika_(sea)": 1.0}, "rating": {"general": 0.0}}


@pytest.fixture
def store(tmp_path):
    with ScoreStore(tmp_path / "scores.sqlite") as opened:
        yield opened


def test_what_was_kept_is_found_again_by_image_and_model(store, tmp_path):
    assert store.remember("model@1", "wd", {SHA: SCORES})
    with ScoreStore(tmp_path / "scores.sqlite") as other:
        assert other.find("model@1", [SHA, "00" * 32, ""]) == {SHA: SCORES}
        assert other.find("model@2", [SHA]) == {} and other.known("model@2", [SHA]) == set()
        assert other.known("model@1", [SHA, "00" * 32, ""]) == {SHA}
        assert [(one.identity, one.name, one.images) for one in other.models()] == [("model@1", "wd", 1)]


def test_every_threshold_of_four_decimals_decides_as_before_the_keeping(store):
    scores = {f"{number:04}": number / 10_000 for number in range(10_001)}
    store.remember("m", "m", {SHA: {"general": scores}})
    found = store.find("m", [SHA])[SHA]["general"]
    assert found == scores  # to the last bit, so that >= decides the same
    assert rounded(0.35) == 0.35 and abs(rounded(0.123456) - 0.123456) <= 0.5 / STEPS


def test_an_image_takes_little_room(store):
    hashes = [f"{number:064x}" for number in range(500)]
    scores = {"general": {f"tag_{number}": 0.5 for number in range(40)}}
    store.remember("m", "m", dict.fromkeys(hashes, scores))
    assert store.path.stat().st_size / len(hashes) < 500
    assert len(store.find("m", hashes)) == 500 and len(store.known("m", hashes)) == 500


def test_words_that_another_notebook_added_meanwhile_are_understood(store, tmp_path):
    store.remember("m", "m", {SHA: {"general": {"hat": 0.5}}})
    with ScoreStore(tmp_path / "scores.sqlite") as other:
        other.remember("m", "m", {"cd" * 32: {"general": {"bow": 0.5}}})
        store.remember("m", "m", {"ef" * 32: {"general": {"cap": 0.5, "bow": 0.25}}})
        assert other.find("m", ["ef" * 32]) == {"ef" * 32: {"general": {"cap": 0.5, "bow": 0.25}}}
    assert store.find("m", ["cd" * 32]) == {"cd" * 32: {"general": {"bow": 0.5}}}


@pytest.mark.slow
def test_a_locked_a_broken_and_a_lost_file_are_done_without(store, tmp_path):
    store.remember("m", "m", {SHA: SCORES})
    other = sqlite3.connect(store.path)
    other.execute("BEGIN EXCLUSIVE")
    try:
        assert store.find("m", [SHA]) == {} and not store.remember("m", "m", {SHA: SCORES})
    finally:
        other.close()
    assert store.find("m", [SHA]) == {SHA: SCORES}
    store.path.unlink()
    assert store.find("m", [SHA]) == {}
    store.close()
    store.path.write_bytes(b"this is no database" * 500)
    assert store.remember("m", "m", {SHA: SCORES}) and store.find("m", [SHA]) == {SHA: SCORES}


def test_a_damaged_row_counts_as_unknown(store):
    store.remember("m", "m", {SHA: SCORES})
    other = sqlite3.connect(store.path)
    with other:
        other.execute("UPDATE scores SET found = ?", (b"12345",))
    other.close()
    assert store.known("m", [SHA]) == set() and store.find("m", [SHA]) == {}
