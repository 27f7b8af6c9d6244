"""Weights & Biases: offered only with a key and the package, and the key stands nowhere."""

import json
import os
import subprocess

import pytest

from core.base.paths import ROOT
from core.training.backends import BACKENDS
from core.training.backends.wandb_ready import NO_KEY, check_wandb, has_key, has_package, login_password, wandb_problem
from core.training.config import for_run
from core.training.config.log import LoggingSettings
from core.training.watching.output import secrets_in
from tests.core.training.fakes import make_run, start, wait_for_end

KEY = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def nobody(tmp_path, monkeypatch):
    """A home without a login, and no variable."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_BASE_URL", "NETRC"):
        monkeypatch.delenv(name, raising=False)


def write_login(path, host="api.wandb.ai"):
    path.write_text(f"machine {host}\n  login user\n  password {KEY}\n")
    path.chmod(0o600)


def test_a_key_is_found_in_the_environment_or_where_wandb_login_keeps_it(tmp_path, monkeypatch):
    assert not has_key() and login_password() == ""
    write_login(tmp_path / ".netrc", "example.com")
    assert not has_key()
    write_login(tmp_path / ".netrc")
    assert has_key() and login_password() == KEY
    (tmp_path / ".netrc").write_text("machine api.wandb.ai\n  password")
    assert not has_key()
    write_login(tmp_path / "elsewhere")
    monkeypatch.setenv("NETRC", str(tmp_path / "elsewhere"))
    assert has_key()
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.example.com:8080")
    assert not has_key()
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    assert has_key()


def test_a_netrc_that_is_no_text_and_a_machine_without_a_home_have_no_key(tmp_path, monkeypatch):
    (tmp_path / ".netrc").write_bytes(b"machine \xff\xfe login")
    assert login_password() == ""

    def homeless(path):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr("pathlib.Path.expanduser", homeless)
    assert login_password() == "" and secrets_in({"PATH": "/bin"}) == []


def test_the_package_is_looked_for_in_the_trainers_environment_and_nothing_is_started(tmp_path, monkeypatch):
    package = tmp_path / "env" / "lib" / "python3.10" / "site-packages" / "wandb"
    package.mkdir(parents=True)
    (tmp_path / "env" / "bin").mkdir()
    python = tmp_path / "env" / "bin" / "python"
    python.touch()
    monkeypatch.setenv("SD_SCRIPTS_PYTHON", str(python))
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert not has_package(python) and "has no package wandb" in wandb_problem("sd-scripts")
    (package / "__init__.py").touch()
    assert has_package(python) and wandb_problem("sd-scripts") == ""
    monkeypatch.delenv("WANDB_MODE")
    assert wandb_problem("sd-scripts") == NO_KEY and "TensorBoard files only" in wandb_problem("builtin")


@pytest.mark.parametrize("log_with", ["wandb", "all"])
def test_a_run_that_would_wait_for_a_key_is_refused_before_its_models_are_loaded(log_with, monkeypatch):
    (found,) = check_wandb(LoggingSettings(log_with=log_with))
    assert found.level == "error" and "WANDB_API_KEY" in found.what
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert list(check_wandb(LoggingSettings(log_with=log_with))) == []
    assert list(check_wandb(LoggingSettings(log_with="tensorboard"))) == []


def test_the_check_of_sd_scripts_says_so(tmp_path):
    run = make_run(tmp_path, logging={"log_with": "wandb"})
    assert any(NO_KEY in finding.what for finding in BACKENDS.load("sd-scripts").check(run))


def test_tensorboard_files_are_written_all_the_same(tmp_path):
    run = make_run(tmp_path, logging={"log_with": "wandb"})
    assert 'log_with = "all"' in (run.folder / "config.toml").read_text()
    assert for_run(run.settings().with_values(logging={"log_with": None}), run.folder).logging.log_with is None


@pytest.mark.slow
def test_the_key_stands_in_no_file_of_a_run_and_in_no_argument(tmp_path, monkeypatch):
    """Also that of `wandb login`, which is in no variable, when a trainer prints it."""
    write_login(tmp_path / ".netrc")
    monkeypatch.setenv("WANDB_API_KEY", KEY[::-1])
    assert {KEY, KEY[::-1]} <= set(secrets_in(os.environ))
    run = make_run(tmp_path, logging={"log_with": "wandb"})
    start(run, "plain", env={"HF_TOKEN": f"{KEY} and {KEY[::-1]}"})  # the fake trainer prints this variable
    wait_for_end(run)
    assert "token is ***" in run.log.read_text()
    (run.folder / "command.json").unlink()  # the test itself wrote the variable there
    for path in run.folder.rglob("*"):
        if path.is_file():
            assert KEY.encode() not in path.read_bytes() and KEY[::-1].encode() not in path.read_bytes(), path


PRETENDED = """
import json, os
from accelerate import Accelerator
accelerator = Accelerator(cpu=True, log_with="all", project_dir=os.environ["LORABOOK_RUN"] + "/logs")
accelerator.init_trackers("network_train", config={}, init_kwargs={})
accelerator.log({"loss/current": 0.5}, step=1)
print(json.dumps([tracker.name for tracker in accelerator.trackers]))
accelerator.end_training()
"""


@pytest.mark.slow
def test_with_the_package_and_a_key_both_loggers_are_asked_in_the_trainers_own_environment(tmp_path, monkeypatch):
    """A pretended package notes what it is told; the key comes from the environment alone."""
    if not os.environ.get("SD_SCRIPTS_DIR"):
        pytest.skip("SD_SCRIPTS_DIR names no checkout of sd-scripts")
    from core.training.backends.sd_scripts import START, interpreter

    package = tmp_path / "packages" / "wandb"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(
        "import json, os\nclass Run:\n    config = type('C', (), {'update': lambda self, *a, **k: None})()\n"
        "    def log(self, values, step=None, **more):\n        open(os.environ['TOLD'], 'w').write(json.dumps([values, step]))\n"
        "    def finish(self):\n        pass\n    name = 'run'\n"
        "def init(**more):\n    assert os.environ['WANDB_API_KEY'] not in str(more)\n    return Run()\nconfig = Run.config\n")
    (tmp_path / "packages" / "wandb-0.19.0.dist-info").mkdir()
    (tmp_path / "packages" / "wandb-0.19.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: wandb\nVersion: 0.19.0\n")
    script = tmp_path / "script.py"
    script.write_text(PRETENDED)
    env = {**os.environ, "WANDB_API_KEY": KEY, "LORABOOK_RUN": str(tmp_path), "TOLD": str(tmp_path / "told.json"),
           "PYTHONPATH": str(tmp_path / "packages")}
    done = subprocess.run([str(interpreter()), str(START), str(script)], env=env, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout.splitlines()[-1])) >= {"tensorboard", "wandb"} and KEY not in done.stdout + done.stderr
    assert json.loads((tmp_path / "told.json").read_text()) == [{"loss/current": 0.5}, 1]
