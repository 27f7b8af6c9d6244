"""Requirements, the choice of ONNX Runtime, the stamp."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from core.base.errors import ConfigError, StudioError
from core.base.paths import ROOT
from core.setup.environment import Environment
from core.setup.packages import find_missing, onnx_package, read_requirements, read_stamp, requirement_files, stamp_path


def test_comments_and_skipped_packages_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text("# all\ntorch>=2.4,<3  # big\n\njupyterlab>=4\nHuggingFace_Hub>=1\n")
    assert read_requirements(path, ("jupyterlab",)) == ["torch>=2.4,<3", "HuggingFace_Hub>=1"]
    with pytest.raises(StudioError, match="missing"):
        read_requirements(tmp_path / "none.txt")


def test_an_unknown_group_is_refused_with_the_known_ones() -> None:
    assert set(requirement_files(ROOT, ("dev",))) == {"base", "dev"}
    with pytest.raises(ConfigError, match="'dve'.*Known: .*dev"):
        requirement_files(ROOT, ("dve",))


def test_what_is_missing_or_too_old_is_named() -> None:
    found = find_missing(Path(sys.executable), ["pytest>=1", "pytest>=999", "no-such-package", 'other-missing; sys_platform == "nowhere"'])
    assert len(found) == 2 and found[0].startswith("pytest (") and found[1] == "no-such-package"


def test_no_requirement_names_an_onnx_runtime() -> None:
    lines = read_requirements(ROOT / "requirements.txt") + read_requirements(ROOT / "requirements-dev.txt")
    assert lines and not any(line.startswith("onnxruntime") for line in lines)


def test_every_requirement_has_a_lower_and_an_upper_bound() -> None:
    for line in read_requirements(ROOT / "requirements.txt") + read_requirements(ROOT / "requirements-dev.txt"):
        assert ">=" in line and ",<" in line, line


def test_the_gpu_package_is_for_machines_that_have_builds_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert (onnx_package(True), onnx_package(False)) == ("onnxruntime-gpu", "onnxruntime")
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert onnx_package(True) == "onnxruntime"


def test_a_stamp_of_another_python_or_half_a_stamp_counts_as_none(tmp_path: Path) -> None:
    environment = Environment(tmp_path / ".venv/bin/python", "own", "")
    path = stamp_path(tmp_path, environment)
    path.parent.mkdir(parents=True)
    for text in ('{"format": 1, "python": "/elsewhere"}', '{"format": 1, "pyt', "[]"):
        path.write_text(text)
        assert read_stamp(tmp_path, environment) == {}


def test_nothing_is_written_into_an_environment_that_is_not_ours(tmp_path: Path) -> None:
    foreign = Environment(tmp_path / "image/bin/python", "image", "", keep_torch=True)
    assert stamp_path(tmp_path / "checkout", foreign).is_relative_to(tmp_path / "checkout")
