"""Training runs that are measured in minutes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import torch


def training_steps(minutes: float, label: str, done: float = 0.0) -> Iterator[tuple[int, float]]:
    """Count steps until the time is over, and print the pace.

    Args:
        minutes: length of the whole run.
        done: minutes that an earlier run has already spent.

    Yields:
        Step (from 0) and share of the whole run that has passed, 0..1.
    """
    start = time.monotonic() - done * 60
    step = 0
    while (spent := time.monotonic() - start) < minutes * 60:
        yield step, spent / (minutes * 60)
        step += 1
        if step % 200 == 0:
            print(f"{label}: step {step}, {spent / 60:.1f} of {minutes:g} minutes", flush=True)


def learn(
    parameters: list[torch.nn.Parameter], loss: Callable[[], torch.Tensor], minutes: float, label: str, rate: float, warm_up: int = 1,
    betas: tuple[float, float] = (0.9, 0.999),
) -> None:
    """AdamW until the time is over, the rate falling to nothing.

    Args:
        parameters: what is trained.
        loss: draws a batch and gives its loss, a tensor of one number.
        rate: the highest, reached after `warm_up` steps.
    """
    optimizer = torch.optim.AdamW(parameters, rate, weight_decay=0.01, betas=betas)
    for step, share in training_steps(minutes, label):
        for group in optimizer.param_groups:
            group["lr"] = rate * (min(1, (step + 1) / warm_up) * (1 - share) + 1e-3)
        optimizer.zero_grad()
        loss().backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
