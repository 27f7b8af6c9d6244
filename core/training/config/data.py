"""What it learns from: folders of pictures, their size, and how pictures and captions vary."""

from __future__ import annotations

from typing import Any, ClassVar

from core.base.settings import Settings, setting
from core.training.config.part import Family, Part


class Subset(Settings):
    """One folder of pictures with captions."""

    title: ClassVar[str] = "Folder"

    image_dir: str = setting(..., "Folder", "Folder with the pictures and their captions side by side.", min_length=1)
    num_repeats: int = setting(1, "Repeats", "How often each picture is seen in one epoch.", ge=1, le=10000,
                               source="training-reference: ceil(200 / images)")
    class_tokens: str | None = setting(None, "Caption where none is", "Used for pictures without a caption file.", level="advanced")
    is_reg: bool = setting(False, "Regularisation", "Pictures of what must stay as it is, not of what is to be learned.", level="advanced")
    caption_extension: str = setting(".txt", "Caption files", "Ending of the caption files.", level="expert", pattern=r"^\.[A-Za-z0-9]+$")


class DataSettings(Part):
    """Which pictures, at which size, and how pictures and captions vary."""

    title: ClassVar[str] = "Dataset"
    section: ClassVar[str] = "data"
    general: ClassVar[tuple[str, ...]] = (
        "shuffle_caption", "keep_tokens", "caption_separator", "keep_tokens_separator", "secondary_separator", "enable_wildcard",
        "caption_prefix", "caption_suffix", "caption_dropout_rate", "caption_dropout_every_n_epochs", "caption_tag_dropout_rate",
        "flip_aug", "color_aug", "random_crop")
    """Written into `[general]` of `dataset.toml`."""
    dataset: ClassVar[tuple[str, ...]] = ("batch_size", "enable_bucket", "min_bucket_reso", "max_bucket_reso", "bucket_reso_steps",
                                          "bucket_no_upscale")
    """Written into `[[datasets]]` of `dataset.toml`, beside `resolution`."""
    elsewhere: ClassVar[tuple[str, ...]] = (*general, *dataset, "subsets", "num_repeats", "resolution", "resolution_height")

    subsets: list[Subset] = setting([], "Folders", "Folders of pictures, each with its own repeats.")
    num_repeats: int | None = setting(None, "Repeats", "How often each of your pictures is seen in one epoch. Empty: fitted to their "
                                      "number, so that an epoch shows about 200.", ge=1, le=10000,
                                      source="training-reference: ceil(200 / images)")
    """`fitting.with_own_folder` gives it to the project's own folder; in `[[datasets]]` it holds for folders that say none."""
    resolution: int = setting(512, "Resolution", "Side of the training pictures: 512 for SD 1.5, 1024 for SDXL.", unit="px", ge=32, le=8192)
    resolution_height: int | None = setting(None, "Height", "Another height than width; empty means a square.", level="advanced", unit="px",
                                            ge=32, le=8192)
    batch_size: int = setting(2, "Batch size", "Pictures in one batch. Lower it when memory runs out.", ge=1, le=512,
                              source="training-reference: SD 1.5 2, SDXL 4")
    enable_bucket: bool = setting(True, "Keep proportions",
                                  "Sort pictures into buckets of like proportions instead of cropping all to one.",
                                  level="advanced")
    min_bucket_reso: int = setting(256, "Shortest side", "No bucket is narrower.", level="advanced", unit="px", ge=8)
    max_bucket_reso: int = setting(1024, "Longest side", "No bucket is longer.", level="advanced", unit="px", ge=8,
                                   source="training-reference: SD 1.5 256-1024, SDXL 256-4096")
    bucket_reso_steps: int = setting(64, "Bucket step", "Sides of buckets are multiples of this.", level="expert", unit="px", ge=8)
    bucket_no_upscale: bool = setting(False, "Never enlarge", "Small pictures get buckets of their own size.", level="advanced")
    shuffle_caption: bool = setting(True, "Shuffle tags", "Another order of the tags at each step, so that none depends on its place.")
    keep_tokens: int = setting(1, "Keep first tags", "So many tags at the front stay there: 1 for a trigger word.", ge=0,
                               source="training-reference: 1 for both families")
    caption_dropout_rate: float = setting(0.0, "Empty captions", "Share of pictures that are shown without their caption.",
                                          level="advanced", ge=0, le=1)
    caption_dropout_every_n_epochs: int = setting(0, "Empty each n-th epoch", "Every so many epochs all captions are left out; 0 for "
                                                  "never.", level="expert", unit="epochs", ge=0)
    caption_tag_dropout_rate: float = setting(0.0, "Left-out tags", "Share of the tags that are left out, others each time; the first tags "
                                              "that are kept stay.", level="advanced", ge=0, le=1)
    enable_wildcard: bool = setting(False, "Wildcards", "One of {red|blue|green} is taken each time, and one line of a caption with "
                                    "several; {{ and }} stand for braces.", level="expert")
    caption_prefix: str | None = setting(None, "Before each caption", "Words that are put before every caption, with a space between.",
                                         level="expert")
    caption_suffix: str | None = setting(None, "After each caption", "Words that are put behind every caption, with a space between.",
                                         level="expert")
    caption_separator: str = setting(",", "Tag separator", "What stands between two tags.", level="expert", min_length=1)
    keep_tokens_separator: str | None = setting(None, "Mark for kept tags", "Such as |||: the tags before it stay in front, those behind a "
                                                "second one at the end. It goes before 'Keep first tags'.", level="expert")
    secondary_separator: str | None = setting(None, "Mark for groups", "Such as ;;;: tags that it joins are moved together, then it "
                                              "becomes a tag separator.", level="expert")
    flip_aug: bool = setting(False, "Mirror pictures", "Also show them mirrored. Not for characters with a side to them.")
    color_aug: bool = setting(False, "Vary colours", "Slightly vary hue and saturation; excludes cached latents.", level="expert")
    random_crop: bool = setting(False, "Random crop", "Cut at a random place instead of the middle; excludes cached latents.",
                                level="expert")
    cache_latents: bool = setting(True, "Cache latents", "Encode each picture once: faster, less memory.", level="advanced")
    cache_latents_to_disk: bool = setting(False, "Latents to disk", "Keep them beside the pictures for the next run.", level="advanced",
                                          source="training-reference: SDXL on")
    cache_text_encoder_outputs: bool = setting(
        False, "Cache captions", "Read each caption once; needs 'Only the U-Net', no shuffled tags and no empty captions.",
        level="advanced")
    cache_text_encoder_outputs_to_disk: bool = setting(False, "Captions to disk", "Keep them beside the pictures.", level="expert")
    max_data_loader_n_workers: int = setting(2, "Loader processes", "Processes that read pictures; 0 reads in the trainer itself.",
                                             level="expert", ge=0, le=64)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the training pictures, px."""
        return self.resolution, self.resolution_height or self.resolution

    def arguments(self, family: Family) -> dict[str, Any]:
        """As `Part.arguments`; the caption cache is an argument of SDXL's script only, so that "off" is not said elsewhere."""
        values = super().arguments(family)
        for name in ("cache_text_encoder_outputs", "cache_text_encoder_outputs_to_disk"):
            if family == "sd15" and not values[name]:
                del values[name]
        return values

    def tables(self) -> dict[str, Any]:
        """The content of `dataset.toml`: one dataset with its subsets, in sd-scripts' layout."""
        width, height = self.size
        values = dict(self)
        subsets = [{name: value for name, value in dict(subset).items() if value is not None} for subset in self.subsets]
        dataset: dict[str, Any] = {"resolution": width if width == height else [width, height]}
        dataset |= {name: values[name] for name in self.dataset}
        if self.num_repeats is not None:
            dataset["num_repeats"] = self.num_repeats
        general = {name: values[name] for name in self.general if values[name] is not None}
        return {"general": general, "datasets": [{**dataset, "subsets": subsets}]}
