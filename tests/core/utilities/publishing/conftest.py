"""A LoRA that is ready to be published, with samples as sd-scripts leaves them, and Hugging Face on the loopback."""

import pytest
from PIL import Image

from core.base import hub_writing
from core.utilities.publishing import hub as publishing_hub
from core.utilities.publishing.publishing import publish_lora
from core.utilities.publishing.settings import PublishSettings
from tests.core.training.finish.servers import Hub
from tests.core.utilities.layers import layer, write

SAID = {"ss_output_name": "mika", "modelspec.title": "Mika", "modelspec.trigger_phrase": "mika", "ss_base_model_version": "sd_v1",
        "ss_sd_model_name": "v1-5-pruned-emaonly.safetensors", "ss_num_epochs": "10", "ss_learning_rate": "0.0001",
        "ss_tag_frequency": '{"10_mika": {"mika": 12, "smile": 7}}'}
ATTENTION = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn"
PROMPTS = "mika, smile --n bad hands --w 64 --h 64 --d 1 --l 7 --s 20 --ss euler_a\nmika --w 64 --h 64 --d 2 --l 7 --s 20\n"


def make(path, metadata=None, seed=0):
    """Three layers that SD 1.5 has, whose text is 768 wide."""
    path.parent.mkdir(parents=True, exist_ok=True)
    layers = {f"{ATTENTION}1_to_{name}": layer("linear", seed + number)[0] for number, name in enumerate("qk")}
    layers[f"{ATTENTION}2_to_k"] = layer("linear", seed + 9, wide=768)[0]
    return write(path, layers, SAID if metadata is None else metadata)


def draw_samples(folder, name="mika", colours=("red", "blue")):
    """As sd-scripts names them: the last epoch's."""
    folder.mkdir(parents=True, exist_ok=True)
    for epoch in (5, 10):
        for number, colour in enumerate(colours):
            Image.new("RGB", (64, 64), colour).save(folder / f"{name}_e{epoch:06d}_{number:02d}_20260101120000_{number + 1}.png")


@pytest.fixture(autouse=True)
def own_places(tmp_path, monkeypatch):
    """Jobs and staged files lie in the test's own folder; its user's name tells nothing."""
    monkeypatch.setenv("LORABOOK_LORAS", str(tmp_path / "loras"))
    monkeypatch.setenv("LOGNAME", "root")
    monkeypatch.setenv("HOME", "/root")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "nothing"))


@pytest.fixture
def mika(tmp_path):
    """A LoRA with its samples and prompts beside it."""
    path = make(tmp_path / "out" / "mika.safetensors")
    draw_samples(path.parent / "sample")
    (path.parent / "sample_prompts.txt").write_text(PROMPTS)
    return path


@pytest.fixture
def hub(monkeypatch):
    for name in ("HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_TOKEN", "hf_good_token")
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    for module in (hub_writing, publishing_hub):
        monkeypatch.setattr(module, "PAUSES", (0.01, 0.01))
    with Hub() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.address)
        server.large = (".safetensors", ".png", ".jpg")
        yield server


def settings(path, **values):
    return PublishSettings.make(**{"file": str(path), **values})


def publish(path, progress=None, **values):
    return publish_lora(settings(path, **values), *([progress] if progress else []))
