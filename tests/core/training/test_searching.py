"""The log by level and words: right at every edge of a block, and quick in a file of any size."""

import time

import pytest

from core.training.monitor import searching
from core.training.monitor.searching import LogFound, LogQuery, level_of, search_log

LINES = [b"running training", b"steps:  10%|#    | 1/10 [00:01<00:09,  1.00s/it, avr_loss=0.5]", b"WARNING: the VAE is old",
         b"Traceback (most recent call last):", b'  File "train.py", line 3, in <module>', b"    train(args)", b"ValueError: no data",
         "2026-01-01 10:00:00 INFO     saving checkpoint: /home/ü/mochi.safetensors".encode()]


def only(*levels, words="", most=400):
    return LogQuery(words, frozenset(levels), most)


def texts(found):
    return [text for _, text in found.lines]


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "log.txt"
    path.write_bytes(b"\n".join(LINES) + b"\n")
    return path


@pytest.mark.parametrize(("line", "level"), [
    (b"steps:  10%|#    | 1/10 [00:01<00:09]", "progress"), (b"torch.OutOfMemoryError: CUDA out of memory.", "error"),
    (b"KeyboardInterrupt", "error"), (b"2026-01-01 10:00:00 ERROR    it broke", "error"), (b"error: unrecognized arguments: --x", "error"),
    (b"/x/y.py:3: FutureWarning: old", "warning"), (b"warning: the caption is empty", "warning"), (b"UserWarning: x", "warning"),
    (b"INFO no errors were found, terrorists neither", "info"), (b"loss of error correction", "info"), (b"", "info")])
def test_a_line_has_one_level(line, level):
    assert level_of(line) == level


def test_levels_and_words_choose_lines_in_their_order(log):
    assert texts(search_log(log, LogQuery()))[0] == "running training" and len(search_log(log, LogQuery()).lines) == 8
    assert texts(search_log(log, only("error"))) == ["Traceback (most recent call last):", '  File "train.py", line 3, in <module>',
                                                      "ValueError: no data"]
    assert texts(search_log(log, only("warning", "progress")))[1] == "WARNING: the VAE is old"
    assert texts(search_log(log, LogQuery("MOCHI"))) == ["2026-01-01 10:00:00 INFO     saving checkpoint: /home/ü/mochi.safetensors"]
    assert texts(search_log(log, LogQuery("/home/ü"))) and search_log(log, LogQuery("nothing like it")).lines == ()
    assert search_log(log, only("warning", words="data")).lines == () and search_log(log, only()).lines == ()


@pytest.mark.parametrize("block", [1, 3, 16, 61, 200])
def test_no_line_is_lost_or_cut_at_the_edge_of_a_block(log, monkeypatch, block):
    monkeypatch.setattr(searching, "BLOCK", block)
    assert texts(search_log(log, LogQuery())) == [line.decode() for line in LINES]


def test_only_the_newest_are_brought_and_it_is_said(log):
    found = search_log(log, LogQuery(most=2))
    assert texts(found) == ["ValueError: no data", LINES[-1].decode()] and not found.is_all
    assert search_log(log, LogQuery(most=8)).is_all


def test_what_is_appended_is_found_without_reading_the_rest_again(log):
    query = LogQuery("data")
    found = search_log(log, query)
    with open(log, "ab") as file:
        file.write(b"more data\nhalf a line with da")
    newer = search_log(log, query, found.end)
    assert texts(newer) == ["more data"] and texts(found.joined(newer, 400)) == ["ValueError: no data", "more data"]
    with open(log, "ab") as file:
        file.write(b"ta in it\n")
    assert texts(search_log(log, query, newer.end)) == ["half a line with data in it"]
    assert found.joined(newer, 1).lines == newer.lines and not found.joined(newer, 1).is_all


def test_a_missing_an_empty_and_a_strange_file_have_no_lines(tmp_path):
    assert search_log(tmp_path / "log.txt", LogQuery()) == LogFound()
    (tmp_path / "log.txt").write_bytes(b"")
    assert search_log(tmp_path / "log.txt", LogQuery()).lines == ()
    (tmp_path / "log.txt").write_bytes(b"\xff\xfe broken\n\n\n")
    assert texts(search_log(tmp_path / "log.txt", LogQuery())) == ["\ufffd\ufffd broken"]


def test_a_search_that_nobody_waits_for_ends(log, monkeypatch):
    monkeypatch.setattr(searching, "BLOCK", 16)
    assert search_log(log, LogQuery(), stopped=lambda: True).lines == ()


@pytest.mark.slow
def test_a_hundred_megabytes_are_searched_in_a_moment(tmp_path):
    """In one thread of a loaded machine; the kernel is not held up, for each block gives the others their turn."""
    path = tmp_path / "log.txt"
    bar = b"steps:  10%|#         | 12345/99999 [1:02:03<9:09:09,  1.23s/it, avr_loss=0.0912]\n"
    with open(path, "wb") as file:
        file.write(b"ValueError: the first line\n")
        for _ in range(25):
            file.write(bar * (4_000_000 // len(bar)))
        file.write(b"saving checkpoint: end\n")
    assert path.stat().st_size > 95_000_000
    for query, line in ((LogQuery("the first line"), "ValueError: the first line"), (only("error"), "ValueError: the first line")):
        began = time.monotonic()
        assert texts(search_log(path, query)) == [line]
        assert time.monotonic() - began < 3
    began = time.monotonic()
    assert len(search_log(path, LogQuery()).lines) == 400 and time.monotonic() - began < 0.2
