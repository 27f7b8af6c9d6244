"""JupyterLab on loopback and a headless Chromium: what the browser tests stand on.

    with Lab(root) as lab, Browser() as context:
        page = lab.open(context, "Trainer.ipynb")
        run_all(page)
"""

from __future__ import annotations

import ctypes
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from core.base.paths import ROOT

SCREENSHOTS = os.environ.get("LORABOOK_SCREENSHOTS", "")
"""Folder for pictures of the panels; empty: none are kept."""
CHROMIUM = Path(os.environ.get("LORABOOK_CHROMIUM", "/usr/bin/chromium"))
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]
QUIET = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True},
    "@jupyterlab/extensionmanager-extension:plugin": {"enabled": False},
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
}
"""Settings without news, dialogs and autosave; cells that are off screen are drawn too, or the browser calls them invisible."""
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
READY = """async () => {
  const app = window.jupyterapp; await app.restored;
  const notebook = app.shell.currentWidget; await notebook.context.ready; await notebook.sessionContext.ready;
  await notebook.sessionContext.session.kernel.info; }"""
"""The toolbar says idle before the kernel is connected, and cells that are run then are dropped without a word."""


def _end_with_parent() -> None:
    """The server ends when the test process ends, however that ends (Linux: PR_SET_PDEATHSIG = 1)."""
    ctypes.CDLL("libc.so.6").prctl(1, signal.SIGTERM)


def free_port() -> int:
    """A TCP port of the loopback that nobody uses now."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


class Lab:
    """One JupyterLab server with settings of its own.

    Args: root: folder with the notebooks. environ: variables for the server and its kernels. theme: light or dark.
    """

    def __init__(self, root: Path, environ: dict[str, str] | None = None, theme: str = "light") -> None:
        self.root, self.environ, self.theme = Path(root), environ or {}, theme
        self.port, self.token = free_port(), secrets.token_hex(16)

    def __enter__(self) -> Lab:
        self.folder = Path(tempfile.mkdtemp(prefix="lab-"))
        config = self.folder / "config" / "labconfig"
        config.mkdir(parents=True)
        settings = {**QUIET, "@jupyterlab/apputils-extension:themes": {"theme": THEMES[self.theme]}}
        (config / "default_setting_overrides.json").write_text(json.dumps(settings))
        places = {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "run", "IPYTHONDIR": "ipython",
                  "JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces"}
        environ = {**os.environ, **{name: str(self.folder / place) for name, place in places.items()}, "JUPYTER_PLATFORM_DIRS": "1",
                   "PYTHONPATH": str(ROOT), **self.environ}
        self.log = open(self.folder / "lab.log", "w", encoding="utf-8")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1",
             f"--ServerApp.port={self.port}",
             "--ServerApp.port_retries=0", f"--IdentityProvider.token={self.token}", f"--ServerApp.root_dir={self.root}",
             "--LabApp.news_url=", "--LabApp.expose_app_in_browser=True"],
            stdout=self.log, stderr=subprocess.STDOUT, env=environ, start_new_session=True, preexec_fn=_end_with_parent)
        self._wait()
        return self

    def _wait(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                self.api("api/status")
                return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((self.folder / "lab.log").read_text()) from None
                time.sleep(0.1)

    def __exit__(self, *problem: object) -> None:
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def api(self, path: str, method: str = "GET") -> Any:
        """Ask the server, e.g. `api/kernels`."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/{path}", method=method,
                                         headers={"Authorization": f"token {self.token}"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"null")

    def open(self, context: Any, notebook: str) -> Any:
        """Open a notebook in a new page and wait until its kernel answers."""
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{self.port}/lab/tree/{notebook}?token={self.token}&reset", wait_until="domcontentloaded")
        page.locator(".jp-NotebookPanel:visible .jp-Notebook .jp-Cell").first.wait_for(timeout=60_000)
        page.wait_for_function("() => window.jupyterapp && window.jupyterapp.shell.currentWidget?.sessionContext")
        page.evaluate(READY)
        page.evaluate("async () => { if (!window.jupyterapp.shell.leftCollapsed) window.jupyterapp.shell.collapseLeft(); }")
        return page


ERRORS = """() => window.jupyterapp.shell.currentWidget.content.model.sharedModel.cells
    .flatMap(cell => cell.toJSON().outputs ?? [])
    .filter(output => output.output_type === 'error')
    .map(output => `${output.ename}: ${output.evalue}`)"""
"""What JupyterLab's own model says; a printed warning looks the same as a traceback on the page."""


def run_all(page: Any) -> None:
    """Run every cell. Returns when the last one has ended; fails with the first cell's error."""
    page.evaluate("async () => { await window.jupyterapp.commands.execute('notebook:run-all-cells'); }")
    wrong = page.evaluate(ERRORS)
    assert not wrong, wrong[0]


STARTS = 3
"""Chromium itself sometimes crashes while it starts on a busy machine, before any page is open; so often it is started at most."""
WIDGET_FAILED = "Error setting state"
"""How ipywidgets' manager begins when a value from the kernel made a view fail; it is told in the console only."""


class Browser:
    """A headless Chromium with an empty profile; `errors` of the context collects what its console complains of.

    Args: ratio: pixels of the screen for one of the page. touch: it has fingers.
    """

    def __init__(self, width: int = 1400, height: int = 1000, reduced_motion: bool = True, ratio: float = 1, touch: bool = False) -> None:
        self.size = {"width": width, "height": height}
        self.ratio, self.touch = ratio, touch
        self.motion = "reduce" if reduced_motion else "no-preference"

    def __enter__(self) -> Any:
        from playwright.sync_api import Error, sync_playwright

        self.playwright = sync_playwright().start()
        for starts_left in reversed(range(STARTS)):
            self.profile = tempfile.mkdtemp(prefix="chromium-")
            try:
                self.context = self.playwright.chromium.launch_persistent_context(
                    self.profile, executable_path=str(CHROMIUM), headless=True, args=FLAGS, viewport=self.size, reduced_motion=self.motion,
                    device_scale_factor=self.ratio, has_touch=self.touch)
                break
            except Error:
                shutil.rmtree(self.profile, ignore_errors=True)
                if not starts_left:
                    self.playwright.stop()
                    raise
        self.context.errors = []
        self.context.on("weberror", lambda error: self.context.errors.append(str(error.error)))
        self.context.on("console", lambda line: self.context.errors.append(line.text) if line.text.startswith(WIDGET_FAILED) else None)
        return self.context

    def __exit__(self, *problem: object) -> None:
        self.context.close()
        self.playwright.stop()
        shutil.rmtree(self.profile, ignore_errors=True)


def write_notebook(path: Path, *cells: str) -> None:
    """A notebook of code cells."""
    code = [{"cell_type": "code", "id": f"cell-{number}", "metadata": {}, "source": source, "outputs": [], "execution_count": None}
            for number, source in enumerate(cells)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path.write_text(json.dumps({"cells": code, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}))


def keep_picture(page: Any, panel: str, name: str) -> None:
    """Keep a picture of a panel as NAME.png, where pictures are wanted."""
    if SCREENSHOTS:
        Path(SCREENSHOTS).mkdir(parents=True, exist_ok=True)
        page.locator(f".lb-panel-{panel}").screenshot(path=str(Path(SCREENSHOTS) / f"{name}.png"))


OVERFLOWING = """([parts, allowed]) => [...document.querySelectorAll(parts)].filter(part =>
    !['TEXTAREA', 'INPUT', 'SELECT', 'OPTION'].includes(part.tagName) && !part.closest('.lb-cell') && part.clientWidth
    && part.scrollWidth > part.clientWidth + 1 && !allowed.includes(getComputedStyle(part).overflowX)).map(part => part.className)"""


def overflowing(page: Any, parts: str = ".lb-panel, .lb-panel *", allowed: tuple[str, ...] = ("hidden",)) -> list[str]:
    """Classes of what is wider inside than it shows; fields and the grid's cells are passed over.

    Args: parts: which elements are looked at (CSS). allowed: values of overflow-x with which it is meant so.
    """
    return page.evaluate(OVERFLOWING, [parts, list(allowed)])


def in_kernel(page: Any, code: str) -> None:
    """Have the kernel run code that stands in no cell. Returns: at once; what is asked of the kernel later comes after it."""
    page.evaluate("code => { window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute({ code }); }", code)
