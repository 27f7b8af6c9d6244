"""Why a training ended without a LoRA, in one sentence: from its last lines, its exit code and its own last events."""

from __future__ import annotations

import contextlib
import re
import signal
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from core.base.failures import ANY_MEMORY, PATTERNS
from core.training.monitor.processes import FailedProcess, lines_by_process, without_launcher

_SMALLER = "Lower batch_size or resolution, switch on gradient_checkpointing and cache_latents, or use a GPU with more memory."
_MEMORY = "Close other programs, lower the number of data loader workers, or rent a machine with more memory."
_ROOT_OF_CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Cause:
    """Why it failed."""

    kind: str
    """out_of_memory, killed, file_not_found, nan_loss, module_missing, disk_full, no_data, no_output, …"""
    sentence: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.sentence} {self.hint}".strip()

    def as_dict(self) -> dict[str, str]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Cause:
        """The reverse of `as_dict`."""
        return cls(str(values["kind"]), str(values["sentence"]), str(values.get("hint", "")))


PICTURE = "bad_picture"
_LOADING = re.compile(r"Error loading file: (\S.*?)(?:\s{2,}|$)")
"""How sd-scripts names a picture before it ends of it."""

_RULES: tuple[tuple[str, str, str, str], ...] = (
    ("out_of_memory", PATTERNS["gpu_memory"], "The GPU ran out of memory.", _SMALLER),
    ("killed", rf"DataLoader worker .*killed by signal: (?:Killed|9)|{PATTERNS['machine_memory']}",
     "The machine ran out of memory (not the GPU).", _MEMORY),
    ("out_of_memory", PATTERNS[ANY_MEMORY], "There was not enough memory, in the machine or on its GPU.", _SMALLER),
    ("killed", r"insufficient shared memory|Bus error", "The machine's shared memory (/dev/shm) is too small for the data loader.",
     "Set max_data_loader_n_workers to 0."),
    ("disk_full", PATTERNS["disk_full"], "The disk is full.",
     "Free some space (old runs, caches), then resume or start the run again."),
    ("nan_loss", r"NaN detected in latents|NaN found in latents",
     "Encoding a picture gave no numbers (NaN): this model's VAE does not bear half precision.",
     "Switch on no_half_vae, or choose another vae."),
    ("nan_loss", r"loss is nan|nan loss|loss became nan", "The loss became NaN.",
     "Lower the learning rate, or train with mixed_precision bf16 instead of fp16."),
    ("no_data", r"No data found|No images found|no train images|num train images \* repeats[^:]*: 0\s*$",
     "The trainer found no pictures to train on.", "Check the dataset's folder: it must hold images, each with a caption."),
    ("module_missing", r"No module named '?([\w.]+)'?", "The trainer's environment lacks the Python package '{0}'.",
     "Run 'python3 installer.py' (for another trainer: with --trainer NAME), then start again."),
    ("module_missing", r"ImportError: (.+)", "A Python package of the trainer's environment does not fit: {0}.",
     "Run 'python3 installer.py' (for another trainer: with --trainer NAME), then start again."),
    ("file_not_found", r'pretrained_model_name_or_path "?([^"\n]+?)"? is neither a valid local path', "The base model is missing: {0}.",
     "Choose it again in the panel Model and settings; it was moved or removed."),
    ("file_not_found", r"No such file or directory: '?([^'\n]+?)'?(?: -> .*)?$", "A file is missing: {0}.",
     "Check the path in the settings."),
    ("file_not_found", r"(?:FileNotFoundError|AssertionError|ValueError|OSError): (.*(?:not found|does not exist|no file named).*)$",
     "A file is missing: {0}.", "Check the path in the settings."),
    (PICTURE, r"image file is truncated|[Cc]annot identify image file|broken data stream|Truncated File Read|broken PNG file",
     "A picture cannot be read.", "Get it again, or take it out of the folder that is learned from."),
    ("no_tokenizer", r"open\(vocab_file\b", "The model's tokenizer is not there.", "Empty 'Tokenizer folder' (tokenizer_cache_dir) where "
     "there is a network, or give a folder that holds it."),
    ("unknown_optimizer", r"module 'torch\.optim' has no attribute '(\w+)'", "The trainer knows no optimizer {0}.",
     "Choose another one (optimizer_type)."),
    ("no_permission", r"Permission denied: '?([^'\n]+?)'?$", "There is no permission for {0}.",
     "Choose a folder of your own, or change its rights."),
    ("port_taken", r"distributed communication on port `(\d+)`", "Another program uses the port {0}, where the processes of the training "
     "meet.", "Start it again, or set main_process_port to another one."),
    ("too_many_processes", r"invalid device ordinal", "There are fewer GPUs than processes that train together.",
     "Lower num_processes to the number of GPUs of this machine."),
    ("not_met", r"Timed out after \d+ seconds waiting for clients|client socket has timed out|DistStoreError|RendezvousTimeoutError",
     "The machines that train together did not meet.",
     "Start the run on each of them within minutes, and check main_process_ip, main_process_port and the machines' firewall."),
    ("no_network", PATTERNS["no_network"], "The trainer wanted to fetch something from the network and could not reach it.",
     "Connect the machine, or give the model and the tokenizer as local folders."),
    ("bad_model", PATTERNS["bad_model"], "A model file is broken or not what its name says.", "Download it again and compare its size."),
    ("no_gpu", PATTERNS["no_gpu"], "The trainer cannot use the GPU.",
     "Run 'python3 installer.py --doctor' to see whether GPU, driver and torch fit together."),
    ("bad_caption", r"UnicodeDecodeError: (.+)", "A text file is not UTF-8: {0}.", "Save it again as UTF-8."),
    ("refused", r"unrecognized arguments: (.+)|error: argument (.+)", "The trainer does not know a setting: {0}.",
     "Check the settings; this trainer's version may be another."),
    ("refused", r"AssertionError: (.+)", "The trainer refused the settings: {0}", "Change the setting that it names."),
)


def find_cause(lines: Sequence[str], code: int | None = None, told: Sequence[Mapping[str, Any]] = (), memory_killer: bool = False) -> Cause:
    """The cause of a failure.

    Args:
        lines: the last lines of the output, oldest first.
        code: exit code; negative: minus the signal that ended the process; None: unknown.
        told: the built-in trainer's own last events (`failed` has message and hint).
        memory_killer: whether the system's memory killer struck while it ran.
    """
    failed = [event for event in told if event.get("event") == "failed"]
    if failed:
        message = str(failed[-1].get("message", ""))
        known = _known([message])
        return Cause(known.kind if known else "trainer", message, str(failed[-1].get("hint", "")) or (known.hint if known else ""))
    lines, process = without_launcher(lines)
    if process is not None and code == 1:  # the launcher's own; a signal that ended it says more
        return _cause_of_processes(lines, process, memory_killer)
    return _cause_of(lines, code, memory_killer)


def _cause_of_processes(lines: Sequence[str], process: FailedProcess, memory_killer: bool) -> Cause:
    """The cause where several processes trained: where the first to fail does not tell a known one, another may, for one that fails takes
    the others along."""
    each = lines_by_process(lines, process.rank)
    known = [] if _signal_of(process.code) else [(rank, cause) for rank, own in each if (cause := _known(_last_traceback(own)))]
    rank, cause = known[0] if known else (process.rank, _cause_of(each[0][1], process.code, memory_killer))
    return replace(cause, sentence=f"{cause.sentence} It was process {rank} of the training.")


def _cause_of(lines: Sequence[str], code: int | None, memory_killer: bool) -> Cause:
    """The cause from one process's lines and exit code."""
    number = _signal_of(code)
    if number == signal.SIGKILL:
        if memory_killer:
            return Cause("killed", "The trainer was killed (signal 9), because the machine's memory ran out.", _MEMORY)
        return Cause("killed", "The trainer was killed (signal 9): most often because the machine's memory ran out.", _MEMORY)
    if found := _known(_last_traceback(lines)):
        return _with_picture(found, lines)
    if number:
        name = _signal_name(number)
        return Cause("killed", f"The trainer was ended from outside or crashed (signal {number}, {name}).", "Its last lines may tell more.")
    if code == 0:
        return Cause("no_output", "The trainer ended without an error, but wrote no LoRA.",
                     "Its last lines may tell why; check the dataset first.")
    last = _last_error(lines)
    ending = f" with code {code}" if code is not None else ""
    return Cause("unknown", f"The trainer ended{ending}" + (f": {last}" if last else "."), "The log tells more.")


def _with_picture(cause: Cause, lines: Sequence[str]) -> Cause:
    """The same with the name of the picture, where it was told before the traceback."""
    named = [found.group(1) for line in lines if (found := _LOADING.search(line))] if cause.kind == PICTURE else []
    return replace(cause, sentence=f"A picture cannot be read: {named[-1]}.") if named else cause


def _known(lines: Sequence[str]) -> Cause | None:
    """The first rule that fits; within a rule the last line that does."""
    for kind, pattern, sentence, hint in _RULES:
        for line in reversed(lines):
            if found := re.search(pattern, line.strip(), re.IGNORECASE if kind == "nan_loss" else 0):
                groups = [group.rstrip(". ") for group in found.groups() if group]
                return Cause(kind, sentence.format(*groups) if groups else sentence, hint)
    return None


def _last_traceback(lines: Sequence[str]) -> Sequence[str]:
    """From the last "Traceback" on; all lines where there is none, since some failures are plain sentences."""
    for place in range(len(lines) - 1, -1, -1):
        if lines[place].lstrip().startswith("Traceback (most recent call last)"):
            return lines[place:]
    return lines


def _last_error(lines: Sequence[str]) -> str:
    for line in reversed(lines):
        if re.match(r"^\s*(?:[\w.]+(?:Error|Exception|Interrupt)\b|error:|ERROR)", line):
            return line.strip()[:300]
    return lines[-1].strip()[:300] if lines else ""


def _signal_of(code: int | None) -> int:
    if code is None:
        return 0
    return -code if code < 0 else code - 128 if 128 < code < 160 else 0


def _signal_name(number: int) -> str:
    with contextlib.suppress(ValueError):
        return signal.Signals(number).name
    return "unknown"


def oom_kills(root: Path = _ROOT_OF_CGROUPS) -> int:
    """How often the memory killer struck in this container: cgroup v2 `memory.events`, v1 `memory.oom_control`; 0 if unknown."""
    for place in (root / "memory.events", root / "memory" / "memory.oom_control"):
        with contextlib.suppress(OSError):
            if found := re.search(r"^oom_kill (\d+)$", place.read_text(), re.MULTILINE):
                return int(found.group(1))
    return 0
