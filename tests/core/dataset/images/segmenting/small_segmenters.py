"""Segmenters of a few bytes with the inputs and outputs of the real ones: a pixel belongs to the subject the redder it is."""

from pathlib import Path


def save_segmenter(path: Path, side=16, scale=1.0, bias=0.0, takes="input_image", gives=("output_image",), batch=1, channels=3) -> Path:
    """Answers `scale` times red plus `bias`, red as the model is given it; several outputs are zero but the last, or but the first
    where they are called d0, d1 ... as U-2-Net's are."""
    import numpy
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weight = numpy.zeros((1, channels, 1, 1), "float32")
    weight[0, 0] = scale
    told = gives[0] if gives[0] == "d0" else gives[-1]
    nodes = [helper.make_node("Conv", [takes, "w", "b"], [told])]
    nodes += [helper.make_node("Mul", [told, "zero"], [name]) for name in gives if name != told]
    weights = [("w", weight), ("b", numpy.array([bias], "float32")), ("zero", numpy.array(0, "float32"))]
    graph = helper.make_graph(
        nodes, "segmenter", [helper.make_tensor_value_info(takes, TensorProto.FLOAT, [batch, channels, side, side])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, 1, side, side]) for name in gives],
        [numpy_helper.from_array(value, name) for name, value in weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
    return path
