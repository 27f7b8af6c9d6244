"""Real small things for the dataset's tests: pictures drawn in code and a tiny ONNX tagger."""

import csv
import io
from pathlib import Path

RED, GREEN, BLUE = (230, 20, 20), (20, 230, 20), (20, 20, 230)
TAGS = [("general", 9), ("sensitive", 9), ("red_theme", 0), ("green_theme", 0), ("blue_theme", 0), ("dark_red_theme", 0), ("mika_(sea)", 4)]
"""The tiny tagger's answers: ratings (.9, .1), mean red, green and blue of the picture, half the red, and the red as a character."""


def picture(path: Path, colour=(200, 40, 40), size=(64, 48), **save) -> Path:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    mode = {3: "RGB", 4: "RGBA"}[len(colour)]
    Image.new(mode, size, colour).save(path, **save)
    return path


def lying_with_mask(project, stem: str, orientation: int, size=(24, 16)):
    """A picture that says how it is to be turned, and a mask that was drawn on it as it is shown: what is white in the picture counts.

    Returns: the picture's pixels as they are stored, (height, width) uint8.
    """
    import numpy
    from PIL import Image, ImageOps

    stored = numpy.random.default_rng(orientation).choice(numpy.array([0, 255], "uint8"), size[::-1])
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = project.images / f"{stem}.png"
    Image.fromarray(stored).convert("RGB").save(path, exif=exif.tobytes())
    with Image.open(path) as image:
        ImageOps.exif_transpose(image).convert("L").save(project.variants / f"{stem}_mask.png")
    return stored


def png_bytes(colour=(10, 20, 30), size=(40, 40)) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


def make_tagger(folder: Path, batch="batch", size=8) -> Path:
    """model.onnx of WD's interface: BGR 0–255 NHWC in, probabilities out."""
    import numpy
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = numpy.zeros((3, len(TAGS)), "float32")  # rows: blue, green, red
    weights[2, 2] = weights[1, 3] = weights[0, 4] = 1 / 255
    weights[2, 5], weights[2, 6] = 0.5 / 255, 1 / 255
    bias = numpy.array([0.9, 0.1, 0, 0, 0, 0, 0], "float32")
    nodes = [helper.make_node("ReduceMean", ["input"], ["mean"], axes=[1, 2], keepdims=0),
             helper.make_node("Gemm", ["mean", "w", "b"], ["output"])]
    graph = helper.make_graph(
        nodes,
        "tagger", [helper.make_tensor_value_info("input", TensorProto.FLOAT, [batch, size, size, 3])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [batch, len(TAGS)])],
        [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(bias, "b")])
    folder.mkdir(parents=True, exist_ok=True)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, folder / "model.onnx")
    with open(folder / "selected_tags.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["tag_id", "name", "category", "count"])
        writer.writerows([number, name, category, 1] for number, (name, category) in enumerate(TAGS))
    return folder
