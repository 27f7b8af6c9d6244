"""What holds for every test."""

from __future__ import annotations

import os
from typing import Any

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # several workers with several threads each wait for one another's cores

ONE_AT_A_TIME = ("tests/e2e/", "tests/integration/")
"""What needs a browser or a trainer's checkout: two at once wait for each other longer than a page may take."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With several workers (`-n`) and `--dist loadgroup`: one of them takes all of `ONE_AT_A_TIME`.

    Of the quick part each takes whole files, so that what the tests of a file share is made once.
    """
    if config.getvalue("dist") != "loadgroup":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class OneBrowser(LoadScopeScheduling):
        """Each test is a piece of work of its own, or each file; but those together."""

        def _split_scope(self, nodeid: str) -> str:
            if nodeid.startswith(ONE_AT_A_TIME):
                return "one at a time"
            return nodeid.partition("::")[0] if is_quick(config) else nodeid

    return OneBrowser(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Without the slow ones (`-m "not slow"`) two workers more than there are cores: these tests wait about as long as they compute."""
    return len(os.sched_getaffinity(0)) + 2 if is_quick(config) and hasattr(os, "sched_getaffinity") else None


def is_quick(config: pytest.Config) -> bool:
    """Whether the slow ones are left out."""
    return bool(config.option.markexpr == "not slow")
