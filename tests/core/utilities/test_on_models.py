"""Resized files on real models: they compute what the files that they were made of compute."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.diffusion.lora import apply_lora, remove_lora
from core.utilities.names.converting import ConvertSettings, convert_lora
from core.utilities.resizing.resizing import ResizeLoraSettings, resize_lora
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


@pytest.mark.parametrize("alpha", [2.0, 3.0], ids=["a half", "three quarters, in diffusers' settings"])
@pytest.mark.parametrize("whole", ["LoRA", "LoHa"])
def test_diffusers_draws_with_converted_names_as_with_weights_merged_by_hand(whole, alpha, sd_folder, tmp_path):
    pytest.importorskip("peft")
    from diffusers import StableDiffusionPipeline

    pipe = StableDiffusionPipeline.from_pretrained(sd_folder, safety_checker=None)
    chance, state, updates = torch.Generator().manual_seed(3), {}, {}
    for name, module in pipe.unet.named_modules():
        if name.endswith(("to_q", "to_v", "to_out.0", "conv1", "conv_shortcut")):
            shape, kohya = module.weight.shape, f"lora_unet_{name.replace('.', '_')}"
            up, down = torch.randn(shape[0], 4, generator=chance), torch.randn(4, *shape[1:], generator=chance) * 0.1
            updates[name] = alpha / 4 * torch.einsum("or,r...->o...", up, down)
            if whole == "LoHa" and len(shape) == 2:
                ones = {"hada_w2_a": torch.ones(shape[0], 1), "hada_w2_b": torch.ones(1, shape[1])}
                state |= {f"{kohya}.{role}": value for role, value in {"hada_w1_a": up, "hada_w1_b": down, **{
                    role: torch.cat([value, torch.zeros_like(value).repeat_interleave(3, int(role[-1] == "a"))], int(role[-1] == "a"))
                    for role, value in ones.items()}}.items()}
            else:
                state[f"{kohya}.lora_up.weight"] = up.reshape(shape[0], 4, *[1] * (len(shape) - 2))
                state[f"{kohya}.lora_down.weight"] = down
            state[f"{kohya}.alpha"] = torch.tensor(alpha)
    save_file({name: value.contiguous() for name, value in state.items()}, tmp_path / "a.safetensors", {"ss_base_model_version": "sd_v1"})
    convert_lora(ConvertSettings.make(file=str(tmp_path / "a.safetensors"), save_to=str(tmp_path / "b.safetensors"), naming="diffusers",
                                      to_lora=whole == "LoHa", device="cpu"))
    given = (torch.randn(1, 4, 8, 8, generator=chance), torch.tensor([400]),
             torch.randn(1, 7, pipe.unet.config.cross_attention_dim, generator=chance))
    with torch.no_grad():
        plain = pipe.unet(*given).sample
        pipe.load_lora_weights(tmp_path, weight_name="b.safetensors")
        drawn = pipe.unet(*given).sample
        pipe.unload_lora_weights()
        for name, update in updates.items():
            pipe.unet.get_submodule(name).weight += update
        wanted = pipe.unet(*given).sample
    assert float((wanted - plain).abs().max()) > 1e-3
    torch.testing.assert_close(drawn, wanted, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("sparse", [False, True], ids=["one down for all parts", "a down for each part"])
def test_a_transformer_of_diffusers_computes_with_converted_names_as_with_weights_merged_by_hand(sparse, tmp_path):
    pytest.importorskip("peft")
    from diffusers import FluxTransformer2DModel

    torch.manual_seed(4)
    model = FluxTransformer2DModel(in_channels=4, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2,
                                   joint_attention_dim=32, pooled_projection_dim=32, axes_dims_rope=[4, 4, 8]).eval()
    layers = {"double_blocks_0_img_attn_qkv": ([f"transformer_blocks.0.attn.to_{one}" for one in "qkv"], 3),
              "single_blocks_0_linear1": ([*(f"single_transformer_blocks.0.attn.to_{one}" for one in "qkv"),
                                           "single_transformer_blocks.0.proj_mlp"], 7)}
    state, updates = {}, {}
    for name, (parts, units) in layers.items():
        up, down = torch.randn(32 * units, 12), torch.randn(12, 32) * 0.05
        if sparse:
            rows = torch.arange(32 * units).div(32, rounding_mode="floor").clamp(max=len(parts) - 1)
            up *= rows[:, None] == torch.arange(12).div(12 // len(parts), rounding_mode="floor")
        state |= {f"lora_unet_{name}.lora_up.weight": up, f"lora_unet_{name}.lora_down.weight": down,
                  f"lora_unet_{name}.alpha": torch.tensor(6.0)}
        update, begin = 0.5 * up @ down, 0
        for part in parts:
            size = model.get_submodule(part).weight.shape[0]
            updates[part] = update[begin:begin + size]
            begin += size
    save_file(state, tmp_path / "a.safetensors", {"modelspec.architecture": "flux-1-dev/lora"})
    convert_lora(ConvertSettings.make(file=str(tmp_path / "a.safetensors"), save_to=str(tmp_path / "b.safetensors"), naming="diffusers"))
    given = {"hidden_states": torch.randn(1, 4, 4), "encoder_hidden_states": torch.randn(1, 3, 32),
             "pooled_projections": torch.randn(1, 32), "timestep": torch.tensor([0.5]),
             "img_ids": torch.zeros(4, 3), "txt_ids": torch.zeros(3, 3)}
    with torch.no_grad():
        plain = model(**given).sample
        model.load_lora_adapter(load_file(tmp_path / "b.safetensors"), prefix="transformer")
        drawn = model(**given).sample
        model.unload_lora()
        for name, update in updates.items():
            model.get_submodule(name).weight += update
        wanted = model(**given).sample
    assert float((wanted - plain).abs().max()) > 1e-3
    torch.testing.assert_close(drawn, wanted, atol=1e-5, rtol=1e-4)
