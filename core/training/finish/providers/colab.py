"""A session of Google Colab. Only the notebook's own kernel can end it, so this side leaves a request, which the panel carries out.

The request is good as long as the process lives that left it, and only in the session that it was left in: one that lies on Google Drive
from an earlier session ends nothing.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import time
from collections.abc import Mapping
from pathlib import Path

from core.base.errors import StudioError, TrainingError
from core.base.files import read_json, write_json
from core.base.process import ProcessMark, is_alive, mark_of
from core.training.finish.clock import rest, seconds
from core.training.finish.providers import MachineFacts, host_name

FILE = "finish-disconnect"
PATIENCE = 120
"""Seconds that the notebook has to answer; it looks every second while its panel is shown."""


class ColabMachine:
    """The machine behind the notebook."""

    stop_words = "Colab ends the session: it uses up no more compute units, and everything outside Google Drive is lost. It is the " \
                 "notebook that ends it, so the panel 'After the run' must be open in the browser at that moment."
    destroy_words = stop_words

    def __init__(self, environ: Mapping[str, str], run_folder: Path) -> None:
        self.request = run_folder / FILE

    def name(self) -> str:
        """Each session has a machine of its own."""
        return f"Colab session {_session()}"

    def missing(self) -> str:
        """Nothing that could be known before."""
        return ""

    def facts(self) -> MachineFacts:
        """Colab counts compute units and tells no price."""
        return MachineFacts()

    def stop(self) -> None:
        """Leave the request and wait for the notebook. Raises: TrainingError: it did not answer."""
        mark, until = mark_of(os.getpid()), time.monotonic() + seconds(PATIENCE)
        write_json(self.request, {"session": _session(), "mark": mark.as_dict() if mark else None})
        try:
            while time.monotonic() < until:
                if _said(self.request):
                    raise TrainingError(f"The notebook could not end the Colab session: {_said(self.request)}",
                                        "End it in Colab's menu: Runtime, Disconnect and delete runtime.")
                rest(0.5)
        finally:
            self.request.unlink(missing_ok=True)
        raise TrainingError("The Colab session was not ended: the notebook's panel 'After the run' was not open.",
                            "End it in Colab's menu: Runtime, Disconnect and delete runtime.")

    def destroy(self) -> None:
        """The same."""
        self.stop()


def disconnect_if_asked(run_folder: Path) -> bool:
    """End this Colab session where a living process of this very session asks for it; called by the kernel's panel.

    Returns: whether it was ended (the kernel is about to go).
    """
    request = run_folder / FILE
    try:
        asked = read_json(request)
        mark = ProcessMark.from_dict(asked["mark"])
    except (StudioError, OSError, KeyError, TypeError, ValueError):
        return False
    if asked.get("session") != _session() or not is_alive(mark) or asked.get("error"):
        return False
    try:
        importlib.import_module("google.colab.runtime").unassign()
    except Exception as error:  # noqa: BLE001 - Colab's own code: whatever it says goes back to the process that asked
        with contextlib.suppress(StudioError):
            write_json(request, {**asked, "error": f"{type(error).__name__}: {error}"[:200]})
        return False
    return True


def _said(request: Path) -> str:
    try:
        return str(read_json(request).get("error", ""))
    except (StudioError, OSError):
        return ""


def _session() -> str:
    """Another one for each start of a machine."""
    try:
        return f"{host_name()} {Path('/proc/sys/kernel/random/boot_id').read_text(encoding='ascii').strip()[:8]}"
    except OSError:
        return host_name()
