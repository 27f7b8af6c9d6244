"""Segmenters by name. To add one: a `Segmenter`, one entry here, one test, one line in docs/images.md."""

from __future__ import annotations

from typing import Any, Literal

from core.base.registry import Entry, Registry

ROOM = "core.dataset.images.segmenting"
NEEDS = ("onnxruntime", "numpy", "PIL")
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
BIREFNET: dict[str, Any] = {**IMAGENET, "side": 1024, "activation": "sigmoid", "output": -1}
"""Preprocessing of the makers' own `ImagePreprocessor`; the last output is the finest, as logits."""
U2NET: dict[str, Any] = {**IMAGENET, "side": 320, "by_brightest": True, "stretch": True}
"""`ToTensorLab` and `normPRED` of U-2-Net's u2net_test.py."""
MIT, APACHE = "MIT", "Apache 2.0"


def _onnx(name: str, title: str, source: str, licence: str, note: str, options: dict[str, Any]) -> Entry:
    return Entry(name, f"{ROOM}.onnx_masks:NamedSegmenter", title, source, NEEDS, licence, note=note, options=options)


_ZHENG = "https://github.com/ZhengPeng7/BiRefNet"
SEGMENTERS: Registry[Any] = Registry(  # those that fetch nothing, those for photographs and people, those for drawings, the rest
    "segmenter",
    Entry("plain", f"{ROOM}.simple:PlainSegmenter", "What stands before a plain background", needs=("numpy", "PIL", "scipy")),
    Entry("alpha", f"{ROOM}.simple:AlphaSegmenter", "What is not transparent", needs=("numpy", "PIL")),
    Entry("place", f"{ROOM}.simple:PlaceSegmenter", "Where watermarks stand", needs=("numpy", "PIL")),
    _onnx("birefnet-lite", "BiRefNet lite", _ZHENG, MIT, "the subject of any picture, with fine edges", BIREFNET),
    _onnx("birefnet-general", "BiRefNet", _ZHENG, MIT, "the best of any picture; without a GPU about 7 GB of memory", BIREFNET),
    _onnx("birefnet-portrait", "BiRefNet for portraits", _ZHENG, MIT, "photographs of people; without a GPU about 7 GB of memory",
          BIREFNET),
    _onnx("birefnet-hr", "BiRefNet HR", _ZHENG, MIT, "sees 2048 px; without a GPU about 22 GB of memory", {**BIREFNET, "side": 2048}),
    _onnx("birefnet-hr-matting", "BiRefNet HR matting", _ZHENG, MIT, "hair, with soft edges; without a GPU about 22 GB of memory",
          {**BIREFNET, "side": 2048}),
    _onnx("isnet-general", "IS-Net", "https://github.com/xuebinqin/DIS", APACHE, "any picture, faster than BiRefNet",
          {"side": 1024, "mean": (0.5, 0.5, 0.5), "stretch": True}),
    _onnx("u2net", "U2-Net", "https://github.com/xuebinqin/U-2-Net", APACHE, "for small machines; sees 320 px", U2NET),
    _onnx("u2netp", "U2-Net, small", "https://github.com/xuebinqin/U-2-Net", APACHE, "the fastest, with coarse edges", U2NET),
    _onnx("isnet-anime", "IS-Net for anime", "https://github.com/SkyTNT/anime-segmentation", APACHE, "drawn characters",
          {"side": 1024, "letterbox": True}),
    Entry("text", f"{ROOM}.text:TextSegmenter", "What words name", "https://github.com/IDEA-Research/GroundingDINO",
          ("torch", "transformers", "numpy", "PIL"), APACHE, note="Grounding DINO finds it, SAM 2.1 cuts it out",
          options={"fetches": "850 MB and more"}),
    Entry("own", f"{ROOM}.onnx_masks:OwnSegmenter", "A file of your own", needs=NEEDS, note="one picture in, one mask out",
          options={"fetches": ".onnx in models/segmenters"}),
)
SegmenterName = Literal[SEGMENTERS.names()]  # type: ignore[valid-type]
