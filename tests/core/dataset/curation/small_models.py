"""Tiny vision models with weights by chance, saved as their large sisters are."""

from pathlib import Path

SIDE = 32


def save_clip(folder: Path, seed: int = 0) -> Path:
    """The whole model with its text half, as repositories hold it."""
    import torch
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel

    torch.manual_seed(seed)
    half = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    half["projection_dim"] = 16
    config = CLIPConfig(text_config={**half, "vocab_size": 99}, vision_config={**half, "image_size": SIDE, "patch_size": 8},
                        projection_dim=16)
    CLIPModel(config).save_pretrained(folder)
    CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    return folder


def save_siglip(folder: Path) -> Path:
    """The whole model with its text half, as repositories hold it."""
    import torch
    from transformers import SiglipConfig, SiglipImageProcessor, SiglipModel

    torch.manual_seed(1)
    half = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = SiglipConfig(text_config={**half, "vocab_size": 99}, vision_config={**half, "image_size": SIDE, "patch_size": 8})
    SiglipModel(config).save_pretrained(folder)
    SiglipImageProcessor(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    return folder


def save_dinov2(folder: Path) -> Path:
    import torch
    from transformers import BitImageProcessor, Dinov2Config, Dinov2Model

    torch.manual_seed(2)
    config = Dinov2Config(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=SIDE, patch_size=8)
    Dinov2Model(config).save_pretrained(folder)
    BitImageProcessor(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    return folder


def save_classifier(folder: Path, labels=("No Watermark", "Watermark")) -> Path:
    """Its logits are all zero but the last label's, which is the head's bias of 2."""
    import torch
    from transformers import SiglipConfig, SiglipForImageClassification, SiglipImageProcessor, SiglipVisionConfig

    vision = SiglipVisionConfig(hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2, image_size=SIDE,
                                patch_size=8)
    config = SiglipConfig(vision_config=vision.to_dict(), id2label=dict(enumerate(labels)),
                          label2id={name: place for place, name in enumerate(labels)})
    model = SiglipForImageClassification(config)
    with torch.no_grad():
        model.classifier.weight.zero_()
        model.classifier.bias.zero_()
        model.classifier.bias[-1] = 2.0
    model.save_pretrained(folder)
    SiglipImageProcessor(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    return folder


def save_ccip(folder: Path, half: float = 0.5, threshold: float = 0.18) -> Path:
    """CCIP's interface: the feature is the mean colour after CLIP's normalisation, the metric `half` of one minus the cosine."""
    import json

    import numpy
    from onnx import helper, numpy_helper

    folder.mkdir(parents=True, exist_ok=True)
    _save_onnx(folder / "model_feat.onnx", [helper.make_node("ReduceMean", ["input"], ["output"], axes=[2, 3], keepdims=0)],
               ["batch", 3, 8, 8], ["batch", 3])
    nodes = [helper.make_node("ReduceL2", ["input"], ["length"], axes=[1], keepdims=1),
             helper.make_node("Div", ["input", "length"], ["unit"]),
             helper.make_node("Transpose", ["unit"], ["turned"], perm=[1, 0]), helper.make_node("MatMul", ["unit", "turned"], ["cosine"]),
             helper.make_node("Sub", ["one", "cosine"], ["away"]), helper.make_node("Mul", ["away", "half"], ["output"])]
    weights = [numpy_helper.from_array(numpy.array(value, "float32"), name) for name, value in (("one", 1), ("half", half))]
    _save_onnx(folder / "model_metrics.onnx", nodes, ["batch", 3], ["batch", "other"], weights)
    (folder / "metrics.json").write_text(json.dumps({"f1_score": 1.0, "threshold": threshold}), encoding="utf-8")
    return folder


ANIME_LABELS = ("masterpiece", "best", "great", "good", "normal", "low", "worst")


def save_anime_aesthetic(folder: Path, labels=ANIME_LABELS) -> Path:
    """The interface of anime_aesthetic: a white picture is `masterpiece` for certain, a black one `worst`, a grey one half of each."""
    import json

    import numpy
    from onnx import helper, numpy_helper

    folder.mkdir(parents=True, exist_ok=True)
    weight, bias = numpy.zeros((3, len(labels)), "float32"), numpy.zeros(len(labels), "float32")
    weight[:, 0], weight[:, -1], bias[0], bias[-1] = 1 / 6, -1 / 6, 0.5, 0.5
    nodes = [helper.make_node("ReduceMean", ["input"], ["mean"], axes=[2, 3], keepdims=0),
             helper.make_node("Gemm", ["mean", "w", "b"], ["output"])]
    _save_onnx(folder / "model.onnx", nodes, ["batch", 3, 8, 8], ["batch", len(labels)],
               [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(bias, "b")])
    (folder / "meta.json").write_text(json.dumps({"labels": list(labels)}), encoding="utf-8")
    return folder


def save_laion(folder: Path, width: int = 16) -> Path:
    """LAION's linear head for vectors of `width`, and a tiny CLIP in its folder `clip`."""
    from safetensors.torch import save_file

    save_clip(folder / "clip")
    save_file({f"layers.{name}": value for name, value in laion_head(width).state_dict().items()}, folder / "model.safetensors")
    return folder


def laion_head(width: int = 16):
    """The head as it was trained: linear layers with dropout between them."""
    import torch

    torch.manual_seed(3)
    steps = [torch.nn.Linear(width, 12), torch.nn.Dropout(0.2), torch.nn.Linear(12, 8), torch.nn.Dropout(0.2), torch.nn.Linear(8, 6),
             torch.nn.Dropout(0.1), torch.nn.Linear(6, 4), torch.nn.Linear(4, 1)]
    return torch.nn.Sequential(*steps).eval()


def _save_onnx(path: Path, nodes, takes, gives, weights=()) -> None:
    import onnx
    from onnx import TensorProto, helper

    graph = helper.make_graph(nodes, "small", [helper.make_tensor_value_info("input", TensorProto.FLOAT, takes)],
                              [helper.make_tensor_value_info("output", TensorProto.FLOAT, gives)], list(weights))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, path)
