"""A pod of RunPod, through its REST interface (https://docs.runpod.io/api-reference/pods).

A pod finds its own id in RUNPOD_POD_ID, and a key in RUNPOD_API_KEY.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from core.training.finish.providers import MachineFacts
from core.training.finish.providers.calling import Caller

ADDRESS = "https://rest.runpod.io/v1"


class RunPodMachine:
    """This pod."""

    stop_words = "RunPod stops the pod: what lies on its volume is kept and still costs a little; its container disk is emptied. A pod " \
                 "with a network volume cannot be stopped, only destroyed."
    destroy_words = "RunPod destroys the pod: it costs nothing more, and all but a network volume is lost for good."

    def __init__(self, environ: Mapping[str, str], run_folder: Path) -> None:
        found = environ.get("RUNPOD_POD_ID", "")
        self.id = found if re.fullmatch(r"[\w\-]+", found, re.ASCII) else ""
        self._caller = Caller("RunPod", (environ.get("LORABOOK_RUNPOD_API") or ADDRESS).rstrip("/"), environ.get("RUNPOD_API_KEY", ""),
                              "RUNPOD_API_KEY")

    def name(self) -> str:
        """With the pod's id."""
        return f"RunPod pod {self.id or 'of unknown name'}"

    def missing(self) -> str:
        """Id and key."""
        if not self.id:
            return "The id of this pod is not known: RUNPOD_POD_ID is not set in the environment of the notebook."
        return "" if self._caller.key else ("There is no key for RunPod: RUNPOD_API_KEY is not set in the environment of the notebook. "
                                            "Make one on RunPod's page of settings, and give it to the pod as a secret.")

    def facts(self) -> MachineFacts:
        """`adjustedCostPerHr` (with the account's discount) or `costPerHr`; `lastStartedAt`."""
        found = self._caller.call("GET", f"/pods/{self.id}")
        prices = [_price(found.get(name)) for name in ("adjustedCostPerHr", "costPerHr")]
        return MachineFacts(next((price for price in prices if price), None), _moment(str(found.get("lastStartedAt") or "")))

    def stop(self) -> None:
        """POST …/stop."""
        self._caller.call("POST", f"/pods/{self.id}/stop")

    def destroy(self) -> None:
        """DELETE."""
        self._caller.call("DELETE", f"/pods/{self.id}")


def _price(value: object) -> float | None:
    try:
        return float(str(value)) or None
    except ValueError:
        return None


def _moment(text: str) -> float | None:
    """Seconds since 1970 of a time such as 2024-07-12T19:14:40.144Z, or as Go prints it: 2024-07-12 19:14:40.144 +0000 UTC."""
    found = re.match(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)", text)
    if found is None or not text.rstrip().endswith(("Z", "UTC", "+00:00")):
        return None
    try:
        return datetime.fromisoformat(f"{found[1]}T{found[2]}+00:00").timestamp()
    except ValueError:
        return None
