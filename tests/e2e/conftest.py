"""Browser tests: skipped, visibly, where there is no Chromium; on CI that is a failure."""

import os

import pytest

from tests.e2e.lab import CHROMIUM

PATIENCE = 30_000
"""Milliseconds until what should be seen counts as missing; a machine with much else to do needs more than playwright's five seconds."""


@pytest.fixture(autouse=True)
def needs_chromium():
    if not CHROMIUM.exists():
        words = f"No Chromium at {CHROMIUM}. Install it: apt-get install chromium, or set LORABOOK_CHROMIUM."
        pytest.fail(words) if os.environ.get("CI") else pytest.skip(words)
    pytest.importorskip("playwright") if not os.environ.get("CI") else __import__("playwright")
    from playwright.sync_api import expect

    expect.set_options(timeout=PATIENCE)
