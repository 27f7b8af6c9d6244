"""Which run a saved LoRA file is of, and which place it has there."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from core.base.saved_as import Saved, saved_as, saved_file, saved_together


@pytest.mark.parametrize(("stem", "names", "wanted"), [
    ("mika-000004", (), Saved("mika", epoch=4)), ("mika-step00000200", (), Saved("mika", step=200)), ("mika", (), Saved("mika")),
    ("mika-2", (), Saved("mika-2")), ("v-1", (), Saved("v-1")), ("-000001", (), Saved("-000001")),
    ("mika-epoch3", (), Saved("mika", epoch=3)),
    ("mika-240115", (), Saved("mika", epoch=240115)), ("mika-240115", ("mika-240115",), Saved("mika-240115")),
    ("mika-240115-000001", ("mika-240115",), Saved("mika-240115", epoch=1)), ("mika-r16", ("mika",), Saved("mika-r16")),
    ("renamed-000003", ("mika",), Saved("renamed", epoch=3)), ("mika-1000000", ("mika",), Saved("mika", epoch=1_000_000)),
    ("mika.v2-000001", ("mika.v2",), Saved("mika.v2", epoch=1)), ("mika-000001", ("", "x", "mika"), Saved("mika", epoch=1))])
def test_a_name_tells_run_and_place(stem, names, wanted):
    assert saved_as(stem, *names) == wanted


def test_what_the_file_tells_counts_more_than_a_guess_and_the_last_comes_last(tmp_path):
    def lora(name, **metadata):
        save_file({"a": torch.ones(1)}, tmp_path / f"{name}.safetensors", metadata)
        return tmp_path / f"{name}.safetensors"

    told = lora("mika-240115", ss_output_name="mika-240115")
    assert saved_file(told) == Saved("mika-240115") and saved_file(told).is_final
    paths = [lora("tom-240115"), lora("tom-240115-000002"), told]
    assert [saved_together(paths)[path] for path in paths] == [Saved("tom-240115"), Saved("tom-240115", epoch=2), Saved("mika-240115")]
    assert Saved("a", epoch=3).number < Saved("a", step=150).number < Saved("a").number
    (tmp_path / "half-000001.safetensors").write_bytes(b"half")
    assert saved_file(Path(tmp_path / "half-000001.safetensors")) == Saved("half", epoch=1)
