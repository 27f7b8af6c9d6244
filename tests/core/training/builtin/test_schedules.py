"""The learning rate on its way: schedules that diffusers lacks, told as sd-scripts tells them."""

import itertools
import subprocess
import sys

import pytest
import torch

from core.base.errors import ConfigError
from core.base.paths import ROOT
from core.training.backends.inside.lorabook_schedules import Rex, rex
from core.training.builtin.optimizers import make_schedule
from core.training.builtin.options import TrainOptions


def rates(steps=20, **options):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    schedule = make_schedule(TrainOptions(**options), optimizer, steps)
    seen = []
    for _ in range(steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return [*seen, optimizer.param_groups[0]["lr"]]


def test_rex_falls_slowly_and_then_steeply():
    seen = rates(lr_scheduler="rex", lr_warmup_steps=4)
    assert seen[:5] == pytest.approx([0, 0.5, 1.0, 1.5, 2.0])
    falls = [before - after for before, after in itertools.pairwise(seen[4:])]
    assert all(later > earlier for earlier, later in itertools.pairwise(falls))
    assert seen[12] == pytest.approx(2 * 0.5 / 0.75) and seen[-1] == 0
    assert rates(lr_scheduler="rex", lr_scheduler_min_lr_ratio=0.1)[-1] == pytest.approx(0.2)


def test_rex_goes_on_from_a_state():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    first = Rex(optimizer, 10)
    for _ in range(4):
        optimizer.step()
        first.step()
    again = Rex(torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0), 10)
    again.load_state_dict(first.state_dict())
    again.step()
    assert again.get_last_lr() == [rex(5, 10)]


@pytest.mark.slow
def test_rex_needs_nothing_but_torch():
    code = "import sys; import lorabook_schedules; print([name for name in sys.modules if name.startswith(('core', 'pydantic'))])"
    inside = ROOT / "core/training/backends/inside"
    done = subprocess.run([sys.executable, "-c", code], cwd=inside, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_lowest_rate_a_plateau_and_steps_by_rule():
    low = rates(lr_scheduler="cosine_with_min_lr", lr_scheduler_min_lr_ratio=0.25, lr_scheduler_num_cycles=1)
    assert low[0] == 2.0 and min(low) == pytest.approx(0.5) and low[-1] == pytest.approx(0.5)
    flat = rates(lr_scheduler="warmup_stable_decay", lr_warmup_steps=0.2, lr_decay_steps=0.25)
    assert flat[4:15] == [2.0] * 11 and flat[0] == 0.0 and flat[-1] == pytest.approx(0.0)
    assert rates(lr_scheduler="piecewise_constant", lr_scheduler_args=["step_rules='1:5,0.5:10,0.1'"])[::5] == [2.0, 1.0, 0.2, 0.2, 0.2]
    slow = rates(lr_scheduler="inverse_sqrt", lr_warmup_steps=5, lr_scheduler_timescale=5)
    assert slow[5] == 2.0 and slow[20] == pytest.approx(1.0)


def test_a_wrong_argument_is_a_sentence():
    with pytest.raises(ConfigError, match="lr_scheduler_args"):
        rates(lr_scheduler="piecewise_constant", lr_scheduler_args=["step_rules=1:5"])
