"""Several processes of one training: what stands between a trainer's Python and its script, and which GPUs it sees.

accelerate's own launcher starts a process for each GPU of this machine, and ends them all where one fails. Every value that a person's
own `accelerate config` could bring in is given, so that it changes nothing.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.setup.hardware import cpu_cores
from core.training.config.machines import USUAL_PORT

if TYPE_CHECKING:
    from core.training.config import TrainingSettings

LAUNCHER = "accelerate.commands.launch"
START = Path(__file__).resolve().with_name("inside") / "lorabook_processes.py"
"""Stands before the script in each process."""


def launch_words(settings: TrainingSettings) -> list[str]:
    """The words between Python and script: none for one process, else the launcher with its options, and what each process starts."""
    machines = settings.machines
    if machines.num_processes == 1:
        return []
    port = machines.main_process_port or (free_port() if machines.machines == 1 else USUAL_PORT)
    words = ["-m", LAUNCHER, "--multi_gpu", "--num_processes", str(machines.num_processes), "--num_machines", str(machines.machines),
             "--mixed_precision", settings.memory.mixed_precision, "--dynamo_backend", "no", "--gpu_ids", "all",
             "--num_cpu_threads_per_process", str(_threads(machines.processes_here)), "--main_process_port", str(port)]
    if machines.machines > 1:
        words += ["--machine_rank", str(machines.machine_rank), "--main_process_ip", machines.main_process_ip or ""]
    return [*words, str(START)]


def schedule_words(config: Mapping[str, Any], processes: int) -> list[str]:
    """What a trainer is told beside its config file, so that a number of steps means steps.

    Each process moves the schedule on at every step, so that numbers of steps count so many times; shares of the whole need nothing.
    Source: get_scheduler_fix in sd-scripts' library/train_util.py, AcceleratedScheduler.
    """
    named = {name: config.get(name) for name in ("lr_warmup_steps", "lr_decay_steps")}
    steps = {name: value * processes for name, value in named.items() if isinstance(value, int) and value and processes > 1}
    return [word for name, value in steps.items() for word in (f"--{name}", str(value))]


def gpu_environment(settings: TrainingSettings) -> dict[str, str]:
    """Variables by which the trainer sees the chosen GPUs only, counted as nvidia-smi counts them; none where none is chosen."""
    gpus = settings.machines.gpus
    return {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": ",".join(map(str, gpus))} if gpus else {}


def free_port() -> int:
    """The port where the processes of this machine meet: the usual one, else one that is free now.

    The launcher's own way to choose one (port 0) never ends with torch 2.6.
    """
    with socket.socket() as taken:
        if taken.connect_ex(("127.0.0.1", USUAL_PORT)):
            return USUAL_PORT
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _threads(processes: int) -> int:
    """Threads of each process: as $OMP_NUM_THREADS says, else the cores shared out evenly."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    return int(told) if told.isdecimal() and int(told) else max(1, int(cpu_cores()) // max(1, processes))
