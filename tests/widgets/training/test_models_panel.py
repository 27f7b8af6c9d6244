"""Get a model: what is said of the choice, the token that nobody writes down, and a download to its end."""

import time
from pathlib import Path

import pytest

from core.base.jobs import list_jobs
from core.models.catalog import CATALOG
from tests.core.models.fake_sites import SDXL, Blob, Sites, weights
from widgets.session import Session
from widgets.training.models import ModelsPanel
from widgets.training.settings import SettingsPanel


@pytest.fixture
def models(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "models"
    monkeypatch.setenv("LORABOOK_MODELS", str(folder))
    monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "no-token"))
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "CIVITAI_API_TOKEN", "CIVITAI_TOKEN", "CIVITAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def sites(monkeypatch, models):
    with Sites() as served:
        monkeypatch.setenv("HF_ENDPOINT", served.hub.address)
        monkeypatch.setenv("CIVITAI_ENDPOINT", served.civitai.address)
        yield served


def choose(panel, model="", address=""):
    panel.form.control("model").widget.value = model
    panel.form.control("address").widget.value = address


def finish(panel, seconds=60):
    """Outside a kernel nothing looks by itself."""
    deadline = time.monotonic() + seconds
    while panel._look() and time.monotonic() < deadline:
        time.sleep(0.05)


def is_shown(box):
    return box.layout.display != "none"


def written(folder: Path) -> str:
    return "".join(path.read_text("utf-8", "replace") for path in folder.rglob("*") if path.is_file() and path.suffix != ".safetensors")


def test_it_is_ready_without_a_project_and_lists_the_named_models_with_their_sizes(models):
    panel = ModelsPanel(Session())
    assert panel.status.text == "Ready" and not panel.main.disabled
    labels = dict(panel.form.control("model").widget.options)
    assert labels["SDXL 1.0 (6.9 GB)"] == "sdxl-1.0" and labels["Part: SDXL's VAE, mended for fp16 (335 MB)"] == "sdxl-vae"
    assert len(labels) == len(CATALOG) + 1 and panel.form.control("model").read() == ""


def test_of_a_named_model_licence_parts_consent_and_room_are_said(models):
    panel = ModelsPanel(Session())
    choose(panel, "flux1-dev")
    said = panel._about.value
    assert "FLUX.1 [dev] Non-Commercial License" in said and "With it come CLIP-L" in said and "34.2 GB in all" in said
    assert said.count("ask you to accept their licence first") == 1 and "huggingface.co/black-forest-labs/FLUX.1-dev" in said
    assert is_shown(panel.form.control("with_parts").view) and not is_shown(panel.form.control("address").view)
    panel.form.control("with_parts").widget.value = False
    assert "23.8 GB in all" in panel._about.value and "With it come" not in panel._about.value
    choose(panel, "sdxl-1.0")
    assert "accept" not in panel._about.value and not is_shown(panel.form.control("with_parts").view)
    choose(panel, "", "owner/name")
    assert panel._about.value == "" and is_shown(panel.form.control("address").view)


@pytest.mark.parametrize(("address", "sentence"), [("", "No model is chosen"), ("nonsense here", "is no address"),
                                                   ("https://civitai.com/images/1", "is no model of Civitai")])
def test_nothing_is_started_for_what_is_no_model(models, address, sentence):
    panel = ModelsPanel(Session())
    choose(panel, "", address)
    panel.main.click()
    assert panel.status.text.startswith("Needs attention") and sentence in panel.status.text and list_jobs(models) == []


def test_a_model_comes_is_told_and_is_offered_in_the_settings(session, models, sites):
    sites.versions["7"] = Blob(weights(SDXL, 3_000_000), "pony.safetensors")
    panel, settings = ModelsPanel(session), SettingsPanel(session)
    choose(panel, "", "https://civitai.com/api/download/models/7")
    panel.main.click()
    finish(panel)
    assert panel.status.text.startswith("Done: pony.safetensors (2.9 MiB): a base model of the family Stable Diffusion XL; its SHA-256")
    assert "a base model of the family Stable Diffusion XL." in panel._found.value and "Model and settings" in panel._found.value
    assert "pony.safetensors" in [label for label, _ in settings.model.list.options]
    again = ModelsPanel(session)
    assert again.job == panel.job and "pony.safetensors" in again._found.value


def test_the_speed_stands_in_the_status_line(session, models, sites):
    sites.repos["maker/model"] = {"model.safetensors": Blob(weights(SDXL, 3_000_000), per_second=2_000_000)}
    panel = ModelsPanel(session)
    choose(panel, "", "maker/model")
    panel.main.click()
    seen = []
    while panel._look():
        seen.append(panel.status.text)
        time.sleep(0.02)
    assert any("Downloading model.safetensors (MiB), " in words and words.endswith(" MiB/s") for words in seen)


def test_a_typed_token_leaves_the_field_at_once_and_stands_in_no_file(session, models, sites):
    sites.login.add("7")
    sites.versions["7"] = Blob(weights(SDXL), "pony.safetensors")
    panel = ModelsPanel(session)
    panel.token.value = "civ_good"
    assert panel.token.value == "civ_good"  # nobody knows yet whose it is
    choose(panel, "", "https://civitai.com/api/download/models/7")
    assert panel.token.value == "" and "A token for Civitai was taken" in panel._token_help.value
    panel.main.click()
    finish(panel)
    assert panel.status.text.startswith("Done") and "civ_good" not in written(models)
    assert "civ_good" not in str(panel.form.value()) + repr(panel) + panel.log.text
    assert not any("authorization" in headers for server in (sites.hub, sites.cdn) for _, _, headers in server.asked)


def test_a_token_that_was_pasted_with_the_address_leaves_it(session, models, sites):
    sites.login.add("7")
    sites.versions["7"] = Blob(weights(SDXL), "pony.safetensors")
    panel = ModelsPanel(session)
    choose(panel, "", "https://civitai.com/api/download/models/7?type=Model&token=civ_good")
    panel.main.click()
    finish(panel)
    assert panel.status.text.startswith("Done") and "civ_good" not in written(models)
    assert panel.form.control("address").widget.value == "https://civitai.com/api/download/models/7?type=Model"


def test_without_its_token_it_says_how_to_get_one(session, models, sites):
    sites.gated.add("maker/model")
    sites.repos["maker/model"] = {"model.safetensors": Blob(weights(SDXL))}
    panel = ModelsPanel(session)
    choose(panel, "", "maker/model")
    assert "Hugging Face makes one at https://huggingface.co/settings/tokens" in panel._token_help.value
    panel.main.click()
    finish(panel)
    assert panel.status.text.startswith("Needs attention: The makers of maker/model ask you to accept their licence first. Open ")


def test_other_servers_are_asked_without_a_token(models):
    panel = ModelsPanel(Session())
    choose(panel, "", "https://example.org/model.safetensors")
    assert not is_shown(panel._token_box)
    panel.token.value = "hf_good"
    assert panel._tokens == {}
