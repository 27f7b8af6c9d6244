"""Taggers of the PixAI kind: channels first, normalised as preprocess.json says, the probabilities among three outputs."""

import csv
import json
from types import SimpleNamespace

import numpy
import pytest
from PIL import Image

from core.base.errors import ModelError
from core.dataset.captions.taggers import TAGGERS
from core.dataset.captions.taggers.feeding import feed
from core.dataset.captions.tagging import TagSettings, tag_images
from core.dataset.items import folder_items
from tests.core.dataset.curation.photographs import photographs
from tests.core.dataset.small_things import picture

pytest.importorskip("onnx")
TAGS = [("red_theme", 0), ("green_theme", 0), ("blue_theme", 0), ("mika_(sea)", 4)]
STAGES = [{"type": "resize", "size": [8, 8], "interpolation": "bilinear"}, {"type": "maybe_to_tensor"},
          {"type": "normalize", "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}]


def make_transformed(folder, stages=STAGES, side=8, channels=3):
    """prediction = (mean + 1) / 2 of each channel, and the red once more; embedding and logits stand before it."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = numpy.zeros((channels, 4), "float32")
    weights[0, 0] = weights[1, 1] = weights[2, 2] = weights[0, 3] = 0.5
    nodes = [helper.make_node("ReduceMean", ["input"], ["embedding"], axes=[2, 3], keepdims=0),
             helper.make_node("Gemm", ["embedding", "w", "zero"], ["logits"]),
             helper.make_node("Add", ["logits", "half"], ["prediction"])]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", size])
               for name, size in (("embedding", channels), ("logits", 4), ("prediction", 4))]
    graph = helper.make_graph(nodes, "pixai", [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", channels, side, side])],
                              outputs, [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(numpy.zeros(4, "float32"), "zero"),
                                        numpy_helper.from_array(numpy.full(4, 0.5, "float32"), "half")])
    folder.mkdir(parents=True, exist_ok=True)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, folder / "model.onnx")
    with open(folder / "selected_tags.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "tag_id", "name", "category", "count", "ips"])
        writer.writerows([number, number, name, category, 1, "[]"] for number, (name, category) in enumerate(TAGS))
    if stages is not None:
        (folder / "preprocess.json").write_text(json.dumps({"stages": stages}))
    return folder


def opened(folder):
    return TAGGERS.load("pixai-v0.9")(TAGGERS.entry("pixai-v0.9"), model_dir=str(folder)).open("cpu")


def seen(tagger, image):
    batch = tagger.new_batch(1)
    tagger.prepare(image, batch[0])
    return batch[0]


def test_the_model_sees_normalised_rgb_and_its_probabilities_are_read(tmp_path):
    tagger = opened(make_transformed(tmp_path))
    pixels = seen(tagger, Image.new("RGB", (30, 10), (255, 0, 128)))
    assert pixels.shape == (3, 8, 8) and pixels[0].max() == pytest.approx(1) and pixels[1].min() == pytest.approx(-1)
    assert pixels[2].mean() == pytest.approx(128 / 255 * 2 - 1, abs=1e-5)
    scores = tagger.scores(pixels[None])[0]
    assert scores["general"]["red_theme"] == 1 and scores["character"] == {"mika_(sea)": 1} and scores["rating"] == {}


def test_it_is_squeezed_or_padded_as_the_model_was_taught(tmp_path):
    wide = Image.new("RGB", (30, 10), (0, 0, 0))
    assert seen(opened(make_transformed(tmp_path / "a")), wide).max() == pytest.approx(-1)
    padded = [{"type": "pad_to_size", "size": [8, 8], "background_color": "white", "interpolation": "bilinear"}, STAGES[-1]]
    pixels = seen(opened(make_transformed(tmp_path / "b", padded)), wide)
    assert pixels[:, 0].min() == pytest.approx(1) and pixels[:, 4].max() == pytest.approx(-1)


def test_mean_and_deviation_of_the_model_are_used(tmp_path):
    stages = [STAGES[0], {"type": "normalize", "mean": [0.0, 0.25, 0.5], "std": [1.0, 0.5, 0.25]}]
    pixels = seen(opened(make_transformed(tmp_path, stages)), Image.new("RGB", (8, 8), (255, 255, 255)))
    assert [float(channel.mean()) for channel in pixels] == pytest.approx([1.0, 1.5, 2.0], abs=1e-5)


def test_without_a_transform_it_is_half_and_half(tmp_path):
    assert seen(opened(make_transformed(tmp_path, None)), Image.new("RGB", (8, 8))).max() == pytest.approx(-1)


def test_a_side_that_the_model_leaves_open_comes_from_the_transform(tmp_path):
    assert opened(make_transformed(tmp_path / "a", side="side")).size == 8
    with pytest.raises(ModelError, match="does not say how large"):
        opened(make_transformed(tmp_path / "b", None, side="side"))


def test_what_is_not_known_is_refused_rather_than_shown_wrong(tmp_path):
    with pytest.raises(ModelError, match="asks for solarize"):
        opened(make_transformed(tmp_path / "a", [{"type": "solarize"}, *STAGES]))
    with pytest.raises(ModelError, match="not \\(batch, 3, side, side\\)"):
        opened(make_transformed(tmp_path / "b", channels=4))


def test_a_project_is_tagged_by_it(project, tmp_path):
    picture(project.images / "a.png", (250, 10, 10))
    report = tag_images(project, TagSettings.make(tagger="pixai-v0.9", model_dir=str(make_transformed(tmp_path / "m")), device="cpu"))
    assert report.written == 1 and (project.images / "a.txt").read_text() == "red theme, mika (sea)"


def test_another_transform_makes_another_model(tmp_path):
    def identity() -> str:
        return TAGGERS.load("pixai-v0.9")(TAGGERS.entry("pixai-v0.9"), model_dir=str(tmp_path)).identity

    make_transformed(tmp_path)
    before = identity()
    assert identity() == before
    (tmp_path / "preprocess.json").unlink()
    without = identity()
    (tmp_path / "preprocess.json").write_text(json.dumps({"stages": STAGES[-1:]}))
    assert len({before, without, identity()}) == 3


def fetched(folder, monkeypatch, missing):
    """The tagger from a hub that has no preprocess.json, and says so as `missing`."""
    import huggingface_hub

    def download(repo_id, name, **_):
        if name == "preprocess.json":
            raise missing
        return str(folder / name)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    return TAGGERS.load("pixai-v0.9")(TAGGERS.entry("pixai-v0.9"))


def test_a_lost_connection_is_not_taken_for_a_model_without_a_transform(tmp_path, monkeypatch):
    from huggingface_hub.errors import LocalEntryNotFoundError, RemoteEntryNotFoundError

    make_transformed(tmp_path, None)
    assert fetched(tmp_path, monkeypatch, RemoteEntryNotFoundError("404", response=SimpleNamespace(headers={}, request=None)))
    with pytest.raises(ModelError, match="could not be fetched"):
        fetched(tmp_path, monkeypatch, LocalEntryNotFoundError("The connection was lost."))


def test_a_long_picture_that_is_squeezed_is_decoded_large_enough(tmp_path):
    photo = photographs()["astronaut"].resize((4000, 500), Image.Resampling.BICUBIC)
    (tmp_path / "in").mkdir()
    photo.save(tmp_path / "in" / "a.jpg", quality=95)
    Image.open(tmp_path / "in" / "a.jpg").save(tmp_path / "in" / "b.png", compress_level=0)
    stages = [{**STAGES[0], "size": [224, 224]}, *STAGES[1:]]
    _, pixels, _ = next(feed(folder_items(tmp_path / "in"), opened(make_transformed(tmp_path / "model", stages, side=224)), 2))
    assert numpy.abs(pixels[0] - pixels[1]).mean() < 0.02
