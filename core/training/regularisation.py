"""Regularisation pictures drawn by the base model itself: what ordinary prompts give must stay what they give.

The prior preservation of DreamBooth (https://arxiv.org/abs/2208.12242, section 3.2), in kohya's form: a folder with
`is_reg = true` whose captions do not contain the trigger word.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from core.base.errors import ConfigError
from core.base.files import safe_stem, write_text, write_with
from core.base.progress import SILENT, Progress
from core.base.settings import Settings, setting

BATCH = 12


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
    folder: str = setting("regularisation", "Folder", "Inside the project.", level="advanced")


@dataclass(frozen=True)
class RegularisationReport:
    """What was drawn."""

    folder: Path
    drawn: int
    kept: int
    """Pictures of an earlier, interrupted call that were there already."""

    def sentence(self) -> str:
        """One sentence."""
        return f"{self.drawn} regularisation pictures drawn, {self.kept} were there, in {self.folder}."


def draw_regularisation(project_folder: Path, settings: RegularisationSettings, progress: Progress = SILENT) -> RegularisationReport:
    """Draw one picture with a caption for each prompt into the project's regularisation folder.

    A picture that is there already is not drawn again, so an interrupted call can be repeated.

    Raises: ConfigError: no model or no prompt. ModelError: the model cannot be loaded. Cancelled: what was drawn stays.
    """
    if not settings.model or not settings.prompts:
        raise ConfigError("Regularisation needs a base model and at least one prompt.", "Give both.")
    folder = Path(project_folder) / safe_stem(settings.folder, "regularisation")
    targets = {folder / f"reg_{settings.seed + index:06d}.png": prompt for index, prompt in enumerate(settings.prompts)}
    missing = [path for path in targets if not (path.is_file() and path.with_suffix(".txt").is_file())]
    progress.start("Drawing regularisation pictures", len(missing))
    if missing:
        _draw(settings, targets, missing, progress)
    return RegularisationReport(folder, len(missing), len(targets) - len(missing))


def _draw(settings: RegularisationSettings, targets: dict[Path, str], missing: list[Path], progress: Progress) -> None:
    from core.diffusion import load_model

    model = load_model(settings.model)
    numbers = {path: settings.seed + index for index, path in enumerate(targets)}
    for start in range(0, len(missing), BATCH):
        batch = missing[start:start + BATCH]
        images = model.sample([targets[path] for path in batch], settings.negative, [numbers[path] for path in batch], settings.width,
                              settings.height, settings.steps, settings.guidance, batch_size=BATCH)
        for path, image in zip(batch, images, strict=True):
            write_with(path, image.save)
            write_text(path.with_suffix(".txt"), targets[path])
            progress.advance(path.name)
