"""What it learns from: folders of pictures, their size, and how pictures and captions vary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from core.base.settings import SET, Settings, setting
from core.training.config.facts import known_arguments
from core.training.config.families import UNET, script_for
from core.training.config.part import Part

if TYPE_CHECKING:
    from core.training.config.training import TrainingSettings

LORA = {"method": ("lora",)}


class Subset(Settings):
    """One folder of pictures with captions."""

    title: ClassVar[str] = "Folder"

    image_dir: str = setting(..., "Folder", "Folder with the pictures and their captions side by side.", min_length=1)
    num_repeats: int = setting(1, "Repeats", "How often each picture is seen in one epoch.", ge=1, le=10000,
                               source="training-reference: ceil(200 / images)")
    class_tokens: str | None = setting(None, "Caption where none is", "Used for pictures without a caption file.", level="advanced")
    is_reg: bool = setting(False, "Regularisation", "Pictures of what must stay as it is, not of what is to be learned.", level="advanced")
    keep_tokens: int | None = setting(None, "Keep first tags", "Of this folder alone. Empty: as for all.", level="advanced", ge=0)
    shuffle_caption: bool | None = setting(None, "Shuffle tags", "Of this folder alone. Empty: as for all.", level="advanced")
    flip_aug: bool | None = setting(None, "Mirror pictures", "Of this folder alone. Empty: as for all.", level="advanced")
    caption_dropout_rate: float | None = setting(None, "Empty captions", "Of this folder alone. Empty: as for all.", level="expert", ge=0,
                                                 le=1)
    caption_prefix: str | None = setting(None, "Before each caption", "Of this folder alone. Empty: as for all.", level="advanced")
    caption_suffix: str | None = setting(None, "After each caption", "Of this folder alone. Empty: as for all.", level="expert")
    conditioning_data_dir: str | None = setting(None, "Folder of masks", "Pictures of the same names, for the masked loss: white is "
                                                "learned, black is not.", level="advanced", only={"masked_loss": SET})
    control_directory: str | None = setting(None, "Folder of first pictures", "For models that change pictures (FLUX.1 Kontext, Qwen-Image "
                                            "edit, FLUX.2): the pictures before the change, of the same names.", level="advanced",
                                            only={"family": ("flux1_kontext", "qwen_image", "flux2_dev", "flux2_klein")})
    alpha_mask: bool = setting(False, "Transparency is the mask", "For the masked loss: what is transparent is not learned.",
                               level="advanced", only={"masked_loss": SET})
    caption_extension: str = setting(".txt", "Caption files", "Ending of the caption files.", level="expert", pattern=r"^\.[A-Za-z0-9]+$")


def sides_in_steps(size: tuple[int, int], step: int) -> dict[str, int | None]:
    """The settings of a training size whose sides are multiples of `step`: the next smaller ones, px."""
    width, height = (max(step, side - side % step) for side in size)
    return {"resolution": width, "resolution_height": None if height == width else height}


class DataSettings(Part):
    """Which pictures, at which size, and how pictures and captions vary."""

    title: ClassVar[str] = "Dataset"
    section: ClassVar[str] = "data"
    general: ClassVar[tuple[str, ...]] = (
        "shuffle_caption", "keep_tokens", "caption_separator", "keep_tokens_separator", "secondary_separator", "enable_wildcard",
        "caption_prefix", "caption_suffix", "caption_dropout_rate", "caption_dropout_every_n_epochs", "caption_tag_dropout_rate",
        "token_warmup_min", "token_warmup_step", "flip_aug", "color_aug", "random_crop", "face_crop_aug_range", "resize_interpolation")
    """Written into `[general]` of `dataset.toml`."""
    dataset: ClassVar[tuple[str, ...]] = ("batch_size", "enable_bucket", "min_bucket_reso", "max_bucket_reso", "bucket_reso_steps",
                                          "bucket_no_upscale", "validation_split", "validation_seed")
    """Written into `[[datasets]]` of `dataset.toml`, beside `resolution`."""
    only_built_in: ClassVar[tuple[str, ...]] = ("cache_text_encoder_outputs", "cache_text_encoder_outputs_to_disk")
    """Known to the built-in trainer also where sd-scripts' script does not know them."""
    elsewhere: ClassVar[tuple[str, ...]] = (*general, *dataset, "subsets", "use_versions", "num_repeats", "resolution",
                                            "resolution_height")

    subsets: list[Subset] = setting([], "Folders", "Folders of pictures, each with its own repeats.")
    use_versions: bool = setting(True, "Learn repaired pictures", "Of a picture that was upscaled, repaired or resized the best version is "
                                 "learned, and with the masked loss the masks that were drawn. Off: the pictures themselves.",
                                 level="advanced")
    num_repeats: int | None = setting(None, "Repeats", "How often each of your pictures is seen in one epoch. Empty: fitted to their "
                                      "number, so that an epoch shows about 200.", ge=1, le=10000,
                                      source="training-reference: ceil(200 / images)")
    """`fitting.with_own_folder` gives it to the project's own folder; in `[[datasets]]` it holds for folders that say none."""
    resolution: int = setting(512, "Resolution", "Side of the training pictures: 512 for SD 1.5, 1024 for SDXL.", unit="px", ge=32, le=8192)
    resolution_height: int | None = setting(None, "Height", "Another height than width; empty means a square.", level="advanced", unit="px",
                                            ge=32, le=8192)
    batch_size: int = setting(2, "Batch size", "Pictures in one batch. Lower it when memory runs out.", ge=1, le=512,
                              also=("train_batch_size",), source="training-reference: SD 1.5 2, SDXL 4")
    enable_bucket: bool = setting(True, "Keep proportions",
                                  "Sort pictures into buckets of like proportions instead of cropping all to one.",
                                  level="advanced")
    min_bucket_reso: int = setting(256, "Shortest side", "No bucket is narrower.", level="advanced", unit="px", ge=8,
                                   only={"enable_bucket": SET})
    max_bucket_reso: int = setting(1024, "Longest side", "No bucket is longer.", level="advanced", unit="px", ge=8,
                                   only={"enable_bucket": SET}, source="training-reference: SD 1.5 256-1024, SDXL 256-4096")
    bucket_reso_steps: int = setting(64, "Bucket step", "Sides of buckets are multiples of this.", level="expert", unit="px", ge=8,
                                     only={"enable_bucket": SET})
    bucket_no_upscale: bool = setting(False, "Never enlarge", "Small pictures get buckets of their own size.", level="advanced",
                                      only={"enable_bucket": SET})
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
    token_warmup_step: int | float = setting(0, "Tags come in by and by", "Until this step the captions grow to their full length; below 1 "
                                             "a share of all steps. 0: they are whole from the start.", level="expert", ge=0)
    token_warmup_min: int = setting(1, "Tags at the start", "So many tags a caption has at the first step.", level="expert", ge=1,
                                    only={"token_warmup_step": SET})
    weighted_captions: bool = setting(False, "Weights in captions", "(word:1.3) makes a word count more, as in prompts; then brackets mean "
                                      "nothing else.", level="expert", only={"family": UNET})
    flip_aug: bool = setting(False, "Mirror pictures", "Also show them mirrored. Not for characters with a side to them.")
    color_aug: bool = setting(False, "Vary colours", "Slightly vary hue and saturation; excludes cached latents.", level="expert")
    random_crop: bool = setting(False, "Random crop", "Cut at a random place instead of the middle; excludes cached latents.",
                                level="expert")
    face_crop_aug_range: list[float] = setting([], "Crop around faces", "Two numbers, one a line, such as 2 and 4: pictures are cut to "
                                               "between twice and four times the size of a face whose place is in the file's name. Empty: "
                                               "off. Neither with kept proportions nor with cached latents.", level="expert", max_length=2,
                                               only={"enable_bucket": (False,), "cache_latents": (False,),
                                                     "cache_latents_to_disk": (False,)})
    resize_interpolation: Literal["lanczos", "area", "bicubic", "bilinear", "nearest"] | None = setting(
        None, "Resizing", "How pictures are brought to size. Empty: area for smaller, lanczos for larger ones.", level="expert")
    validation_split: float = setting(0.0, "Kept for validation", "Share of the pictures that is not learned from, but measured on the "
                                      "way: when its loss rises, the LoRA learns by heart. 0: none.", level="advanced", ge=0, lt=1,
                                      only=LORA)
    validation_seed: int | None = setting(None, "Which ones", "Another number keeps other pictures. Empty: the seed of the training.",
                                          level="expert", ge=0, only={"validation_split": SET})
    validate_every_n_epochs: int | None = setting(None, "Measure every … epochs", "Empty: after each epoch.", level="expert",
                                                  unit="epochs", ge=1, only={"validation_split": SET})
    validate_every_n_steps: int | None = setting(None, "Measure every … steps", "Used instead of the epochs.", level="expert",
                                                 unit="steps", ge=1, only={"validation_split": SET})
    max_validation_steps: int | None = setting(None, "Batches measured", "At most so many each time. Empty: all.", level="expert", ge=1,
                                               only={"validation_split": SET})
    cache_latents: bool = setting(True, "Cache latents", "Encode each picture once: faster, less memory.", level="advanced")
    cache_latents_to_disk: bool = setting(False, "Latents to disk", "Keep them beside the pictures for the next run.", level="advanced",
                                          source="training-reference: SDXL on")
    cache_text_encoder_outputs: bool = setting(
        False, "Cache captions", "Read each caption once; needs 'Only the U-Net', no shuffled tags and no empty captions.",
        level="advanced")
    cache_text_encoder_outputs_to_disk: bool = setting(False, "Captions to disk", "Keep them beside the pictures.", level="expert")
    skip_cache_check: bool = setting(False, "Trust the caches", "Do not look whether caches on the disk are whole: starts sooner with many "
                                     "pictures.", level="expert")
    max_data_loader_n_workers: int = setting(2, "Loader processes", "Processes that read pictures; 0 reads in the trainer itself.",
                                             level="expert", ge=0, le=64)
    persistent_data_loader_workers: bool = setting(False, "Keep loader processes", "Do not start them anew for each epoch: quicker between "
                                                   "epochs, more main memory.", level="expert", only={"max_data_loader_n_workers": SET})

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the training pictures, px."""
        return self.resolution, self.resolution_height or self.resolution

    def arguments(self, whole: TrainingSettings) -> dict[str, Any]:
        """As `Part.arguments`; the caption cache is not said to be off where the script does not know it."""
        known = known_arguments(script_for(whole.model.family, "lora"))
        return {name: value for name, value in super().arguments(whole).items() if name not in self.only_built_in or value or name in known}

    def tables(self, whole: TrainingSettings) -> dict[str, Any]:
        """The content of `dataset.toml`: one dataset with its subsets, in sd-scripts' layout; what does not act is left out."""
        acting, (width, height) = self.acting(whole), self.size
        dataset: dict[str, Any] = {"resolution": width if width == height else [width, height]}
        dataset |= {name: acting[name] for name in self.dataset if name in acting}
        if self.num_repeats is not None:
            dataset["num_repeats"] = self.num_repeats
        general = {name: acting[name] for name in self.general if acting.get(name) not in (None, [])}
        subsets = [_subset_table(whole, subset) for subset in self.subsets]
        return {"general": general, "datasets": [{**dataset, "subsets": subsets}]}


def _subset_table(whole: TrainingSettings, subset: Subset) -> dict[str, Any]:
    """One folder; its masks only with the masked loss: sd-scripts refuses, or would mask all the same."""
    from core.training.config.applying import acting_of_folder

    only_on = ("alpha_mask", "is_reg")  # the schema of folders with masks does not have them
    return {name: value for name, value in acting_of_folder(whole, subset).items() if value or name not in only_on}
