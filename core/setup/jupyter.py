"""The Jupyter that a rented machine's image runs already: found, and offered Lorabook's Python as a kernel."""

from __future__ import annotations

import argparse
import contextlib
import errno
import itertools
import json
import os
import shlex
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.base.errors import ConfigError
from core.base.files import explain_disk_errors
from core.base.findings import Finding
from core.base.process import mark_of
from core.base.progress import SILENT, Progress
from core.setup.commands import run_logged
from core.setup.environment import Environment, read_facts, setup_log
from core.setup.provider import find_provider

KERNEL = "lorabook"
NOTEBOOK = "Dataset_Maker.ipynb"
FIRST_PORT = 8888
"""The port that JupyterLab takes by itself."""
EXTENSIONS = ("@jupyter-widgets/jupyterlab-manager", "anywidget")
"""What a JupyterLab's page must have to draw panels; without it a cell shows only a line of text."""


@dataclass(frozen=True)
class Server:
    """A Jupyter that runs on this machine."""

    root: Path
    """The folder that its file browser shows."""
    port: int = 0
    """0: not known."""


def data_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where every Jupyter of this person looks for kernels and extensions (Linux; docs.jupyter.org, "Jupyter paths")."""
    share = Path(environ.get("XDG_DATA_HOME") or Path(environ.get("HOME") or Path.home()) / ".local" / "share")
    return Path(environ.get("JUPYTER_DATA_DIR") or share / "jupyter")


def find_server(root: Path, environ: Mapping[str, str] = os.environ) -> Server | None:
    """The Jupyter that runs on a rented machine, at best one that shows the folder `root`; None elsewhere.

    Read where `jupyter server list` reads: one file for each server in Jupyter's runtime folder. A stopped machine keeps those
    files, and process ids are used again; only a server whose process lives and whose port answers counts.
    """
    if not find_provider(environ).has_jupyter:
        return None
    runtime = Path(environ.get("JUPYTER_RUNTIME_DIR") or data_folder(environ) / "runtime")
    notes = [*runtime.glob("jpserver-*.json"), *runtime.glob("nbserver-*.json")]
    notes.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    found = [server for note in notes if (server := _read_server(note)) is not None]
    if not found and environ.get("JUPYTER_SERVER_ROOT"):  # set in the terminals of a Jupyter
        found = [Server(Path(environ["JUPYTER_SERVER_ROOT"]))]
    return next((server for server in found if _place_in(server, root) is not None), found[0] if found else None)


def _read_server(note: Path) -> Server | None:
    try:
        told: dict[str, Any] = json.loads(note.read_text(encoding="utf-8"))
        root, port, pid = Path(told.get("root_dir") or told["notebook_dir"]), int(told["port"]), int(told["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    host = str(told.get("hostname") or "")
    if mark_of(pid) is None or not _answers("127.0.0.1" if host in ("", "*", "0.0.0.0", "::", "localhost") else host, port):
        return None
    return Server(root, port)


def _answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def _place_in(server: Server, root: Path) -> Path | None:
    """Where that Jupyter shows `root`, relative to the folder that it shows; None if it does not."""
    shown, wanted = server.root.resolve(), root.resolve()
    if wanted.is_relative_to(shown):
        return wanted.relative_to(shown)
    link = _link_in(server, root)
    return Path(link.name) if os.path.lexists(link) else None


def _link_in(server: Server, root: Path) -> Path:
    """The link through which that Jupyter shows `root`: the one that is there, else the first name that is free."""
    link = server.root / root.name
    for number in itertools.count(2):
        # realpath: unlike Path.resolve it also passes over a link that leads to itself.
        if not os.path.lexists(link) or os.path.realpath(link) == os.path.realpath(root):
            break
        link = server.root / f"{root.name}-{number}"
    return link


def how_to_open(server: Server, root: Path, kernel: str) -> str:
    """What a person does to open the notebooks in a Jupyter that runs already. Args: kernel: its title."""
    place, lines = _place_in(server, root), []
    where = f" (port {server.port})" if server.port else ""
    lines.append(f"A Jupyter runs on this machine already{where}; no second one was started. In your browser, in that Jupyter:")
    if place is None:
        link = _link_in(server, root)
        command = shlex.join(["ln", "-s", str(root), str(link)])
        lines.append(f"  Its file browser shows only {server.root}. Run this once, so that it shows Lorabook too: {command}")
        place = Path(link.name)
    lines += [f"  1. Open {place / NOTEBOOK} in the file browser on the left. If the page was open before, load it again first.",
              f"  2. Click on the kernel's name at the top right and choose '{kernel}'.",
              "  3. Run the cells from top to bottom.",
              "To start one of Lorabook's own all the same: ./jupyter.sh lab --port 8889"]
    return "\n".join(lines)


def named_port(options: Sequence[str]) -> int:
    """The port that options of JupyterLab name; 0 where they name none. Raises: ConfigError: what they name is no port."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--port", "--ServerApp.port", dest="port", nargs="?", const="")
    named = parser.parse_known_args(options)[0].port
    if named is None:
        return 0
    if not (named.isascii() and named.isdigit() and 1 <= int(named) <= 65535):
        raise ConfigError(f"The port must be a number between 1 and 65535, but is {named!r}.",
                          f"Type, for example: ./jupyter.sh lab --port {FIRST_PORT}")
    return int(named)


def choose_port(options: Sequence[str]) -> int:
    """The port for a JupyterLab of Lorabook's own: the one that JupyterLab's `options` name, else the first free one from 8888 on.

    Raises: ConfigError: what they name is no port, or is in use; JupyterLab would take another one without a word.
    """
    port = named_port(options)
    if not port:
        return _free_port(FIRST_PORT)
    if _is_in_use(port):
        raise ConfigError(f"Port {port} is in use by another program.", f"Type: ./jupyter.sh lab --port {_free_port(port)}")
    return port


def _free_port(first: int) -> int:
    return next((port for port in range(first, 65536) if not _is_in_use(port)), first)


def _is_in_use(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        return error.errno == errno.EADDRINUSE
    return False


def kernel_title(environment: Environment) -> str:
    """The kernel's name on screen, with the version of its Python."""
    facts = read_facts(environment.python)
    return "Lorabook" if facts is None else f"Lorabook (Python {'.'.join(map(str, facts.version[:2]))})"


def offer_kernel(root: Path, environment: Environment, environ: Mapping[str, str] = os.environ,
                 progress: Progress = SILENT) -> tuple[bool, list[Finding]]:
    """On a rented machine, let its Jupyter run Lorabook's Python and draw its panels; elsewhere do nothing.

    Returns: whether something had to be changed, and what could not be done. Raises: DiskError: the log cannot be written.
    """
    if not find_provider(environ).has_jupyter:
        return False, []
    title, data = kernel_title(environment), data_folder(environ)
    registered = _read_kernel(data) == (str(environment.python), title)
    if not registered:
        progress.start(f"Offering the kernel {title} to this machine's Jupyter")
        outcome = run_logged([environment.python, "-m", "ipykernel", "install", "--user", "--name", KERNEL, "--display-name", title],
                             setup_log(root), progress, environ={"JUPYTER_DATA_DIR": str(data)})
        if not outcome.ok:
            return False, [Finding("warning", f"This machine's Jupyter was not offered the kernel {title}. {outcome.explain()[0]}",
                                   "Open the notebooks in a JupyterLab of Lorabook's own: ./jupyter.sh lab --port 8889")]
    linked = [_link(environment.python.parent.parent, data, name) for name in EXTENSIONS]
    return not registered or any(linked), []


def _read_kernel(data: Path) -> tuple[str, str] | None:
    """Python and title of the kernel that is registered now."""
    with contextlib.suppress(OSError, ValueError, KeyError, IndexError, TypeError):
        told = json.loads((data / "kernels" / KERNEL / "kernel.json").read_text(encoding="utf-8"))
        return told["argv"][0], told["display_name"]
    return None


def _link(prefix: Path, data: Path, name: str) -> bool:
    """Show one page extension of the environment `prefix` to every JupyterLab; True if that was missing.

    A link, as `jupyter labextension develop` makes it; JupyterLab reads the folder anew whenever its page is loaded. What is
    there and works, whoever put it there, is left alone.
    """
    source, link = (folder / "labextensions" / name for folder in (prefix / "share" / "jupyter", data))
    if link.exists() or not source.is_dir():
        return False
    with explain_disk_errors(link):
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)  # a link into an environment that is gone
        link.symlink_to(source)
    return True
