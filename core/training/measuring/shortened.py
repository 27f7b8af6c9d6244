"""The settings of a short run: those of the planned one, with another length and nothing that acts outside of its folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.training.config import SamplePrompt, Subset, TrainingSettings

WARM_UP, MEASURED = 1, 2
"""Steps that are made and not counted, since the first one also reserves memory, chooses algorithms and starts loaders; and that count."""
STEPS = WARM_UP + MEASURED
ELSEWHERE = ("huggingface", "async_upload", "wandb", "log_", "save_", "sample_", "max_train_", "initial_", "skip_until_", "resume")
"""How further options begin that upload, log, save or count otherwise than a short run does."""


def shortened(settings: TrainingSettings, subset: Subset) -> TrainingSettings:
    """What a short run is told.

    One epoch of `STEPS` steps at the full rate, at its end one sample picture and one save, where the planned run has them. What takes
    memory or time in a step is as in the planned run.

    Of several machines only this one takes part: nobody starts a short run on the others.

    Args: subset: the folder with the pictures that it learns from.
    """
    prompt = heaviest_prompt(settings)
    return settings.with_values(
        data={"subsets": [subset], "validation_split": 0.0},
        schedule={"max_train_epochs": 1, "max_train_steps": None, "lr_warmup_steps": 0, "lr_decay_steps": 0},
        sampling={"sample_prompts": [prompt] if prompt else [], "sample_every_n_epochs": 1, "sample_every_n_steps": None,
                  "sample_at_first": False},
        saving={"save_every_n_epochs": None, "save_every_n_steps": None, "save_n_epoch_ratio": None, "save_state": False,
                "save_state_on_train_end": saves_states(settings), "resume": None},
        machines={"num_processes": processes_of(settings), "num_machines": 1, "machine_rank": 0, "main_process_ip": None},
        logging={"log_with": None}, extra={"extra_options": own_options(settings)})


def processes_of(settings: TrainingSettings) -> int:
    """Processes of a short run: those of this machine."""
    return max(1, settings.machines.processes_here)


def heaviest_prompt(settings: TrainingSettings) -> SamplePrompt | None:
    """The prompt whose picture takes longest; None: the planned run draws none."""
    sampling = settings.sampling
    draws = sampling.sample_every_n_epochs or sampling.sample_every_n_steps or sampling.sample_at_first
    return max(sampling.sample_prompts, key=lambda prompt: drawing_work(prompt, settings), default=None) if draws else None


def drawing_work(prompt: SamplePrompt, settings: TrainingSettings) -> float:
    """How much a sample picture is to draw, to be compared with others: pixels × steps."""
    width, height = settings.data.size
    return float((prompt.width or width) * (prompt.height or height) * prompt.sample_steps)


def saves_states(settings: TrainingSettings) -> bool:
    """Whether the planned run saves any state."""
    return settings.saving.save_state or settings.saving.save_state_on_train_end


def own_options(settings: TrainingSettings) -> list[str]:
    """The further options that a short run takes over."""
    return [line for line in settings.extra.extra_options if not line.strip().startswith(ELSEWHERE)]
