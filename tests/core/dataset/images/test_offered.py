"""What the lists of the picture tools offer, in words: what it is for, what must be fetched, and what is here."""

import pytest

from core.base.settings import choices_of
from core.dataset.images.manager import ImagesManager
from core.dataset.images.offered import CHOICES, offered_choices
from core.dataset.images.segmenting import SEGMENTERS
from core.models.having import file_name
from core.models.unreached import WITHOUT
from core.stages import stage_named


@pytest.fixture(autouse=True)
def models(tmp_path, monkeypatch):
    monkeypatch.setenv("LORABOOK_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.mark.parametrize(("tool", "field"), [(tool, field) for tool, fields in CHOICES.items() for field in fields])
def test_every_choice_of_a_field_is_offered_in_words(tool, field):
    known = choices_of(stage_named(tool).settings_class().fields()[field])
    offered = offered_choices(tool)[field]
    assert {name for _, name in offered} == set(known) and len(offered) == len(known)
    assert all((words != name and len(words) < 110 and words.endswith(")")) or name == "none" for words, name in offered), offered


def test_masks_are_offered_in_order_with_size_licence_and_purpose(models):
    words = {name: told for told, name in offered_choices("mask")["segmenter"]}
    names = list(words)
    assert names[:4] == ["plain", "alpha", "place", "birefnet-lite"] and names.index("u2netp") < names.index("isnet-anime")
    assert words["plain"] == "What stands before a plain background (nothing to fetch)"
    assert words["birefnet-lite"] == "BiRefNet lite: the subject of any picture, with fine edges (224 MB, MIT)"
    folder = models / "segmenters"
    folder.mkdir(parents=True)
    (folder / file_name("birefnet-lite")).write_bytes(b"x")
    assert "(is here, MIT)" in {name: told for told, name in offered_choices("mask")["segmenter"]}["birefnet-lite"]


def test_detectors_and_ways_of_inpainting_say_what_they_are_for_and_what_they_fetch():
    crop = {name: told for told, name in offered_choices("crop")["detector"]}
    assert next(iter(crop)) == "lbp-face" and "nothing to fetch" in crop["lbp-face"] and "45 MB" in crop["anime-face"]
    assert list(crop).index("yunet") < list(crop).index("anime-face")
    people = offered_choices("crop")["people_detector"]
    assert people[0] == ("Nobody: a strip below the face is taken", "none") and "36 MB, Apache" in people[1][0]
    ways = {name: told for told, name in offered_choices("inpaint")["method"]}
    assert "nothing to fetch" in ways["smooth"] and "206 MB" in ways["lama"] and "2.1 GB" in ways["sd15"]


def test_the_front_desk_gives_them_beside_the_models_of_each_kind(project):
    manager = ImagesManager.open(project.folder)
    assert set(manager.models_for("inpaint")) == {"method", "lama_model"} and set(manager.models_for("mask")) == {"segmenter"}
    assert manager.models_for("resize") == {}


def test_what_is_said_to_need_no_download_is_called_as_in_the_list():
    for name in ("plain", "alpha", "place"):
        assert SEGMENTERS.entry(name).title in WITHOUT["segmenter"]
