"""What holds for every test."""

import os

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # several workers with several threads each wait for one another's cores


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With several workers (`-n`), one takes all that needs a browser or a trainer's checkout: two at once are waited for too long."""
    for item in items:
        if item.get_closest_marker("browser") or "integration" in item.path.parts:
            item.add_marker(pytest.mark.xdist_group("one_at_a_time"))
