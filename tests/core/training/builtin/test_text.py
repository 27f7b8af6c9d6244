"""What the UNet is told about captions: remembered while the encoder is frozen."""

import pytest
import torch

from core.training.builtin import text
from core.training.builtin.text import TextConditions


@pytest.mark.parametrize("on_disk", [False, True])
def test_what_was_encoded_beforehand_is_never_encoded_again(sd, tmp_path, monkeypatch, on_disk):
    """More captions than are remembered on the way: the encoders may have left the GPU by then."""
    monkeypatch.setattr(text, "CAPTIONS_KEPT", 2)
    captions = [f"cat {number}" for number in range(5)]
    folder = tmp_path if on_disk else None
    if on_disk:
        TextConditions(sd, False, 2, None, folder).cache(captions)
    conditions = TextConditions(sd, False, 2, None, folder)
    conditions.cache(captions)
    expected = sd.encode_prompts(captions, 2).hidden
    sd.text_encoders.clear()  # from here on nothing can be encoded
    torch.testing.assert_close(conditions.batch(captions).hidden, expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(conditions.batch(captions[:1]).hidden, expected[:1], atol=1e-5, rtol=1e-4)


def test_what_is_remembered_on_the_way_has_an_end(sd, monkeypatch):
    monkeypatch.setattr(text, "CAPTIONS_KEPT", 2)
    conditions = TextConditions(sd, False, 2, None)
    for number in range(5):
        conditions.batch([f"cat {number}", "dog"])
    assert len(conditions._kept) == 2


def test_a_folder_that_cannot_be_written_is_told_and_the_training_goes_on(sd, tmp_path):
    """A picture folder that is read-only; a file in the folder's place stands for it, since these tests may run as root."""
    (tmp_path / ".lorabook").write_text("no folder")
    told = []
    conditions = TextConditions(sd, False, 2, None, tmp_path / ".lorabook/text", told.append)
    captions = [f"cat {number}" for number in range(3)]
    conditions.cache(captions)
    assert len(told) == 1 and "kept in memory only" in told[0]
    torch.testing.assert_close(conditions.batch(captions).hidden, sd.encode_prompts(captions, 2).hidden, atol=1e-5, rtol=1e-4)
