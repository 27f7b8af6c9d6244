"""Resized files on real models: they compute what the files that they were made of compute."""

import json

import pytest
import torch
from safetensors.torch import save_file

from core.diffusion.lora import apply_lora, remove_lora
from core.utilities.resizing import ResizeLoraSettings, resize_lora
from tests.core.diffusion.test_lora import answer, random_file
from tests.core.utilities.layers import best_of_rank, update_of


@pytest.mark.parametrize("family", ["sd", "sdxl"])
@pytest.mark.parametrize("rank", [3, 1])
def test_a_resized_file_draws_as_the_best_of_its_rank_does(family, rank, request, tmp_path):
    model = request.getfixturevalue(family)
    tensors = random_file(model, tmp_path / "a.safetensors")
    best = dict(tensors)
    for name in {name.partition(".")[0] for name in tensors}:
        update = update_of(tensors, name)
        left, values, right = torch.linalg.svd(best_of_rank(update, rank)[0].flatten(1), full_matrices=False)
        best[f"{name}.lora_up.weight"] = (left[:, :3] * values[:3]).float().reshape(-1, min(3, len(values)), *[1] * (update.ndim - 2))
        best[f"{name}.lora_down.weight"] = right[:3].float().reshape(-1, *update.shape[1:])
        best[f"{name}.alpha"] = torch.tensor(float(len(best[f"{name}.lora_down.weight"])))
    save_file({name: value.contiguous() for name, value in best.items()}, tmp_path / "best.safetensors")
    resize_lora(ResizeLoraSettings.make(file=str(tmp_path / "a.safetensors"), save_to=str(tmp_path / "b.safetensors"), new_rank=rank,
                                        device="cpu", save_precision="float"))
    plain, answers = answer(model), []
    for name in ("best", "b"):
        assert apply_lora(model, tmp_path / f"{name}.safetensors").unused == ()
        answers.append(answer(model))
        remove_lora(model)
    assert float((answers[0] - plain).abs().max()) > 1e-3
    torch.testing.assert_close(answers[1], answers[0], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("names", ["kohya", "PEFT"])
def test_diffusers_draws_with_a_resized_file_as_with_the_one_that_it_was_made_of(names, sd_folder, tmp_path):
    """Under PEFT's names the scale must be in the factors: what reads them takes the rank for alpha."""
    pytest.importorskip("peft")
    from diffusers import StableDiffusionPipeline

    pipe = StableDiffusionPipeline.from_pretrained(sd_folder, safety_checker=None)
    chance = torch.Generator().manual_seed(2)
    targets = {name: module.weight.shape for name, module in pipe.unet.named_modules()
               if name.endswith(("to_q", "to_v", "proj_in", "conv1"))}
    state, alphas = {}, {}
    for name, shape in targets.items():
        up, down = torch.randn(shape[0], 2, generator=chance), torch.randn(2, *shape[1:], generator=chance) * 0.1
        up = torch.cat([up, up], 1).reshape(shape[0], 4, *[1] * (len(shape) - 2))  # rank 2, in four columns
        down = torch.cat([down, down])
        kohya = f"lora_unet_{name.replace('.', '_')}"
        own = (f"{kohya}.lora_up.weight", f"{kohya}.lora_down.weight") if names == "kohya" else \
            (f"unet.{name}.lora_B.weight", f"unet.{name}.lora_A.weight")
        state |= dict(zip(own, (up, down), strict=True))
        alphas |= {f"{kohya}.alpha": torch.tensor(2.0)} if names == "kohya" else {}
    told = {} if names == "kohya" else {"lora_adapter_metadata": json.dumps(
        {"unet.r": 4, "unet.lora_alpha": 2, "unet.target_modules": sorted(targets)})}
    save_file({**state, **alphas}, tmp_path / "a.safetensors", {"format": "pt", **told})
    resize_lora(ResizeLoraSettings.make(file=str(tmp_path / "a.safetensors"), save_to=str(tmp_path / "b.safetensors"), new_rank=2))
    given = (torch.randn(1, 4, 8, 8, generator=chance), torch.tensor([400]),
             torch.randn(1, 7, pipe.unet.config.cross_attention_dim, generator=chance))
    answers = []
    for name in ("", "a", "b"):
        if name:
            pipe.load_lora_weights(tmp_path, weight_name=f"{name}.safetensors")
        with torch.no_grad():
            answers.append(pipe.unet(*given).sample)
        if name:
            pipe.unload_lora_weights()
    assert float((answers[1] - answers[0]).abs().max()) > 1e-3
    torch.testing.assert_close(answers[2], answers[1], atol=1e-5, rtol=1e-4)
