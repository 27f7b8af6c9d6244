"""Pictures that a tagger's or captioner's fake model tells by their colour."""

import pytest

from tests.core.dataset.small_things import BLUE, GREEN, RED, picture


@pytest.fixture
def three(project):
    """A project of a red, a green and a blue picture."""
    for name, colour in (("a", RED), ("b", GREEN), ("c", BLUE)):
        picture(project.images / f"{name}.png", colour, size=(60, 60))
    return project
