"""The preview is what the built-in trainer itself makes of a picture: size, cut, pixels and captions."""

import io
import random

import numpy
import pytest
from PIL import Image

from core.base.errors import ConfigError, DatasetError
from core.dataset.project import Project
from core.stages import run_stage
from core.training.builtin.dataset import read_datasets
from core.training.config import TrainingSettings
from core.training.config.pair import read_pair, write_pair
from core.training.fitting import fit_to_project
from core.training.kept import keep_settings
from core.training.manager import TrainingManager
from core.training.preview import PreviewSettings, preview_image, read_until, training_picture

SIZES = {"a": (1000, 667), "b": (512, 512), "c": (300, 900), "d": (640, 641), "e": (2000, 500)}


@pytest.fixture
def project(tmp_path):
    """Pictures whose red grows from left to right and whose green grows downward."""
    made = Project.create(tmp_path / "cats", "cats", trigger="mychar")
    for name, (width, height) in SIZES.items():
        across, down = numpy.meshgrid(numpy.linspace(0, 255, width), numpy.linspace(0, 255, height))
        Image.fromarray(numpy.stack([across, down, 0 * across], 2).astype(numpy.uint8)).save(made.images / f"{name}.png")
        (made.images / f"{name}.txt").write_text(f"mychar, hat, tag {name}, smile", encoding="utf-8")
    return made


def fitted(project, **data):
    return fit_to_project(TrainingSettings.from_values({"data": data}), project)


def seen(project, image="a", steps=10, seed=0, model=None, **data):
    training = fitted(project, **data)
    return preview_image(project, PreviewSettings(image=image, steps=steps, seed=seed), training.with_values(model=model or {}))


@pytest.mark.parametrize("data", [{}, {"resolution": 768, "bucket_reso_steps": 32}, {"bucket_no_upscale": True}, {"enable_bucket": False},
                                  {"resolution": 640, "resolution_height": 512}])
def test_size_and_cut_are_those_of_the_built_in_trainer(project, tmp_path, data):
    training = fitted(project, **data)
    arguments, tables = read_pair(*vars(write_pair(training, tmp_path / "pair")).values())
    (dataset,) = read_datasets(tables, arguments, pytest.fail)
    for image in dataset.images:
        preview = preview_image(project, PreviewSettings(image=image.path.stem), training)
        assert (preview.size, preview.bucket, preview.resized) == (image.size, image.bucket, image.resized)
        picture = Image.open(io.BytesIO(training_picture(preview)))
        assert picture.size == image.bucket
        left, top, right, bottom = preview.crop
        pixels = numpy.asarray(picture, float)
        for measured, edge, whole in ((pixels[:, 0, 0], left, 0), (pixels[:, -1, 0], right, 0), (pixels[0, :, 1], top, 1),
                                      (pixels[-1, :, 1], bottom, 1)):
            assert measured.mean() == pytest.approx(255 * edge / preview.size[whole], abs=2.5)


def test_the_cut_is_said_in_words(project):
    assert seen(project).sentence() == ("a: 1000 × 667 px, shrunk to 640 × 427 and learned at 640 × 384; 10 % is cut away above and "
                                        "below.")
    wide = seen(project, "e", enable_bucket=False)
    assert wide.sentence() == "e: 2000 × 500 px, enlarged to 2048 × 512 and learned at 512 × 512; 75 % is cut away left and right."
    assert wide.lost == pytest.approx(0.75) and wide.notes == ()
    assert "enlarged 1.7 times" in seen(project, "c", enable_bucket=False).notes[0]
    assert seen(project, "b", enable_bucket=False).sentence() == "b: learned as it is, 512 × 512 px."


def test_captions_are_drawn_by_the_rules_and_the_first_tags_stay(project):
    texts = [caption.text for caption in seen(project).captions]
    assert len(texts) == 10 and len(set(texts)) > 2
    assert all(text.startswith("mychar, ") and sorted(text.split(", ")) == ["hat", "mychar", "smile", "tag a"] for text in texts)
    assert {caption.text for caption in seen(project, shuffle_caption=False).captions} == {"mychar, hat, tag a, smile"}
    assert [caption.text for caption in seen(project, seed=1).captions] != texts


def test_empty_captions_left_out_tags_wildcards_and_words_around_them_are_shown(project):
    (project.images / "a.txt").write_text("mychar, {red|blue} hat\nmychar, second line", encoding="utf-8")
    plain = seen(project, shuffle_caption=False)
    assert {caption.text for caption in plain.captions} == {"mychar, {red|blue} hat"} and "only the first is read" in plain.notes[0]
    wild = seen(project, steps=40, shuffle_caption=False, enable_wildcard=True)
    assert {caption.text for caption in wild.captions} == {"mychar, red hat", "mychar, blue hat", "mychar, second line"}
    empty = [caption.text for caption in seen(project, steps=400, caption_dropout_rate=0.25).captions].count("")
    assert 60 <= empty <= 140
    around = seen(project, shuffle_caption=False, caption_prefix="photo of", caption_suffix="end")
    assert around.captions[0].text == "photo of mychar, {red|blue} hat end"
    left_out = seen(project, "b", steps=100, caption_tag_dropout_rate=0.5)
    assert {len(caption.text.split(", ")) for caption in left_out.captions} == {1, 2, 3, 4}


def test_an_epoch_without_captions_is_told_by_the_repeats(project):
    preview = seen(project, steps=8, num_repeats=2, caption_dropout_every_n_epochs=2)
    assert [caption.epoch for caption in preview.captions] == [1, 1, 2, 2, 3, 3, 4, 4]
    assert [bool(caption.text) for caption in preview.captions] == [True, True, False, False, True, True, False, False]


def test_what_is_cut_off_is_marked(project):
    words = ", ".join(f"word{number}" for number in range(200))
    (project.images / "a.txt").write_text(f"mychar, {words}", encoding="utf-8")
    short, long = (seen(project, shuffle_caption=False, model={"max_token_length": length}) for length in (None, 225))
    assert (short.tokens, long.tokens) == (75, 225)
    first, second = short.captions[0], long.captions[0]
    assert 0 < first.read < second.read < len(second.text)
    assert first.text[first.read - 1] in ",0123456789" and first.text[first.read] in " ,"


def test_the_limit_is_found_exactly_by_whatever_counts():
    chance = random.Random(1)
    for _ in range(50):
        text = ", ".join("x" * chance.randrange(1, 9) for _ in range(chance.randrange(1, 60)))
        limit = chance.randrange(1, 40)
        until = read_until(text, limit, lambda part: len(part.split()))
        assert len(text[:until].split()) == min(limit, len(text.split()))
    assert read_until("longer than the limit", 0, lambda part: len(part.split())) == 0


def test_a_picture_without_caption_is_said(project):
    (project.images / "a.txt").unlink()
    (project.images / "b.txt").write_text("\n", encoding="utf-8")
    assert seen(project).notes[0] == "It has no caption: it is learned without words."
    assert seen(project, "b").notes[0] == "Its caption is empty: it is learned without words."
    assert seen(project, "a").captions[0].text == ""


def test_bad_wishes_are_sentences(project, tmp_path):
    with pytest.raises(DatasetError, match="nobody"):
        seen(project, "nobody")
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(ConfigError, match="do not learn from this project's pictures"):
        preview_image(project, PreviewSettings(image="a"), TrainingSettings.from_values({"data": {"subsets": [{"image_dir": str(other)}]}}))
    (project.images / "a.png").write_bytes(b"no picture")
    with pytest.raises(DatasetError, match=r"a\.png"):
        seen(project)
    with pytest.raises(ConfigError, match="no pictures yet"):
        empty = Project.create(tmp_path / "empty", "empty")
        preview_image(empty, PreviewSettings(), fit_to_project(TrainingSettings(), empty))


def test_it_is_a_stage_and_takes_the_kept_settings(project):
    keep_settings(fitted(project, resolution=256, shuffle_caption=False), project)
    report = run_stage("preview", project.folder, {"image": "b", "steps": 3})
    assert report["bucket"] == [256, 256] and [caption["text"] for caption in report["captions"]] == ["mychar, hat, tag b, smile"] * 3
    own, learned = TrainingManager.open(project.folder).preview_pictures(TrainingManager.open(project.folder).preview(PreviewSettings()))
    assert Image.open(io.BytesIO(own)).size == (768, 512) and Image.open(io.BytesIO(learned)).format == "JPEG"
