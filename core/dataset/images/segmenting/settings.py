"""What a mask is made of, and how it looks."""

from __future__ import annotations

from typing import Literal

from core.base.settings import Settings, setting
from core.dataset.images.masks import Place
from core.dataset.images.segmenting import SegmenterName

Use = Literal["learn", "repaint"]
"""What a mask is for: what a training learns from (white: is learned), or what is painted anew (white: is repainted)."""
LABELS: dict[Use, str] = {"learn": "", "repaint": "repaint"}
"""Of the mask's file: girl_mask.png, girl_repaint_mask.png."""
WORD_FINDERS = ("grounding-dino-tiny", "grounding-dino-base")
SAMS = ("sam2.1-tiny", "sam2.1-small", "sam2.1-base", "sam2.1-large")


class ShapeSettings(Settings):
    """How a mask is brought into shape, in this order."""

    title = "Shape"

    edge: Literal["hard", "soft"] = setting("hard", "Edge", "hard: each pixel counts or does not. soft: as the model says it, for hair and "
                                            "what is half transparent.")
    threshold: int = setting(50, "Threshold", "From which certainty on a pixel counts.", unit="%", level="advanced", ge=1, le=100,
                             only={"edge": ("hard",)})
    largest: bool = setting(False, "Only the largest part", "Takes away the small parts that do not hang together with the largest one.")
    holes: bool = setting(False, "Fill holes", "What lies wholly within the mask counts too.")
    invert: bool = setting(False, "Invert", "The background counts, and not the subject.")
    unit: Literal["px", "percent"] = setting("px", "Measured in", "percent: of the picture's longer side, for pictures of different sizes.",
                                             level="advanced")
    grow: float = setting(0.0, "Grow", "Moves the edge outwards; below 0: inwards.", ge=-500, le=500)
    feather: float = setting(0.0, "Soften the edge", "Width of the soft edge.", ge=0, le=500)


class MaskSettings(Settings):
    """What finds the mask, how it looks, and what becomes of one that is there."""

    title = "Mask"

    images: tuple[str, ...] = setting((), "Only these", "Ids of images (names without the ending); none given: all.", level="expert")
    parts: bool = setting(False, "Parts too", "Also the crops of each picture.", level="advanced")
    use: Use = setting("learn", "What it is for", "learn: white is what the training learns. repaint: white is what is painted anew; "
                       "that is another mask, which no training reads.")
    segmenter: SegmenterName = setting("birefnet-lite", "Found by",  # type: ignore[valid-type]
                                       "What tells the subject from the background.")
    words: str = setting("", "What to find", "Plain words in English, several with commas: watermark, text.",
                         only={"segmenter": ("text",)})
    certainty: float = setting(0.3, "Certainty of a find", "Less: more is found, also what is not meant.", level="advanced", gt=0, lt=1,
                               only={"segmenter": ("text",)}, source="GroundingDINO's demo: box_threshold 0.3, text_threshold 0.25")
    detector: Literal[WORD_FINDERS] = setting("grounding-dino-tiny", "Detector", "What finds the words: 690 MB, or 930 MB.",  # type: ignore[valid-type]
                                           level="advanced", only={"segmenter": ("text",)})
    cutter: Literal[SAMS] = setting("sam2.1-tiny", "Cut out by", "SAM 2.1: 156 MB to 900 MB.", level="advanced",  # type: ignore[valid-type]
                                    only={"segmenter": ("text",)})
    place: Place = setting("bottom-right", "Place", "Where the watermark stands.", only={"segmenter": ("place",)})
    width: float = setting(25.0, "Width", "Of the picture's width.", unit="%", gt=0, le=100, only={"segmenter": ("place",)})
    height: float = setting(10.0, "Height", "Of the picture's height.", unit="%", gt=0, le=100, only={"segmenter": ("place",)})
    tolerance: int = setting(24, "Tolerance", "By how much the background's colour may differ from the border's, of 255.", ge=0, le=255,
                             only={"segmenter": ("plain",)})
    model_file: str = setting("", "File", "Name of an .onnx file in models/segmenters.", only={"segmenter": ("own",)})
    side: int = setting(0, "Side of the input", "0: as the file says, else 1024.", unit="px", level="expert", ge=0, le=4096,
                        only={"segmenter": ("own",)})
    mean: tuple[float, ...] = setting((), "Mean", "Of the colours, 0 to 1, one or three numbers; none: by the family in the file's name "
                                      "(BiRefNet, IS-Net, U2-Net), else ImageNet's.", level="expert", only={"segmenter": ("own",)})
    std: tuple[float, ...] = setting((), "Deviation", "As the mean.", level="expert", only={"segmenter": ("own",)})
    shape: ShapeSettings = setting(ShapeSettings(), "Shape", "How the mask is brought into shape.")
    existing: Literal["keep", "replace", "add", "subtract", "intersect"] = setting(
        "keep", "A mask that is there", "keep: one that was drawn by hand or brought along stays. replace: it makes room. add, subtract, "
        "intersect: both become one.")
    write_empty: bool = setting(False, "Write empty masks too", "Off: a picture in which nothing was found gets no mask, and is named.",
                                level="advanced", only={"existing": ("keep", "replace")})
    device: Literal["auto", "cuda", "cpu"] = setting("auto", "Device", "auto: the GPU where there is one.", level="advanced")
