"""What captioners said of a picture, and what of it may be written."""

import pytest

from core.base.errors import DatasetError
from core.dataset.captions.captioning import CaptionSettings, use_text
from core.dataset.captions.told import ToldStore
from core.dataset.items import one_item
from tests.core.dataset.small_things import picture


def test_a_text_that_stands_on_screen_can_be_used_after_another_notebook_asked_something_else(project):
    picture(project.images / "a.png")
    sha = one_item(project, "a").sha256
    with ToldStore.of(project) as store:
        for question in ("short", "long"):
            store.remember("server", "tiny", [(sha, question, f"A {question} text.")])
        assert store.was_said(sha, "A short text.") and not store.was_said("other", "A short text.")
    settings = CaptionSettings(captioner="server")
    assert use_text(project, "a", "A short text.", settings) == "A short text."
    with pytest.raises(DatasetError, match="was not said of the picture"):
        use_text(project, "a", "Nobody said this.", settings)
