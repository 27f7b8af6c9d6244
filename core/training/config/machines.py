"""On how many GPUs and machines it trains. Nothing of it stands in the pair: it is what the trainer's launcher is told."""

from __future__ import annotations

from typing import ClassVar

from core.base.settings import SEVERAL, setting
from core.training.config.part import Part

LAUNCHER = "accelerate 1.6.0, accelerate launch --help"
USUAL_PORT = 29500
"""Where the machines meet when nothing is said. Source: accelerate/utils/launch.py."""
TOGETHER = {"num_processes": SEVERAL}
WITH_OTHERS = {"num_machines": SEVERAL}


class MachinesSettings(Part):
    """On how many GPUs and machines it trains, by accelerate's own launcher. One GPU needs none of it."""

    title: ClassVar[str] = "Several GPUs"
    section: ClassVar[str] = "machines"
    elsewhere: ClassVar[tuple[str, ...]] = ("num_processes", "gpu_ids", "num_machines", "machine_rank", "main_process_ip",
                                            "main_process_port")

    num_processes: int = setting(1, "GPUs that train together", "Of all machines together. Each takes a share of the batches: with twice "
                                 "the GPUs an epoch has half the steps, and each step learns from twice the pictures.", level="advanced",
                                 ge=1, le=1024, source=LAUNCHER)
    gpu_ids: str | None = setting(None, "Which GPUs", "Their numbers on this machine as nvidia-smi shows them, such as 0,1. Empty: the "
                                  "first ones.", level="advanced", pattern=r"^\s*\d+(\s*,\s*\d+)*\s*$")
    num_machines: int = setting(1, "Machines", "How many machines train together, each with as many GPUs. The run is started on each of "
                                "them, with the same settings but for its number.", level="expert", ge=1, le=64, only=TOGETHER,
                                source=LAUNCHER)
    machine_rank: int = setting(0, "Number of this machine", "0 is the main machine, which saves the LoRA; the others are 1, 2 and so on.",
                                level="expert", ge=0, le=63, only=WITH_OTHERS, source=LAUNCHER)
    main_process_ip: str | None = setting(None, "Address of the main machine", "An address that all machines reach, such as 10.0.0.4.",
                                          level="expert", only=WITH_OTHERS, source=LAUNCHER)
    main_process_port: int | None = setting(None, "Port of the main machine", "Where the processes meet. Empty: one that is free; with "
                                            f"several machines {USUAL_PORT}.", level="expert", ge=1024, le=65535, only=TOGETHER,
                                            source=LAUNCHER)

    @property
    def gpus(self) -> tuple[int, ...]:
        """The numbers of the chosen GPUs; empty: none is chosen."""
        return tuple(int(word) for word in (self.gpu_ids or "").split(",") if word.strip())

    @property
    def processes_here(self) -> int:
        """Processes on this machine."""
        return self.num_processes // self.machines

    @property
    def machines(self) -> int:
        """Machines that take part; with one process it is this one, whatever is said."""
        return self.num_machines if self.num_processes > 1 else 1

    @property
    def is_main(self) -> bool:
        """Whether this machine saves what is learned."""
        return self.machines == 1 or not self.machine_rank
