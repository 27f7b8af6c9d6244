"""Words to a mask: Grounding DINO finds what is named, SAM 2.1 cuts each find out of the picture."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from core.base.errors import ConfigError, ModelError
from core.base.progress import Progress
from core.base.registry import Entry
from core.dataset.images.masks import combine, empty_mask
from core.dataset.images.opening import over_white
from core.dataset.images.segmenting.clicking import Clicker, ClickSettings, open_clicker
from core.dataset.images.segmenting.sam import Prompt, device_of, vision_files
from core.dataset.images.segmenting.segmenter import Segmenter
from core.models.catalog import APACHE
from core.models.warm import WARM

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

    from core.dataset.curation.vision_models import VisionFiles
    from core.dataset.images.masks import Mask
    from core.dataset.images.segmenting.settings import MaskSettings

TEXT_THRESHOLD = 0.25
"""Certainty from which a word counts as meant by a find; only its name depends on it. Source: GroundingDINO's demo."""
MOST_FINDS = 60
"""Finds that are cut out of one picture, the most certain first."""
NEEDS = 3_000_000_000
"""Bytes of memory while it looks for words, about."""
FINDERS = {
    "grounding-dino-tiny": Entry("grounding-dino-tiny", "", "Grounding DINO tiny", "https://huggingface.co/IDEA-Research/grounding-dino-tiny",
                                 ("torch", "transformers"), APACHE,
                                 options={"repo_id": "IDEA-Research/grounding-dino-tiny",
                                          "revision": "a2bb814dd30d776dcf7e30523b00659f4f141c71"}),
    "grounding-dino-base": Entry("grounding-dino-base", "", "Grounding DINO base", "https://huggingface.co/IDEA-Research/grounding-dino-base",
                                 ("torch", "transformers"), APACHE,
                                 options={"repo_id": "IDEA-Research/grounding-dino-base",
                                          "revision": "12bdfa3120f3e7ec7b434d90674b3396eccf88eb"}),
}


class TextSegmenter(Segmenter):
    """Raises: ConfigError: no words are given."""

    def __init__(self, entry: Entry, settings: MaskSettings) -> None:
        super().__init__(entry, settings)
        self.words = asked(settings.words)
        self._detector: Any = None
        self._clicker: Clicker | None = None

    @contextlib.contextmanager
    def ready(self, progress: Progress) -> Iterator[None]:
        """Both models are open."""
        settings, entry = self.settings, FINDERS[self.settings.detector]
        files = vision_files(entry, progress)
        where = device_of(settings.cutter, settings.device)  # the finder computes there too: both are torch's
        with (WARM.use(("words", entry.name, where), entry.title, lambda: _open_finder(files, settings.device), where,
                       NEEDS) as self._detector,
              open_clicker(ClickSettings(model=settings.cutter, device=settings.device), progress) as self._clicker):
            try:
                yield
            finally:
                self._detector = self._clicker = None

    def infer(self, prepared: Any, progress: Progress) -> Mask:
        """The finds, all in one mask. Raises: ModelError."""
        if self._clicker is None:
            raise RuntimeError("The segmenter is not ready.")
        picture: Picture = over_white(prepared)
        boxes, mask = find_boxes(self._detector, picture, self.words, self.settings.certainty), empty_mask(picture.size)
        if not boxes:
            return mask
        seen = self._clicker.sam.look(picture, picture.size)
        for box in boxes:
            progress.check()
            mask = combine(mask, self._clicker.sam.answer(seen, Prompt((), box)).mask(picture.size), "add")
        return mask

    def finish(self, picture: Picture, result: Any) -> Mask:
        """As it was found."""
        mask: Mask = result
        return mask


def asked(words: str) -> str:
    """"Watermark, some text" → "watermark. some text.", as the model was taught. Raises: ConfigError: there are none."""
    wanted = [word.strip().lower() for word in words.replace(".", ",").split(",") if word.strip()]
    if not wanted:
        raise ConfigError("No words say what to find.", "Write them into 'What to find', such as: watermark, text.")
    return " ".join(f"{word}." for word in wanted)


def find_boxes(detector: Any, picture: Picture, words: str, certainty: float) -> list[tuple[float, float, float, float]]:
    """Left, top, right, bottom of each find of at least a pixel, px, the most certain first. Raises: ModelError."""
    import torch

    model, processor, device = detector
    width, height = picture.size
    given = processor(images=picture, text=words, return_tensors="pt").to(device)
    try:
        with torch.inference_mode():
            out = model(**given)
    except (RuntimeError, MemoryError) as error:
        raise ModelError(f"The detector failed on one picture: {str(error).splitlines()[0]}.", "Choose device 'cpu'.") from error
    found = processor.post_process_grounded_object_detection(out, given["input_ids"], threshold=certainty, text_threshold=TEXT_THRESHOLD,
                                                             target_sizes=[(height, width)])[0]
    order = found["scores"].argsort(descending=True)[:MOST_FINDS]
    boxes = [(max(0.0, left), max(0.0, top), min(float(width), right), min(float(height), bottom))
             for left, top, right, bottom in found["boxes"][order].float().cpu().tolist()]
    return [box for box in boxes if box[2] - box[0] >= 1 and box[3] - box[1] >= 1]


def _open_finder(files: VisionFiles, device: str) -> tuple[Any, Any, str]:
    from core.dataset.curation.vision_models import open_vision

    return open_vision(files, "AutoModelForZeroShotObjectDetection", device, "AutoProcessor")
