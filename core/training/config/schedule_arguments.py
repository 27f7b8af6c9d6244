"""lr_scheduler_args as sd-scripts reads them: a name that the schedule does not take, or a value that is no literal, ends a run after
minutes of loading.

Source: get_scheduler_fix in sd-scripts' library/train_util.py (48d368fa) and the signatures in transformers 4.54 and diffusers 0.32.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from core.base.findings import Finding
from core.training.config.schedule import ScheduleSettings

ALL = ("last_epoch",)
TAKES = {"polynomial": ("lr_end", *ALL), "cosine": ("num_cycles", *ALL), "cosine_with_min_lr": ("min_lr", *ALL),
         "warmup_stable_decay": ("warmup_type", "decay_type", *ALL), "piecewise_constant": ("step_rules", *ALL)}
"""Beside what has a setting of its own; every other schedule takes `ALL`."""
RULES = re.compile(r"(\s*[\d.eE+-]+\s*:\s*\d+\s*,)*\s*[\d.eE+-]+\s*")


def check_schedule_arguments(schedule: ScheduleSettings) -> Iterator[Finding]:
    """What is wrong with them."""
    takes, given = TAKES.get(schedule.lr_scheduler, ALL), set()
    for argument in schedule.lr_scheduler_args:
        name, equals, text = argument.partition("=")
        name = name.strip()
        if not equals or not name or not text.strip() or "=" in text:
            yield Finding("error", f"The schedule argument {argument!r} is not name=value.", "Write it like step_rules='1:1000,0.1'.")
            continue
        try:
            value = ast.literal_eval(text.strip())
        except (SyntaxError, ValueError, TypeError):
            yield Finding("error", f"The value of the schedule argument {argument!r} is no number, True, False or quoted text.",
                          f"Put texts in quotes: {name}='{text.strip()}'.")
            continue
        if name in given:
            yield Finding("error", f"The schedule argument {name!r} is given twice; only the last would count.", "Leave one of them.")
        elif name not in takes and schedule.lr_scheduler != "rex":
            yield Finding("error", f"The schedule {schedule.lr_scheduler} takes no argument {name!r}.", f"It takes {' and '.join(takes)}.")
        elif name == "step_rules" and not (isinstance(value, str) and RULES.fullmatch(value)):
            yield Finding("error", f"The rules of piecewise_constant are {value!r}.", "Write them like '1:1000,0.1:2000,0.01': factors, "
                          "each until its step, and the last one to the end.")
        elif name == "min_lr" and schedule.lr_scheduler_min_lr_ratio is not None:
            yield Finding("error", "The lowest rate is given twice, as min_lr and as lr_scheduler_min_lr_ratio.", "Leave one of them.")
        given.add(name)
