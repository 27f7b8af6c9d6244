"""The models of the picture tools: each is exactly one file, whatever its makers do to their pages."""

import re

import pytest

from core.models.addresses import read_address
from core.models.image_catalog import IMAGE_CATALOG
from core.models.sites import HUB


@pytest.mark.parametrize("model", IMAGE_CATALOG.values(), ids=lambda model: model.name)
def test_every_model_is_pinned_by_its_hash_and_on_hugging_face_by_a_commit(model):
    assert re.fullmatch(r"[0-9a-f]{64}", model.sha256), f"{model.name} has no SHA-256"
    wanted = read_address(model.address)
    if wanted.site is HUB:
        assert re.fullmatch(r"[0-9a-f]{40}", wanted.revision), f"{model.name} is taken from {wanted.revision!r}, not from a commit"
    assert model.licence and model.size > 0
