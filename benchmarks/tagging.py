"""Tagging: how fast images come to a tagger, and whether the tagger ever waits for them.

*Feed*: decode and preprocess to the model's input, without a model, against a plain loop as sd-scripts' tagger runs it (one image after
the other: Pillow decodes whole, the square is padded white in numpy and scaled to 448 px, float32), on the same files and cores.
The files are 12-megapixel JPEGs as cameras and phones write them; figures for smaller JPEGs and for PNGs, which cannot be decoded
smaller, are printed beside.

*End to end*: a whole tagging of a project (captions, history and stored scores included) with an ONNX model of the size class of a
large tagger, against the rate of the model's session alone on the same batches.

*Threshold*: moving a threshold over captions whose scores are stored; no model runs.
"""

from __future__ import annotations

import csv
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.figures import flags, show
from core.dataset.captions.taggers.feeding import feed
from core.dataset.captions.taggers.onnx import OnnxFiles
from core.dataset.captions.taggers.wd import WdTagger
from core.dataset.captions.tagging import TagSettings, tag_images
from core.dataset.items import ImageItem, folder_items, list_items
from core.dataset.project import Project

SIDE = 448
TAGS = 10_861
"""Tags of the v3 models."""
GOAL_FEED = 3.0
GOAL_WHOLE = 0.95
KINDS = {"jpeg_12mp": ((4000, 3000), "jpg"), "jpeg_2mp": ((1600, 1200), "jpg"), "png_1mp": ((1024, 1024), "png")}
STATED = "jpeg_12mp"
"""The kind that the goal is stated for."""


def make_pictures(folder: Path, size: tuple[int, int], ending: str, count: int) -> list[ImageItem]:
    """Photograph-like pictures: smooth shapes with a grain. Every eighth is really made, the others are copies of them."""
    import numpy
    from PIL import Image

    folder.mkdir(parents=True)
    generator = numpy.random.default_rng(3)
    for number in range(count):
        path = folder / f"{number:04}.{ending}"
        if number < max(2, count // 8):
            rough = Image.fromarray(generator.integers(0, 255, (24, 32, 3), "uint8")).resize(size, Image.Resampling.BICUBIC)
            grain = generator.normal(0, 6, (size[1], size[0], 1))
            Image.fromarray(numpy.clip(numpy.asarray(rough) + grain, 0, 255).astype("uint8")).save(path, quality=92)
        else:
            shutil.copyfile(folder / f"{number % max(2, count // 8):04}.{ending}", path)
    return folder_items(folder)


def make_model(folder: Path, layers: int, width: int = 1024) -> Path:
    """A tagger of WD's interface with a transformer's kind of work: patches of 14 px, then wide products over 1024 tokens."""
    import numpy
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    generator = numpy.random.default_rng(0)
    nodes = [helper.make_node("Transpose", ["input"], ["first"], perm=[0, 3, 1, 2]),
             helper.make_node("Conv", ["first", "patch"], ["patches"], kernel_shape=[14, 14], strides=[14, 14]),
             helper.make_node("Reshape", ["patches", "flat"], ["tokens"]),
             helper.make_node("Transpose", ["tokens"], ["x0"], perm=[0, 2, 1])]
    weights = [numpy_helper.from_array(generator.normal(0, 1e-4, (width, 3, 14, 14)).astype("float32"), "patch"),
               numpy_helper.from_array(numpy.array([0, width, -1]), "flat")]
    for layer in range(layers):
        for name, shape in (("up", (width, 4 * width)), ("down", (4 * width, width))):
            weights.append(numpy_helper.from_array(generator.normal(0, 0.02, shape).astype("float32"), f"{name}{layer}"))
        nodes += [helper.make_node("MatMul", [f"x{layer}", f"up{layer}"], [f"h{layer}"]),
                  helper.make_node("Relu", [f"h{layer}"], [f"r{layer}"]),
                  helper.make_node("MatMul", [f"r{layer}", f"down{layer}"], [f"d{layer}"]),
                  helper.make_node("Add", [f"x{layer}", f"d{layer}"], [f"x{layer + 1}"])]
    weights.append(numpy_helper.from_array(generator.normal(0, 1, (width, TAGS)).astype("float32"), "head"))
    nodes += [helper.make_node("ReduceMean", [f"x{layers}"], ["mean"], axes=[1], keepdims=0),
              helper.make_node("MatMul", ["mean", "head"], ["logits"]), helper.make_node("Sigmoid", ["logits"], ["output"])]
    graph = helper.make_graph(nodes, "large", [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", SIDE, SIDE, 3])],
                              [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["n", TAGS])], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    folder.mkdir(parents=True)
    onnx.save(model, folder / "model.onnx")
    with open(folder / "selected_tags.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["tag_id", "name", "category", "count"])
        writer.writerows([number, f"tag_{number}", 9 if number < 4 else 4 if number > 8000 else 0, 1] for number in range(TAGS))
    return folder


def plain_loop(items: list[ImageItem]) -> int:
    """One image after the other, as sd-scripts' tagger without its data loader. Returns: how many."""
    import numpy
    from PIL import Image

    for item in items:
        image = Image.open(item.path).convert("RGB")
        pixels = numpy.array(image)[:, :, ::-1]
        side = max(pixels.shape[:2])
        over, across = side - pixels.shape[0], side - pixels.shape[1]
        pixels = numpy.pad(pixels, ((over // 2, over - over // 2), (across // 2, across - across // 2), (0, 0)), mode="constant",
                           constant_values=255)
        how = Image.Resampling.BOX if side > SIDE else Image.Resampling.LANCZOS  # as cv2's INTER_AREA
        numpy.array(Image.fromarray(numpy.ascontiguousarray(pixels)).resize((SIDE, SIDE), how)).astype(numpy.float32)
    return len(items)


def our_feed(items: list[ImageItem], model: Any, batch_size: int) -> int:
    """The feed of a tagging, its batches thrown away. Returns: how many."""
    return sum(len(whole) for whole, _, _ in feed(items, model, batch_size))


def seconds(work: Callable[..., Any], *given: Any) -> float:
    """How long it takes."""
    started = time.perf_counter()
    work(*given)
    return time.perf_counter() - started


def measure_feed(folder: Path, model: Any, count: int, rounds: int) -> dict[str, Any]:
    """Images a second of both, taking turns, and the ratio of the medians."""
    figures: dict[str, Any] = {}
    for kind, (size, ending) in KINDS.items():
        items = make_pictures(folder / kind, size, ending, count)
        ours, plain = [], []
        for _ in range(rounds):
            plain.append(count / seconds(plain_loop, items))
            ours.append(count / seconds(our_feed, items, model, 16))
        figures[kind] = {"feed": round(statistics.median(ours), 1), "plain_loop": round(statistics.median(plain), 1),
                         "ratio": round(statistics.median(ours) / statistics.median(plain), 2)}
    return figures


def measure_whole(folder: Path, model_dir: Path, count: int, batch_size: int) -> dict[str, Any]:
    """Images a second of a whole tagging, and of the session alone before and after it."""
    items = make_pictures(folder / "whole", *KINDS["jpeg_2mp"], count)
    project = Project.create(folder / "project", "Benchmark", "mychar")
    for number, item in enumerate(items):
        with open(item.path, "rb") as source:  # a byte behind the end makes each a content of its own
            (project.images / item.name).write_bytes(source.read() + number.to_bytes(4, "big"))
    listed = list_items(project)
    files = OnnxFiles(model_dir / "model.onnx", model_dir / "selected_tags.csv", "", "", WdTagger)
    model = files.open("auto")
    batch = model.new_batch(batch_size)
    batch[:] = 128

    def alone() -> float:
        return batch_size * 3 / seconds(lambda: [model.session.run(None, {"input": batch}) for _ in range(3)])

    alone()
    settings = TagSettings.make(model_dir=str(model_dir), batch_size=batch_size)
    before = alone()
    opening = seconds(lambda: files.open("auto"))
    whole = len(listed) / (seconds(lambda: tag_images(project, settings)) - opening)
    model_rate = statistics.mean([before, alone()])
    moved = seconds(lambda: tag_images(project, settings.changed(general_threshold=0.3, existing="replace")))
    return {"model_alone": round(model_rate, 3), "tagging": round(whole, 3), "whole_ratio": round(whole / model_rate, 3),
            "threshold_moved_seconds": round(moved, 2)}


def main() -> int:
    """Print the figures. Returns: 0 when the goals are met."""
    parser = flags("Tagging.")
    parser.add_argument("--count", type=int, default=32, help="images of each kind")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--layers", type=int, default=24, help="of the large model; a large tagger has 24")
    parser.add_argument("--batch_size", type=int, default=4, help="of the tagging end to end")
    parser.add_argument("--part", choices=("feed", "whole"), help="only this one")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tagging-"))
    figures: dict[str, Any] = {"name": "tagging", "cores": len(os.sched_getaffinity(0)), "count": given.count}
    try:
        if given.part != "whole":
            small = make_model(folder / "small", 0, 8)
            model = OnnxFiles(small / "model.onnx", small / "selected_tags.csv", "", "", WdTagger).open("cpu")
            figures.update(measure_feed(folder, model, given.count, given.rounds))
        if given.part != "feed":
            figures.update(measure_whole(folder, make_model(folder / "large", given.layers), given.count, given.batch_size))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    figures["goal"] = f"feed {GOAL_FEED} x the plain loop on {STATED}; end to end {GOAL_WHOLE} x the model alone"
    figures["ok"] = figures.get(STATED, {}).get("ratio", GOAL_FEED) >= GOAL_FEED and figures.get("whole_ratio", 1) >= GOAL_WHOLE
    return show(figures, given.json)


if __name__ == "__main__":
    sys.exit(main())
