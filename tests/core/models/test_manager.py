"""A download as a job and on the command line: without a project, and without a token in any file or argument."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.base.jobs import Job, list_jobs
from core.base.paths import ROOT
from core.cli import main
from core.models.manager import ModelsManager
from core.models.settings import DownloadSettings
from core.stages import STAGES
from core.training.base_models import find_models
from tests.core.models.fake_sites import SDXL, Blob, weights


def ended(job: Job, seconds=60):
    deadline = time.monotonic() + seconds
    while not (status := job.status()).ended and time.monotonic() < deadline:
        time.sleep(0.05)
    return status


def written(folder: Path) -> str:
    return "".join(path.read_text("utf-8", "replace") for path in folder.rglob("*") if path.is_file() and path.suffix != ".safetensors")


def test_a_job_fetches_with_a_token_that_stands_in_no_file_and_no_argument(sites, models):
    sites.login.add("7")
    sites.versions["7"] = Blob(weights(SDXL, 4_000_000), "pony.safetensors", per_second=4_000_000)
    settings = DownloadSettings.make(address="https://civitai.com/api/download/models/7?token=civ_good", connections=4)
    job = ModelsManager().start_download(settings)
    assert job.folder.parent == models / "jobs" and "civ_good" not in written(models)
    while not (mark := job.mark()) or not job.status().total:
        assert not job.status().ended or job.status().state == "done", job.status().message
        time.sleep(0.02)
    if Path("/proc").is_dir():
        assert "civ_good" not in Path(f"/proc/{mark.pid}/cmdline").read_text()
    status = ended(job)
    assert status.state == "done" and status.report["files"][0]["family"] == "sdxl", status.message
    assert "civ_good" not in written(models) and "cdnsecret" not in written(models)
    assert [label for label, _ in find_models()][:-1] == ["pony.safetensors"]
    assert any(event.get("item", "").endswith("MiB/s") for event in map(json.loads, (job.folder / "events.jsonl").read_text().splitlines()))


def test_a_signed_address_reaches_the_job_through_its_environment_alone(sites, models):
    address = sites.signed(Blob(weights(SDXL), "direct.safetensors"))
    job = ModelsManager().start_download(DownloadSettings.make(address=address))
    assert ended(job).state == "done" and (models / "direct.safetensors").is_file()
    assert "cdnsecret" not in written(models) and "X-Amz-Signature=***" in written(models)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["cancelled", "killed"])
def test_a_job_that_was_ended_leaves_its_part_and_the_next_makes_the_file_whole(sites, models, how):
    blob = Blob(weights(SDXL, 6_000_000), per_second=1_500_000)
    sites.repos["maker/model"] = {"model.safetensors": blob}
    settings = DownloadSettings.make(address="maker/model")
    job = ModelsManager().start_download(settings)
    deadline = time.monotonic() + 30
    while job.status().done < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    job.cancel() if how == "cancelled" else os.kill(job.mark().pid, signal.SIGKILL)
    assert ended(job).state == ("cancelled" if how == "cancelled" else "lost")
    assert (models / "model.safetensors.part").is_file() and not (models / "model.safetensors").exists()
    blob.per_second, before = 0, len(sites.cdn.asked)
    assert ended(ModelsManager().start_download(settings)).state == "done"
    assert (models / "model.safetensors").read_bytes() == blob.data
    asked = [headers["range"].removeprefix("bytes=").split("-") for _, _, headers in sites.cdn.asked[before + 1:]]
    assert how == "killed" or sum(int(end) - int(start) + 1 for start, end in asked) < len(blob.data) - 1_900_000


def test_the_command_line_needs_no_project(sites, models, capsys):
    sites.repos["maker/model"] = {"model.safetensors": Blob(weights(SDXL))}
    assert main(["download-model", "--address", "maker/model", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["files"][0]["name"] == "model.safetensors" and "base model of the family" in told["summary"]
    assert STAGES["download-model"].folder() == models and list_jobs(models) == []
    assert main(["download-model"]) == 1 and "No address is given" in capsys.readouterr().err


def test_a_token_on_the_command_line_is_used_and_warned_of(sites, models, capsys):
    sites.versions["7"] = Blob(weights(SDXL))
    sites.login.add("7")
    assert main(["download-model", "--address", "https://civitai.com/api/download/models/7?token=civ_good"]) == 0
    said = capsys.readouterr()
    assert "Set CIVITAI_API_TOKEN in the environment instead" in said.err and "civ_good" not in said.out + said.err


@pytest.mark.slow
def test_showing_the_command_costs_nothing_heavy():
    code = "import sys; from core.cli import main\ntry: main(['download-model', '--help'])\nexcept SystemExit: print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, env=dict(os.environ))
    assert "'torch'" not in done.stdout and "'safetensors'" not in done.stdout
