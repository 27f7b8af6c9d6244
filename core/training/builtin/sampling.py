"""Sample pictures while a LoRA is trained: when, which prompts, under which names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from core.base.errors import ModelError
from core.base.files import write_with
from core.diffusion.prompts import PromptLine, read_prompts
from core.training.builtin.options import TrainOptions

if TYPE_CHECKING:
    from core.diffusion.model import DiffusionModel
    from core.training.builtin.events import Reporter


class Sampler:
    """Draws the lines of sample_prompts.

    Args:
        folder: where pictures go: <run_dir>/samples, or <output_dir>/sample without a run.
        seed: of prompts that name none: the run's seed plus their number, so that epochs compare.

    Raises: ConfigError: the prompts file is missing or has a wrong line.
    """

    def __init__(self, options: TrainOptions, folder: Path, seed: int, reporter: Reporter) -> None:
        self.options, self.folder, self.seed, self.reporter = options, folder, seed, reporter
        self.prompts: list[PromptLine] = read_prompts(Path(options.sample_prompts)) if options.sample_prompts else []

    def due(self, step: int, epoch: int | None) -> bool:
        """Whether pictures are drawn now, by sd-scripts' rules. Args: epoch: at the end of one, else None."""
        every_epochs, every_steps = self.options.sample_every_n_epochs, self.options.sample_every_n_steps
        if not self.prompts:
            return False
        if step == 0:
            return self.options.sample_at_first
        if epoch is not None:
            return every_epochs is not None and every_epochs > 0 and epoch % every_epochs == 0
        return every_steps is not None and every_steps > 0 and not every_epochs and step % every_steps == 0

    def draw(self, model: DiffusionModel, step: int, epoch: int, at_epoch_end: bool,
             stop: Callable[[], bool] = lambda: False) -> list[Path]:
        """Draw every prompt; the names carry epoch or step, number and seed.

        Args: stop: asked before each picture, for one may take a minute.
        """
        options, paths = self.options, []
        self.reporter.say(f"generating sample images at step: {step}")
        for index, prompt in enumerate(self.prompts):
            if stop():
                break
            seed = prompt.seed if prompt.seed is not None else self.seed + index
            multiple = model.size_multiple
            width, height = (max(multiple, side - side % multiple) for side in (prompt.width, prompt.height))
            sampler = prompt.sampler or (options.sample_sampler if "sample_sampler" in options.raw else "")
            try:
                image = model.sample([prompt.prompt], prompt.negative, [seed], width, height, prompt.steps, prompt.guidance, sampler,
                                     options.clip_skip, options.max_token_length)[0]
            except ModelError as error:  # NaN from the VAE; what is learned is none the worse for it
                self.reporter.warn(f"The sample picture of {prompt.prompt!r} at step {step} is left out. {error}")
                continue
            when = f"e{epoch:06d}" if at_epoch_end else f"{step:06d}"
            path = self.folder / f"{options.output_name}_{when}_{index:02d}_{seed}.png"
            write_with(path, lambda place, picture=image: picture.save(place))  # type: ignore[misc]
            self.reporter.event("sample", path=str(path), step=step, epoch=epoch, prompt=prompt.prompt, seed=seed, index=index)
            paths.append(path)
        return paths
