"""Write tags beside the images of a folder; flags as users of sd-scripts' tag_images_by_wd14_tagger.py know them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core.base.errors import ConfigError, StudioError
from core.base.paths import typed_path
from core.base.progress import Progress
from core.dataset.captions.taggers import TAGGERS
from core.dataset.captions.tagging import TagReport, TagSettings, tag_images
from core.dataset.items import folder_items

DEFAULT_REPO = "SmilingWolf/wd-v1-4-convnext-tagger-v2"


class Terminal(Progress):
    """One line that moves, and warnings above it."""

    def report_step(self, item: str) -> None:
        left = self.seconds_left()
        time_left = "" if left is None else f", {left:.0f} s left"
        sys.stderr.write(f"\r{self.what}: {self.done}/{self.total}{time_left}\x1b[K")
        if self.done == self.total:
            sys.stderr.write("\n")
        sys.stderr.flush()

    def warn(self, message: str) -> None:
        sys.stderr.write(f"\r\x1b[K{message}\n")


def build_parser() -> argparse.ArgumentParser:
    """The flags."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("train_data_dir", type=Path, help="folder with images")
    add("--repo_id", default=DEFAULT_REPO, help=f"repository on Hugging Face, or a name: {', '.join(TAGGERS.names())}")
    add("--model_dir", default="wd14_tagger_model", help="folder that holds model.onnx, or where models are downloaded to")
    add("--force_download", action="store_true", help="download even if the model is there")
    add("--batch_size", type=int, default=1)
    add("--max_data_loader_n_workers", type=int, default=0, help="decoding threads; 0 chooses")
    add("--caption_extension", "--caption_extention", default=".txt")
    add("--thresh", type=float, default=0.35, help="least score of a tag")
    add("--general_threshold", type=float, help="the same for general tags only")
    add("--character_threshold", type=float, help="the same for characters only")
    add("--recursive", action="store_true", help="also subfolders")
    add("--remove_underscore", action="store_true", help="spaces for underscores")
    add("--undesired_tags", default="", help="tags that are never written, with commas between")
    add("--append_tags", action="store_true", help="add to captions that exist instead of overwriting them")
    add("--use_rating_tags", action="store_true", help="begin with the rating")
    add("--use_rating_tags_as_last_tag", action="store_true", help="end with the rating")
    add("--character_tags_first", action="store_true")
    add("--character_tag_expand", action="store_true", help="name (series) becomes two tags")
    add("--always_first_tags", default="", help="tags that stand first where they are found: 1girl,1boy")
    add("--caption_separator", default=", ")
    add("--tag_replacement", default="", help="old1,new1;old2,new2")
    add("--frequency_tags", action="store_true", help="print how often each tag was chosen")
    add("--debug", action="store_true", help="print each caption")
    add("--onnx", action="store_true", help="accepted; ONNX is always used")
    add("--device", choices=("auto", "cuda", "cpu"), default="auto")
    return parser


def settings_from(args: argparse.Namespace) -> TagSettings:
    """The flags as settings of the stage. Raises: ConfigError."""
    values = {name: getattr(args, name) for name in TagSettings.fields() if hasattr(args, name)}
    slug = args.repo_id.replace("/", "_")
    folders = [typed_path(args.model_dir), typed_path(args.model_dir) / slug]
    local = next((folder for folder in folders if (folder / "model.onnx").is_file()), None) if not args.force_download else None
    named = args.repo_id in TAGGERS
    values.update(
        tagger=args.repo_id if named else "wd-convnext-v2",
        repo_id="" if named or local else args.repo_id,
        model_dir=str(local) if local else "",
        download_dir="" if local else args.model_dir,
        general_threshold=args.thresh if args.general_threshold is None else args.general_threshold,
        character_threshold=args.thresh if args.character_threshold is None else args.character_threshold,
        existing="merge" if args.append_tags else "overwrite",
        usual_blacklist=False, drop_overlap=False)
    return TagSettings.make(**values)


def main(arguments: Sequence[str] | None = None) -> int:
    """Tag the folder. Returns: 0; 1 with the reason on stderr; 130 when it was interrupted (what is written stays)."""
    args = build_parser().parse_args(arguments)
    try:
        if not args.caption_extension.startswith("."):
            raise ConfigError(f"--caption_extension must begin with a dot, but is {args.caption_extension!r}.")
        items = folder_items(typed_path(args.train_data_dir), args.recursive, args.caption_extension)
        report = tag_images(items, settings_from(args), Terminal())
    except StudioError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted. Captions written so far stay.\n")
        return 130
    show(report, args, [item.caption_path for item in items])
    return 0


def show(report: TagReport, args: argparse.Namespace, captions: Sequence[Path]) -> None:
    """Print the result."""
    if args.debug:
        for path in captions:
            if path.exists():
                print(f"{path}: {path.read_text(encoding='utf-8')}")
    if args.frequency_tags:
        for tag, count in report.tags.most_common():
            print(f"{tag}: {count}")
    print(f"{report.sentence()} Tagger {report.tagger}, computed by {report.provider}, {report.seconds:.1f} s.")


if __name__ == "__main__":
    sys.exit(main())
