"""A trainer of another project: fetched at its pinned commit, never over someone's changes, never an obstacle."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from core.base.errors import ConfigError
from core.base.paths import ROOT
from core.setup import trainers
from core.setup.trainers import MUSUBI, SD_SCRIPTS, find_python, install_trainer, read_trainer


def git(folder: Path, *arguments: str) -> str:
    """Run git as a person with a name."""
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "init.defaultBranch=main"]
    return subprocess.run(["git", *identity, "-C", str(folder), *arguments], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small repository in the trainer's place; the pinned commit is not its newest."""
    folder = tmp_path / "source"
    folder.mkdir()
    git(folder, "init", "--quiet")
    (folder / "train_network.py").write_text("print('pinned')\n")
    (folder / "requirements.txt").write_text("# tools\ntoml\n-e .\n")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "pinned")
    monkeypatch.setattr(trainers, "SD_SCRIPTS", replace(SD_SCRIPTS, commit=git(folder, "rev-parse", "HEAD")))
    (folder / "train_network.py").write_text("print('newer')\n")
    git(folder, "commit", "--quiet", "-am", "newer")
    return folder


def install(source: str | Path, folder: Path) -> list[str]:
    """Fetch without an environment; "level: what remedy" of each finding."""
    return [f"{found.level}: {found}" for found in install_trainer("sd-scripts", str(source), folder, with_environment=False)]


def test_a_clone_a_bare_folder_and_an_address_give_the_pinned_commit(source: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    subprocess.run(["git", "clone", "--quiet", "--bare", str(source), str(bare)], check=True)
    for number, place in enumerate((source, bare, bare.as_uri())):
        folder = tmp_path / f"trainers{number}"
        assert not [line for line in install(place, folder) if not line.startswith("info")]
        state = read_trainer("sd-scripts", folder)
        assert state.present and state.commit == trainers.SD_SCRIPTS.commit and not state.ready
        assert (state.folder / "train_network.py").read_text() == "print('pinned')\n"
        assert sorted(path.name for path in folder.iterdir()) == [".logs", "sd-scripts"]


def test_a_second_time_fetches_nothing(source: Path, tmp_path: Path) -> None:
    install(source, tmp_path / "trainers")
    assert install(tmp_path / "gone", tmp_path / "trainers")[0].startswith("info")


def test_a_plain_copy_is_taken_and_said_to_have_no_known_version(source: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    (plain / "train_network.py").write_text("print('copy')\n")
    assert "version is not known" in install(plain, tmp_path / "trainers")[0]
    state = read_trainer("sd-scripts", tmp_path / "trainers")
    assert state.present and state.commit == ""


def test_changes_in_a_checkout_are_left_alone(source: Path, tmp_path: Path) -> None:
    checkout = tmp_path / "trainers" / "sd-scripts"
    subprocess.run(["git", "clone", "--quiet", str(source), str(checkout)], check=True)
    (checkout / "train_network.py").write_text("print('mine')\n")
    assert "left as it is" in install(source, tmp_path / "trainers")[0]
    assert (checkout / "train_network.py").read_text() == "print('mine')\n"


def test_a_clean_checkout_at_another_commit_is_brought_to_the_pinned_one(source: Path, tmp_path: Path) -> None:
    checkout = tmp_path / "trainers" / "sd-scripts"
    subprocess.run(["git", "clone", "--quiet", str(source), str(checkout)], check=True)
    install(source, tmp_path / "trainers")
    assert (checkout / "train_network.py").read_text() == "print('pinned')\n"


def test_without_a_network_it_says_so_and_leaves_nothing_behind(source: Path, tmp_path: Path) -> None:
    line, = install("https://no-such-host.invalid/sd-scripts", tmp_path / "trainers")
    assert line.startswith("warning") and "network" in line and "built-in trainer is ready" in line and "--trainer sd-scripts" in line
    assert [path.name for path in (tmp_path / "trainers").iterdir()] == [".logs"]


def test_a_source_without_the_pinned_commit_is_said(source: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "--quiet")
    (other / "train_network.py").write_text("")
    git(other, "add", ".")
    git(other, "commit", "--quiet", "-m", "another history")
    line, = install(other, tmp_path / "trainers")
    assert line.startswith("warning") and "pinned commit" in line


def test_a_source_that_is_nothing_is_refused(source: Path, tmp_path: Path) -> None:
    for wrong in (tmp_path / "none", "--upload-pack=touch", "plainword"):
        with pytest.raises(ConfigError, match="neither a folder nor an address"):
            install(wrong, tmp_path / "trainers")
    with pytest.raises(ConfigError, match=r"train_network\.py"):
        (tmp_path / "pictures").mkdir()
        install(tmp_path / "pictures", tmp_path / "trainers")


def test_a_partial_clone_gives_what_it_has_and_the_missing_files_are_named(source: Path, tmp_path: Path) -> None:
    pinned = trainers.SD_SCRIPTS.commit
    lost = git(source, "rev-parse", f"{pinned}:requirements.txt")
    (source / ".git" / "objects" / lost[:2] / lost[2:]).unlink()
    line = install(source, tmp_path / "trainers")[0]
    assert line.startswith("warning") and "partial clone without requirements.txt" in line
    state = read_trainer("sd-scripts", tmp_path / "trainers")
    assert state.present and state.commit == pinned
    assert sorted(path.name for path in state.folder.iterdir()) == [".lorabook_commit", "train_network.py"]


def test_a_password_in_the_address_is_not_kept_in_the_checkout(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # git itself maps the address with the password to the local repository, so that no network is needed.
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.{source.as_uri()}.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "https://me:secret@example.org/sd-scripts")
    install("https://me:secret@example.org/sd-scripts", tmp_path / "trainers")
    assert read_trainer("sd-scripts", tmp_path / "trainers").present
    texts = [path.read_text(errors="replace") for path in (tmp_path / "trainers").rglob("*") if path.is_file()]
    assert not any("secret" in text for text in texts)


def test_an_unknown_trainer_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'kohya'.*sd-scripts"):
        install_trainer("kohya", folder=tmp_path)


def test_an_unfinished_environment_is_not_ready(source: Path, tmp_path: Path) -> None:
    install(source, tmp_path / "trainers")
    state = read_trainer("sd-scripts", tmp_path / "trainers")
    python = state.folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("")
    assert not read_trainer("sd-scripts", tmp_path / "trainers").ready
    assert "not finished" in state.findings()[-1].what


def test_a_python_that_is_only_a_name_on_the_path_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stub = tmp_path / "python3.9"
    stub.write_text("#!/bin/sh\nexit 127\n")
    stub.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_python(("3.9",)) is None


@pytest.mark.skipif("SD_SCRIPTS_REPOSITORY" not in os.environ, reason="SD_SCRIPTS_REPOSITORY names no clone of sd-scripts")
def test_the_real_trainer_is_fetched_at_its_pinned_commit(tmp_path: Path) -> None:
    assert install_trainer("sd-scripts", os.environ["SD_SCRIPTS_REPOSITORY"], tmp_path, False)[-1].level == "info"
    state = read_trainer("sd-scripts", tmp_path)
    assert state.commit == SD_SCRIPTS.commit and (state.folder / "sdxl_train_network.py").is_file()


def test_no_two_modules_of_setup_import_each_other() -> None:
    imports: dict[str, set[str]] = {}
    for path in (ROOT / "core" / "setup").glob("*.py"):
        nodes = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.ImportFrom)]
        imports[path.stem] = {str(node.module).removeprefix("core.setup.") for node in nodes if str(node.module).startswith("core.setup.")}
    pairs = [(one, other) for one, names in imports.items() for other in names if one in imports.get(other, set())]
    assert len(imports) > 8 and pairs == []


def test_a_checkout_elsewhere_is_named_by_variables(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SD_SCRIPTS_DIR", str(source))
    monkeypatch.setenv("SD_SCRIPTS_PYTHON", sys.executable)
    state = read_trainer("sd-scripts")
    assert state.ready and (state.folder, state.python) == (source, Path(sys.executable))


def test_musubi_is_pinned_to_the_commit_that_its_facts_describe(tmp_path: Path) -> None:
    from core.training.config.facts import described_commit

    assert MUSUBI.commit == described_commit("musubi")
    assert MUSUBI.requirements and (tmp_path / MUSUBI.packages).name == "src"
    (finding,) = read_trainer("musubi", tmp_path).findings()
    assert "installer.py --trainer musubi" in finding.remedy
