"""dataset.toml as images in buckets, and the order in which an epoch goes through them."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.base.buckets import BucketRule, Size, crop_edges, select_bucket
from core.base.errors import ConfigError, DatasetError
from core.base.paths import typed_path
from core.training.builtin.captions import CaptionRule, read_caption
from core.training.builtin.keys import UNSUPPORTED
from core.training.config.sources import image_files

MOST_READERS = 8
"""Images that are looked through at once; each takes its own memory."""
RENAMED = {"train_batch_size": "batch_size", "dataset_repeats": "num_repeats"}
CAPTION_KEYS = tuple(CaptionRule.__dataclass_fields__)
BUCKET_KEYS = ("enable_bucket", "min_bucket_reso", "max_bucket_reso", "bucket_reso_steps", "bucket_no_upscale")
OWN_KEYS = ("image_dir", "is_reg", "class_tokens", "num_repeats", "caption_extension", "flip_aug", "batch_size", "resolution")
SUBSET_KEYS = frozenset([*CAPTION_KEYS, *BUCKET_KEYS, *OWN_KEYS, *RENAMED])
"""Every dataset key that is honoured, at whatever level it stands."""
TAKEN_SILENTLY = frozenset({"cache_info", "network_multiplier", "validation_seed", "token_warmup_min", "debug_dataset", "max_token_length",
                            "prior_loss_weight"})


@dataclass
class TrainImage:
    """One image of a subset, with everything that is known before its pixels are read."""

    path: Path
    caption: str
    size: Size
    repeats: int
    subset: Subset
    bucket: Size = (0, 0)
    resized: Size = (0, 0)

    def size_values(self, flipped: bool) -> list[int]:
        """SDXL's six: original height, width, crop top, left, target height, width."""
        left, top, right = crop_edges(self.bucket, self.size)
        return [self.size[1], self.size[0], top, self.bucket[0] - right if flipped else left, self.bucket[1], self.bucket[0]]


@dataclass
class Subset:
    """One [[datasets.subsets]] table."""

    image_dir: Path
    is_reg: bool
    class_tokens: str | None
    num_repeats: int
    caption_extension: str
    flip_aug: bool
    captions: CaptionRule
    count: int = 0


@dataclass
class TrainDataset:
    """One [[datasets]] table: images by bucket, batches of one bucket each."""

    rule: BucketRule
    batch_size: int
    subsets: list[Subset] = field(default_factory=list)
    images: list[TrainImage] = field(default_factory=list)
    num_train_images: int = 0
    num_reg_images: int = 0
    tag_frequency: dict[str, dict[str, int]] = field(default_factory=dict)

    def buckets(self) -> dict[Size, list[TrainImage]]:
        """Images of each training size, repeats included, sizes sorted."""
        found: dict[Size, list[TrainImage]] = {}
        for image in self.images:
            found.setdefault(image.bucket, []).extend([image] * image.repeats)
        return dict(sorted(found.items()))


@dataclass(frozen=True)
class PlannedBatch:
    """The images of one forward pass, with the place from which their random numbers come."""

    images: tuple[TrainImage, ...]
    epoch: int
    """Counted from 1."""
    place: int
    """In the epoch, counted from 0."""
    seed: int

    def chance(self, index: int) -> random.Random:
        """The random numbers of one image (caption, flip): a pure function of seed, epoch and place."""
        return random.Random(f"{self.seed}/{self.epoch}/{self.place}/{index}")


@dataclass(frozen=True)
class Ears:
    """Who hears of the reading of the pictures, which takes minutes where there are thousands of them."""

    warn: Callable[[str], None]
    """Receives one sentence for each thing that was passed over."""
    check: Callable[[], None] = lambda: None
    """Called after each picture; raises to stop."""
    tell: Callable[[int, int], None] = lambda done, total: None
    """Receives how many pictures of a folder were looked through, and how many it has."""


def read_datasets(tables: dict[str, Any], arguments: dict[str, Any], warn: Callable[[str], None],
                  check: Callable[[], None] = lambda: None, tell: Callable[[int, int], None] = lambda done, total: None
                  ) -> list[TrainDataset]:
    """Every dataset of dataset.toml, images found, captions read, buckets chosen.

    Args:
        tables: dataset.toml. arguments: flattened config.toml; a key is looked for in subset, dataset, general, arguments.
        warn, check, tell: see `Ears`.

    Raises:
        ConfigError: an unknown key or a wrong value. DatasetError: no image at all. What `check` raises.
    """
    ears = Ears(warn, check, tell)
    unknown = set(tables) - {"general", "datasets"}
    if unknown:
        raise ConfigError(f"dataset.toml has the unknown table or key {sorted(unknown)[0]!r}.", "Only [general] and [[datasets]] are read.")
    datasets = []
    for table in tables.get("datasets", []):
        found = _read_dataset(table, tables, arguments, ears)
        if found.images:
            datasets.append(found)
    if not datasets:
        raise DatasetError("No image was found in any folder of dataset.toml.", "Check image_dir, and that num_repeats is at least 1.")
    return datasets


def _checked(table: dict[str, Any], where: str) -> dict[str, Any]:
    for key, value in table.items():
        if key in UNSUPPORTED:
            if value not in (None, False, 0, 0.0, "", [], {}):
                raise ConfigError(f"The built-in trainer cannot honour {key} = {value!r} in {where}.", UNSUPPORTED[key])
        elif key not in SUBSET_KEYS and key not in TAKEN_SILENTLY and key != "subsets":
            raise ConfigError(f"{where} has the unknown key {key!r}.", "Check its spelling.")
    return table


@dataclass(frozen=True)
class Levels:
    """The tables in which a key of `dataset.toml` is looked for, the nearest first: `[[datasets]]`, `[general]`, the arguments."""

    tables: tuple[dict[str, Any], ...]

    @classmethod
    def of(cls, table: dict[str, Any], tables: dict[str, Any], arguments: dict[str, Any]) -> Levels:
        """Of one `[[datasets]]` table. Args: tables: the whole file. arguments: flattened config.toml."""
        return cls((table, tables.get("general", {}), {RENAMED.get(key, key): value for key, value in arguments.items()}))

    def look(self, key: str, default: Any, *nearer: dict[str, Any]) -> Any:
        """The value of a key, from the nearest table that has it."""
        return next((level[key] for level in (*nearer, *self.tables) if level.get(key) is not None), default)

    def rule(self) -> BucketRule:
        """How its images find their size. Raises: ConfigError."""
        width, height = _resolution(self.look("resolution", None))
        return BucketRule((width, height), *(self.look(key, BucketRule.__dataclass_fields__[key].default) for key in BUCKET_KEYS)).checked()

    def subset(self, values: dict[str, Any]) -> Subset:
        """One `[[datasets.subsets]]` table with what it takes from above. Raises: ConfigError: it names no folder."""
        if not values.get("image_dir"):
            raise ConfigError("A subset of dataset.toml has no image_dir.", "Say where its images lie.")
        captions = CaptionRule(**{key: self.look(key, CaptionRule.__dataclass_fields__[key].default, values) for key in CAPTION_KEYS})
        extension = self.look("caption_extension", ".caption", values)
        return Subset(typed_path(values["image_dir"]), bool(values.get("is_reg", False)), self.look("class_tokens", None, values),
                      int(self.look("num_repeats", 1, values)), extension if extension.startswith(".") else f".{extension}",
                      bool(self.look("flip_aug", False, values)), captions)


def _read_dataset(table: dict[str, Any], tables: dict[str, Any], arguments: dict[str, Any], ears: Ears) -> TrainDataset:
    _checked(table, "[[datasets]]")
    _checked(tables.get("general", {}), "[general]")
    levels = Levels.of(table, tables, arguments)
    rule = levels.rule()
    dataset = TrainDataset(rule, int(levels.look("batch_size", 1)))
    for values in table.get("subsets", []):
        subset = levels.subset(_checked(values, "[[datasets.subsets]]"))
        if subset.num_repeats < 1:
            ears.warn(f"{subset.image_dir} is left out: its num_repeats is {subset.num_repeats}.")
        elif any((other.image_dir, other.is_reg) == (subset.image_dir, subset.is_reg) for other in dataset.subsets):
            ears.warn(f"{subset.image_dir} is named twice; the first one is used.")
        else:
            _add_subset(dataset, subset, ears)
    _balance(dataset, ears.warn)
    sizes = rule.sizes()
    for image in dataset.images:
        image.bucket, image.resized = select_bucket(image.size, rule, sizes)
    return dataset


def _resolution(value: Any) -> Size:
    """int, [w, h] or "w,h". Raises: ConfigError."""
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",")]
    try:
        numbers = [int(part) for part in value] if isinstance(value, (list, tuple)) else [int(value)]
    except (TypeError, ValueError) as error:
        raise ConfigError(f"resolution is {value!r}, but must be a number of pixels or width,height.") from error
    if len(numbers) not in (1, 2) or min(numbers) < 8:
        raise ConfigError(f"resolution is {value!r}, but must be a number of pixels or width,height.")
    return numbers[0], numbers[-1]


def _add_subset(dataset: TrainDataset, subset: Subset, ears: Ears) -> None:
    """Find a subset's images, look through each, read captions. Broken images are passed over with a warning."""
    if not subset.image_dir.is_dir():
        raise DatasetError(f"The image folder {subset.image_dir} does not exist.", "Check image_dir in dataset.toml.")
    paths = image_files(subset.image_dir)
    frequency: Counter[str] = Counter()
    without: list[str] = []
    for path, size in zip(paths, _look_through_all(paths, ears), strict=True):
        if isinstance(size, str):
            ears.warn(f"{path.name} is left out: it cannot be read as an image ({size}).")
            continue
        caption = read_caption(path, subset.caption_extension, subset.captions.enable_wildcard)
        if not caption:
            without.append(path.name)
            caption = subset.class_tokens or ""
        frequency.update(tag.strip().lower() for tag in caption.split(",") if tag.strip())
        dataset.images.append(TrainImage(path, caption, size, subset.num_repeats, subset))
        subset.count += 1
    if without:
        used = f"class_tokens {subset.class_tokens!r} is used" if subset.class_tokens else "an empty caption is used"
        ears.warn(f"{len(without)} image(s) in {subset.image_dir} have no caption in a {subset.caption_extension} file "
                  f"({', '.join(without[:5])}); {used}.")
    if not subset.count:
        ears.warn(f"{subset.image_dir} is left out: there is no image in it.")
        return
    dataset.subsets.append(subset)
    dataset.tag_frequency[subset.image_dir.name] = dict(frequency)


def _look_through_all(paths: list[Path], ears: Ears) -> list[Size | str]:
    """`_look_through` of each, several at once."""
    found: list[Size | str] = []
    pool = ThreadPoolExecutor(min(MOST_READERS, os.cpu_count() or 1), "looking")
    try:
        ears.tell(0, len(paths))
        for size in pool.map(_look_through, paths):
            found.append(size)
            ears.check()
            ears.tell(len(found), len(paths))
    finally:
        pool.shutdown(cancel_futures=True)
    return found


def _look_through(path: Path) -> Size | str:
    """Width and height as shown, or what is wrong with the file.

    Every byte of it is decoded: a file that is cut off would else end the training in the middle.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            orientation, size = picture.getexif().get(0x0112, 1), picture.size
            picture.draft("RGB", (size[0] // 8 or 1, size[1] // 8 or 1))  # a JPEG is read whole, but only an eighth of it is worked out
            picture.load()
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        return str(error)
    return size if orientation < 5 else size[::-1]


def _balance(dataset: TrainDataset, warn: Callable[[str], None]) -> None:
    """Bring regularisation images to the number of training images, as sd-scripts does."""
    training = [image for image in dataset.images if not image.subset.is_reg]
    regular = [image for image in dataset.images if image.subset.is_reg]
    dataset.num_train_images = sum(image.repeats for image in training)
    dataset.num_reg_images = sum(image.repeats for image in regular)
    dataset.images = training
    if dataset.num_reg_images > dataset.num_train_images:
        warn(f"There are more regularisation images ({dataset.num_reg_images}) than training images ({dataset.num_train_images}); "
             "some are not used.")
    count, first = 0, True
    while regular and count < dataset.num_train_images:
        for image in regular:
            if first:
                dataset.images.append(image)
                count += image.repeats
            else:
                image.repeats += 1
                count += 1
            if count >= dataset.num_train_images:
                break
        first = False


def batches_per_epoch(datasets: list[TrainDataset]) -> int:
    """How many batches one pass through every dataset takes."""
    return sum(-(-len(bucket) // dataset.batch_size) for dataset in datasets for bucket in dataset.buckets().values())


def plan_epoch(datasets: list[TrainDataset], seed: int, epoch: int) -> list[PlannedBatch]:
    """The batches of an epoch in order: a pure function of the data, the seed and the epoch.

    Each bucket is shuffled and cut into batches (the last may be smaller), then all batches are shuffled.

    Args: epoch: counted from 1.
    """
    chance = random.Random(f"{seed}/{epoch}")
    batches: list[tuple[TrainImage, ...]] = []
    for dataset in datasets:
        for bucket in dataset.buckets().values():
            order = list(bucket)
            chance.shuffle(order)
            batches += [tuple(order[start:start + dataset.batch_size]) for start in range(0, len(order), dataset.batch_size)]
    chance.shuffle(batches)
    return [PlannedBatch(images, epoch, place, seed) for place, images in enumerate(batches)]
