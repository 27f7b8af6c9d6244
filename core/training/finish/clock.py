"""How long a second of the finish protocol is: $LORABOOK_FINISH_SECOND, for trials against a machine that is only played."""

from __future__ import annotations

import os
import time


def seconds(count: float) -> float:
    """That many seconds of the protocol, in seconds of the clock."""
    return count * float(os.environ.get("LORABOOK_FINISH_SECOND") or 1.0)


def rest(count: float) -> None:
    """Wait that many seconds of the protocol."""
    time.sleep(seconds(count))
