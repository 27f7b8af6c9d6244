"""The doctor's findings, each with a remedy."""

from __future__ import annotations

import base64
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from core.base.paths import ROOT
from core.setup import doctor
from core.setup.environment import Environment, Facts, read_facts, rebuild
from core.setup.hardware import Gpu, GpuReport
from core.setup.provider import COLAB

GPU = Gpu("NVIDIA GeForce RTX 4090", "550.54", 24564, 24000, "8.9")
HERE = Path(sys.executable)
OWN = Environment(HERE, "own", "")
IMAGE = Environment(HERE, "image", "", keep_torch=True)


@pytest.fixture(scope="module")
def facts() -> Facts:
    found = read_facts(HERE)
    assert found is not None
    return found


def test_a_missing_environment_is_an_error_with_the_command(tmp_path: Path) -> None:
    finding, = doctor.check_python(tmp_path, Environment(tmp_path / ".venv/bin/python", "own", ""), None)
    assert finding.level == "error" and finding.remedy == "Run: python3 installer.py"


def test_missing_packages_are_named(tmp_path: Path, facts: Facts) -> None:
    (tmp_path / "requirements.txt").write_text("no-such-package>=1\n")
    finding = doctor.check_python(tmp_path, Environment(HERE, "own", ""), facts)[-1]
    assert finding.level == "error" and "no-such-package" in finding.what


def test_a_small_or_busy_gpu_is_a_warning() -> None:
    assert [finding.level for finding in doctor.check_gpu(GpuReport((GPU,), "12.4"))] == ["info"]
    small = doctor.check_gpu(GpuReport((replace(GPU, memory_mib=4096, free_mib=4000),), "12.4"))
    busy = doctor.check_gpu(GpuReport((replace(GPU, free_mib=2000),), "12.4"))
    assert small[-1].level == busy[-1].level == "warning" and small[-1].remedy and busy[-1].remedy


def test_a_driver_that_does_not_answer_is_told_and_stops_nothing() -> None:
    finding, = doctor.check_gpu(GpuReport(problem="The driver does not answer."))
    assert finding.level == "warning" and finding.remedy


@pytest.mark.parametrize(("cuda", "index"), [("11.8", "cu118"), ("12.4", "cu126"), ("12.8", "cu128"), ("13.0", "cu130")])
def test_the_remedy_for_torch_fits_the_driver(cuda: str, index: str) -> None:
    assert doctor.torch_remedy(OWN, GpuReport((GPU,), cuda)) == \
        f"Run: python3 installer.py --torch-index https://download.pytorch.org/whl/{index}"


def test_the_remedies_never_promise_to_change_what_is_kept() -> None:
    report = GpuReport((GPU,), "12.4")
    colab = Environment(HERE, "colab", "", keep_torch=True)
    named = Environment(HERE, "named", "", keep_torch=True)
    assert "python3 -m venv .venv && python3 installer.py --torch-index" in doctor.torch_remedy(IMAGE, report)
    assert "unset LORABOOK_VENV" in doctor.torch_remedy(named, report) and "Runtime" in doctor.torch_remedy(colab, report)
    assert rebuild(OWN) == "Run: python3 installer.py --repair"
    assert not any("--repair" in rebuild(environment) for environment in (IMAGE, colab, named))


@pytest.mark.slow
def test_a_torch_that_does_not_see_the_gpu_is_an_error(facts: Facts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    finding, = doctor.check_torch(OWN, facts, GpuReport((GPU,), "11.8"))
    assert finding.level == "error" and "--torch-index" in finding.remedy


@pytest.mark.parametrize(("answer", "environ", "words", "remedy"), [
    ({"sees": True}, {}, "", ""),
    ({"sees": True, "error": "no kernel image"}, {}, "cannot use it: no kernel image", "mend it"),
    ({"cuda": None}, {"CUDA_VISIBLE_DEVICES": ""}, "was built without CUDA", "mend it"),
    ({"cuda": "13.0"}, {}, "needs CUDA 13.0; this driver goes up to 12.4", "mend it"),
    ({}, {"CUDA_VISIBLE_DEVICES": ""}, "CUDA_VISIBLE_DEVICES is '', which hides it", "unset CUDA_VISIBLE_DEVICES"),
    ({}, {"CUDA_VISIBLE_DEVICES": "-1"}, "CUDA_VISIBLE_DEVICES is '-1', which hides it", "unset CUDA_VISIBLE_DEVICES"),
    ({}, {"CUDA_VISIBLE_DEVICES": "0"}, "does not see the GPU.", "Restart the machine"),
])
def test_why_torch_does_not_use_the_gpu_is_told_with_what_mends_it(answer, environ, words: str, remedy: str) -> None:
    whole = {"version": "2.8", "cuda": "12.4", "sees": False, "error": "", **answer}
    trouble = doctor.torch_trouble(whole, GpuReport((GPU,), "12.4"), "mend it", environ)
    assert (trouble is None) == (words == "")
    assert trouble is None or (words in trouble.what and remedy in trouble.remedy)


def test_both_onnx_runtimes_or_none_are_errors(facts: Facts) -> None:
    both = replace(facts, packages={"onnxruntime": "1.20", "onnxruntime-gpu": "1.20"})
    none = replace(facts, packages={})
    for wrong in (both, none):
        finding, = doctor.check_onnx(OWN, wrong, GpuReport())
        assert finding.level == "error" and finding.remedy == "Run: python3 installer.py"


@pytest.mark.slow
def test_the_active_provider_is_asked_of_a_real_session(facts: Facts) -> None:
    finding, = doctor.check_onnx(OWN, facts, GpuReport())
    assert finding.level == "info" and finding.what.endswith(("on CPU.", "on CUDA."))
    if finding.what.endswith("on CPU."):
        warned, = doctor.check_onnx(OWN, facts, GpuReport((GPU,), "12.4"))
        assert warned.level == "warning" and "although a GPU is there" in warned.what and warned.remedy


def test_the_probe_is_a_valid_onnx_model() -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load_model_from_string(base64.b64decode(doctor.ONNX_MODEL))
    onnx.checker.check_model(model)
    assert [node.op_type for node in model.graph.node] == ["Identity"]


def test_a_folder_that_a_stop_empties_is_a_warning_with_a_place_that_stays(tmp_path: Path) -> None:
    finding = doctor.check_disk(COLAB, tmp_path)[-1]
    assert finding.level == "warning" and "Google Drive" in finding.remedy


@pytest.mark.slow
def test_a_graphics_card_without_a_gpu_package_is_no_reason_to_warn(facts: Facts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    finding, = doctor.check_onnx(OWN, facts, GpuReport((GPU,), "12.4"))
    assert finding.level == "info"


def test_tokens_are_told_but_never_printed(tmp_path: Path) -> None:
    environ = {"HF_TOKEN": "hf_verysecret", "CIVITAI_API_TOKEN": "alsosecret", "HF_HOME": str(tmp_path)}
    found = doctor.check_tokens(environ)
    assert all("is set" in finding.what for finding in found)
    assert "secret" not in " ".join(map(str, found))
    assert all(finding.remedy for finding in doctor.check_tokens({"HF_HOME": str(tmp_path)}))


def test_the_whole_doctor_gives_every_problem_a_remedy() -> None:
    found = doctor.find_problems(ROOT, deep=False)
    text = " ".join(finding.what for finding in found)
    for word in ("Python", "GPU", "GiB are free", "memory", "Runs on", "sd-scripts", "Hugging Face", "Civitai"):
        assert word in text, word
    assert all(finding.remedy for finding in found if finding.level == "error")
