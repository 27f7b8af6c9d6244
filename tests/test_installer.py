"""The installer as a person runs it: in a small checkout, with real environments and pip, and packages as small as files.

torch, ONNX Runtime and the free disk space are stand-ins here, as a machine with a GPU, without a network or with a full disk cannot be
had in a test.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from core.setup import trainers

ROOT = Path(__file__).resolve().parents[1]
TORCH = """
import os
__version__ = "{version}"
class version: cuda = "12.4"
class cuda:
    @staticmethod
    def is_available(): return os.environ.get("TEST_GPU") == "1"
class _Pair:
    def __mul__(self, by): return self
    def sum(self): return 4.0
def ones(number, device): return _Pair()
"""
ONNX = """
__version__ = "1.20.0"
def get_available_providers(): return ["CPUExecutionProvider"]
class SessionOptions: log_severity_level = 0
class InferenceSession:
    def __init__(self, model, options, providers): self.providers = providers
    def get_providers(self): return self.providers
"""
NVIDIA_SMI = """#!/bin/sh
case "$*" in *query-gpu*) echo "NVIDIA GeForce RTX 4090, 550.54, 24564, 24000, 8.9";; *) echo "CUDA Version: 12.4";; esac
"""

FREE_SPACE = """

def free_disk_gib(folder: Path) -> float:
    return float(os.environ.get("TEST_FREE_GIB", "100"))
"""


def make_wheel(folder: Path, name: str, version: str, module: str, code: str = "", needs: str = "") -> None:
    """A package of one module, as pip takes it."""
    dist = f"{name.replace('-', '_')}-{version}"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n" + (f"Requires-Dist: {needs}\n" if needs else "")
    files = {f"{module}/__init__.py": code, f"{dist}.dist-info/METADATA": metadata,
             f"{dist}.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
    record = "".join(f"{path},,\n" for path in [*files, f"{dist}.dist-info/RECORD"])
    with zipfile.ZipFile(folder / f"{dist}-py3-none-any.whl", "w") as wheel:
        for path, text in {**files, f"{dist}.dist-info/RECORD": record}.items():
            wheel.writestr(path, text)


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    for version in ("2.5.0", "2.9.0"):
        make_wheel(folder, "torch", version, "torch", TORCH.format(version=version))
    make_wheel(folder, "tiny", "1.0", "tiny", needs="torch")
    make_wheel(folder, "tiny-dev", "1.0", "tiny_dev")
    make_wheel(folder, "onnxruntime", "1.20.0", "onnxruntime", ONNX)
    make_wheel(folder, "onnxruntime-gpu", "1.20.0", "onnxruntime", ONNX)
    return folder


class Machine:
    """A checkout, and the variables of the machine that it is on."""

    def __init__(self, root: Path, wheels: Path) -> None:
        self.root = root
        for name in ("installer.py", "jupyter.sh"):
            shutil.copy2(ROOT / name, root / name)
        for name in ("core/base", "core/setup"):
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy2(ROOT / "core" / "__init__.py", root / "core" / "__init__.py")
        with open(root / "core" / "setup" / "hardware.py", "a", encoding="utf-8") as hardware:
            hardware.write(FREE_SPACE)
        (root / "requirements.txt").write_text("torch>=2.4,<3\ntiny>=1,<2\n")
        (root / "requirements-dev.txt").write_text("tiny-dev>=1,<2\n")
        self.programs = root.parent / f"{root.name}-programs"
        self.programs.mkdir()
        keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self.environ = {**keep, "PATH": f"{self.programs}:{keep['PATH']}", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels),
                        "PIP_CONFIG_FILE": os.devnull}

    def run(self, *arguments: str, program: tuple[str, ...] = (), **environ: str) -> subprocess.CompletedProcess[str]:
        command = [*(program or (sys.executable, str(self.root / "installer.py"))), *arguments]
        return subprocess.run(command, env={**self.environ, **environ}, cwd="/", capture_output=True, text=True, timeout=300, check=False)

    def packages(self, prefix: Path | None = None) -> dict[str, str]:
        names = [path.name for path in (prefix or self.root / ".venv").glob("lib/python*/site-packages/*.dist-info")]
        return {name.removesuffix(".dist-info").rpartition("-")[0]: name.removesuffix(".dist-info").rpartition("-")[2] for name in names}

    def add_gpu(self) -> None:
        (self.programs / "nvidia-smi").write_text(NVIDIA_SMI)
        (self.programs / "nvidia-smi").chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path, wheels: Path) -> Machine:
    (tmp_path / "checkout").mkdir()
    return Machine(tmp_path / "checkout", wheels)


@pytest.mark.slow
def test_a_first_run_installs_a_second_changes_nothing_and_a_gpu_changes_the_onnx_runtime(machine: Machine) -> None:
    first = machine.run()
    assert first.returncode == 0, first.stdout + first.stderr
    assert "Lorabook is ready" in first.stdout
    assert machine.packages()["torch"] == "2.9.0" and "onnxruntime" in machine.packages()
    before = {path: path.stat().st_mtime_ns for path in machine.root.rglob("*") if "__pycache__" not in path.parts}
    started = time.monotonic()
    second = machine.run()
    assert second.returncode == 0 and "Nothing had to be changed" in second.stdout
    assert time.monotonic() - started < 20
    after = {path: path.stat().st_mtime_ns for path in machine.root.rglob("*") if "__pycache__" not in path.parts}
    assert after == before

    machine.add_gpu()
    third = machine.run(TEST_GPU="1")
    assert {"onnxruntime", "onnxruntime_gpu"} & set(machine.packages()) == {"onnxruntime_gpu"}
    assert "computes on the GPU" in third.stdout and "RTX 4090" in third.stdout

    removed = next(machine.root.glob(".venv/lib/python*/site-packages/tiny-1.0.dist-info"))
    shutil.rmtree(removed)
    assert machine.run(TEST_GPU="1").returncode == 0 and "tiny" in machine.packages()
    assert machine.run("--with", "dev", TEST_GPU="1").returncode == 0 and "tiny_dev" in machine.packages()
    assert "Nothing had to be changed" in machine.run(TEST_GPU="1").stdout


@pytest.mark.slow
def test_the_torch_of_an_images_environment_is_used_and_left_alone(machine: Machine, tmp_path: Path) -> None:
    image = tmp_path / "image"
    subprocess.run([sys.executable, "-m", "venv", str(image)], check=True)
    pip = [str(image / "bin" / "python"), "-m", "pip", "install", "--quiet", "torch==2.5.0"]
    subprocess.run(pip, env=machine.environ, check=True)
    (machine.root / "requirements.txt").write_text("torch>=2.4,<3\ntiny>=1,<2\n")
    machine.add_gpu()
    done = machine.run(VIRTUAL_ENV=str(image), TEST_GPU="1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert machine.packages(image)["torch"] == "2.5.0" and "tiny" in machine.packages(image)
    assert not (machine.root / ".venv").exists() and not (image / "lorabook.json").exists()
    which = machine.run("--which", TEST_GPU="1")
    assert which.stdout.strip() == str(image / "bin" / "python")
    assert "Nothing had to be changed" in machine.run(TEST_GPU="1").stdout


@pytest.mark.slow
def test_a_package_that_asks_for_another_torch_than_the_images_is_an_error_in_words(machine: Machine, tmp_path: Path, wheels: Path) -> None:
    image = tmp_path / "image"
    subprocess.run([sys.executable, "-m", "venv", str(image)], check=True)
    subprocess.run([str(image / "bin" / "python"), "-m", "pip", "install", "--quiet", "torch==2.5.0"], env=machine.environ, check=True)
    (machine.root / "requirements.txt").write_text("torch>=2.9,<3\n")
    done = machine.run(LORABOOK_VENV=str(image))
    assert done.returncode == 1 and "not ready" in done.stdout and machine.packages(image)["torch"] == "2.5.0"
    assert "LORABOOK_VENV" in done.stdout


@pytest.mark.slow
def test_another_torch_is_installed_into_an_own_environment_and_the_one_of_an_image_is_kept_in_words(
        machine: Machine, tmp_path: Path) -> None:
    image, index = tmp_path / "image", "https://download.pytorch.org/whl/cpu"
    subprocess.run([sys.executable, "-m", "venv", str(image)], check=True)
    subprocess.run([str(image / "bin" / "python"), "-m", "pip", "install", "--quiet", "torch==2.5.0"], env=machine.environ, check=True)
    machine.add_gpu()
    kept = machine.run("--torch-index", index, VIRTUAL_ENV=str(image), TEST_GPU="1")
    assert kept.returncode == 0, kept.stdout + kept.stderr
    assert machine.packages(image)["torch"] == "2.5.0"
    assert f"torch 2.5.0 belongs to {image}" in kept.stdout and "was kept" in kept.stdout
    command = f"python3 -m venv .venv && python3 installer.py --torch-index {index}"
    assert command in kept.stdout

    # What the sentence says can be typed, and gives the other torch: here over an own environment that shows the system's packages.
    subprocess.run([sys.executable, "-m", "venv", "--system-site-packages", str(machine.root / ".venv")], check=True)
    own = [str(machine.root / ".venv" / "bin" / "python"), "-m", "pip", "install", "--quiet", "torch==2.5.0"]
    subprocess.run(own, env=machine.environ, check=True)
    other = machine.run("--torch-index", index, VIRTUAL_ENV=str(image), TEST_GPU="1")
    assert other.returncode == 0, other.stdout + other.stderr
    assert machine.packages()["torch"] == "2.9.0" and "became" not in other.stdout and machine.packages(image)["torch"] == "2.5.0"
    assert "Nothing had to be changed" in machine.run(VIRTUAL_ENV=str(image), TEST_GPU="1").stdout
    assert machine.packages()["torch"] == "2.9.0"


@pytest.mark.slow
def test_colabs_torch_is_kept_in_words_when_another_is_asked_for(machine: Machine, tmp_path: Path) -> None:
    colab = tmp_path / "colab"
    subprocess.run([sys.executable, "-m", "venv", str(colab)], check=True)
    subprocess.run([str(colab / "bin" / "python"), "-m", "pip", "install", "--quiet", "torch==2.5.0"], env=machine.environ, check=True)
    done = machine.run("--torch-index", "https://download.pytorch.org/whl/cpu", COLAB_RELEASE_TAG="x",
                       program=(str(colab / "bin" / "python"), str(machine.root / "installer.py")))
    assert done.returncode == 0, done.stdout + done.stderr
    assert machine.packages(colab)["torch"] == "2.5.0" and "tiny" in machine.packages(colab)
    assert "was kept" in done.stdout and "without --torch-index" in done.stdout


@pytest.mark.slow
def test_a_gpu_package_that_cannot_be_had_leaves_the_onnx_runtime_that_is_there(machine: Machine, wheels: Path, tmp_path: Path) -> None:
    assert machine.run().returncode == 0
    few = tmp_path / "few"
    few.mkdir()
    machine.add_gpu()
    done = machine.run(TEST_GPU="1", PIP_FIND_LINKS=str(few))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "onnxruntime" in machine.packages() and "onnxruntime-gpu could not be installed" in done.stdout


@pytest.mark.slow
def test_too_little_space_is_said_before_anything_is_fetched_and_the_next_run_goes_on(machine: Machine) -> None:
    first = machine.run(TEST_FREE_GIB="2")
    assert first.returncode == 1
    assert "The packages take about 7 GiB, and 2.0 GiB are free" in first.stdout and "LORABOOK_VENV=" in first.stdout
    assert "torch" not in machine.packages()
    assert machine.run().returncode == 0
    assert machine.packages()["torch"] == "2.9.0"


@pytest.mark.slow
def test_without_a_network_it_says_so_and_the_next_run_goes_on(machine: Machine) -> None:
    lost = {"PIP_NO_INDEX": "0", "PIP_INDEX_URL": "https://no-such-host.invalid/simple", "PIP_FIND_LINKS": ""}
    done = machine.run("--trainer", "sd-scripts", "--from", "https://no-such-host.invalid/x", "--no-env", **lost)
    assert done.returncode == 1
    assert "The packages could not be installed. The network was not reached." in done.stdout
    assert "built-in trainer is ready without it" in done.stdout
    assert machine.run().returncode == 0


@pytest.mark.slow
def test_a_trainer_that_cannot_be_had_does_not_stop_lorabook(machine: Machine) -> None:
    done = machine.run("--trainer", "sd-scripts", "--from", "https://no-such-host.invalid/x")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Lorabook is ready" in done.stdout and "The network was not reached." in done.stdout


@pytest.mark.slow
def test_a_trainer_gets_an_environment_of_its_own_with_its_own_torch(
        machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "source"
    (source / "library").mkdir(parents=True)
    (source / "library" / "__init__.py").write_text("")
    (source / "train_network.py").write_text("import library\n")
    (source / "requirements.txt").write_text("tiny==1.0\n# for the library\n-e .\n")
    monkeypatch.setattr(trainers, "SD_SCRIPTS", replace(trainers.SD_SCRIPTS, torch=("torch==2.5.0",), extras=()))
    for name, value in machine.environ.items():
        monkeypatch.setenv(name, value)
    found = trainers.install_trainer("sd-scripts", str(source), tmp_path / "trainers")
    state = trainers.read_trainer("sd-scripts", tmp_path / "trainers")
    assert state.ready, found
    assert machine.packages(state.folder / ".venv")["torch"] == "2.5.0" and "tiny" in machine.packages(state.folder / ".venv")
    subprocess.run([str(state.python), "-c", "import library, torch, tiny"], check=True, cwd="/")
    stamp = state.folder / ".venv" / "lorabook.json"
    before = stamp.stat().st_mtime_ns
    assert trainers.install_trainer("sd-scripts", str(source), tmp_path / "trainers")[-1].what.endswith(f"is ready in {state.folder}.")
    assert stamp.stat().st_mtime_ns == before


@pytest.mark.slow
def test_a_broken_environment_is_made_anew_by_repair(machine: Machine) -> None:
    assert machine.run().returncode == 0
    shutil.rmtree(next(machine.root.glob(".venv/lib/python*/site-packages/pip")))
    (machine.root / ".venv" / "rubbish").write_text("")
    assert machine.run("--repair").returncode == 0
    assert not (machine.root / ".venv" / "rubbish").exists() and "tiny" in machine.packages()


@pytest.mark.slow
def test_jupyter_sh_installs_with_dev_and_passes_the_arguments_to_pytest(machine: Machine, wheels: Path, tmp_path: Path) -> None:
    more = tmp_path / "more"
    more.mkdir()
    make_wheel(more, "tiny-runner", "1.0", "pytest")
    with zipfile.ZipFile(more / "tiny_runner-1.0-py3-none-any.whl", "a") as wheel:
        wheel.writestr("pytest/__main__.py", "import os, sys; print('RAN', os.getcwd(), *sys.argv[1:])")
    (machine.root / "requirements-dev.txt").write_text("tiny-runner>=1,<2\n")
    done = machine.run("test", "-k", "two words", program=("bash", str(machine.root / "jupyter.sh")), PIP_FIND_LINKS=f"{wheels} {more}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"RAN {machine.root} -n auto --maxprocesses 4 --dist loadgroup -k two words" in done.stdout


@pytest.fixture
def with_lab(machine: Machine, wheels: Path, tmp_path: Path) -> Machine:
    """A machine that is set up with stand-ins for JupyterLab and for what the command line needs; they print how they are called."""
    more = tmp_path / "more"
    more.mkdir()
    names = ("jupyterlab", "ipykernel", "ipywidgets", "anywidget", "pydantic", "pillow", "numpy")
    for name in names:
        make_wheel(more, name, "1.0", "PIL" if name == "pillow" else name)
        with zipfile.ZipFile(more / f"{name}-1.0-py3-none-any.whl", "a") as wheel:
            wheel.writestr(f"{name}/__main__.py", f"import os, sys; print('RAN {name}', os.getcwd(), *sys.argv[1:])")
    (machine.root / "requirements.txt").write_text("torch>=2.4,<3\n" + "".join(f"{name}>=1,<2\n" for name in names))
    (machine.root / "core" / "__main__.py").write_text("import os, sys; print('RAN core', os.getcwd(), *sys.argv[1:])")
    machine.environ["PIP_FIND_LINKS"] = f"{wheels} {more}"
    done = machine.run()
    assert done.returncode == 0, done.stdout + done.stderr
    return machine


@pytest.mark.slow
def test_jupyter_sh_goes_on_where_the_environment_works_and_stops_where_it_does_not(with_lab: Machine, tmp_path: Path) -> None:
    script = ("bash", str(with_lab.root / "jupyter.sh"))
    done = with_lab.run(program=script)
    assert done.returncode == 0 and f"RAN jupyterlab {with_lab.root} --ip=127.0.0.1" in done.stdout, done.stdout + done.stderr
    # Without a network, after an update that asks for something new: what is there works as before.
    (with_lab.root / "requirements.txt").write_text((with_lab.root / "requirements.txt").read_text() + "tiny>=1,<2\n")
    offline = {"PIP_NO_INDEX": "0", "PIP_INDEX_URL": "https://no-such-host.invalid/simple", "PIP_FIND_LINKS": ""}
    done = with_lab.run(program=script, **offline)
    assert done.returncode == 0 and "RAN jupyterlab" in done.stdout and "goes on all the same" in done.stdout
    assert "The network was not reached." in done.stdout
    new = with_lab.run(program=script, LORABOOK_VENV=str(tmp_path / "new"), **offline)
    assert new.returncode == 1 and "RAN" not in new.stdout and "not ready" in new.stdout


@pytest.mark.slow
def test_the_command_line_runs_through_jupyter_sh_with_nothing_else_on_its_output(with_lab: Machine) -> None:
    done = with_lab.run("core", "runs", "a project", "--json", program=("bash", str(with_lab.root / "jupyter.sh")))
    assert (done.returncode, done.stdout) == (0, f"RAN core {with_lab.root} runs a project --json\n"), done.stdout + done.stderr
    shutil.rmtree(with_lab.root / ".venv")
    done = with_lab.run("core", "--help", program=("bash", str(with_lab.root / "jupyter.sh")))
    assert (done.returncode, done.stdout) == (0, f"RAN core {with_lab.root} --help\n"), done.stdout + done.stderr
    assert "Lorabook is ready" in done.stderr
    named = with_lab.run("core", "--help", program=("bash", str(with_lab.root / "jupyter.sh")), LORABOOK_VENV=str(with_lab.root / "core"))
    assert named.returncode == 1 and "LORABOOK_VENV" in named.stderr and named.stdout == ""


@pytest.mark.slow
def test_on_a_rented_machine_the_jupyter_that_runs_there_is_used_and_the_kernel_is_offered_once(with_lab: Machine, tmp_path: Path) -> None:
    script, data = ("bash", str(with_lab.root / "jupyter.sh")), tmp_path / "jupyter"
    rented = {"VAST_CONTAINERLABEL": "C.1", "JUPYTER_DATA_DIR": str(data)}
    (data / "runtime").mkdir(parents=True)
    kernel = data / "kernels" / "lorabook" / "kernel.json"
    register = ("import json, os, pathlib, sys; "
                "place = pathlib.Path(os.environ['JUPYTER_DATA_DIR'], 'kernels', 'lorabook', 'kernel.json'); "
                "place.parent.mkdir(parents=True); place.write_text(json.dumps({'argv': [sys.executable], 'display_name': sys.argv[-1]}))")
    next(with_lab.root.glob(".venv/lib/python*/site-packages/ipykernel/__main__.py")).write_text(register)
    none = with_lab.run(program=script, **rented)
    assert "RAN jupyterlab" in none.stdout and kernel.is_file()
    told_port = re.search(r"ssh -p PORT -L (\d+):127.0.0.1:\1 USER@HOST", none.stderr)
    assert told_port and f"--ServerApp.port={told_port[1]}" in none.stdout, none.stdout + none.stderr

    with socket.create_server(("127.0.0.1", 0)) as listening:
        told = {"pid": os.getpid(), "port": listening.getsockname()[1], "root_dir": str(tmp_path)}
        (data / "runtime" / "jpserver-1.json").write_text(json.dumps(told))
        before = kernel.stat().st_mtime_ns
        done = with_lab.run(program=script, **rented)
        assert done.returncode == 0 and "RAN jupyterlab" not in done.stdout, done.stdout + done.stderr
        assert "Open checkout/Dataset_Maker.ipynb" in done.stdout and f"Lorabook (Python {sys.version_info[0]}" in done.stdout
        assert "Nothing had to be changed" in done.stdout and kernel.stat().st_mtime_ns == before
        assert "ssh -p PORT -L" not in done.stdout + done.stderr
        own = with_lab.run("lab", "--port", "9000", program=script, **rented)
        assert "RAN jupyterlab" in own.stdout and "--ip=127.0.0.1" in own.stdout and own.stdout.rstrip().endswith("--port 9000")
        assert "ssh -p PORT -L 9000:127.0.0.1:9000 USER@HOST" in own.stderr and "--ServerApp.port" not in own.stdout
        busy = with_lab.run("lab", "--port", str(told["port"]), program=script, **rented)
        assert busy.returncode == 1 and "RAN" not in busy.stdout and f"Port {told['port']} is in use" in busy.stderr
        elsewhere = with_lab.run("lab", "--ip", "0.0.0.0", program=script, **rented)
        assert "--ip=127.0.0.1" not in elsewhere.stdout and elsewhere.stdout.rstrip().endswith("--ip 0.0.0.0")
        elsewhere = with_lab.run(program=script, JUPYTER_DATA_DIR=str(data))
        assert "RAN jupyterlab" in elsewhere.stdout


@pytest.mark.slow
def test_a_run_that_is_killed_in_the_middle_is_finished_by_the_next(machine: Machine) -> None:
    command = [sys.executable, str(machine.root / "installer.py")]
    cut = subprocess.Popen(command, env=machine.environ, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (machine.root / ".venv" / "pyvenv.cfg").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(cut.pid, signal.SIGKILL)
    cut.wait()
    assert not (machine.root / ".venv" / "lorabook.json").exists()
    done = machine.run()
    assert done.returncode == 0 and "tiny" in machine.packages(), done.stdout + done.stderr


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.mark.parametrize(("place", "tunnel"), [({"RUNPOD_POD_ID": "x"}, True), ({"COLAB_RELEASE_TAG": "x"}, False)])
def test_the_way_to_an_own_jupyterlab_names_the_port_that_it_takes(machine: Machine, place: dict[str, str], tunnel: bool) -> None:
    port = free_port()
    done = machine.run("--own-jupyter", "--no-browser", f"--port={port}", **place)
    assert (done.returncode, done.stdout.strip()) == (0, "") and (f"-L {port}:127.0.0.1:{port}" in done.stderr) is tunnel
    done = machine.run("--own-jupyter", **place)
    option = re.search(r"--ServerApp.port=(\d+)", done.stdout)
    assert bool(option) is tunnel and (option is None or f"-L {option[1]}:127.0.0.1:{option[1]}" in done.stderr)


def test_every_flag_is_in_the_docs(machine: Machine) -> None:
    flags = set(re.findall(r"--[a-z][a-z-]+", machine.run("--help").stdout)) - {"--help"}
    text = (ROOT / "docs" / "setup.md").read_text(encoding="utf-8")
    assert len(flags) >= 9 and not [flag for flag in sorted(flags) if flag not in text]


def test_the_doctor_changes_nothing_and_speaks_json(machine: Machine) -> None:
    done = machine.run("--doctor", "--json", HF_TOKEN="hf_verysecret")
    report = json.loads(done.stdout)
    assert done.returncode == 1 and report["ready"] is False
    assert any(found["level"] == "error" and found["remedy"] == "Run: python3 installer.py" for found in report["findings"])
    assert "verysecret" not in done.stdout and not (machine.root / ".venv").exists() and not (machine.root / ".lorabook").exists()


def test_an_unknown_group_is_refused_in_words(machine: Machine) -> None:
    done = machine.run("--with", "dve", LORABOOK_VENV=sys.prefix)
    assert done.returncode == 1 and "'dve'" in done.stdout and "Known: dev" in done.stdout


def test_flags_that_do_nothing_alone_are_refused(machine: Machine) -> None:
    assert "--doctor" in machine.run("--json").stderr
    assert "--trainer" in machine.run("--no-env").stderr


PYTHON_NAMES = ("python3", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10", "python")
FAKE_PYTHON = """#!/bin/sh
if [ "$1" = -c ]; then exec REAL -c 'import sys; sys.version_info = VERSION; exec(sys.argv.pop(1))' "$2"; fi
echo "STARTED WITH NAME"
"""


def started_with(machine: Machine, pythons: dict[str, tuple[int, int]], **environ: str) -> subprocess.CompletedProcess[str]:
    """`jupyter.sh doctor` on a machine that has these Pythons and no others."""
    for name in PYTHON_NAMES:
        version = (*pythons[name], 0) if name in pythons else None
        code = FAKE_PYTHON.replace("REAL", sys.executable).replace("VERSION", str(version)).replace("NAME", name)
        (machine.programs / name).write_text(code if version else "#!/bin/sh\nexit 127\n")
        (machine.programs / name).chmod(0o755)
    return machine.run("doctor", program=("bash", str(machine.root / "jupyter.sh")), **environ)


@pytest.mark.parametrize(("pythons", "chosen"), [
    ({"python3": (3, 14), "python3.12": (3, 12), "python3.11": (3, 11)}, "python3.12"),
    ({"python3": (3, 9), "python3.10": (3, 10)}, "python3.10"),
    ({"python3": (3, 12), "python3.13": (3, 13)}, "python3"),  # that of an active environment, and of Colab
    ({"python": (3, 11)}, "python")])
def test_jupyter_sh_starts_with_a_python_that_the_packages_know(
        machine: Machine, pythons: dict[str, tuple[int, int]], chosen: str) -> None:
    assert started_with(machine, pythons).stdout.split() == ["STARTED", "WITH", chosen]


def test_jupyter_sh_without_a_python_that_fits_says_which_it_found_and_how_to_name_one(machine: Machine) -> None:
    done = started_with(machine, {"python3": (3, 14)})
    assert done.returncode == 1 and done.stdout == ""
    assert "3.10 to 3.13" in done.stderr and "python3 is 3.14" in done.stderr
    assert "LORABOOK_PYTHON=python3.11 ./jupyter.sh" in done.stderr
    assert "none was found." in started_with(machine, {}).stderr


def test_the_python_that_a_person_names_is_taken_and_one_that_does_not_run_is_told(machine: Machine) -> None:
    pythons = {"python3": (3, 11), "python3.14": (3, 14), "python3.10": (3, 9)}
    assert started_with(machine, pythons, LORABOOK_PYTHON="python3.14").stdout.split()[-1] == "python3.14"
    for name in ("python3.13", "no-such-python", "python3.10"):
        done = started_with(machine, pythons, LORABOOK_PYTHON=name)
        assert done.returncode == 1 and f"LORABOOK_PYTHON is {name}" in done.stderr and done.stdout == ""


def test_jupyter_sh_refuses_an_unknown_word_and_shows_the_known_ones(machine: Machine) -> None:
    done = machine.run("tset", program=("bash", str(machine.root / "jupyter.sh")))
    assert done.returncode == 2 and "'tset'" in done.stderr and "demo" in done.stderr


def test_setup_imports_nothing_heavy() -> None:
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import installer; print(*sorted(sys.modules), sep=' ')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"pydantic", "torch", "numpy", "PIL", "onnxruntime"} & set(done.stdout.split())
