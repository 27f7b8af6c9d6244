"""A machine of Vast.ai, through its REST interface (https://docs.vast.ai/api-reference; as the `vastai` program uses it).

A container finds its own id and a key for itself alone in its environment: CONTAINER_ID, CONTAINER_API_KEY.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from core.base.errors import TrainingError
from core.training.finish.providers import MachineFacts
from core.training.finish.providers.calling import Caller

ADDRESS = "https://console.vast.ai/api/v0"
KEYS = ("CONTAINER_API_KEY", "VAST_API_KEY")


class VastMachine:
    """This container, as Vast.ai knows it."""

    stop_words = "Vast.ai stops the machine: its disk is kept and still costs a little; whether it can be started again depends on who " \
                 "rents its GPU meanwhile."
    destroy_words = "Vast.ai destroys the machine: it costs nothing more, and everything on its disk is lost for good."

    def __init__(self, environ: Mapping[str, str], run_folder: Path) -> None:
        label = environ.get("VAST_CONTAINERLABEL", "").removeprefix("C.")
        found = environ.get("CONTAINER_ID", "") or label
        self.id = found if found.isdecimal() else ""
        variable = next((name for name in KEYS if environ.get(name)), KEYS[0])
        self._caller = Caller("Vast.ai", (environ.get("LORABOOK_VAST_API") or ADDRESS).rstrip("/"), environ.get(variable, ""), variable)

    def name(self) -> str:
        """With the instance's number."""
        return f"Vast.ai machine {self.id or 'of unknown number'}"

    def missing(self) -> str:
        """Number and key."""
        if not self.id:
            return "The number of this Vast.ai machine is not known: CONTAINER_ID is not set in the environment of the notebook."
        if not self._caller.key:
            return ("There is no key for this Vast.ai machine: CONTAINER_API_KEY is not set in the environment of the notebook. Where you "
                    "came in by SSH it is not handed on; start the notebook from the machine's own Jupyter.")
        return ""

    def facts(self) -> MachineFacts:
        """`dph_total`: dollars an hour with the disk; `start_date`: seconds since 1970."""
        answer = self._caller.call("GET", f"/instances/{self.id}/")
        found = answer.get("instances", answer)
        found = found if isinstance(found, dict) else {}
        return MachineFacts(_number(found.get("dph_total")), _number(found.get("start_date")))

    def stop(self) -> None:
        """PUT with the state that is wished for."""
        _demand(self._caller.call("PUT", f"/instances/{self.id}/", {"state": "stopped"}))

    def destroy(self) -> None:
        """DELETE."""
        _demand(self._caller.call("DELETE", f"/instances/{self.id}/", {}))


def _demand(answer: Mapping[str, object]) -> None:
    if answer.get("success") is False:
        raise TrainingError(f"Vast.ai did not do it: {answer.get('msg') or answer.get('error') or 'it does not say why'}.",
                            "Stop the machine on https://cloud.vast.ai/instances/")


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0 else None
