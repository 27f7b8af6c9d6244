"""The layouts by name. To add one: a module here with a subclass of `Layout`, its entry, a test, a line in docs/export.md."""

from core.base.registry import Entry, Registry
from core.dataset.export.layouts.layout import Layout

LAYOUTS: Registry[type[Layout]] = Registry(
    "layout",
    Entry("kohya", "core.dataset.export.layouts.kohya:Kohya", "kohya (sd-scripts, kohya_ss)",
          "https://github.com/kohya-ss/sd-scripts",
          note="Folders that name their repeats, for sd-scripts, kohya_ss and everything built on them."),
    Entry("in_place", "core.dataset.export.layouts.in_place:InPlace", "sd-scripts, without a copy",
          "https://github.com/kohya-ss/sd-scripts",
          note="A dataset file that points at this project's pictures where they lie."),
    Entry("onetrainer", "core.dataset.export.layouts.onetrainer:OneTrainer", "OneTrainer", "https://github.com/Nerogar/OneTrainer",
          note="Pictures, captions and masks side by side."),
    Entry("ai_toolkit", "core.dataset.export.layouts.ai_toolkit:AiToolkit", "ai-toolkit", "https://github.com/ostris/ai-toolkit",
          note="Pictures, captions with [trigger], and the part of a config that tells of them."),
    Entry("imagefolder", "core.dataset.export.layouts.imagefolder:ImageFolder", "Hugging Face (imagefolder)",
          "https://huggingface.co/docs/datasets/image_dataset",
          note="Pictures with metadata.jsonl, which Hugging Face and the library datasets read."),
)
