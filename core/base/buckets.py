"""How pictures become training sizes: aspect-ratio buckets by sd-scripts' own arithmetic (library/model_util.py, train_util.py, 48d368fa).

It stands here because both sides need it: the trainer cuts pictures by it, and the dataset's overview says what will be cut.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from core.base.errors import ConfigError

Size = tuple[int, int]
"""Width, height in pixels."""
SEEN_PER_EPOCH = 200
"""Pictures, with repeats, that an epoch of a small dataset should have (training-reference: ceil(200 / images))."""


def fitting_repeats(count: int) -> int:
    """So many repeats that an epoch of `count` pictures has about `SEEN_PER_EPOCH`; 1 for none."""
    return max(1, math.ceil(SEEN_PER_EPOCH / count)) if count else 1


@dataclass(frozen=True)
class BucketRule:
    """How images of one dataset find their training size."""

    resolution: Size
    enable_bucket: bool = False
    min_bucket_reso: int = 256
    max_bucket_reso: int = 1024
    bucket_reso_steps: int = 64
    bucket_no_upscale: bool = False

    def checked(self) -> BucketRule:
        """With the limits brought to multiples of the step, as sd-scripts does.

        Raises: ConfigError: the resolution lies outside the limits.
        """
        if not self.enable_bucket:
            return self
        steps = self.bucket_reso_steps
        if steps < 1:
            raise ConfigError(f"bucket_reso_steps must be at least 1, but is {steps}.", "64 is usual.")
        low = self.min_bucket_reso - self.min_bucket_reso % steps
        high = -(-self.max_bucket_reso // steps) * steps
        if not low and not self.bucket_no_upscale:  # sd-scripts divides by it
            raise ConfigError(f"min_bucket_reso ({self.min_bucket_reso}) is smaller than bucket_reso_steps ({steps}).",
                              f"Set min_bucket_reso to {steps} or more, or lower bucket_reso_steps.")
        if min(self.resolution) < low:
            raise ConfigError(f"min_bucket_reso ({low}) is larger than the resolution {self.resolution}.", "Lower min_bucket_reso.")
        if max(self.resolution) > high:
            raise ConfigError(f"max_bucket_reso ({high}) is smaller than the resolution {self.resolution}.", "Raise max_bucket_reso.")
        return BucketRule(self.resolution, True, low, high, steps, self.bucket_no_upscale)

    def sizes(self) -> list[Size]:
        """Every size an image can be trained at, sorted; for bucket_no_upscale they come from the images, so only the largest."""
        if not self.enable_bucket or self.bucket_no_upscale:
            return [self.resolution]
        return bucket_resolutions(self.resolution, self.min_bucket_reso, self.max_bucket_reso, self.bucket_reso_steps)


def bucket_resolutions(resolution: Size, smallest: int, largest: int, steps: int) -> list[Size]:
    """Widths and heights in steps whose area is at most that of `resolution`, both ways round, sorted."""
    area = resolution[0] * resolution[1]
    square = int(math.sqrt(area) // steps) * steps
    sizes = {(square, square)}
    for width in range(smallest, largest + 1, steps):
        height = min(largest, area // width // steps * steps)
        if height >= smallest:
            sizes |= {(width, height), (height, width)}
    return sorted(sizes)


def select_bucket(size: Size, rule: BucketRule, sizes: list[Size] | None = None) -> tuple[Size, Size]:
    """The training size of an image, and the size to which it is resized before its middle is cut out.

    Args:
        size: the image's width and height.
        rule: from `BucketRule.checked`.
        sizes: `rule.sizes()`, to save making it for every image.

    Raises: ConfigError: the image is too small for one step (bucket_no_upscale).
    """
    width, height = size
    ratio = width / height
    if rule.enable_bucket and rule.bucket_no_upscale:
        return _without_upscaling(size, rule)
    sizes = sizes if sizes is not None else rule.sizes()
    bucket = size if size in sizes else min(sizes, key=lambda candidate: abs(candidate[0] / candidate[1] - ratio))
    scale = bucket[1] / height if ratio > bucket[0] / bucket[1] else bucket[0] / width
    return bucket, (int(width * scale + 0.5), int(height * scale + 0.5))


def _without_upscaling(size: Size, rule: BucketRule) -> tuple[Size, Size]:
    (width, height), steps = size, rule.bucket_reso_steps
    ratio, area = width / height, rule.resolution[0] * rule.resolution[1]
    resized = size
    if width * height > area:
        ideal = math.sqrt(area * ratio)

        def rounded(value: float) -> int:
            whole = int(value + 0.5)
            return whole - whole % steps

        by_width, by_height = rounded(ideal), rounded(area / ideal)
        height_by_width = rounded(by_width / ratio)
        if not by_height or not height_by_width:  # sd-scripts divides by them
            raise ConfigError(f"An image of {width} x {height} is too narrow for bucket_reso_steps {steps}.", "Crop it, or lower the step.")
        width_error = abs(by_width / height_by_width - ratio)
        height_error = abs(rounded(by_height * ratio) / by_height - ratio)
        resized = (by_width, int(by_width / ratio + 0.5)) if width_error < height_error else (int(by_height * ratio + 0.5), by_height)
    bucket = (resized[0] - resized[0] % steps, resized[1] - resized[1] % steps)
    if not bucket[0] or not bucket[1]:
        raise ConfigError(f"An image of {width} x {height} is smaller than bucket_reso_steps {steps}.",
                          "Leave the image out, or switch bucket_no_upscale off.")
    return bucket, resized


@dataclass(frozen=True, slots=True)
class Fit:
    """What a picture of one size becomes."""

    bucket: Size
    cropped: float
    """Share of its area that is cut off, 0 to 1."""
    scale: float
    """Factor by which its sides are changed; above 1 it is enlarged."""


class Fitter:
    """Finds what many pictures become; each size is worked out once.

    Args: rule: from `BucketRule.checked`.
    """

    def __init__(self, rule: BucketRule) -> None:
        self.rule, self.sizes = rule, rule.sizes()
        self._known: dict[Size, Fit] = {}

    def fit(self, size: Size) -> Fit:
        """What a picture becomes.

        Args: size: its width and height; zeros: nobody could read them.
        Raises: ConfigError: it cannot be opened, or fits no bucket.
        """
        if size not in self._known:
            if not all(size):
                raise ConfigError("It cannot be opened.")
            bucket, resized = select_bucket(size, self.rule, self.sizes)
            cropped = 1 - bucket[0] * bucket[1] / (resized[0] * resized[1])
            self._known[size] = Fit(bucket, max(0.0, cropped), resized[0] / size[0])
        return self._known[size]


def fill_buckets(pictures: Iterable[tuple[Size, int]], rule: BucketRule) -> dict[Size, int]:
    """How many pictures, with their repeats, stand in each bucket, by size.

    Args:
        pictures: width and height of each, and its repeats; those with none are passed over.
        rule: from `BucketRule.checked`.

    Raises: ConfigError: a picture fits no bucket.
    """
    fitter = Fitter(rule)
    filled: dict[Size, int] = {}
    for size, repeats in pictures:
        if repeats:
            bucket = fitter.fit(size).bucket
            filled[bucket] = filled.get(bucket, 0) + repeats
    return dict(sorted(filled.items()))


def crop_edges(bucket: Size, size: Size) -> tuple[int, int, int]:
    """Left, top and right of the picture inside its bucket, as SDXL is told (Stability's preprocessing, sd-scripts' get_crop_ltrb)."""
    bucket_ratio, ratio = bucket[0] / bucket[1], size[0] / size[1]
    width, height = (bucket[1] * ratio, float(bucket[1])) if bucket_ratio > ratio else (float(bucket[0]), bucket[0] / ratio)
    left, top = (bucket[0] - width) // 2, (bucket[1] - height) // 2
    return int(left), int(top), int(left + width)
