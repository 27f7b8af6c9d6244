"""The sites on the loopback, a models folder of its own, small pieces and short waits."""

import pytest

from core.models import fetching, offers, segments
from tests.core.models.fake_sites import Sites


@pytest.fixture(autouse=True)
def models(tmp_path, monkeypatch):
    folder = tmp_path / "models"
    monkeypatch.setenv("LORABOOK_MODELS", str(folder))
    monkeypatch.setattr(segments, "LEAST", 64_000)
    monkeypatch.setattr(fetching, "CHUNK", 16_000)
    monkeypatch.setattr(fetching, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(offers, "FIRST_WAIT", 0.01)
    return folder


@pytest.fixture
def sites(monkeypatch, tmp_path):
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "CIVITAI_API_TOKEN", "CIVITAI_TOKEN", "CIVITAI_API_KEY", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "no-token"))
    with Sites() as served:
        monkeypatch.setenv("HF_ENDPOINT", served.hub.address)
        monkeypatch.setenv("CIVITAI_ENDPOINT", served.civitai.address)
        yield served
