"""kohya-ss sd-scripts as a backend: its script for the family, in its own checkout and environment."""

from __future__ import annotations

from pathlib import Path

from core.base.errors import TrainingError
from core.base.findings import Finding
from core.training.backends import Command, RunFolder
from core.training.backends.accelerate import gpu_environment, launch_words, schedule_words
from core.training.backends.checkouts import checkout_of, interpreter_of, lacking
from core.training.backends.packages import check_packages
from core.training.backends.wandb_ready import check_wandb
from core.training.config.contract import check_pair
from core.training.config.families import script_for
from core.training.config.pair import pair_in, read_pair
from core.training.config.presets import load_settings
from core.training.config.training import TrainingSettings

NAME = "sd-scripts"
INSIDE = Path(__file__).resolve().with_name("inside")
"""What its process may import of ours."""
START = INSIDE / "lorabook_start.py"
"""Runs its script, and measures gradients and layers beside it."""


def checkout() -> Path:
    """Where the checkout is or would be: $SD_SCRIPTS_DIR, else `trainers/sd-scripts`."""
    return checkout_of(NAME)


def interpreter() -> Path | None:
    """The Python of its environment: $SD_SCRIPTS_PYTHON, else .venv or venv inside the checkout; None if there is none."""
    return interpreter_of(NAME)


class SdScriptsBackend:
    """Runs the script of the family on the pair."""

    @classmethod
    def remakes_command(cls, settings: TrainingSettings) -> bool:
        """As `Backend.remakes_command`: REX is told the number of steps, several processes a port that was free."""
        return settings.schedule.lr_scheduler == "rex" or settings.machines.num_processes > 1

    @classmethod
    def command(cls, run: RunFolder) -> Command:
        """As `Backend.command`."""
        if (problem := cls.missing()) is not None:
            raise TrainingError(problem.what, problem.remedy)
        pair = pair_in(Path(run.folder).absolute())
        config, _ = read_pair(pair.config, pair.dataset)
        settings = load_settings(pair.settings)
        python = [str(interpreter()), *launch_words(settings), str(START)]
        argv = [*python, cls._script(run), "--config_file", str(pair.config), "--dataset_config", str(pair.dataset)]
        environment = {**_environment(offline=bool(config.get("tokenizer_cache_dir"))), **gpu_environment(settings),
                       "LORABOOK_RUN": str(pair.config.parent)}
        if config.get("lr_scheduler") == "rex":
            argv += _rex_arguments(settings)
            environment["PYTHONPATH"] = str(INSIDE)
        else:
            argv += schedule_words(config, settings.machines.num_processes)
        return Command(argv, checkout(), environment)

    @classmethod
    def missing(cls) -> Finding | None:
        """As `Backend.missing`."""
        return lacking(NAME, NAME, ("train_network.py", "sdxl_train_network.py"))

    @classmethod
    def check(cls, run: RunFolder) -> list[Finding]:
        """As `Backend.check`: every key against the arguments of the family's script, and the packages that the settings need."""
        settings, python = load_settings(pair_in(run.folder).settings), interpreter()
        found = [*check_pair(pair_in(run.folder), cls._script(run)), *check_wandb(settings.logging)]
        if python is None or cls.missing() is not None:
            return found
        return [*found, *check_packages(settings, python)]

    @staticmethod
    def _script(run: RunFolder) -> str:
        model = load_settings(pair_in(run.folder).settings).model
        return script_for(model.family, model.method)


def _rex_arguments(settings: TrainingSettings) -> list[str]:
    """The schedule that sd-scripts does not have, as a class of ours; of a class it wants to hear of no warm-up itself.

    Several processes each move it on at every step, so that it hears of so many times the steps.
    """
    from core.training.preflight.buckets import plan_buckets
    from core.training.preflight.pictures import pictures_of

    processes = settings.machines.num_processes
    steps = plan_buckets(settings, pictures_of(settings.data.subsets)).totals.steps * processes
    warmup, lowest = settings.schedule.lr_warmup_steps, settings.schedule.lr_scheduler_min_lr_ratio or 0.0
    warmup = int(warmup * steps) if warmup < 1 else int(warmup) * processes
    return ["--lr_scheduler_type", "lorabook_schedules.Rex", "--lr_warmup_steps", "0", "--lr_scheduler_args", f"total_steps={steps}",
            f"warmup_steps={warmup}", f"lowest={lowest}"]


def _environment(offline: bool) -> dict[str, str]:
    """Variables for its process.

    COLUMNS: its logger wraps lines at the width of a terminal. PYTHONPATH is emptied, so that nothing of this
    environment is imported by its own. With tokenizers given, the hub is not asked for them.
    """
    variables = {"COLUMNS": "200", "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8", "PYTHONPATH": "",
                 "TOKENIZERS_PARALLELISM": "false"}
    return {**variables, **({"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"} if offline else {})}
