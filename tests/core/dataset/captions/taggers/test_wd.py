"""The WD tagger's interface: what goes in, what comes out, what is refused."""

import subprocess
import sys

import numpy
import pytest
from PIL import Image

from core.base.errors import ModelError
from core.base.paths import DEMO_ASSETS, ROOT
from core.dataset.captions.taggers import SCORE_FLOOR, TAGGERS
from core.dataset.captions.taggers.wd import WdTagger, find_wd, squared
from tests.core.dataset.curation.photographs import photographs
from tests.core.dataset.small_things import make_tagger

pytest.importorskip("onnx")


def opened(folder, **shape) -> WdTagger:
    return find_wd(TAGGERS.entry("demo"), model_dir=str(make_tagger(folder, **shape))).open("cpu")


def prepared(tagger, *pictures):
    batch = tagger.new_batch(len(pictures))
    for picture, place in zip(pictures, batch, strict=True):
        tagger.prepare(picture, place)
    return batch


def test_the_model_sees_bgr_from_0_to_255(tmp_path):
    tagger = opened(tmp_path)
    scores = tagger.scores(prepared(tagger, Image.new("RGB", (8, 8), (255, 0, 0))))[0]
    assert scores["general"]["red_theme"] == 1 and "blue_theme" not in {tag for tag, score in scores["general"].items() if score}
    assert scores["rating"] == {"general": pytest.approx(0.9), "sensitive": pytest.approx(0.1)}
    assert scores["character"] == {"mika_(sea)": 1}


def test_a_picture_is_padded_white_to_a_square_and_scaled(tmp_path):
    tagger = opened(tmp_path)
    pixels = prepared(tagger, Image.new("RGB", (16, 8), (0, 0, 0)))[0]
    assert pixels.shape == (8, 8, 3) and pixels.dtype == numpy.float32
    assert pixels[0].min() > 240 and pixels[7].min() > 240 and pixels[4].max() < 20


def padded_whole(picture, size):
    """The plain way, which takes the square of the longer side."""
    side = max(picture.size)
    square = Image.new("RGB", (side, side), (255, 255, 255))
    square.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
    return square.resize((size, size), Image.Resampling.BICUBIC)


@pytest.mark.parametrize("size", [(1200, 400), (400, 1200), (2500, 2000), (1000, 1000), (300, 100), (448, 448)])
def test_the_model_sees_what_the_padded_square_would_show(size):
    """A photograph, against the plain way; they differ by parts of a pixel."""
    picture = photographs()["astronaut"].resize(size, Image.Resampling.LANCZOS)
    ours, plain = (numpy.asarray(one, dtype=float) for one in (squared(picture, 448), padded_whole(picture, 448)))
    assert ours.shape == plain.shape and numpy.abs(ours - plain).mean() < 4
    assert numpy.abs(numpy.roll(ours, 3, axis=1) - plain).mean() > 2 * numpy.abs(ours - plain).mean()


@pytest.mark.parametrize("size", [(64, 64), (63, 20), (20, 63), (1, 200), (200, 1), (5000, 1)])
def test_any_shape_fills_its_place_and_the_rest_is_white(size):
    made = numpy.asarray(squared(Image.new("RGB", size, (9, 9, 9)), 64))
    assert made.shape == (64, 64, 3) and set(numpy.unique(made)) <= {9, 255}
    assert abs((made[..., 0] == 9).sum() - 64 * max(1, 64 * min(size) / max(size))) <= 64


@pytest.mark.slow
@pytest.mark.parametrize("size", [(20000, 500), (500, 20000), (1_000_000, 40)])
def test_a_very_long_picture_takes_little_memory(size):
    code = ("import resource, sys; from PIL import Image; from core.dataset.captions.taggers.wd import squared\n"
            "picture = Image.new('RGB', (int(sys.argv[1]), int(sys.argv[2])), (9, 9, 9)); squared(picture.resize((9, 9)), 448)\n"
            "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; made = squared(picture, 448)\n"
            "print(made.size[0], (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)")
    done = subprocess.run([sys.executable, "-c", code, *map(str, size)], cwd=ROOT, capture_output=True, text=True, check=True)
    side, mebibytes = map(int, done.stdout.split())
    assert side == 448 and mebibytes < 400


@pytest.mark.parametrize("batch", ["batch", 1, 4])
def test_dynamic_and_fixed_batches_give_the_same_answers(tmp_path, batch):
    tagger = opened(tmp_path, batch=batch)
    pictures = [Image.new("RGB", (8, 8), (n * 25, 255 - n * 25, 0)) for n in range(10)]
    found = tagger.scores(prepared(tagger, *pictures))
    assert [round(scores["general"].get("red_theme", 0) * 255) for scores in found][2:] == [n * 25 for n in range(2, 10)]


def test_scores_below_the_floor_are_left_out_but_for_the_best_of_them(tmp_path):
    tagger = opened(tmp_path)
    general = tagger.scores(prepared(tagger, Image.new("RGB", (8, 8), (255, 10, 5))))[0]["general"]
    assert list(general) == ["red_theme", "dark_red_theme", "green_theme"] and general["green_theme"] < SCORE_FLOOR


def test_files_of_two_models_are_not_mixed(tmp_path):
    folder = make_tagger(tmp_path)
    (folder / "selected_tags.csv").write_text("tag_id,name,category,count\n0,hat,0,1\n")
    with pytest.raises(ModelError, match="7 tags, but selected_tags.csv lists 1"):
        find_wd(TAGGERS.entry("demo"), model_dir=str(folder)).open("cpu")


def test_a_file_that_is_no_model_and_a_list_that_is_no_list_are_named(tmp_path):
    folder = make_tagger(tmp_path)
    (folder / "model.onnx").write_bytes(b"version https://git-lfs.github.com/spec/v1")
    with pytest.raises(ModelError, match="could not be opened as an ONNX model"):
        find_wd(TAGGERS.entry("demo"), model_dir=str(folder)).open("cpu")
    (folder / "selected_tags.csv").write_text("hat\n")
    with pytest.raises(ModelError, match="needs the columns name and category"):
        find_wd(TAGGERS.entry("demo"), model_dir=str(folder)).open("cpu")


def test_every_entry_can_be_loaded_and_says_its_source_and_licence():
    for entry in TAGGERS:
        assert callable(TAGGERS.load(entry.name)) and entry.source and entry.licence


@pytest.mark.skipif(not (DEMO_ASSETS / "tagger" / "model.onnx").exists(), reason="the demo tagger is not there")
def test_the_demo_tagger_opens():
    tagger = find_wd(TAGGERS.entry("demo")).open("cpu")
    scores = tagger.scores(prepared(tagger, Image.new("RGB", (64, 64))))
    assert len(scores) == 1 and scores[0]["general"]


def test_every_tagger_and_source_stands_in_the_docs():
    from core.base.paths import ROOT
    from core.dataset.sources import SOURCES

    page = (ROOT / "docs" / "dataset.md").read_text(encoding="utf-8")
    assert [name for name in (*TAGGERS.names(), *SOURCES.names()) if f"| `{name}` |" not in page] == []


def test_without_a_network_the_way_out_is_said_in_the_words_of_the_panel(tmp_path, monkeypatch):
    from core.dataset.captions.choosing import TagSettings
    from core.dataset.captions.scoring import find_taggers, finding_words

    monkeypatch.setenv("LORABOOK_MODELS", str(tmp_path))
    monkeypatch.delenv("HF_HOME", raising=False)
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert finding_words(TagSettings()) == "Fetching from Hugging Face: WD EVA02-Large v3 (1.3 GB)"
    assert finding_words(TagSettings(tagger="demo")) == finding_words(TagSettings(model_dir="there")) == ""
    with pytest.raises(ModelError) as told:
        find_taggers(TagSettings())
    assert str(told.value).startswith(
        "The tagger SmilingWolf/wd-eva02-large-tagger-v3 could not be fetched from Hugging Face: it could not be reached.")
    assert "'Local model folder'" in told.value.hint and "model_dir" not in str(told.value) and "cache" not in str(told.value)
    held = tmp_path / "hub" / "models--SmilingWolf--wd-eva02-large-tagger-v3" / "snapshots" / "abc"
    held.mkdir(parents=True)
    (held / "model.onnx").write_bytes(b"")
    assert finding_words(TagSettings()) == "Asking Hugging Face whether WD EVA02-Large v3 is the newest"
