"""A failure is one sentence before it is a log."""

import pytest

from core.training.monitor.causes import Cause, find_cause, oom_kills

TRACE = "Traceback (most recent call last):"


@pytest.mark.parametrize(("lines", "code", "kind", "words"), [
    ([TRACE, "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 MiB."], 1, "out_of_memory", "GPU ran out of memory"),
    ([TRACE, "torch.cuda.OutOfMemoryError: CUDA out of memory."], 1, "out_of_memory", "GPU"),
    ([TRACE, "RuntimeError: [enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory"], 1, "killed", "not the GPU"),
    ([TRACE, "RuntimeError: CUDA error: out of memory"], 1, "out_of_memory", "GPU ran out"),
    ([TRACE, "onnxruntime…Fail: Failed to allocate memory for requested buffer of size 1"], 1, "out_of_memory", "or on its GPU"),
    (["epoch 1/2", "steps: 8%"], -9, "killed", "signal 9"),
    (["epoch 1/2"], 137, "killed", "signal 9"),
    (["epoch 1/2"], -11, "killed", "SIGSEGV"),
    ([TRACE, "FileNotFoundError: [Errno 2] No such file or directory: '/models/a b.safetensors'"], 1, "file_not_found",
     "/models/a b.safetensors"),
    ([TRACE, "AssertionError: file not found: /data/x.toml"], 1, "file_not_found", "/data/x.toml"),
    ([TRACE, "RuntimeError: NaN detected in latents: /data/cat.png"], 1, "nan_loss", "NaN"),
    ([TRACE, "ModuleNotFoundError: No module named 'bitsandbytes'"], 1, "module_missing", "'bitsandbytes'"),
    ([TRACE, "OSError: [Errno 28] No space left on device"], 1, "disk_full", "disk is full"),
    ([TRACE, "safetensors_rust.SafetensorError: I/O error: No space left on device (os error 28)"], 1, "disk_full", "disk is full"),
    (["No data found. Please verify arguments (train_data_dir must be …)"], 0, "no_data", "no pictures"),
    (["model saved somewhere"], 0, "no_output", "wrote no LoRA"),
    ([TRACE, "PermissionError: [Errno 13] Permission denied: '/locked/x'"], 1, "no_permission", "/locked/x"),
    ([TRACE, "safetensors_rust.SafetensorError: Error while deserializing header: HeaderTooLarge"], 1, "bad_model", "broken"),
    ([TRACE, "RuntimeError: Found no NVIDIA driver on your system."], 1, "no_gpu", "GPU"),
    ([TRACE, "UnicodeDecodeError: 'utf-8' codec can't decode byte 0xe9"], 1, "bad_caption", "UTF-8"),
    (["train_network.py: error: unrecognized arguments: --text_encoder_lr1"], 2, "refused", "--text_encoder_lr1"),
    ([TRACE, "AssertionError: when caching latents, either color_aug or random_crop cannot be used"], 1, "refused", "color_aug"),
    ([TRACE, "huggingface_hub.errors.LocalEntryNotFoundError: Cannot find the requested files"], 1, "no_network", "network"),
    ([TRACE, "AttributeError: module 'torch.optim' has no attribute 'AdamZ'"], 1, "unknown_optimizer", "no optimizer AdamZ"),
    ([TRACE, "OSError: image file is truncated"], 1, "bad_picture", "A picture cannot be read."),
    ([TRACE, "    with open(vocab_file, encoding='utf-8') as handle:", "TypeError: expected str, not NoneType"], 1, "no_tokenizer",
     "tokenizer"),
    (["25%|2026 ERROR    Error loading file: /data/a b/01.png           train_util.py:2960", TRACE, "OSError: image file is truncated"],
     1, "bad_picture", "cannot be read: /data/a b/01.png."),
    ([TRACE, 'ValueError: The provided pretrained_model_name_or_path "/m/gone.safetensors" is neither a valid local path nor'], 1,
     "file_not_found", "The base model is missing: /m/gone.safetensors."),
    ([TRACE, "KeyError: 'unet'"], 1, "unknown", "KeyError: 'unet'"),
    ([], 1, "unknown", "code 1"),
])
def test_the_cause_is_found(lines, code, kind, words):
    cause = find_cause(lines, code)
    assert cause.kind == kind and words in cause.sentence and cause.hint


def test_what_was_survived_before_is_not_taken_for_the_cause():
    lines = ["ModuleNotFoundError: No module named 'triton'", TRACE, "  File \"a.py\"", "torch.OutOfMemoryError: CUDA out of memory."]
    assert find_cause(lines, 1).kind == "out_of_memory"
    lines = [TRACE, "ImportError: no xformers", "training goes on", TRACE, "KeyError: 'x'"]
    assert find_cause(lines, 1).kind == "unknown"


def test_the_trainers_own_word_comes_first():
    told = [{"event": "failed", "message": "The model file x is broken.", "hint": "Download it again."}]
    cause = find_cause([TRACE, "core.base.errors.ModelError: …"], 1, told)
    assert (cause.kind, cause.sentence, cause.hint) == ("trainer", "The model file x is broken.", "Download it again.")
    assert find_cause([], 1, [{"event": "failed", "message": "CUDA out of memory", "hint": ""}]).kind == "out_of_memory"


def test_the_memory_killer_is_named_when_it_is_known():
    assert find_cause([], -9, memory_killer=True).sentence.endswith("because the machine's memory ran out.")


def test_a_cause_survives_json():
    cause = find_cause([], -9)
    assert Cause.from_dict(cause.as_dict()) == cause


def test_the_memory_killers_count_is_read_from_the_cgroup(tmp_path):
    assert oom_kills(tmp_path) == 0
    (tmp_path / "memory.events").write_text("low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\n")
    assert oom_kills(tmp_path) == 2


SUMMARY = """E1122 12:11:19.788000 11457 .venv/lib/python3.11/site-packages/torch/distributed/elastic/multiprocessing/api.py:869] failed \
(exitcode: {code}) local_rank: {rank} (pid: 11461) of binary: /tmp/python
Traceback (most recent call last):
  File "<frozen runpy>", line 198, in _run_module_as_main
torch.distributed.elastic.multiprocessing.errors.ChildFailedError:
============================================================
train_network.py FAILED
------------------------------------------------------------
Failures:
[1]:
  rank      : 5 (local_rank: 5)
  exitcode  : 1 (pid: 11462)
Root Cause (first observed failure):
[0]:
  rank      : {rank} (local_rank: {rank})
  exitcode  : {code} (pid: 11461)"""
"""What the launcher of several processes says, as torch 2.6 printed it."""


def of_processes(rank, code, *lines):
    return [*lines, *SUMMARY.format(rank=rank, code=code).splitlines()]


def traceback_of(rank, words):
    return [f"[rank{rank}]: {line}" for line in (TRACE, '  File "x.py", line 1, in train', words)]


@pytest.mark.parametrize(("lines", "kind", "words"), [
    (of_processes(1, 1, *traceback_of(1, "torch.OutOfMemoryError: CUDA out of memory.")), "out_of_memory", "process 1"),
    (of_processes(0, 1, *traceback_of(0, "RuntimeError: Connection closed by peer"),
                  *traceback_of(1, "torch.OutOfMemoryError: CUDA out of memory.")), "out_of_memory", "process 1"),
    (of_processes(1, 1, *traceback_of(1, "KeyError: 'unet'"), *traceback_of(0, "RuntimeError: Connection closed by peer")), "unknown",
     "KeyError: 'unet'"),
    (of_processes(2, -9, "epoch 1/2"), "killed", "signal 9"),
    (of_processes(0, 1, TRACE, "FileNotFoundError: [Errno 2] No such file or directory: '/m.safetensors'"), "file_not_found", "/m.safet"),
    (of_processes(1, 1, *traceback_of(1, "RuntimeError: CUDA error: invalid device ordinal")), "too_many_processes", "fewer GPUs"),
])
def test_of_several_processes_the_one_is_named_that_failed_by_itself(lines, kind, words):
    cause = find_cause(lines, 1)
    assert cause.kind == kind and words in cause.sentence and "of the training." in cause.sentence and "ChildFailed" not in cause.sentence


def test_a_launcher_that_was_killed_itself_is_told_as_ever():
    assert "signal 9" in find_cause(of_processes(0, 1, "epoch 1/2"), -9).sentence


@pytest.mark.parametrize(("line", "kind"), [
    ("ConnectionError: Tried to launch distributed communication on port `29500`, but another process is utilizing it.", "port_taken"),
    ("torch.distributed.DistStoreError: Timed out after 901 seconds waiting for clients. 1/2 clients joined.", "not_met"),
])
def test_processes_that_do_not_find_each_other_are_told(line, kind):
    assert find_cause([TRACE, line], 1).kind == kind
