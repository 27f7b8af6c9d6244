"""Runs another trainer's script as `python SCRIPT ARGUMENTS` would, and measures its gradients and layers beside it; needs torch alone.

    python lorabook_start.py SCRIPT ARGUMENTS…

$LORABOOK_RUN names the run's folder, $LORABOOK_FROM_STEP the step that it goes on from. Of several processes of one training ($RANK) only
the first one measures. Signals, exit code and output are the script's own.
"""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lorabook_norms import Norms

NORMS = "norms.jsonl"


def main() -> None:
    """Measure, then be the script."""
    from lorabook_memory import tell_memory  # beside this file, which is where Python looks before it is the script

    script, sys.argv = sys.argv[1], sys.argv[1:]
    run = os.environ.get("LORABOOK_RUN", "")
    is_first = os.environ.get("RANK", "0") == "0"
    norms = _begin(Path(run)) if run and is_first else None
    sys.path[0] = str(Path(script).resolve().parent)
    try:
        runpy.run_path(script, run_name="__main__")
    finally:
        if norms is not None:
            norms.close()
        if run and is_first:
            tell_memory(Path(run))


def _begin(run: Path) -> Norms | None:
    """Watch the optimizers of this process; None: that cannot be done here, and the training goes without."""
    try:
        from lorabook_norms import Norms

        norms = Norms(run / NORMS, int(os.environ.get("LORABOOK_FROM_STEP") or 0))
        norms.watch()
        _count_steps(norms)
    except Exception as error:  # noqa: BLE001 - a guest in another program's process: whatever it is, the training goes on
        sys.stderr.write(f"lorabook: gradients and changes of the layers are not measured: {type(error).__name__}: {error}\n")
        return None
    return norms


def _count_steps(norms: Norms) -> None:
    """With accelerate a step is what it calls one, also where fp16 passes the optimizer over."""
    try:
        from accelerate.optimizer import AcceleratedOptimizer
    except ImportError:
        return
    make = AcceleratedOptimizer.step

    def step(self: Any, closure: Any = None) -> Any:
        norms.outside, is_whole = True, self.gradient_state.sync_gradients
        result = make(self, closure)
        if is_whole:
            norms.end_of_step()
        return result

    AcceleratedOptimizer.step = step


if __name__ == "__main__":
    main()
