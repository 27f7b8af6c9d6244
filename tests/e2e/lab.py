"""JupyterLab on loopback and a headless Chromium: what the browser tests stand on.

    with Lab(root) as lab, Browser() as context:
        page = lab.open(context, "Trainer.ipynb")
        run_all(page)
"""

from __future__ import annotations

import atexit
import contextlib
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
import urllib.parse
import urllib.request
from collections.abc import Iterator
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
ENVIRON = dict(os.environ)
"""As it is before any test changes it: what a server's kernels have where a test says nothing else."""
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


class Server:
    """One JupyterLab server with settings of its own. Args: root: folder that it shows. theme: light or dark."""

    def __init__(self, root: Path, theme: str) -> None:
        self.root, self.port, self.token = root, free_port(), secrets.token_hex(16)
        self.folder = Path(tempfile.mkdtemp(prefix="lab-"))
        config = self.folder / "config" / "labconfig"
        config.mkdir(parents=True)
        settings = {**QUIET, "@jupyterlab/apputils-extension:themes": {"theme": THEMES[theme]}}
        (config / "default_setting_overrides.json").write_text(json.dumps(settings))
        places = {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "run", "IPYTHONDIR": "ipython",
                  "JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
                  "JUPYTER_PATH": "data"}  # so the kernels that are described there go before the environment's own
        environ = {**ENVIRON, **{name: str(self.folder / place) for name, place in places.items()}, "JUPYTER_PLATFORM_DIRS": "1",
                   "PYTHONPATH": str(ROOT)}
        self.log = self.folder.joinpath("lab.log").open("w", encoding="utf-8")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1",
             f"--ServerApp.port={self.port}",
             "--ServerApp.port_retries=0", f"--IdentityProvider.token={self.token}", f"--ServerApp.root_dir={self.root}",
             "--LabApp.news_url=", "--LabApp.expose_app_in_browser=True"],
            stdout=self.log, stderr=subprocess.STDOUT, env=environ, start_new_session=True, preexec_fn=_end_with_parent)
        self._wait()

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

    def api(self, path: str, method: str = "GET") -> Any:
        """Ask it, e.g. `api/kernels`."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/{path}", method=method,
                                         headers={"Authorization": f"token {self.token}"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"null")

    def give_kernels(self, environ: dict[str, str]) -> None:
        """Kernels that are started from now on have these variables."""
        folder = self.folder / "data" / "kernels" / "python3"
        folder.mkdir(parents=True, exist_ok=True)
        start = [sys.executable, "-Xfrozen_modules=off", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        (folder / "kernel.json").write_text(json.dumps({"argv": start, "display_name": "Python 3", "language": "python", "env": environ}))

    def end_kernels(self) -> None:
        """Of all notebooks."""
        for session in self.api("api/sessions"):
            self.api(f"api/sessions/{session['id']}", "DELETE")
        for kernel in self.api("api/kernels"):
            self.api(f"api/kernels/{kernel['id']}", "DELETE")

    def stop(self) -> None:
        """End it."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


SERVERS: dict[tuple[Path, str], Server] = {}
"""Those that run: starting one takes seconds, so the tests of a process share one for each theme."""


@atexit.register
def stop_servers() -> None:
    """They end with the process."""
    while SERVERS:
        SERVERS.popitem()[1].stop()


def server_for(root: Path, theme: str) -> Server:
    """One that shows a folder, or pytest's own around it, and still runs."""
    shown = next((folder for folder in root.parents if folder.name.startswith(("pytest-", "popen-"))), root)
    server = SERVERS.get((shown, theme))
    if server is None or server.process.poll() is not None:
        SERVERS[shown, theme] = server = Server(shown, theme)
    return server


class Lab:
    """JupyterLab for one test: its kernels end with the block.

    Args: root: folder with the notebooks. environ: variables for the kernels, beside those of this moment. theme: light or dark.
    """

    def __init__(self, root: Path, environ: dict[str, str] | None = None, theme: str = "light") -> None:
        self.root, self.environ, self.theme = Path(root), environ or {}, theme

    def __enter__(self) -> Lab:
        self.server = server_for(self.root, self.theme)
        self.process, self.api = self.server.process, self.server.api
        changed = {name: value for name, value in os.environ.items() if ENVIRON.get(name) != value}
        self.server.give_kernels({**changed, "PYTHONPATH": str(ROOT), **self.environ})
        return self

    def __exit__(self, *problem: object) -> None:
        self.server.end_kernels()
        if self.server.root == self.root:  # nobody else asks for this folder
            SERVERS.pop((self.root, self.theme)).stop()

    def open(self, context: Any, notebook: str) -> Any:
        """Open a notebook in a new page and wait until its kernel answers."""
        page = context.new_page()
        place = urllib.parse.quote(str((self.root / notebook).relative_to(self.server.root)))
        address = f"http://127.0.0.1:{self.server.port}/lab/tree/{place}?token={self.server.token}&reset"
        page.goto(address, wait_until="domcontentloaded")
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


@contextlib.contextmanager
def shown_panel(kind: type[Any], folder: Path, root: Path, theme: str, width: int, height: int, **environ: str) -> Iterator[Any]:
    """One panel on a project, alone in a notebook. Args: kind: its class. folder: the project's. root: as `Lab`. environ: as `Lab`.

    Yields: the page; the notebook's variables are `session` and `panel`.
    """
    cell = [f"from {kind.__module__} import {kind.__name__}", "from pathlib import Path", "from widgets.session import Session",
            "session = Session()", f"session.open(Path({str(folder)!r}))", f"panel = {kind.__name__}(session)", "panel.view"]
    with Lab(root, environ, theme) as lab, Browser(width=width, height=height) as context:
        write_notebook(root / "panel.ipynb", "\n".join(cell))
        page = lab.open(context, "panel.ipynb")
        run_all(page)
        yield page
