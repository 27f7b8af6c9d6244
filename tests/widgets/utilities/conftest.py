"""A project with a finished LoRA and one of a run, and waiting for jobs where no kernel looks by itself."""

import time

import pytest

from core.dataset.project import Project
from tests.core.utilities.layers import layer, write

SAID = {
    "ss_output_name": "mika", "modelspec.title": "Mika", "modelspec.author": "me", "ss_num_epochs": "10", "ss_base_model_version": "sd_v1",
    "ss_tag_frequency": '{"10_mika": {"mika": 12, "smile": 7}}', "ss_dataset_dirs": '{"10_mika": {"img_count": 12}}'}


@pytest.fixture
def lora(project: Project):
    """A file of nine layers, of which one does nothing and one stands out."""
    project.output.mkdir(exist_ok=True)
    attention = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn"
    layers = {f"{attention}{number % 2 + 1}_to_{'qkv'[number // 2]}": layer("linear", number)[0] for number in range(6)}
    layers |= {f"lora_te_text_model_encoder_layers_{number}_mlp_fc1": layer("linear", 10 + number)[0] for number in range(3)}
    names = list(layers)
    layers[names[0]][".lora_up.weight"] *= 0
    layers[names[1]][".lora_up.weight"] *= 100
    return write(project.output / "mika.safetensors", layers, SAID)


def finish(panel, seconds=60):
    """Outside a kernel nothing looks by itself."""
    deadline = time.monotonic() + seconds
    while panel._look() and time.monotonic() < deadline:
        time.sleep(0.05)


def press(button):
    assert not button.disabled, button.tooltip
    button.click()


def choose(panel, path):
    panel.form.control("file").widget.value = str(path)
