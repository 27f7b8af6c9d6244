"""The Jupyter that a rented machine runs already: found only if it lives, and offered Lorabook's Python once."""

from __future__ import annotations

import json
import os
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.base.errors import ConfigError
from core.setup.environment import Environment
from core.setup.jupyter import Server, choose_port, find_server, how_to_open, kernel_title, offer_kernel

HERE = Environment(Path(sys.executable), "own", "")


@pytest.fixture
def port() -> Iterator[int]:
    """A port of this machine that answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@pytest.fixture
def vast(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The variables of a rented machine whose Jupyter keeps its files in a folder of the test."""
    monkeypatch.delenv("JUPYTER_RUNTIME_DIR", raising=False)
    (tmp_path / "jupyter" / "runtime").mkdir(parents=True)
    return {"VAST_CONTAINERLABEL": "C.1", "JUPYTER_DATA_DIR": str(tmp_path / "jupyter")}


def note(environ: dict[str, str], name: str, **values: object) -> None:
    """What a Jupyter writes when it starts."""
    told = {"pid": os.getpid(), "hostname": "0.0.0.0", "token": "secret", **values}
    (Path(environ["JUPYTER_DATA_DIR"]) / "runtime" / name).write_text(json.dumps(told))


def test_a_running_jupyter_of_a_rented_machine_is_found_and_elsewhere_nothing_is(tmp_path: Path, vast: dict[str, str], port: int) -> None:
    note(vast, "jpserver-1.json", port=port, root_dir=str(tmp_path))
    assert find_server(tmp_path / "lorabook", vast) == Server(tmp_path, port)
    assert find_server(tmp_path / "lorabook", {**vast, "VAST_CONTAINERLABEL": ""}) is None
    assert find_server(tmp_path / "lorabook", {**vast, "VAST_CONTAINERLABEL": "", "RUNPOD_POD_ID": "x"}) == Server(tmp_path, port)


def test_an_older_notebook_server_counts_too_and_the_one_that_shows_lorabook_comes_first(
        tmp_path: Path, vast: dict[str, str], port: int) -> None:
    note(vast, "nbserver-1.json", port=port, notebook_dir=str(tmp_path))
    note(vast, "jpserver-2.json", port=port, root_dir="/nowhere")
    assert find_server(tmp_path / "lorabook", vast) == Server(tmp_path, port)


def test_files_that_a_stop_of_the_machine_left_behind_are_no_jupyter(tmp_path: Path, vast: dict[str, str], port: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        silent = closed.getsockname()[1]
    note(vast, "jpserver-1.json", port=silent, root_dir=str(tmp_path))
    note(vast, "jpserver-2.json", port=port, root_dir=str(tmp_path), pid=2**22 + 1)
    note(vast, "jpserver-3.json", port="none")
    (tmp_path / "jupyter" / "runtime" / "jpserver-4.json").write_text("half a fi")
    assert find_server(tmp_path, vast) is None


def test_a_terminal_of_a_jupyter_tells_of_it(tmp_path: Path, vast: dict[str, str]) -> None:
    assert find_server(tmp_path / "lorabook", {**vast, "JUPYTER_SERVER_ROOT": str(tmp_path)}) == Server(tmp_path)


def test_the_words_name_the_notebook_the_kernel_and_no_token(tmp_path: Path) -> None:
    words = how_to_open(Server(tmp_path, 8080), tmp_path / "work" / "lorabook", "Lorabook (Python 3.11)")
    assert "Open work/lorabook/Dataset_Maker.ipynb" in words and "'Lorabook (Python 3.11)'" in words and "8080" in words
    assert "ln -s" not in words and "./jupyter.sh lab --port" in words


def test_a_jupyter_that_does_not_show_lorabooks_folder_is_given_a_link_that_can_be_typed(tmp_path: Path) -> None:
    code, shown = tmp_path / "code" / "lorabook", tmp_path / "shown"
    for folder in (code, shown):
        folder.mkdir(parents=True)
    assert f"ln -s {code} {shown / 'lorabook'}" in how_to_open(Server(shown), code, "Lorabook")
    (shown / "lorabook").symlink_to(code)
    words = how_to_open(Server(shown), code, "Lorabook")
    assert "ln -s" not in words and "Open lorabook/Dataset_Maker.ipynb" in words


def typed(words: str) -> list[str]:
    """The words of the command that a person is told to type."""
    line = next(line for line in words.splitlines() if "ln -s " in line)
    return shlex.split(line[line.index("ln -s "):])


def test_the_link_can_be_typed_whatever_the_folders_are_called(tmp_path: Path) -> None:
    code, shown = tmp_path / "my code; touch x" / "lora book", tmp_path / "it's shown"
    for folder in (code, shown):
        folder.mkdir(parents=True)
    assert typed(how_to_open(Server(shown), code, "Lorabook")) == ["ln", "-s", str(code), str(shown / "lora book")]


def test_a_name_that_is_taken_is_not_given_to_the_link(tmp_path: Path) -> None:
    code, shown = tmp_path / "code" / "lorabook", tmp_path / "shown"
    code.mkdir(parents=True)
    (shown / "lorabook").mkdir(parents=True)  # `ln -s` would make its link inside this folder
    (shown / "lorabook-2").symlink_to(tmp_path / "gone")
    (shown / "lorabook-3").symlink_to("lorabook-3")
    words = how_to_open(Server(shown), code, "Lorabook")
    assert typed(words)[-1] == str(shown / "lorabook-4") and "Open lorabook-4/Dataset_Maker.ipynb" in words
    subprocess.run(typed(words), check=True)
    (code / "Dataset_Maker.ipynb").touch()
    assert (shown / "lorabook-4" / "Dataset_Maker.ipynb").is_file()
    words = how_to_open(Server(shown), code, "Lorabook")
    assert "ln -s" not in words and "Open lorabook-4/Dataset_Maker.ipynb" in words


@pytest.mark.parametrize("options", [["--port", "PORT"], ["--no-browser", "--port=PORT"], ["--ServerApp.port=PORT", "--ip", "0.0.0.0"]])
def test_the_port_that_is_asked_for_is_found_among_jupyterlabs_options(options: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        free = listening.getsockname()[1]
    assert choose_port([option.replace("PORT", str(free)) for option in options]) == free


def test_without_a_wish_the_first_free_port_from_jupyterlabs_own_is_taken(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    monkeypatch.setattr("core.setup.jupyter.FIRST_PORT", port)
    assert port < choose_port([]) < port + 100 and choose_port(["--no-browser"]) == choose_port([])


def test_a_port_that_is_in_use_or_is_none_is_refused_in_words(port: int) -> None:
    with pytest.raises(ConfigError, match=f"Port {port} is in use.*jupyter.sh lab --port \\d+"):
        choose_port(["--port", str(port)])
    for wrong in ("abc", "0", "70000", ""):
        with pytest.raises(ConfigError, match="between 1 and 65535"):
            choose_port(["--port", wrong])
    with pytest.raises(ConfigError, match="between 1 and 65535"):
        choose_port(["--port"])


def test_the_kernel_and_the_page_extensions_are_offered_once(tmp_path: Path, vast: dict[str, str]) -> None:
    data = Path(vast["JUPYTER_DATA_DIR"])
    assert offer_kernel(tmp_path, HERE, vast) == (True, [])
    told = json.loads((data / "kernels" / "lorabook" / "kernel.json").read_text())
    assert told["argv"][0] == sys.executable
    assert told["display_name"] == kernel_title(HERE) == f"Lorabook (Python {sys.version_info[0]}.{sys.version_info[1]})"
    assert (data / "labextensions" / "anywidget" / "package.json").is_file()
    assert (data / "labextensions" / "@jupyter-widgets" / "jupyterlab-manager" / "package.json").is_file()

    before = {path: path.lstat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert offer_kernel(tmp_path, HERE, vast) == (False, [])
    assert {path: path.lstat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_a_kernel_of_an_environment_that_is_gone_is_offered_anew(tmp_path: Path, vast: dict[str, str]) -> None:
    data = Path(vast["JUPYTER_DATA_DIR"])
    (data / "kernels" / "lorabook").mkdir(parents=True)
    (data / "kernels" / "lorabook" / "kernel.json").write_text('{"argv": ["/gone/bin/python"], "display_name": "Lorabook"}')
    (data / "labextensions").mkdir()
    (data / "labextensions" / "anywidget").symlink_to(tmp_path / "gone")
    assert offer_kernel(tmp_path, HERE, vast)[0] is True
    assert sys.executable in (data / "kernels" / "lorabook" / "kernel.json").read_text()
    assert (data / "labextensions" / "anywidget").is_dir()


def test_away_from_rented_machines_nothing_is_written(tmp_path: Path) -> None:
    assert offer_kernel(tmp_path, HERE, {"JUPYTER_DATA_DIR": str(tmp_path)}) == (False, [])
    assert list(tmp_path.iterdir()) == []


def test_an_environment_without_ipykernel_is_told_and_is_no_error(tmp_path: Path, vast: dict[str, str]) -> None:
    stub = tmp_path / "bin" / "python"
    stub.parent.mkdir()
    stub.write_text("#!/bin/sh\necho 'No module named ipykernel' >&2\nexit 1\n")
    stub.chmod(0o755)
    changed, (finding,) = offer_kernel(tmp_path, Environment(stub, "own", ""), vast)
    assert not changed and finding.level == "warning" and "./jupyter.sh lab --port" in finding.remedy
