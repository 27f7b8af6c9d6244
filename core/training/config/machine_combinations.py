"""What does not go together with several GPUs or machines, found before anything is started.

Source: kohya-ss/sd-scripts at 48d368fa with accelerate 1.6.0 and torch 2.6: the fused updates were tried with two processes, the rest is
read from library/train_util.py, accelerate/utils/launch.py and torch/nn/parallel/distributed.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from core.base.findings import Finding
from core.training.config.applying import FULL
from core.training.config.families import trained_model
from core.training.config.finding import finding
from core.training.config.machines import MachinesSettings

if TYPE_CHECKING:
    from core.training.config.training import TrainingSettings

FUSED = ("fused_backward_pass", "fused_optimizer_groups", "blockwise_fused_optimizers")
HERE = ("localhost", "127.", "::1")


def check_machines(settings: TrainingSettings, backend: str) -> Iterator[Finding]:
    """What is wrong with the GPUs and machines as they are told. Nothing is asked of this machine here: see `core.training.machine`."""
    machines = settings.machines
    yield from _gpus(machines)
    if machines.num_processes == 1:
        return
    if backend == "builtin":
        yield finding("error", f"{machines.num_processes} GPUs are to train together, but the built-in trainer trains on one.",
                      f"Choose the trainer {trained_model(settings.model.family).trainer}, or set num_processes to 1.", "",
                      num_processes=1)
        return
    yield from _machines(machines)
    yield from _learning(settings)
    yield from _pace(settings)


def _gpus(machines: MachinesSettings) -> Iterator[Finding]:
    chosen = machines.gpus
    if len(set(chosen)) < len(chosen):
        yield finding("error", f"A GPU is chosen twice ({machines.gpu_ids}).", "Name each GPU once.", "",
                      gpu_ids=",".join(map(str, dict.fromkeys(chosen))))
    elif chosen and machines.num_processes > 1 and machines.processes_here > len(chosen):
        yield finding("error", f"{machines.processes_here} GPUs of this machine are to train together, but only {len(chosen)} are chosen "
                      f"({machines.gpu_ids}).", "Choose more GPUs (gpu_ids), empty the choice, or lower num_processes.", "",
                      num_processes=len(chosen) * machines.machines)


def _machines(machines: MachinesSettings) -> Iterator[Finding]:
    count = machines.machines
    if count == 1:
        return
    if machines.num_processes % count:
        more = -(-machines.num_processes // count) * count
        yield finding("error", f"{machines.num_processes} GPUs cannot be divided evenly among {count} machines.",
                      f"Give all machines as many, such as {more} in all (num_processes).", "", num_processes=more)
    if machines.machine_rank >= count:
        yield Finding("error", f"This machine has the number {machines.machine_rank}, but {count} machines are numbered 0 to {count - 1}.",
                      "Set machine_rank to this machine's number; 0 is the main one.")
    address = (machines.main_process_ip or "").strip()
    if not address:
        yield Finding("error", f"{count} machines are to train together, but the address of the main one is not given (main_process_ip).",
                      "Give the address of the machine with the number 0 that the others reach, such as 10.0.0.4.")
    elif address.startswith(HERE):
        yield Finding("warning", f"The address of the main machine is {address}, which on each machine means that machine itself.",
                      "Give an address that the other machines reach (main_process_ip).")


def _learning(settings: TrainingSettings) -> Iterator[Finding]:
    """What learns something else, or not at all."""
    memory, whole = settings.memory, settings.model.method == FULL
    told = {**settings.optimizer.acting(settings), **settings.extra.arguments(settings)}
    for name in (one for one in FUSED if told.get(one)):
        yield finding("error", f"{name} changes the weights before the GPUs have told each other what they learned: each would train a "
                      "model of its own.", f"Switch {name} off, or train on one GPU.", "sd-scripts says nothing.",
                      **({name: False} if name == FUSED[0] else {"num_processes": 1}))
    if whole and memory.blocks_to_swap:
        yield finding("error", "Blocks of the model wait in main memory (blocks_to_swap), which does not go with several GPUs where the "
                      "whole model is trained: torch wants all of it on the GPU.", "Empty blocks_to_swap, or train on one GPU.",
                      "sd-scripts stops there only after models and caches are loaded, minutes later.", blocks_to_swap=None)
    if settings.schedule.lr_scheduler == "piecewise_constant":
        count = settings.machines.num_processes
        yield Finding("warning", f"The rules of piecewise_constant count {count} for each step on {count} GPUs, so that they come {count} "
                      "times as early.", f"Multiply their steps by {count}.")


def _pace(settings: TrainingSettings) -> Iterator[Finding]:
    """What each GPU would do that one could do for all."""
    data = settings.data
    if trained_model(settings.model.family).trainer != "sd-scripts":
        return
    pictures = data.cache_latents and not data.cache_latents_to_disk
    captions = settings.data.acting(settings).get("cache_text_encoder_outputs") and not data.cache_text_encoder_outputs_to_disk
    for name, what, found in (("cache_latents_to_disk", "picture", pictures), ("cache_text_encoder_outputs_to_disk", "caption", captions)):
        if found:
            yield finding("info", f"Each GPU encodes every {what} by itself, and each process keeps all of them in main memory.",
                          f"With {name} they share the work.", "", **{name: True})
