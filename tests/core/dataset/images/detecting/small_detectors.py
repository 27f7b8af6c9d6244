"""Detectors in ONNX that are made here: their answers are known, or follow from the pixels by simple arithmetic."""

from collections.abc import Callable
from pathlib import Path

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from core.dataset.images.detecting import DETECTORS
from core.dataset.images.detecting.sessions import cells
from core.models.having import file_name


def detectors_in(folder: Path, monkeypatch) -> Callable[[str], Path]:
    """Models are looked for in a folder. Returns: where the model of a detector lies there."""
    monkeypatch.setattr("core.models.having.models_dir", lambda: folder)
    return lambda name: folder / "detectors" / file_name(DETECTORS.entry(name).options["model"])


def with_red(size: tuple[int, int], box: tuple[int, int, int, int]) -> Image.Image:
    """What `red_finder` finds, on a ground where no two places are alike."""
    picture = Image.merge("RGB", [Image.new("L", size, 20), Image.linear_gradient("L").resize(size),
                                  Image.linear_gradient("L").rotate(90).resize(size)])
    picture.paste((255, 10, 10), box)
    return picture


def _save(path: Path, nodes, weights, side, outputs) -> Path:
    given = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, side, side])
    answers = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    kept = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "detector", [given], answers, kept)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
    return path


def constant(path: Path, outputs: dict[str, numpy.ndarray], side: int = 64) -> Path:
    """Answers the same to every picture."""
    values = {f"v_{name}": value.astype("float32") for name, value in outputs.items()}
    weights = {**values, "zero": numpy.zeros(1, "float32")}
    nodes = [helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0), helper.make_node("Mul", ["mean", "zero"], ["nothing"])]
    nodes += [helper.make_node("Add", [f"v_{name}", "nothing"], [name]) for name in outputs]
    return _save(path, nodes, weights, side, list(outputs))


def red_finder(path: Path, side: int = 64) -> Path:
    """Of YOLOv8's layout: the box around everything whose first channel lies above 0.75, eight times, each less sure than the one before;
    nothing where there is none."""
    scores = numpy.linspace(1, 0.3, 8, dtype="float32")[None]
    weights = {"cut": numpy.array(0.75, "float32"), "one": numpy.array(1, "float32"), "half": numpy.array(0.5, "float32"),
               "scores": scores, "first": numpy.array([0], "int64"), "eights": numpy.array([1, 8], "int64")}
    make = helper.make_node
    nodes = [make("Gather", ["images", "first"], ["channel"], axis=1), make("Greater", ["channel", "cut"], ["is_red"]),
             make("Cast", ["is_red"], ["red"], to=TensorProto.FLOAT)]
    for name, axes in (("x", [1, 2]), ("y", [1, 3])):
        nodes += [make("ReduceMax", ["red"], [f"{name}_line"], axes=axes, keepdims=0),
                  make("ArgMax", [f"{name}_line"], [f"{name}_low"], axis=1, keepdims=1),
                  make("ArgMax", [f"{name}_line"], [f"{name}_high"], axis=1, keepdims=1, select_last_index=1)]
        nodes += [make("Cast", [f"{name}_{end}"], [f"{name}_{end}_f"], to=TensorProto.FLOAT) for end in ("low", "high")]
        nodes += [make("Add", [f"{name}_high_f", "one"], [f"{name}_end"]), make("Sub", [f"{name}_end", f"{name}_low_f"], [f"{name}_size"]),
                  make("Mul", [f"{name}_size", "half"], [f"{name}_half"]), make("Add", [f"{name}_low_f", f"{name}_half"], [f"{name}_mid"])]
    nodes += [make("Expand", [part, "eights"], [f"{part}8"]) for part in ("x_mid", "y_mid", "x_size", "y_size")]
    nodes += [make("ReduceMax", ["red"], ["most"], keepdims=0), make("Mul", ["scores", "most"], ["sure"]),
              make("Concat", ["x_mid8", "y_mid8", "x_size8", "y_size8", "sure"], ["flat"], axis=0),
              make("Unsqueeze", ["flat", "first"], ["output0"])]
    return _save(path, nodes, weights, side, ["output0"])


def yolox_answer(side: int, boxes: list[tuple[float, float, float, float, float]], classes: int = 80) -> numpy.ndarray:
    """What YOLOX would answer for boxes (left, top, right, bottom, score), each told by the cell of stride 8 in which its middle lies."""
    grid = cells((side, side))
    answer = numpy.zeros((1, len(grid), 5 + classes))
    for left, top, right, bottom, score in boxes:
        x, y = (left + right) / 2, (top + bottom) / 2
        row = int(y // 8) * (side // 8) + int(x // 8)
        assert tuple(grid[row]) == (x // 8, y // 8, 8)
        answer[0, row, :6] = (x / 8 - x // 8, y / 8 - y // 8, numpy.log((right - left) / 8), numpy.log((bottom - top) / 8), 1, score)
    return answer


def yunet_answer(side: int, faces: list[tuple[float, float, float, float, float]], stride: int = 16) -> dict[str, numpy.ndarray]:
    """What YuNet would answer for faces, with the points at eyes, nose and mouth of each box."""
    outputs = {f"{part}_{one}": numpy.zeros((1, (side // one) ** 2, count)) for one in (8, 16, 32)
               for part, count in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10))}
    for left, top, right, bottom, score in faces:
        x, y, wide, tall = (left + right) / 2, (top + bottom) / 2, right - left, bottom - top
        column, line = x // stride, y // stride
        row = int(line) * (side // stride) + int(column)
        points = [(left + share * wide, top + height * tall) for share, height in ((.3, .4), (.7, .4), (.5, .6), (.35, .8), (.65, .8))]
        outputs[f"cls_{stride}"][0, row], outputs[f"obj_{stride}"][0, row] = score, score
        outputs[f"bbox_{stride}"][0, row] = (x / stride - column, y / stride - line, numpy.log(wide / stride), numpy.log(tall / stride))
        outputs[f"kps_{stride}"][0, row] = [value for px, py in points for value in (px / stride - column, py / stride - line)]
    return outputs
