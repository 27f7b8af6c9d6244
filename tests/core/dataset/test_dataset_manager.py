"""The whole way through the front desk."""

import subprocess
import sys

import pytest

from core.base.errors import DatasetError
from core.base.paths import ROOT, present_project_file
from core.dataset.captions.files import CaptionConflict
from core.dataset.captions.tagging import TagSettings
from core.dataset.manager import DatasetManager
from tests.core.dataset.small_things import picture


def test_from_a_folder_to_the_trainer(tmp_path, tagger, monkeypatch):
    monkeypatch.setenv("LORABOOK_PROJECTS", str(tmp_path / "projects"))
    for number in range(12):
        picture(tmp_path / "source" / f"{number}.png", colour=(230 + number, 0, 0), size=(260, 256))
    manager = DatasetManager.create("My cat")
    assert manager.import_from(tmp_path / "source").captions == 0
    assert manager.tag(TagSettings(model_dir=str(tagger), device="cpu")).written == 12
    manager.add_trigger("mycat")
    assert {item.caption for item in manager.items()} == {"mycat, dark red theme, mika (sea)"}
    assert manager.check() == []
    assert manager.hand_to_trainer() == present_project_file()
    assert DatasetManager.open(present_project_file().read_text()).project == manager.project


def test_an_editor_saves_over_what_it_read_and_nothing_else(manager):
    picture(manager.project.images / "a.png")
    seen = manager.read_caption("a")
    assert seen.text is None
    saved = manager.save_caption("a", "a red hat", seen.revision)
    assert manager.read_caption("a") == saved
    with pytest.raises(CaptionConflict):
        manager.save_caption("a", "late", seen.revision)
    with pytest.raises(DatasetError, match="No image is called 'b'"):
        manager.save_caption("b", "x", seen.revision)


def test_an_editor_may_keep_its_text_over_another_and_take_it_back(manager):
    path = picture(manager.project.images / "a.png")
    (manager.project.images / "a.txt").write_text("theirs")
    manager.keep_caption("a", "mine", manager.read_caption("a").revision)
    assert manager.read_caption("a").text == "mine"
    manager.undo()
    assert manager.read_caption("a").text == "theirs"
    assert manager.preview(path) == manager.preview(path) != b""
    assert (manager.project.hidden / "previews").is_dir()


def test_the_front_desk_imports_no_heavy_package():
    code = ("import sys, core.dataset.manager; "
            "sys.exit(sorted({'torch', 'PIL', 'numpy', 'onnxruntime', 'huggingface_hub', 'transformers'} & set(sys.modules)) != [])")
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
