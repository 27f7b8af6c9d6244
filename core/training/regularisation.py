"""Regularisation pictures drawn by the base model itself: what ordinary prompts give must stay what they give.

The prior preservation of DreamBooth (https://arxiv.org/abs/2208.12242, section 3.2), in kohya's form: a folder with
`is_reg = true` whose captions do not contain the trigger word.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.base.errors import ConfigError, DatasetError
from core.base.files import safe_stem, write_text, write_with
from core.base.paths import typed_path
from core.base.progress import SILENT, Progress
from core.base.settings import setting
from core.dataset.captions.files import caption_path_for, read_caption
from core.training.config.sources import image_files
from core.training.drawing import AS_TRAINED, DrawingSettings, arguments_of, load_to_draw

if TYPE_CHECKING:
    from core.training.config import TrainingSettings


class RegularisationSettings(DrawingSettings):
    """What the base model draws so that training does not spoil it."""

    model: str = setting("", "Base model", "The checkpoint or diffusers folder that will be trained.")
    prompts: list[str] = setting([], "Prompts", "One picture is drawn for each; without your trigger word.")
    negative: str = setting("", "Negative prompt", level="advanced")
    width: int = setting(512, "Width", ge=32, le=2048, unit="px")
    height: int = setting(512, "Height", ge=32, le=2048, unit="px")
    steps: int = setting(30, "Steps", ge=1, le=200, level="advanced")
    guidance: float = setting(7.5, "Guidance", ge=0, le=30, level="advanced")
    seed: int = setting(1, "Seed", ge=0, level="advanced", help="The first picture's; the others count up from it.")
    batch_size: int = setting(4, "Pictures at once", "Lower it when memory runs out.", level="advanced", ge=1, le=64)
    folder: str = setting("regularisation", "Folder", "Inside the project.", level="advanced")


@dataclass(frozen=True)
class RegularisationReport:
    """What was drawn."""

    folder: Path
    drawn: int
    kept: int
    """Pictures of an earlier, interrupted call that were there already."""
    others: int = 0
    """Pictures in the folder that come from elsewhere: another model, other prompts, another size. They would be trained too."""

    def sentence(self) -> str:
        """One or two sentences."""
        text = f"{self.drawn} regularisation pictures drawn, {self.kept} were there, in {self.folder}."
        return text + (f" {self.others} others, drawn with other settings, lie there too; move them away if they are not wanted."
                       if self.others else "")


def settings_for(training: TrainingSettings, wanted: RegularisationSettings) -> RegularisationSettings:
    """The settings with model, size and all that changes a picture as this training means it: what it may spoil is what it draws now."""
    width, height = training.data.size
    return wanted.changed(model=training.model.pretrained_model_name_or_path or "", width=width, height=height,
                          **wanted.filled(arguments_of(training)))


def words_of(picture: Path) -> str:
    """A picture's caption; its name where there is none, and why where it cannot be read."""
    try:
        return read_caption(caption_path_for(picture)).text or picture.stem
    except DatasetError as error:
        return str(error)


def draw_regularisation(project_folder: Path, settings: RegularisationSettings, progress: Progress = SILENT) -> RegularisationReport:
    """Draw one picture with a caption for each prompt into the project's regularisation folder.

    A picture that is there already is not drawn again, so an interrupted call can be repeated. Its name holds what it was drawn
    with, so that another model or another setting never takes an earlier picture for its own.

    Raises:
        ConfigError: no model or no prompt. ModelError: the model cannot be loaded, or draws nothing (NaN).
        Cancelled: what was drawn stays.
    """
    if not settings.model or not settings.prompts:
        raise ConfigError("Regularisation needs a base model and at least one prompt.", "Give both.")
    folder = Path(project_folder) / safe_stem(settings.folder, "regularisation")
    wanted = [(prompt, settings.seed + index) for index, prompt in enumerate(settings.prompts)]
    targets = {folder / f"reg_{seed:06d}_{_mark(settings, prompt, seed)}.png": (prompt, seed) for prompt, seed in wanted}
    missing = [path for path in targets if not (path.is_file() and path.with_suffix(".txt").is_file())]
    progress.start("Drawing regularisation pictures", len(missing))
    if missing:
        _draw(settings, {path: targets[path] for path in missing}, progress)
    others = len(set(image_files(folder)) - set(targets))
    return RegularisationReport(folder, len(missing), len(targets) - len(missing), others)


def _mark(settings: RegularisationSettings, prompt: str, seed: int) -> str:
    """Eight letters that tell what a picture is drawn with: model and VAE (place, and for a file size and time) and every setting."""
    files = [_trace(settings.model), _trace(settings.vae) if settings.vae else []]
    drawn = [settings.negative, settings.width, settings.height, settings.steps, settings.guidance]
    facts = [files, prompt, seed, drawn, {name: getattr(settings, name) for name in AS_TRAINED}]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:8]


def _trace(place: str) -> list[object]:
    path = typed_path(place).resolve()
    return [str(path), *((path.stat().st_size, path.stat().st_mtime_ns) if path.is_file() else ())]


def _draw(settings: RegularisationSettings, missing: dict[Path, tuple[str, int]], progress: Progress) -> None:
    model, paths = load_to_draw(settings.model, settings), list(missing)
    for start in range(0, len(paths), settings.batch_size):
        batch = paths[start:start + settings.batch_size]
        images = model.sample([missing[path][0] for path in batch], settings.negative, [missing[path][1] for path in batch],
                              settings.width, settings.height, settings.steps, settings.guidance, clip_skip=settings.clip_skip,
                              max_token_length=settings.max_token_length, batch_size=settings.batch_size)
        for path, image in zip(batch, images, strict=True):
            write_with(path, image.save)
            write_text(path.with_suffix(".txt"), missing[path][0])
        progress.advance(batch[-1].name, by=len(batch))
