"""Where a publication is put together: in a folder of its own, never in one of the person's."""

import pytest

from core.base.progress import SILENT
from core.utilities.publishing.staging import BEGINNING, MARK, staging
from tests.core.utilities.publishing.conftest import SAID, make, publish


@pytest.mark.parametrize("to", ["hub", "folder", "zip"])
def test_no_folder_of_the_person_is_touched(mika, hub, tmp_path, to):
    make(mika, {**SAID, "ss_vae_name": "/home/anna/vae.pt"})
    loras = tmp_path / "loras"
    own = [loras / "publishing" / "mine.safetensors", mika.parent / ".mika-civitai.part" / "mine", loras / f"{BEGINNING}mine" / "mine",
           mika.parent / f"{BEGINNING}mine" / "mine"]
    for path in own:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"mine")
    publish(mika, to=to)
    assert all(path.read_bytes() == b"mine" for path in own)
    assert sorted(path.name for folder in (loras, mika.parent) for path in folder.glob(f"{BEGINNING}*")) == [f"{BEGINNING}mine"] * 2


def test_what_a_killed_publication_left_goes_with_the_next(tmp_path):
    left = tmp_path / f"{BEGINNING}abc"
    (left / "files").mkdir(parents=True)
    (left / MARK).touch()
    with staging(tmp_path, SILENT) as folder:
        assert not left.exists() and folder.is_dir() and list(folder.iterdir()) == []
    assert list(tmp_path.glob(f"{BEGINNING}*")) == []


def test_a_written_folder_can_be_read_by_others_as_any_other(mika, tmp_path):
    publish(mika, to="folder")
    (tmp_path / "usual").mkdir()
    assert (mika.parent / "mika-civitai").stat().st_mode == (tmp_path / "usual").stat().st_mode
