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
