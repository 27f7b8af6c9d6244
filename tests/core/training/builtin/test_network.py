"""Going on from a LoRA file: what it does to the model stays, whatever alpha the settings give."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.base.errors import ModelError
from core.diffusion import load_model
from core.diffusion.lora import apply_lora, find_targets
from tests.core.training.builtin.making import make_trainer


def answer(model):
    torch.manual_seed(1)
    condition = model.encode_prompts(["red hair, cat"])
    with torch.no_grad():
        return model.predict(torch.randn(1, 4, 8, 8), torch.tensor([400]), condition)


def random_file(model, path, rank=4, alpha=1.0, other_names=False):
    torch.manual_seed(3)
    tensors = {}
    for target in find_targets(model, False):
        weight, name = target.module.weight, (target.other_name if other_names else "") or target.name
        tensors[f"{name}.lora_down.weight"] = torch.randn(rank, *weight.shape[1:]) * 0.1
        tensors[f"{name}.lora_up.weight"] = torch.randn(weight.shape[0], rank, *[1] * (weight.ndim - 2)) * 0.1
        if alpha is not None:
            tensors[f"{name}.alpha"] = torch.tensor(alpha)
    save_file(tensors, path)
    return path


def warnings(folder):
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()] if (folder / "events.jsonl").exists() else []
    return [event["message"] for event in events if event["event"] == "warning"]


@pytest.mark.slow
@pytest.mark.parametrize("alpha", [1.0, 8.0, 2.0, None])
def test_a_continued_lora_changes_the_model_as_its_file_does(sd_folder, tmp_path, alpha):
    path = random_file(load_model(sd_folder, device="cpu"), tmp_path / "x.safetensors", alpha=alpha)
    drawn = load_model(sd_folder, device="cpu")
    apply_lora(drawn, path)
    trainer = make_trainer(tmp_path, sd_folder, network_weights=str(path), network_dim=4, network_alpha=2)
    trainer.network.eval()
    torch.testing.assert_close(answer(trainer.model), answer(drawn), atol=2e-5, rtol=1e-4)
    assert warnings(tmp_path) == []
    saved = load_model(sd_folder, device="cpu")
    save_file(trainer.network.state(), tmp_path / "saved.safetensors")
    apply_lora(saved, tmp_path / "saved.safetensors")
    torch.testing.assert_close(answer(saved), answer(drawn), atol=2e-5, rtol=1e-4)


@pytest.mark.slow
def test_a_file_with_the_names_of_other_tools_is_continued_too(sdxl_folder, tmp_path):
    path = random_file(load_model(sdxl_folder, device="cpu"), tmp_path / "x.safetensors", other_names=True)
    trainer = make_trainer(tmp_path, sdxl_folder, network_weights=str(path), prepare=False)
    assert warnings(tmp_path) == [] and all(layer.lora_up.weight.abs().sum() > 0 for layer in trainer.network.layers.values())


def test_modules_that_do_not_match_are_told_with_their_number(sd_folder, tmp_path):
    path = random_file(load_model(sd_folder, device="cpu"), tmp_path / "x.safetensors")
    tensors = load_file(path)
    gone = next(iter(tensors)).split(".")[0]
    kept = {name: value for name, value in tensors.items() if not name.startswith(f"{gone}.")}
    kept |= {"lora_unet_strange.lora_down.weight": torch.zeros(4, 2), "lora_unet_strange.lora_up.weight": torch.zeros(2, 4)}
    save_file(kept, path)
    make_trainer(tmp_path, sd_folder, network_weights=str(path), prepare=False)
    unused, missing = warnings(tmp_path)
    assert unused.startswith("1 of the ") and "lora_unet_strange" in unused and missing.startswith("1 of the ") and gone in missing


def test_a_lora_of_another_size_of_model_is_refused(sd_folder, tmp_path):
    path = random_file(load_model(sd_folder, device="cpu"), tmp_path / "x.safetensors")
    tensors = load_file(path)
    name = next(name for name in tensors if name.endswith("lora_up.weight"))
    save_file({**tensors, name: torch.zeros(7, 4)}, path)
    with pytest.raises(ModelError, match="has the shapes"):
        make_trainer(tmp_path, sd_folder, network_weights=str(path), prepare=False)
