"""The training loop: batches in, LoRA out, stoppable after every step."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from core.base.errors import Cancelled, ConfigError, TrainingError
from core.training.builtin.captions import make_caption
from core.training.builtin.checkpointing import checkpoint_text, checkpoint_unet
from core.training.builtin.checks import check_sizes, checked_velocity, choose_seed
from core.training.builtin.dataset import PlannedBatch, TrainDataset, batches_per_epoch, plan_epoch
from core.training.builtin.events import LossRecorder, Reporter
from core.training.builtin.latents import LatentStore, read_pixels
from core.training.builtin.loss import NoiseSchedule
from core.training.builtin.metadata import model_spec, optimizer_words, run_metadata
from core.training.builtin.network import LoraNetwork
from core.training.builtin.optimizers import make_optimizer, make_schedule, present_rates
from core.training.builtin.options import TrainOptions
from core.training.builtin.sampling import Sampler
from core.training.builtin.saving import Saver
from core.training.builtin.shown import ShownBatch, show
from core.training.builtin.state import Position, load_state, read_position, save_state, state_size
from core.training.builtin.text import TextConditions

if TYPE_CHECKING:
    from core.diffusion.model import DiffusionModel

PRECISIONS = {"fp16": torch.float16, "bf16": torch.bfloat16}


class Trainer:
    """One run of the built-in trainer.

    Args:
        run_dir: for samples; None puts them under output_dir.
        stop: asked after every step and between cached images; true ends the run with a whole checkpoint.
        stop_after_epoch: the same, asked at the end of an epoch.
        micro_batch_size: pictures that go through the model at once; None: a whole batch. The steps learn the same.
        make_room: waits until so many bytes can be written into a folder.

    Raises: StudioError: the options, the data and the model do not go together.
    """

    def __init__(self, options: TrainOptions, model: DiffusionModel, datasets: list[TrainDataset], reporter: Reporter,
                 run_dir: Path | None = None, stop: Callable[[], bool] = lambda: False,
                 stop_after_epoch: Callable[[], bool] = lambda: False, micro_batch_size: int | None = None,
                 make_room: Callable[[Path, int], None] = lambda folder, needed: None) -> None:
        self.options, self.model, self.datasets, self.reporter, self.stop = options, model, datasets, reporter, stop
        self.stop_after_epoch, self.micro_batch_size, self.make_room = stop_after_epoch, micro_batch_size, make_room
        resumed = read_position(Path(options.resume)) if options.resume else None
        self.seed = choose_seed(options, resumed, reporter)
        self.batches = batches_per_epoch(datasets)
        per_epoch = math.ceil(self.batches / options.gradient_accumulation_steps)
        self.total_steps = options.max_train_epochs * per_epoch if options.max_train_epochs else options.max_train_steps
        self.epochs = math.ceil(self.total_steps / per_epoch)
        if options.save_n_epoch_ratio:
            options.save_every_n_epochs = self.epochs // options.save_n_epoch_ratio or 1
        check_sizes(model, datasets)
        self.sampler = Sampler(options, run_dir / "samples" if run_dir else Path(options.output_dir) / "sample", self.seed, reporter)
        torch.manual_seed(self.seed)
        self.network = LoraNetwork(model, options)
        if options.network_weights:
            self.network.load_weights(Path(options.network_weights), reporter.warn)
        groups = self.network.groups(options)
        self.parameters = [parameter for group in groups for parameter in group["params"]]
        self.optimizer = make_optimizer(options, groups)
        self.schedule = make_schedule(options, self.optimizer, self.total_steps)
        self.precision = PRECISIONS.get(options.mixed_precision)
        self.scaler = torch.amp.GradScaler(model.device.type, enabled=options.mixed_precision == "fp16")
        velocity = checked_velocity(model, options)
        model.trained_as(velocity, options.zero_terminal_snr)
        self.noise = NoiseSchedule(model.scheduler_config, options, velocity, model.device)
        trained_text = any(group["name"] == "textencoder" for group in groups)
        folder = datasets[0].subsets[0].image_dir / ".lorabook/text" if options.cache_text_encoder_outputs_to_disk else None
        self.text = TextConditions(model, trained_text, options.clip_skip, options.max_token_length, folder, reporter.warn)
        self.latents = LatentStore(model, options.cache_latents_to_disk, options.vae_batch_size, reporter.warn)
        self.recorder = LossRecorder()
        self.position = Position(seed=self.seed, batches=self.batches, optimizer=type(self.optimizer).__name__)
        name = optimizer_words(self.optimizer, options.optimizer_args)
        metadata = run_metadata(options, datasets, model.family, self.seed, self.total_steps, self.epochs, name)
        resolution = datasets[0].rule.resolution
        self.saver = Saver(options, self.network, metadata, lambda: model_spec(options, model.family, resolution, velocity),
                           self._write_state, reporter, make_room)

    def prepare(self) -> None:
        """Cache latents and texts, set up checkpointing, take up a saved state. Raises: Cancelled: stopped meanwhile."""
        options, model = self.options, self.model
        self._check_stop()
        if options.cache_latents:
            self.reporter.say("caching latents...")
            self.latents.cache((image for dataset in self.datasets for image in dataset.images), self._check_stop, self.reporter.preparing)
            self._rest(model.vae)
        if options.cache_text_encoder_outputs:
            self._cache_texts()
        if model.device.type == "cuda" and self.precision is not None:
            model.unet.to(memory_format=torch.channels_last)
        if options.gradient_checkpointing:
            checkpoint_unet(model.unet, self.network.with_chance)
            checkpoint_text(model.text_encoders if self.text.trained else [], self.network.with_chance)
        if options.resume:
            self._take_up(Path(options.resume))
        self.network.train()

    def _cache_texts(self) -> None:
        images = [image for dataset in self.datasets for image in dataset.images]
        if any(image.subset.captions.changes for image in images):
            raise ConfigError("cache_text_encoder_outputs cannot be used with captions that change (shuffle_caption, dropout, wildcards).",
                              "Switch the caching off, or those off.")
        captions = [make_caption(image.caption, image.subset.captions, PlannedBatch((image,), 1, 0, 0).chance(0), 1) for image in images]
        with torch.autocast(self.model.device.type, self.precision, enabled=self.precision is not None):
            self.text.cache(captions, self._check_stop)
        for encoder in self.model.text_encoders:
            self._rest(encoder)

    def _rest(self, module: torch.nn.Module) -> None:
        """Off the GPU until it is needed for drawing."""
        if self.model.device.type == "cuda":
            module.to("cpu")
            torch.cuda.empty_cache()

    def _take_up(self, folder: Path) -> None:
        position = load_state(folder, self.network, self.optimizer, self.schedule, self.scaler)
        if position.batches != self.batches:
            self.reporter.warn(f"The data changed since the state was saved ({position.batches} batches an epoch then, {self.batches} "
                               "now); the loss curve will not continue exactly.")
            position.place, position.batches = min(position.place, self.batches), self.batches
        if position.current_step > self.total_steps:
            raise TrainingError(f"The state was saved at step {position.current_step}, but the run ends at step {self.total_steps}.",
                                "Raise max_train_epochs or max_train_steps to train longer.")
        self.position = position
        self.recorder.losses, self.recorder.total = list(position.losses), sum(position.losses)

    def run(self) -> Path:
        """Train to the end; the finished file. Raises: Cancelled: stopped, with a whole last checkpoint. TrainingError: NaN loss."""
        position = self.position
        began = position.current_step
        self._check_stop()
        self.reporter.begin(began)
        if began == 0:
            self._draw_if_due(0, False)
            self._check_stop()
        while position.current_step < self.total_steps:
            epoch = position.current_epoch
            self.reporter.say(f"epoch {epoch}/{self.epochs}")
            self._run_epoch(epoch)
            self.reporter.epoch_average(epoch, self.recorder.average)
            position.current_epoch, position.place = epoch + 1, 0
            self.saver.after_epoch(position.current_step, epoch, self.epochs)
            if position.current_step < self.total_steps:
                self._draw_if_due(epoch, True)
                self._stop_if_asked(epoch, self.stop_after_epoch())
        last = position.current_epoch - 1
        path = self.saver.at_end(position.current_step, last)
        if began < self.total_steps:  # drawn only now: whatever happens to the pictures, the file is there
            self._draw_if_due(last, False)
            self._draw_if_due(last, True)
        return path

    def _run_epoch(self, epoch: int) -> None:
        size, position = self.options.gradient_accumulation_steps, self.position
        plan = plan_epoch(self.datasets, self.seed, epoch)[position.place:]
        with ThreadPoolExecutor(1, "images") as pool:
            waiting: list[tuple[PlannedBatch, Sequence[Any] | None]] = []
            for batch, pixels in self._with_pixels(plan, pool):
                waiting.append((batch, pixels))
                if len(waiting) < size and batch.place + 1 < self.batches:
                    continue
                self._step(waiting, epoch)
                waiting = []
                position.place = batch.place + 1
                step = position.current_step
                self.saver.after_step(step, epoch)
                if step >= self.total_steps:
                    return
                self._draw_if_due(epoch, False)
                if batch.place + 1 < self.batches:
                    self._stop_if_asked(epoch)

    def _with_pixels(self, plan: list[PlannedBatch], pool: ThreadPoolExecutor) -> Iterator[tuple[PlannedBatch, Sequence[Any] | None]]:
        """Each batch, and its images' pixels read while the batch before it is learned; None where latents are cached."""
        if self.options.cache_latents:
            yield from ((batch, None) for batch in plan)
            return
        ahead: Future[list[Any]] | None = None
        for index, batch in enumerate(plan):
            ready = ahead.result() if ahead is not None else [read_pixels(image) for image in batch.images]
            if index + 1 < len(plan):
                ahead = pool.submit(lambda images: [read_pixels(image) for image in images], plan[index + 1].images)
            yield batch, ready

    def _step(self, batches: list[tuple[PlannedBatch, Sequence[Any] | None]], epoch: int) -> None:
        """One optimizer step over one or several batches (gradient accumulation)."""
        began = time.monotonic()
        losses = []
        for batch, pixels in batches:
            losses.append(self._learn(batch, pixels))
        self.apply_gradients()
        self.position.current_step += 1
        values = torch.stack(losses).tolist()  # the only wait for the GPU in a step
        if not all(math.isfinite(value) for value in values):
            raise TrainingError(f"The loss became {values[-1]} at step {self.position.current_step}.",
                                "Lower the learning rate, or use mixed_precision bf16 (or no) instead of fp16, and set no_half_vae.")
        for (batch, _), value in zip(batches, values, strict=True):
            self.recorder.add(epoch, batch.place, value)
        self.reporter.step(self.position.current_step, self.total_steps, epoch, sum(values) / len(values), self.recorder.average,
                           present_rates(self.optimizer, self.schedule), time.monotonic() - began)

    def loss(self, batch: PlannedBatch, pixels: Sequence[Any] | None = None) -> torch.Tensor:
        """The batch's loss with its graph; the same every time for the same weights."""
        return self._loss_of(self._shown(batch, pixels))

    def _learn(self, batch: PlannedBatch, pixels: Sequence[Any] | None) -> torch.Tensor:
        """Forward and backward, in parts where the memory asks for it. Returns: the batch's loss, without its graph."""
        shown, total = self._shown(batch, pixels), torch.zeros((), device=self.model.device)
        for part in shown.parts(self.micro_batch_size):
            loss = self._loss_of(part) * (len(part) / len(shown))
            self.scaler.scale(loss / self.options.gradient_accumulation_steps).backward()
            total += loss.detach()
        return total

    def _shown(self, batch: PlannedBatch, pixels: Sequence[Any] | None) -> ShownBatch:
        return show(batch, pixels, self.model, self.latents, self.noise, self.options.prior_loss_weight)

    def _loss_of(self, shown: ShownBatch) -> torch.Tensor:
        with torch.autocast(self.model.device.type, self.precision, enabled=self.precision is not None):
            condition = self.text.batch(shown.captions)
            prediction = self.model.predict(shown.noised.noisy, shown.noised.timesteps, condition, shown.sizes)
        return self.noise.loss(prediction, shown.noised, shown.weights)

    def apply_gradients(self) -> None:
        """Clip, step, schedule, forget the gradients."""
        if self.options.max_grad_norm:
            self.scaler.unscale_(self.optimizer)
            torch.nn.utils.clip_grad_norm_(self.parameters, self.options.max_grad_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.schedule.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.network.update_average()

    def _draw_if_due(self, epoch: int, at_epoch_end: bool) -> None:
        step = self.position.current_step
        if self.sampler.due(step, epoch if at_epoch_end else None):
            self.draw(step, epoch, at_epoch_end)

    def draw(self, step: int, epoch: int, at_epoch_end: bool) -> list[Path]:
        """Sample pictures with the LoRA as it is now; the training's random numbers are not touched."""
        model = self.model
        resting = [module for module in model.modules() if module.device.type != model.device.type]
        for module in resting:
            module.to(model.device)
        trained = [module for module in [model.unet, *model.text_encoders] if module.training]
        for module in trained:
            module.eval()
        with self.network.for_drawing(), torch.autocast(model.device.type, self.precision, enabled=self.precision is not None):
            paths = self.sampler.draw(model, step, epoch, at_epoch_end, self.stop)
        for module in trained:
            module.train()
        for module in resting:
            self._rest(module)
        return paths

    def _write_state(self, folder: Path) -> None:
        self.position.losses = list(self.recorder.losses)
        self.make_room(folder.parent, state_size(self.network, self.optimizer))
        save_state(folder, self.position, self.network, self.optimizer, self.schedule, self.scaler)

    def _check_stop(self) -> None:
        if self.stop():
            raise Cancelled()

    def _stop_if_asked(self, epoch: int, also: bool = False) -> None:
        if (also or self.stop()) and self.position.current_step < self.total_steps:
            self.saver.at_stop(self.position.current_step, epoch)
            raise Cancelled(f"Stopped at step {self.position.current_step} of {self.total_steps}.", "The last checkpoint is whole.")
