"""The doctor: everything on this machine that training depends on, each finding with its remedy."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.base.errors import StudioError
from core.base.findings import Finding
from core.base.paths import ROOT, projects_dir
from core.base.progress import SILENT, Progress
from core.setup.commands import read_output
from core.setup.environment import (
    OLDEST_PYTHON,
    Environment,
    Facts,
    find_environment,
    keeps_torch,
    other_torch,
    read_facts,
    rebuild,
    version_numbers,
)
from core.setup.hardware import GpuReport, free_disk_gib, memory_gib, platform_problem, read_gpus
from core.setup.packages import COLAB_HAS, find_missing, onnx_package, read_requirements
from core.setup.provider import Provider, find_provider, keep_remedy, survives_stop
from core.setup.trainers import trainer_notes

INSTALL = "Run: python3 installer.py"
NEEDED_VRAM_MIB = 6000
"""An SD 1.5 LoRA at batch 1 trains in 6 GB; SDXL wants 12 and more."""
NEEDED_DISK_GIB, ENOUGH_DISK_GIB = 2, 15
FREE_SPACE = "To free some: python3 -m pip cache purge; what is large shows: du -xh --max-depth=3 ~ | sort -h | tail"
NEEDED_MEMORY_GIB = 8
TOKENS = {"Hugging Face": ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"), "Civitai": ("CIVITAI_API_TOKEN", "CIVITAI_TOKEN", "CIVITAI_API_KEY")}

HIDES_ALL = ("", "-1")
"""Values of CUDA_VISIBLE_DEVICES that leave no GPU to see."""

ASK_TORCH = """
import json, torch
answer = {"version": torch.__version__, "cuda": torch.version.cuda, "sees": torch.cuda.is_available(), "error": ""}
if answer["sees"]:
    try:
        answer["error"] = "" if float((torch.ones(2, device="cuda") * 2).sum()) == 4 else "2 + 2 is not 4"
    except RuntimeError as error:
        answer["error"] = str(error).strip().splitlines()[0]
print(json.dumps(answer))
"""
ASK_ONNX = """
import base64, json, onnxruntime
if hasattr(onnxruntime, "preload_dlls"):
    try:
        import torch
    except ImportError:
        pass
    onnxruntime.preload_dlls()
wanted = [name for name in ("CUDAExecutionProvider", "CPUExecutionProvider") if name in onnxruntime.get_available_providers()]
options = onnxruntime.SessionOptions()
options.log_severity_level = 4
session = onnxruntime.InferenceSession(base64.b64decode("MODEL"), options, providers=wanted)
print(json.dumps({"version": onnxruntime.__version__, "offered": wanted, "active": session.get_providers()[0]}))
"""
ONNX_MODEL = "CAg6NwoQCgF4EgF5IghJZGVudGl0eRIBZ1oPCgF4EgoKCAgBEgQKAggBYg8KAXkSCgoICAESBAoCCAFCBAoAEA0="
"""A graph with one Identity node: only a session tells which provider is really used."""


def find_problems(root: Path = ROOT, environ: Mapping[str, str] = os.environ, deep: bool = True,
                  progress: Progress = SILENT) -> list[Finding]:
    """Everything that is ready (info), doubtful (warning) or missing (error), in the order of the way.

    Args: deep: also start torch and ONNX Runtime in processes of their own (about 5 s); False reads files only.
    """
    progress.start("Looking at this machine", 6)
    if problem := platform_problem():
        return [problem]
    try:
        environment = find_environment(root, environ)
    except StudioError as error:
        return [Finding("error", error.message, error.hint)]
    facts = read_facts(environment.python) if environment.python.exists() else None
    provider, report = find_provider(environ), read_gpus()
    found = check_python(root, environment, facts)
    progress.advance("Python")
    found += check_gpu(report)
    progress.advance("GPU")
    if facts is not None and deep:
        found += check_torch(environment, facts, report)
        progress.advance("torch")
    if facts is not None:
        found += check_onnx(environment, facts, report, deep)
    progress.advance("ONNX Runtime")
    found += check_disk(provider, root) + check_memory()
    found.append(Finding("info", f"Runs on: {provider.title}. {provider.stop}".strip()))
    progress.advance("disk and memory")
    found += trainer_notes() + check_tokens(environ, environment.python.parent)
    progress.advance("trainers and tokens")
    return found


def check_python(root: Path, environment: Environment, facts: Facts | None) -> list[Finding]:
    """The environment runs, is new enough and holds what requirements.txt asks for."""
    if facts is None:
        folder = environment.python.parent.parent
        if environment.python.exists():
            return [Finding("error", f"The environment {folder} does not run.", rebuild(environment))]
        return [Finding("error", f"The environment {folder} does not exist yet.", INSTALL)]
    version = ".".join(map(str, facts.version))
    if facts.version < OLDEST_PYTHON:
        return [Finding("error", f"{environment.python} is Python {version}; 3.10 at least is needed.",
                        "Install Python 3.11 (Debian, Ubuntu: sudo apt install python3.11 python3.11-venv; macOS: python.org), "
                        "then run: python3.11 installer.py --repair")]
    found = [Finding("info", f"Python {version} in {facts.prefix} ({environment.why}).")]
    try:
        without = COLAB_HAS if environment.kind == "colab" else ()
        missing = find_missing(environment.python, read_requirements(root / "requirements.txt", without))
    except StudioError as error:
        return [*found, Finding("error", error.message, error.hint)]
    if missing:
        return [*found, Finding("error", f"Missing packages: {', '.join(missing)}.", INSTALL)]
    return [*found, Finding("info", "Every package of requirements.txt is installed.")]


def check_gpu(report: GpuReport) -> list[Finding]:
    """Each GPU with its driver and memory."""
    if report.problem:
        remedy = "Restart the machine, or rent another one (nvidia-smi tells what its driver says); what needs no GPU works meanwhile."
        return [Finding("warning", report.problem, remedy)]
    if not report.gpus:
        return [Finding("warning", "No NVIDIA GPU was found: the demo and small trials run on the processor; a real training wants a GPU.",
                        "To train, use a machine with a GPU (README, 'Where it runs'); work on the dataset needs none.")]
    found = []
    for gpu in report.gpus:
        cuda = f", CUDA up to {report.cuda}" if report.cuda else ""
        sizes = f"{gpu.memory_mib / 1024:.0f} GiB, {gpu.free_mib / 1024:.0f} GiB free"
        found.append(Finding("info", f"{gpu.name}: {sizes}, driver {gpu.driver}{cuda}."))
        if gpu.memory_mib < NEEDED_VRAM_MIB:
            found.append(Finding("warning", f"{gpu.name} has {gpu.memory_mib / 1024:.1f} GiB of memory, which is little for training.",
                                 "Train SD 1.5 with 'Batch size' 1 and 'Save memory' on (panel Model and settings), or rent a larger GPU."))
        elif gpu.free_mib < gpu.memory_mib // 2:
            found.append(Finding("warning", f"More than half of the memory of {gpu.name} is in use by another program.",
                                 "Close it before you train: nvidia-smi lists it with its number (PID), kill PID ends it."))
    return found


def _ask(python: Path, code: str, timeout: float = 180) -> dict[str, Any] | None:
    text = read_output([python, "-c", code], timeout)
    try:
        return json.loads(text.strip().splitlines()[-1]) if text and text.strip() else None
    except json.JSONDecodeError:
        return None


def ask_torch(python: Path) -> dict[str, Any] | None:
    """What the torch of a Python says of itself: version, cuda (that it was built with), sees (a GPU), error (of a small sum there).

    A process of its own, some seconds. None: it does not start.
    """
    return _ask(python, ASK_TORCH)


def check_torch(environment: Environment, facts: Facts, report: GpuReport) -> list[Finding]:
    """torch starts and, where a GPU is there, computes on it."""
    if not facts.torch:
        return [Finding("error", "torch is not installed.", INSTALL)]
    answer = ask_torch(environment.python)
    if answer is None:
        return [Finding("error", f"torch {facts.torch} is installed, but does not start.", rebuild(environment))]
    if not report.gpus:
        return [Finding("info", f"torch {answer['version']} works (processor only).")]
    trouble = torch_trouble(answer, report, torch_remedy(environment, report))
    return [trouble or Finding("info", f"torch {answer['version']} computes on the GPU.")]


def torch_trouble(answer: Mapping[str, Any], report: GpuReport, remedy: str, environ: Mapping[str, str] = os.environ) -> Finding | None:
    """Why torch does not compute on a GPU that is there; None: it does.

    Args: answer: of `ask_torch`. remedy: what brings a torch that fits the driver.
    """
    name, hidden = f"torch {answer['version']}", environ.get("CUDA_VISIBLE_DEVICES")
    if answer["sees"] and not answer["error"]:
        return None
    if answer["sees"]:
        return Finding("error", f"{name} sees the GPU but cannot use it: {answer['error'][:200]}.", remedy)
    if not answer["cuda"]:
        return Finding("error", f"{name} was built without CUDA.", remedy)
    if report.cuda and version_numbers(answer["cuda"])[:1] > version_numbers(report.cuda)[:1]:
        return Finding("error", f"{name} needs CUDA {answer['cuda']}; this driver goes up to {report.cuda}.", remedy)
    if hidden is not None and hidden.strip() in HIDES_ALL:
        return Finding("error", f"{name} does not see the GPU: the variable CUDA_VISIBLE_DEVICES is {hidden.strip()!r}, which hides it.",
                       "Stop Lorabook, type: unset CUDA_VISIBLE_DEVICES, and start it again.")
    return Finding("error", f"{name} does not see the GPU.", f"Restart the machine; if that does not help: {remedy}")


def torch_remedy(environment: Environment, report: GpuReport) -> str:
    """What to type to get a torch for this driver (indexes as listed on pytorch.org)."""
    if environment.kind == "colab":
        return rebuild(environment)
    numbers = version_numbers(report.cuda)
    index = "cu118" if numbers < (12, 0) else "cu126" if numbers < (12, 8) else "cu128" if numbers < (13,) else "cu130"
    return other_torch(environment, f"https://download.pytorch.org/whl/{index}")


def check_onnx(environment: Environment, facts: Facts, report: GpuReport, deep: bool = True) -> list[Finding]:
    """Exactly one ONNX Runtime is there, and which provider a session really gets."""
    present = sorted({"onnxruntime", "onnxruntime-gpu"} & set(facts.packages))
    if len(present) == 2:
        return [Finding("error", "onnxruntime and onnxruntime-gpu are both installed, and each breaks the other.", INSTALL)]
    if not present:
        return [Finding("error", "No ONNX Runtime is installed, so that no tagger can run.", INSTALL)]
    name = f"{present[0]} {facts.packages[present[0]]}"
    if not deep:
        return [Finding("info", f"{name} is installed.")]
    answer = _ask(environment.python, ASK_ONNX.replace("MODEL", ONNX_MODEL))
    if answer is None:
        return [Finding("error", f"{name} is installed, but does not start.", rebuild(environment))]
    active = answer["active"].removesuffix("ExecutionProvider")
    if report.gpus and active == "CPU" and onnx_package(True) == "onnxruntime-gpu":
        return [Finding("warning", f"{name} runs on the CPU, although a GPU is there; tagging is slower.",
                        _onnx_remedy(environment, facts, report, present[0]))]
    return [Finding("info", f"{name} runs on {active}.")]


def _onnx_remedy(environment: Environment, facts: Facts, report: GpuReport, present: str) -> str:
    """Its GPU package lives on the CUDA 12 libraries that a torch for CUDA 12 brings.

    NVIDIA's cuDNN packages for CUDA 12 and 13 unpack into one folder, so the missing ones must not be laid beside a torch for 13.
    """
    if present == "onnxruntime":
        return INSTALL
    if "nvidia-cudnn-cu13" in facts.packages:
        index = "cu128" if version_numbers(report.cuda) >= (12, 8) else "cu126"
        if keeps_torch(environment):
            return "Nothing need be done: its CUDA is 12 and torch's is 13, and tagging works on the processor too."
        return f"Its CUDA is 12, torch's is 13. {other_torch(environment, f'https://download.pytorch.org/whl/{index}')}"
    return f'Its CUDA libraries are missing. Run: {environment.python} -m pip install "onnxruntime-gpu[cuda,cudnn]"'


def check_disk(provider: Provider, root: Path) -> list[Finding]:
    """Free space, and whether a stop of the machine keeps the projects."""
    found = []
    for place in dict.fromkeys((root, projects_dir())):
        free = free_disk_gib(place)
        if free < NEEDED_DISK_GIB:
            found.append(Finding("error", f"{free:.1f} GiB are free at {place}.", f"A training run writes several GB. {FREE_SPACE}"))
        elif free < ENOUGH_DISK_GIB:
            found.append(Finding("warning", f"{free:.0f} GiB are free at {place}; a model and a run take about {ENOUGH_DISK_GIB}.",
                                 FREE_SPACE))
        elif place == root:
            found.append(Finding("info", f"{free:.0f} GiB are free at {place}."))
    kept, sentence = survives_stop(provider, projects_dir())
    return [*found, Finding("info", sentence) if kept else Finding("warning", sentence, keep_remedy(provider))]


def check_memory() -> list[Finding]:
    """The machine's memory, as far as this container may use it."""
    total, available = memory_gib()
    if not total:
        return []
    sentence = f"{total:.0f} GiB of memory, {available:.0f} GiB available."
    if total < NEEDED_MEMORY_GIB - 0.5:
        return [Finding("warning", sentence,
                        f"Loading a model takes about {NEEDED_MEMORY_GIB} GiB: close other programs, or rent a larger machine.")]
    return [Finding("info", sentence)]


def check_tokens(environ: Mapping[str, str], programs: Path = Path()) -> list[Finding]:
    """Which access tokens are set; never their values. Args: programs: folder of the environment's programs, where `hf` is."""
    found = []
    for site, names in TOKENS.items():
        name = next((name for name in names if environ.get(name)), "")
        stored = site == "Hugging Face" and _stored_token(environ)
        if name or stored:
            found.append(Finding("info", f"A {site} token is set ({name or 'stored by hf auth login'})."))
        else:
            login = f"{programs / 'hf' if (programs / 'hf').exists() else 'hf'} auth login"
            command = login if site == "Hugging Face" else f"export {names[0]}=your-token (before ./jupyter.sh)"
            found.append(Finding("info", f"No {site} token: only models that ask you to log in, and publishing, need one.",
                                 f"To add one, type: {command}"))
    return found


def _stored_token(environ: Mapping[str, str]) -> bool:
    home = Path(environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    return Path(environ.get("HF_TOKEN_PATH") or home / "token").is_file()
