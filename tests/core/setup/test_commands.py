"""Other programs: their log, and their failure in a sentence."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from core.setup.commands import Outcome, clean_environment, read_output, redact, run_logged


def test_a_password_in_an_address_reaches_neither_log_nor_outcome(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    outcome = run_logged([sys.executable, "-c", "print('https://me:secret@example.org/x')"], log)
    assert outcome.lines == ("https://***@example.org/x",)
    assert "secret" not in log.read_text() and redact("https://a:b@c/d") == "https://***@c/d"


@pytest.mark.parametrize(("line", "word"), [
    ("fatal: unable to access 'https://github.com/x/': Could not resolve host: github.com", "network"),
    ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "full"),
    ("ERROR: No matching distribution found for torch", "no version"),
    ("fatal: remote error: upload-pack: not our ref 48d368fa", "pinned commit")])
def test_a_failure_is_explained_in_one_sentence(line: str, word: str) -> None:
    sentence, remedy = Outcome(1, ("noise", line)).explain()
    assert word in sentence and remedy


def test_an_unknown_failure_shows_its_last_line() -> None:
    assert "strange" in Outcome(3, ("strange thing", "")).explain()[0]


def test_a_missing_program_is_no_crash(tmp_path: Path) -> None:
    assert run_logged(["no-such-program"], tmp_path / "log").code == 127
    assert read_output(["no-such-program"]) is None


def test_variables_that_lead_pip_astray_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/x")
    monkeypatch.setenv("PIP_TARGET", "/x")
    assert not {"PYTHONPATH", "PIP_TARGET"} & set(clean_environment())
