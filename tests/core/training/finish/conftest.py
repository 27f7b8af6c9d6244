"""A machine of one's own for each test: projects, servers that are played, and a protocol whose seconds are short."""

import pytest

from tests.core.training.finish.servers import Hub, RunPod, Vast

MARKS = ("RUNPOD_POD_ID", "RUNPOD_API_KEY", "VAST_CONTAINERLABEL", "CONTAINER_ID", "CONTAINER_API_KEY", "VAST_API_KEY", "COLAB_RELEASE_TAG",
         "COLAB_BACKEND_VERSION", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH")


@pytest.fixture(autouse=True)
def own_machine(tmp_path, monkeypatch):
    for name in MARKS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LORABOOK_PROJECTS", str(tmp_path))
    monkeypatch.setenv("LORABOOK_FINISH_SECOND", "0.01")
    monkeypatch.setenv("HF_TOKEN", "hf_good_token")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "nothing"))
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)


@pytest.fixture
def hub(monkeypatch):
    with Hub() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.address)
        yield server


@pytest.fixture
def vast(monkeypatch):
    with Vast() as server:
        for name, value in (("VAST_CONTAINERLABEL", "C.1234"), ("CONTAINER_ID", "1234"), ("CONTAINER_API_KEY", server.key),
                            ("LORABOOK_VAST_API", server.address)):
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture
def runpod(monkeypatch):
    with RunPod() as server:
        for name, value in (("RUNPOD_POD_ID", "abc123"), ("RUNPOD_API_KEY", server.key), ("LORABOOK_RUNPOD_API", server.address)):
            monkeypatch.setenv(name, value)
        yield server
