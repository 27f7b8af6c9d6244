"""Do the files that the settings name exist, and would there be anything to train from?

sd-scripts ends with exit code 0 when it finds no picture, and reads a folder without captions as uncaptioned; so this is
looked at before. The model's family is read from its header: with the wrong one a run ends after minutes of loading.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

from core.base.errors import ConfigError, ModelError
from core.base.families import TRAINED, caption_family
from core.base.findings import Finding
from core.base.paths import is_demo_model, looks_like_a_place, place_of
from core.base.tensor_headers import read_header
from core.dataset.images.files import IMAGE_SUFFIXES
from core.diffusion import FAMILIES
from core.diffusion.checkpoints import family_of
from core.diffusion.kinds import TITLES, Kind, kind_of
from core.training.config.applying import why_not
from core.training.config.components import check_components
from core.training.config.counting import Totals, count_steps
from core.training.config.data import Subset
from core.training.config.families import KLEIN_VERSION, trained_model
from core.training.config.finding import SettingFinding, finding, missing_file
from core.training.config.model import ModelSettings
from core.training.config.musubi_combinations import is_distilled_klein
from core.training.config.presets import preset_names
from core.training.config.training import TrainingSettings

FAMILY_NAMES = {**TITLES, **{name: caption_family(name).title for name in TRAINED}}
"""Families as the forms call them."""
SHOWN = 3
CHUNK = 64
"""Captions that a thread reads in one go."""
LONGEST = 10_000
"""Steps that the Colab trainers refuse to exceed."""


def image_files(folder: Path) -> list[Path]:
    """The pictures of a folder that every trainer reads, sorted; not those of folders inside it, and no hidden ones.

    The one list of both trainers. Source: glob_images in sd-scripts' library/train_util.py: "*" with each ending in small or in
    capital letters; glob passes over names that begin with a dot ("._a.png" of macOS, ".ipynb_checkpoints").
    """
    endings = (*IMAGE_SUFFIXES, *(suffix.upper() for suffix in IMAGE_SUFFIXES))
    with os.scandir(folder) as entries:  # tells files from folders without a look at each, which counts on a network drive
        names = [entry.name for entry in entries
                 if entry.name.endswith(endings) and not entry.name.startswith(".") and _is_file(entry)]
    return [Path(folder) / name for name in sorted(names)]


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError as error:
        if error.errno == errno.ELOOP:  # a link to itself is as little as one that leads nowhere
            return False
        raise


def totals_of(settings: TrainingSettings) -> Totals:
    """What a run of these settings amounts to, with the pictures as they lie there now. Raises: ConfigError: there is none."""
    return count_steps(settings, image_counts(settings))


def image_counts(settings: TrainingSettings) -> list[int]:
    """Pictures in each folder, 0 where it is missing: what `count_steps` takes."""
    folders = [place_of(subset.image_dir) for subset in settings.data.subsets]
    return [len(image_files(folder)) if folder.is_dir() else 0 for folder in folders]


def check_sources(settings: TrainingSettings, backend: str = "sd-scripts", own: Path | None = None) -> list[Finding]:
    """What is wrong with the files that the settings name, errors first; reads captions, opens no picture.

    Args:
        backend: "sd-scripts" or "builtin"; the built-in trainer bears some things that end sd-scripts.
        own: the project's own folder of pictures, which is filled by importing.
    """
    found = [*_models(settings, backend), *_folders(settings, backend, own)]
    if not any(finding.level == "error" for finding in found):
        found += _totals(settings)
    return sorted(found, key=lambda finding: finding.level != "error")


def _models(settings: TrainingSettings, backend: str) -> Iterator[Finding]:
    model = settings.model.pretrained_model_name_or_path
    if model and place_of(model).exists():
        if (judged := judge_model(place_of(model), settings.model, backend)).level == "error":
            yield judged
    elif model and looks_like_a_place(model):
        yield missing_file("model", model, "Choose another, or download it again.")
    yield from check_components(settings)
    for title, value in (("LoRA to continue", settings.network.network_weights), ("state to resume from", settings.saving.resume),
                         ("tokenizer folder", settings.model.tokenizer_cache_dir)):
        if value and not place_of(value).exists():
            yield missing_file(title, value, "Choose another, or leave it empty.")


def cannot_open(path: Path) -> Finding | None:
    """What keeps a model on this machine from being opened by the built-in trainer, None where nothing does."""
    try:
        family_of(path)
    except ModelError as error:
        return Finding("error", f"The model cannot be trained: {error.message}", error.hint)
    except OSError as error:
        return Finding("error", f"The model {path} cannot be read: {error}.", "Check the rights of the file.")
    return None


def judge_model(path: Path, model: ModelSettings, backend: str = "") -> Finding:
    """Whether a base model that is there is what the settings say: info, warning (only sd-scripts opens it), or error; from its header.

    The one judgement of the form's field and of Check. The built-in trainer takes the file's word for its prediction.
    """
    if path.is_file() and path.suffix != ".safetensors":
        return Finding("warning", f"{path.name} is no .safetensors file, so that nothing can be told of it.",
                       "Only the sd-scripts trainer opens older formats.")
    trouble, wanted, kind = cannot_open(path), model.family, None
    called = "The demo model" if is_demo_model(path) else path.name
    with contextlib.suppress(ModelError, OSError):
        kind = kind_of(path)
    found = kind.family if kind is not None else ""
    if trouble is not None and (kind is None or found in FAMILIES):
        return trouble  # broken, no base model, or for inpainting
    if trained_model(wanted).trainer == "musubi" and (wrong := _not_for_musubi(path, kind, model)):
        return wrong
    if found != wanted and (found, wanted) != ("flux1", "flux1_kontext"):
        remedy = f"Choose a preset for {FAMILY_NAMES[found]}, or another model." if found in TRAINED else "Choose another model."
        what = f"{called} is made for {FAMILY_NAMES[found]}, but the settings are for {FAMILY_NAMES[wanted]}."
        if is_demo_model(path):
            return SettingFinding("error", what, "Use the preset Demo, or choose another model.", preset="demo")
        return SettingFinding("error", what, remedy, preset=_preset_for(found, kind))
    if kind is not None and (wrong := _wrong_prediction(path, kind.prediction, model, backend)):
        return wrong
    if trouble is not None:
        return Finding("warning", f"{called} is made for {FAMILY_NAMES[found]}.",
                       f"Only the {trained_model(wanted).trainer} trainer knows this family.")
    return Finding("info", f"{called} is made for {FAMILY_NAMES[found]}.")


def _preset_for(family: str, kind: Kind | None) -> str:
    """The preset to begin with for a model; empty: there is none."""
    names = preset_names(family)
    of_v = [name for name in names if "vpred" in name]
    fitting = of_v if kind is not None and kind.prediction == "v" else [name for name in names if name not in of_v]
    return next(iter([*fitting, *names]), "")


def _not_for_musubi(path: Path, kind: Kind | None, model: ModelSettings) -> Finding | None:
    """What musubi-tuner cannot train of FLUX.2, Qwen-Image, Z-Image and Kontext: folders, the distilled klein, another size of it."""
    if path.is_dir():
        return Finding("error", f"{path.name} is a folder of diffusers, which musubi-tuner does not open.",
                       "Choose the model's one .safetensors file in the original layout.")
    if model.family != "flux2_klein" or kind is None or kind.family != "flux2_klein":
        return None
    if is_distilled_klein(path.name, read_header(path).metadata):
        return Finding("error", f"{path.name} is, by its name, the distilled FLUX.2 klein, which collapses or turns grey in a training.",
                       "Choose the base model (flux-2-klein-base-4b or -9b); its LoRA works on the distilled one too.")
    version = model.model_version or KLEIN_VERSION
    if kind.version and not version.endswith(kind.version):
        right = f"klein-base-{kind.version}"
        return finding("error", f"{path.name} is the klein of {kind.version.upper()}, but the settings say {version}.",
                       f"Set 'Version' (model_version) to {right}.", "The file's own header says so.", model_version=right)
    return None


def _wrong_prediction(path: Path, prediction: str, model: ModelSettings, backend: str) -> Finding | None:
    """That the file predicts otherwise than the settings say; None where they agree or the file does not say it."""
    if not prediction or (prediction == "v") == model.v_parameterization:
        return None
    if prediction == "v" and backend == "builtin":
        return None
    level: Literal["error", "warning"] = "error" if backend else "warning"
    if prediction == "v":
        return finding(level, f"{path.name} predicts v, but v-prediction (v_parameterization) is off: the result would be noise.",
                       "Switch v_parameterization on.", "The file's own header says so.", v_parameterization=True)
    return finding(level, f"{path.name} predicts noise, but v-prediction (v_parameterization) is on: the result would be noise.",
                   "Switch v_parameterization off.", "The file's own header says so.", v_parameterization=False)


def _folders(settings: TrainingSettings, backend: str, own: Path | None) -> Iterator[Finding]:
    subsets = settings.data.subsets
    if not any(not subset.is_reg for subset in subsets):
        yield Finding("error", "There is no folder of pictures to learn from.", "Choose the project's images.")
    seen = Counter(str(place_of(subset.image_dir)) for subset in subsets)
    for folder, times in seen.items():
        if times > 1:
            yield Finding("error", f"The folder {folder} is given {times} times; only the first would count.", "Raise its repeats instead.")
    for subset in subsets:
        yield from _folder(subset, backend, own, settings.data.enable_wildcard)


def _folder(subset: Subset, backend: str, own: Path | None, wildcards: bool) -> Iterator[Finding]:
    folder = place_of(subset.image_dir)
    if folder.is_file():
        yield Finding("error", f"The folder {folder} is a file.", "Choose a folder with pictures.")
        return
    if not folder.is_dir():
        yield missing_file("folder", subset.image_dir, "Choose a folder with pictures.")
        return
    images = image_files(folder)
    if not images:
        if own is not None and folder.absolute() == own:
            yield Finding("error", "This project has no pictures yet.", "Import some in Dataset_Maker (panel Import).")
        else:
            yield Finding("error", f"There is no picture in the folder {folder}.",
                          f"Choose a folder with {', '.join(IMAGE_SUFFIXES)} files; folders inside it are not read.")
        return
    with os.scandir(folder) as entries:  # once: to ask for each caption takes minutes on a network drive
        there = {entry.name for entry in entries if _is_file(entry)}
    mixed = sorted(name for name in there if (suffix := f".{name.rpartition('.')[2]}").lower() in IMAGE_SUFFIXES
                   and suffix not in (suffix.lower(), suffix.upper()))
    if mixed:
        yield Finding("warning", f"Pictures in {folder} are passed over for the spelling of their ending ({_some(mixed)}).",
                      "Write their endings in small letters, as .png or .jpg.")
    missing = [image.name for image in images if image.stem + subset.caption_extension not in there]
    if missing and backend == "musubi":
        yield Finding("error" if len(missing) == len(images) else "warning", f"{len(missing)} of {len(images)} pictures in {folder} have "
                      f"no caption ({_some(missing)}); musubi-tuner leaves them out.", "Caption them.")
    elif missing and subset.class_tokens is None:
        all_missing = len(missing) == len(images)
        yield Finding("warning", f"{len(missing)} of {len(images)} pictures in {folder} have no caption ({_some(missing)}).",
                      f"Check the ending of the caption files ({subset.caption_extension})." if all_missing else
                      "Caption them, or give a caption for those without (class_tokens).")
    stems = Counter(image.stem for image in images)
    if twice := [stem for stem, times in stems.items() if times > 1]:
        yield Finding("warning", f"Pictures in {folder} share a caption file ({_some(twice)}).", "Give one of them another name.")
    captions = sorted({image.stem + subset.caption_extension for image in images} & there)
    if backend == "sd-scripts":
        yield from _taken_from_others(folder, missing, subset.caption_extension)
    yield from _captions(folder, captions, backend, wildcards)


def _taken_from_others(folder: Path, missing: list[str], extension: str) -> Iterator[Finding]:
    """sd-scripts takes the last four parts between underscores of a path for the place of a face, and looks for the rest's caption."""
    taken = []
    for name in missing:
        parts = str(folder / Path(name).stem).split("_")
        other = Path("_".join(parts[:-4]) + extension) if len(parts) >= 5 else None
        if other is not None and other.is_file():
            taken.append((name, other))
    if taken:
        name, other = taken[0]
        yield Finding("warning", f"{len(taken)} pictures without a caption in {folder} get that of another file from sd-scripts, which "
                      f"takes the end of their path for the place of a face ({name}: {other}).", "Write captions of their own.")


def _captions(folder: Path, names: list[str], backend: str, wildcards: bool) -> Iterator[Finding]:
    """Args: names: of the caption files, sorted. wildcards: all of their lines are read."""
    with ThreadPoolExecutor(max(4, 2 * (os.cpu_count() or 1))) as pool:  # most of the time is waiting for the disk
        found = dict(zip(names, pool.map(lambda name: _of_caption(folder / name), names, chunksize=CHUNK), strict=True))
    empty, broken, marked, several = ([name for name, what in found.items() if what == kind]
                                      for kind in ("empty", "broken", "marked", "several"))
    ends = "which ends sd-scripts" if backend == "sd-scripts" else "which ends the training"
    if empty and backend == "sd-scripts":
        yield Finding("error", f"{len(empty)} caption files in {folder} are empty ({_some(empty)}), {ends}.",
                      "Write a caption, or remove the file.")
    elif empty:
        yield Finding("warning", f"{len(empty)} caption files in {folder} are empty ({_some(empty)}) and count as missing.",
                      "Write a caption.")
    if marked and backend == "sd-scripts":
        yield Finding("warning", f"{len(marked)} caption files in {folder} begin with an invisible mark (a BOM), which sd-scripts makes a "
                      f"part of the first tag ({_some(marked)}).", "Save them again as UTF-8 without BOM; Dataset_Maker does so.")
    if several and backend == "sd-scripts" and not wildcards:
        yield Finding("warning", f"{len(several)} caption files in {folder} have several lines, of which sd-scripts reads the first alone "
                      f"({_some(several)}).", "Write each caption in one line, or switch 'Wildcards' (enable_wildcard) on.")
    if broken:
        yield Finding("error", f"{len(broken)} caption files in {folder} are not UTF-8 ({_some(broken)}), {ends}.",
                      "Save them again as UTF-8.")


def _of_caption(path: Path) -> Literal["", "empty", "broken", "marked", "several"]:
    """What is wrong with a caption file."""
    try:
        data = path.read_bytes()
        text = data.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        return "broken"
    if not text:
        return "empty"
    return "marked" if data.startswith(codecs.BOM_UTF8) else "several" if "\n" in text else ""


def _totals(settings: TrainingSettings) -> Iterator[Finding]:
    try:
        totals = totals_of(settings)
    except ConfigError as error:
        yield Finding("error", error.message, error.hint)
        return
    if totals.steps > LONGEST:
        yield Finding("warning", f"The run has {totals.steps} steps; a LoRA seldom needs {LONGEST}.",
                      "Lower the repeats (num_repeats), the epochs (max_train_epochs) or the steps (max_train_steps).")
    if 1 <= settings.schedule.lr_warmup_steps >= totals.steps and not why_not(settings, "lr_warmup_steps"):
        yield finding("warning", f"The warm-up of {settings.schedule.lr_warmup_steps} steps is as long as the whole training "
                      f"({totals.steps} steps).", "5 % is usual: 0.05.", lr_warmup_steps=0.05)


def _some(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
