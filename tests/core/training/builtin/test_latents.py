"""Latents: a picture's own, whatever is encoded beside it."""

import pytest
import torch

from core.base.errors import Cancelled
from core.base.files import sha256
from core.diffusion import load_model
from core.training.builtin import latents
from core.training.builtin.dataset import PlannedBatch
from core.training.builtin.latents import LatentStore
from tests.core.training.builtin.making import make_trainer


def test_a_pictures_latent_does_not_depend_on_its_neighbours(sd_folder, tmp_path):
    images = make_trainer(tmp_path, sd_folder, prepare=False, subset={"flip_aug": True}).datasets[0].images
    model = load_model(sd_folder, device="cpu")
    alone, together, backwards = (LatentStore(model, False, size, print) for size in (1, 4, 3))
    alone.cache(images)
    together.cache(images)
    backwards.cache(list(reversed(images)))
    for image in images:
        for flipped in (False, True):
            first, *others = (store.batch(PlannedBatch((image,), 1, 0, 0), [flipped]) for store in (alone, together, backwards))
            for other in others:
                torch.testing.assert_close(first, other, atol=1e-4, rtol=1e-4)
    without_cache = LatentStore(model, False, 4, print).batch(PlannedBatch(tuple(images), 1, 0, 0), [False] * 4)
    torch.testing.assert_close(without_cache, together.batch(PlannedBatch(tuple(images), 1, 0, 0), [False] * 4), atol=1e-4, rtol=1e-4)


def test_a_request_to_stop_is_heard_while_the_disk_is_searched(sd_folder, tmp_path, monkeypatch):
    """Each picture is read whole to find its latents; with thousands of them that takes minutes."""
    images = make_trainer(tmp_path, sd_folder, prepare=False).datasets[0].images
    store = LatentStore(load_model(sd_folder, device="cpu"), True, 4, print)
    store.cache(images)
    looks = []

    def check():
        looks.append(1)
        if len(looks) == 2:
            raise Cancelled()

    read = []
    monkeypatch.setattr(latents, "sha256", lambda path: read.append(path) or sha256(path))
    with pytest.raises(Cancelled):
        LatentStore(load_model(sd_folder, device="cpu"), True, 4, print).cache(images, check)
    assert len(read) == 1
