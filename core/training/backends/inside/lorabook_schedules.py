"""Learning rate schedules that sd-scripts does not have, as classes for its `lr_scheduler_type`; needs torch alone."""

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


def rex(step: int, total_steps: int, warmup_steps: int = 0, lowest: float = 0.0) -> float:
    """The share of the full rate at a step: a rise in a straight line, then a fall that is slow at first and steep at the end.

    Args: lowest: the share that is left at the end.
    Source: "REX: Revisiting Budgeted Training with an Improved Schedule", https://arxiv.org/abs/2107.04197
    """
    if step < warmup_steps:
        return step / warmup_steps
    done = min(1.0, (step - warmup_steps) / max(1, total_steps - warmup_steps))
    return lowest + (1 - lowest) * (1 - done) / (0.5 + 0.5 * (1 - done))


class Rex(LambdaLR):
    """Each group's own rate times `rex`.

    Args: total_steps: calls of `step` in the whole training. warmup_steps: of these, those in which the rate rises.
    """

    def __init__(self, optimizer: Optimizer, total_steps: int, warmup_steps: int = 0, lowest: float = 0.0) -> None:
        super().__init__(optimizer, lambda step: rex(step, total_steps, warmup_steps, lowest))
