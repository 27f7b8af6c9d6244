"""Regularisation pictures drawn by the base model itself: what ordinary prompts give must stay what they give.

The prior preservation of DreamBooth (https://arxiv.org/abs/2208.12242, section 3.2), in kohya's form: a folder with
`is_reg = true` whose captions do not contain the trigger word.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from core.base.errors import ConfigError
from core.base.files import safe_stem, write_text, write_with
from core.base.progress import SILENT, Progress
from core.base.settings import Settings, setting
from core.training.config.sources import image_files


class RegularisationSettings(Settings):
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


def draw_regularisation(project_folder: Path, settings: RegularisationSettings, progress: Progress = SILENT) -> RegularisationReport:
    """Draw one picture with a caption for each prompt into the project's regularisation folder.

    A picture that is there already is not drawn again, so an interrupted call can be repeated. Its name holds what it was drawn
    with, so that another model or another setting never takes an earlier picture for its own.

    Raises: ConfigError: no model or no prompt. ModelError: the model cannot be loaded. Cancelled: what was drawn stays.
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
    """Eight letters that tell what a picture is drawn with: the model (its place, and for a file its size and time) and every setting."""
    model = Path(settings.model).expanduser().resolve()
    file = [model.stat().st_size, model.stat().st_mtime_ns] if model.is_file() else []
    facts = [str(model), *file, prompt, settings.negative, settings.width, settings.height, settings.steps, settings.guidance, seed]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:8]


def _draw(settings: RegularisationSettings, missing: dict[Path, tuple[str, int]], progress: Progress) -> None:
    from core.diffusion import load_model

    model, paths = load_model(settings.model), list(missing)
    for start in range(0, len(paths), settings.batch_size):
        batch = paths[start:start + settings.batch_size]
        images = model.sample([missing[path][0] for path in batch], settings.negative, [missing[path][1] for path in batch],
                              settings.width, settings.height, settings.steps, settings.guidance, batch_size=settings.batch_size)
        for path, image in zip(batch, images, strict=True):
            write_with(path, image.save)
            write_text(path.with_suffix(".txt"), missing[path][0])
            progress.advance(path.name)
