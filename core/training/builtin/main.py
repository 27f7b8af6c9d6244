"""A whole run of the built-in trainer, from the pair to the finished file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.base.errors import Cancelled, StudioError
from core.base.failures import explain
from core.training.backends.inside.lorabook_memory import tell_memory
from core.training.builtin.dataset import read_datasets
from core.training.builtin.events import Reporter
from core.training.builtin.options import TrainOptions, read_options
from core.training.builtin.room import RoomMaker
from core.training.config.pair import read_tables
from core.training.relief import read_relief
from core.training.run import Run

SMALLER = "Lower train_batch_size or the resolution, switch gradient_checkpointing and cache_latents on."

if TYPE_CHECKING:
    from core.training.builtin.loop import Trainer


def train(config_file: Path, dataset_config: Path, run_dir: Path | None = None, say: Callable[[str], None] = lambda line: None,
          stop: Callable[[], bool] = lambda: False, device: str | None = None) -> Path:
    """Train a LoRA as the pair says.

    Args:
        config_file, dataset_config: the pair that sd-scripts reads too.
        run_dir: gets events.jsonl and samples/.
        say: receives each line for the log.
        stop: asked after every step; true ends the run with a whole checkpoint.
        device: "cpu" or "cuda"; None takes the GPU where there is one.

    Returns: the finished LoRA file.
    Raises: StudioError: with its sentence, also written as the event `failed`. Cancelled: stopped (event `cancelled`).
    """
    reporter = Reporter(run_dir, say)
    try:
        options = read_options(config_file)
        path = _train(options, read_tables(dataset_config), run_dir, say, stop, device)
    except Cancelled as error:
        reporter.event("cancelled", message=error.message)
        raise
    except StudioError as error:
        reporter.event("failed", message=error.message, hint=error.hint)
        raise
    except Exception as error:
        bug = f"{type(error).__name__}: {error}", "This is a bug in Lorabook; the log has the details."
        message, hint = explain(error, SMALLER) or bug
        reporter.event("failed", message=message, hint=hint)
        raise
    reporter.event("done", path=str(path))
    return path


def _train(options: TrainOptions, tables: dict[str, Any], run_dir: Path | None, say: Callable[[str], None], stop: Callable[[], bool],
           device: str | None) -> Path:
    import torch

    from core.diffusion import load_model
    from core.training.builtin.loop import PRECISIONS, Trainer

    reporter = Reporter(run_dir, say, Path(options.logging_dir) if options.logging_dir else None)
    target = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    if target.type == "cpu" and options.mixed_precision != "no":
        options.warnings.append(f"mixed_precision {options.mixed_precision} needs a GPU; this run trains in full precision on the CPU.")
        options.mixed_precision = "no"
    say("prepare images: every picture is looked through")
    datasets = read_datasets(tables, options.raw, reporter.warn, lambda: _heed(stop), reporter.preparing)
    for dataset in datasets:
        for index, (size, images) in enumerate(dataset.buckets().items()):
            say(f"bucket {index}: resolution {size}, count: {len(images)}")
    say(f"loading the model {options.pretrained_model_name_or_path} on {target}")
    vae_dtype = torch.float32 if options.no_half_vae else None
    model = load_model(options.pretrained_model_name_or_path, device=target, dtype=PRECISIONS.get(options.mixed_precision, torch.float32),
                       vae=options.vae or None, vae_dtype=vae_dtype, tokenizer_dir=options.tokenizer_cache_dir)
    trainer = Trainer(options, model, datasets, reporter, run_dir, stop, lambda: _is_last_epoch(run_dir),
                      read_relief(run_dir).micro_batch_size if run_dir else None, RoomMaker(run_dir, reporter, stop))
    for message in options.warnings:
        reporter.warn(message)
    _announce(trainer, reporter)
    try:
        trainer.prepare()
        reporter.watch(trainer.network.trained_layers(), trainer.position.current_step)
        return trainer.run()
    finally:
        reporter.close()
        if run_dir is not None:
            tell_memory(run_dir)


def _is_last_epoch(run_dir: Path | None) -> bool:
    """Whether somebody asked to stop after the present epoch."""
    return run_dir is not None and Run(run_dir).stop_asked() == "epoch"


def _heed(stop: Callable[[], bool]) -> None:
    """Raises: Cancelled: somebody asked to stop."""
    if stop():
        raise Cancelled()


def _announce(trainer: Trainer, reporter: Reporter) -> None:
    """The numbers of the run, as sd-scripts prints them, and the event `start`."""
    datasets = trainer.datasets
    images, regular = (sum(getattr(dataset, name) for dataset in datasets) for name in ("num_train_images", "num_reg_images"))
    lines = {"num train images * repeats": images, "num reg images": regular, "num batches per epoch": trainer.batches,
             "num epochs": trainer.epochs, "batch size per device": ", ".join(str(dataset.batch_size) for dataset in datasets),
             "gradient accumulation steps": trainer.options.gradient_accumulation_steps, "total optimization steps": trainer.total_steps}
    reporter.say("running training")
    for name, value in lines.items():
        reporter.say(f"  {name}: {value}")
    buckets = {f"{width}x{height}": len(found) for dataset in datasets for (width, height), found in dataset.buckets().items()}
    reporter.event("start", total_steps=trainer.total_steps, epochs=trainer.epochs, images=images, reg_images=regular,
                   batches=trainer.batches, buckets=buckets, seed=trainer.seed, device=str(trainer.model.device),
                   family=trainer.model.family, lora_layers=len(trainer.network.layers))
