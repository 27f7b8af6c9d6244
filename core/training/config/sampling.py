"""Pictures drawn during training, and the prompt file that sd-scripts and the built-in trainer read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import field_validator

from core.base.settings import Settings, setting
from core.diffusion.prompts import split_prompt_line
from core.training.config.part import Part

if TYPE_CHECKING:
    from core.training.config.training import TrainingSettings

Sampler = Literal["ddim", "pndm", "lms", "euler", "euler_a", "heun", "dpm_2", "dpm_2_a", "dpmsolver", "dpmsolver++", "dpmsingle",
                  "k_lms", "k_euler", "k_euler_a", "k_dpm_2", "k_dpm_2_a"]
FLAGS = {"n": "negative_prompt", "w": "width", "h": "height", "d": "seed", "l": "scale", "s": "sample_steps"}
"""Flags of a line of the prompt file and the names of their values."""
LOOKS_LIKE_FLAG = re.compile(r"(?:[whds] \d|[lg] [\d.]|n .|ss .|cn .|ctr .|rcfg .|fs .)", re.IGNORECASE)
"""sd-scripts tries its flags on the prompt itself too, so that a prompt must not begin like one."""


class SamplePrompt(Settings):
    """One picture to draw again and again during training."""

    title: ClassVar[str] = "Sample prompt"

    prompt: str = setting(..., "Prompt", "What to draw; begin with the trigger word.", min_length=1)
    negative_prompt: str = setting("", "Negative prompt", "What to avoid.")
    width: int | None = setting(None, "Width", "Empty: as in training.", level="advanced", unit="px", ge=32, le=4096)
    height: int | None = setting(None, "Height", "Empty: as in training.", level="advanced", unit="px", ge=32, le=4096)
    seed: int = setting(42, "Seed", "The same seed at each epoch lets you compare.", level="advanced", ge=0, lt=2**32)
    scale: float = setting(7.0, "Guidance", "How closely it follows the prompt.", level="advanced", ge=1, le=30)
    sample_steps: int = setting(28, "Steps", "Steps of drawing.", level="advanced", ge=1, le=1000)

    @field_validator("prompt", "negative_prompt")
    @classmethod
    def _one_line_without_flags(cls, value: str) -> str:
        """One line of words; what sd-scripts would read as a flag is refused."""
        value = " ".join(value.split())
        if " --" in f" {value}":
            raise ValueError(f"A sample prompt must not contain ' --', which begins a flag, but is {value!r}.")
        return value

    @field_validator("prompt")
    @classmethod
    def _no_flag_in_front(cls, value: str) -> str:
        if not value:
            raise ValueError("A sample prompt must not be empty.")
        if value.startswith("#"):
            raise ValueError(f"A sample prompt must not begin with '#', which sd-scripts skips, but is {value!r}.")
        if LOOKS_LIKE_FLAG.match(value):
            raise ValueError(f"The sample prompt {value!r} begins like one of sd-scripts' flags; put another word in front.")
        return value

    def line(self, size: tuple[int, int]) -> str:
        """The line of `sample_prompts.txt`. Args: size: width and height where the prompt names none, px."""
        width, height = ((own or default) // 8 * 8 for own, default in zip((self.width, self.height), size, strict=True))
        negative = f" --n {self.negative_prompt}" if self.negative_prompt else ""
        return f"{self.prompt}{negative} --w {width} --h {height} --d {self.seed} --l {self.scale:g} --s {self.sample_steps}"

    @classmethod
    def from_line(cls, line: str) -> SamplePrompt:
        """Read a line of a prompt file; flags other than n, w, h, d, l, s are passed over.

        Raises: ConfigError: no prompt, or a value out of bounds.
        """
        prompt, flags = split_prompt_line(line)
        return cls.make(prompt=prompt, **{FLAGS[name]: value for name, value in flags.items() if name in FLAGS and value})


def prompt_lines(prompts: Sequence[SamplePrompt], size: tuple[int, int]) -> str:
    """The content of `sample_prompts.txt`."""
    return "".join(prompt.line(size) + "\n" for prompt in prompts)


class SamplingSettings(Part):
    """Which pictures are drawn during training, and how often."""

    title: ClassVar[str] = "Samples"
    section: ClassVar[str] = "sampling"
    elsewhere: ClassVar[tuple[str, ...]] = ("sample_prompts",)

    sample_prompts: list[SamplePrompt] = setting([], "Sample prompts", "Pictures to draw during training, to see what is learned.")
    sample_every_n_epochs: int | None = setting(1, "Draw every … epochs", "Empty: by steps, or not at all.", unit="epochs", ge=1)
    sample_every_n_steps: int | None = setting(None, "Draw every … steps", "Used when the epochs above are empty.", level="advanced",
                                               unit="steps", ge=1)
    sample_at_first: bool = setting(False, "Draw before training", "Draw once before the first step, to compare.", level="advanced")
    sample_sampler: Sampler = setting("euler_a", "Sampler", "How the samples are drawn.", level="advanced")

    def arguments(self, whole: TrainingSettings) -> dict[str, Any]:
        """Nothing where there are no prompts: sd-scripts would end at its first samples, before it has saved anything."""
        return super().arguments(whole) if self.sample_prompts else {}

    @field_validator("sample_prompts", mode="before")
    @classmethod
    def _lines_are_prompts(cls, value: Any) -> Any:
        """A text may stand for a prompt, with sd-scripts' flags or without."""
        if not isinstance(value, (list, tuple)):
            return value
        return [SamplePrompt.from_line(one) if isinstance(one, str) else one for one in value]
