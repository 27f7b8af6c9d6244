"""Whose machine this is (Vast, RunPod, Colab, a plain container, one's own), and what a stop of it keeps."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from core.base.paths import ROOT
from core.setup.hardware import mount_point


@dataclass(frozen=True)
class Provider:
    """Where Lorabook runs."""

    name: str
    """vast, runpod, colab, container or local."""
    title: str
    tunnel: str = ""
    """Where one reads PORT, USER and HOST for a tunnel to JupyterLab; empty where it opens by itself."""
    stop: str = ""
    """How to stop paying."""
    has_jupyter: bool = False
    """Its images usually run a Jupyter of their own, which the browser reaches already."""

    def reach(self, port: int) -> str:
        """How to open a JupyterLab that listens on `port` from one's own browser; "" where it opens by itself."""
        if not self.tunnel:
            return ""
        return (f"JupyterLab listens on this machine only (port {port}). To reach it, type on your own computer:\n"
                f"  ssh -p PORT -L {port}:127.0.0.1:{port} USER@HOST\n"
                f"with your own PORT, USER and HOST ({self.tunnel}). Leave that open, and open there the address "
                f"with 127.0.0.1:{port} that JupyterLab prints.")


LOCAL = Provider("local", "this computer")
COLAB = Provider("colab", "Google Colab", stop="A session ends after 12 hours at most; everything outside Google Drive is lost with it.")
VAST = Provider("vast", "Vast.ai", "Vast shows them under 'SSH'",
                "A stopped machine still costs its disk; `vastai stop instance $CONTAINER_ID` stops it.", has_jupyter=True)
RUNPOD = Provider("runpod", "RunPod", "RunPod shows them under 'Connect'",
                  "`runpodctl stop pod $RUNPOD_POD_ID` stops it; the volume still costs a little.", has_jupyter=True)
CONTAINER = Provider("container", "a container", "those with which you log in to this machine")


def find_provider(environ: Mapping[str, str] = os.environ) -> Provider:
    """Whose machine this is, by the marks that each provider leaves."""
    if environ.get("RUNPOD_POD_ID"):
        return RUNPOD
    if environ.get("VAST_CONTAINERLABEL") or (environ.get("CONTAINER_ID") and Path("/venv/main").exists()):
        return VAST
    if environ.get("COLAB_RELEASE_TAG") or environ.get("COLAB_BACKEND_VERSION") or _has_colab():
        return COLAB
    if Path("/.dockerenv").exists() or Path("/run/.containerenv").exists() or environ.get("KUBERNETES_SERVICE_HOST"):
        return CONTAINER
    return LOCAL


def _has_colab() -> bool:
    try:
        return importlib.util.find_spec("google.colab") is not None
    except ModuleNotFoundError:
        return False


def survives_stop(provider: Provider, folder: Path) -> tuple[bool | None, str]:
    """Whether what is written into `folder` is still there after a stop, and a sentence about it; None: not known."""
    place = mount_point(folder)
    own_disk = place != Path("/")
    if provider.name == "colab":
        kept = folder.resolve().is_relative_to("/content/drive")
        return kept, f"{folder} is on Google Drive and stays." if kept else f"{folder} is lost when the Colab session ends."
    if provider.name == "runpod":
        if own_disk:
            return True, f"{folder} is on the volume {place}, which a stop of the pod keeps."
        return False, f"{folder} is on the pod's container disk, which a stop of the pod empties."
    if provider.name == "vast":
        if own_disk:
            return True, f"{folder} is on the volume {place}, which outlives the machine."
        return True, f"{folder} survives a stop of the machine, but not its destruction."
    if provider.name == "container":
        if own_disk:
            return True, f"{folder} is on {place}, which is mounted into this container."
        return None, f"{folder} is inside the container: it survives a stop, but is lost when the container is removed."
    return True, f"{folder} is on this computer's own disk."


def keep_remedy(provider: Provider) -> str:
    """What to do so that a stop keeps the projects."""
    download = "download finished LoRAs in time (JupyterLab's file browser: right-click, Download)"
    move = f"Move Lorabook onto the pod's volume: mv {ROOT} /workspace/ and run ./jupyter.sh there; or {download}."
    if ROOT.is_relative_to("/workspace"):
        move = f"This pod has no volume under /workspace: rent one with a volume, or {download}."
    return {"colab": "Write KEEP_ON_DRIVE = True into the first cell and run it again, so that they lie on your Google Drive.",
            "runpod": move,
            "vast": "Copy finished LoRAs away before you destroy the machine.",
            "container": "Start the container with a folder of its host: docker run -v /folder/of/the/host:/projects "
                         f"-e LORABOOK_PROJECTS=/projects …; or {download}."}.get(provider.name, "")
