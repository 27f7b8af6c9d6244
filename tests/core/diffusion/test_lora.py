"""LoRA files on a model: kohya's names, what is computed, and off again."""

import pytest
import torch
from safetensors.torch import save_file

from core.base.errors import ModelError
from core.diffusion.lora import apply_lora, find_targets, remove_lora


def random_file(model, path, rank=3, alpha=1.5, other_names=False, convolutions=True):
    """A LoRA over every target with random factors; gives its tensors."""
    torch.manual_seed(3)
    tensors = {}
    for target in find_targets(model, convolutions):
        weight = target.module.weight
        name = (target.other_name if other_names else "") or target.name
        tensors[f"{name}.lora_down.weight"] = torch.randn(rank, *weight.shape[1:]) * 0.1
        tensors[f"{name}.lora_up.weight"] = torch.randn(weight.shape[0], rank, *[1] * (weight.ndim - 2)) * 0.1
        tensors[f"{name}.alpha"] = torch.tensor(alpha)
    save_file(tensors, path)
    return tensors


def answer(model):
    torch.manual_seed(1)
    condition = model.encode_prompts(["red hair, cat"])
    with torch.no_grad():
        return model.predict(torch.randn(1, 4, 8, 8), torch.tensor([400]), condition)


def merge(model, tensors, weight):
    """The same by hand: W + weight * alpha / rank * up @ down."""
    for target in find_targets(model, True):
        down, up = tensors[f"{target.name}.lora_down.weight"], tensors[f"{target.name}.lora_up.weight"]
        delta = (up.flatten(1) @ down.flatten(1)).reshape(target.module.weight.shape)
        target.module.weight.data += weight * float(tensors[f"{target.name}.alpha"]) / down.shape[0] * delta


@pytest.mark.parametrize("family", ["sd", "sdxl"])
def test_an_applied_file_computes_like_weights_merged_by_hand(family, request, tmp_path):
    model = request.getfixturevalue(family)
    before = answer(model)
    tensors = random_file(model, tmp_path / "x.safetensors")
    coverage = apply_lora(model, tmp_path / "x.safetensors", 0.7)
    assert coverage.applied == coverage.in_file == len(tensors) // 3 and coverage.unused == ()
    with_lora = answer(model)
    remove_lora(model)
    assert torch.equal(answer(model), before)
    merge(model, tensors, 0.7)
    assert (with_lora - before).abs().max() > 1e-3
    torch.testing.assert_close(with_lora, answer(model), atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("family", ["sd", "sdxl"])
def test_files_with_the_other_naming_fit_as_well(family, request, tmp_path):
    model = request.getfixturevalue(family)
    tensors = random_file(model, tmp_path / "x.safetensors", other_names=True)
    assert apply_lora(model, tmp_path / "x.safetensors").applied == len(tensors) // 3


def test_two_files_add_up_and_come_off_together(sd, tmp_path):
    before = answer(sd)
    random_file(sd, tmp_path / "a.safetensors")
    apply_lora(sd, tmp_path / "a.safetensors", 1.0)
    once = answer(sd)
    apply_lora(sd, tmp_path / "a.safetensors", -1.0)
    torch.testing.assert_close(answer(sd), before, atol=1e-5, rtol=1e-4)
    assert not torch.allclose(once, before)
    remove_lora(sd)
    assert torch.equal(answer(sd), before)
    assert not any("forward" in vars(module) for module in sd.unet.modules())


def test_sd_names_are_those_of_sd_scripts(sd):
    names = [target.name for target in find_targets(sd, True)]
    assert "lora_te_text_model_encoder_layers_0_self_attn_q_proj" in names
    assert "lora_te_text_model_encoder_layers_2_mlp_fc2" in names
    assert "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_out_0" in names
    assert "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_ff_net_0_proj" in names
    assert "lora_unet_down_blocks_0_downsamplers_0_conv" in names and "lora_unet_mid_block_resnets_0_time_emb_proj" in names
    assert len(names) == len(set(names))
    plain = {target.name for target in find_targets(sd, False)}
    assert not any("resnets" in name or "samplers" in name for name in plain)


def test_sdxl_names_are_the_original_ones_of_sd_scripts(sdxl):
    names = {target.name for target in find_targets(sdxl, True)}
    assert {"lora_te1_text_model_encoder_layers_0_self_attn_q_proj", "lora_te2_text_model_encoder_layers_2_mlp_fc1",
            "lora_unet_input_blocks_1_0_in_layers_2", "lora_unet_input_blocks_1_0_emb_layers_1", "lora_unet_input_blocks_2_0_op",
            "lora_unet_input_blocks_3_1_transformer_blocks_1_attn1_to_q", "lora_unet_input_blocks_3_0_skip_connection",
            "lora_unet_middle_block_1_proj_in", "lora_unet_middle_block_2_out_layers_3", "lora_unet_output_blocks_1_2_conv",
            "lora_unet_output_blocks_0_1_transformer_blocks_0_ff_net_2"} <= names


def test_a_file_for_another_family_is_refused_and_nothing_changes(sd, sdxl, tmp_path):
    random_file(sdxl, tmp_path / "xl.safetensors")
    before = answer(sd)
    with pytest.raises(ModelError, match="another model family"):
        apply_lora(sd, tmp_path / "xl.safetensors")
    assert torch.equal(answer(sd), before)


def test_shapes_of_another_size_and_other_kinds_are_refused(sd, tmp_path):
    name = next(find_targets(sd, False)).name
    save_file({f"{name}.lora_down.weight": torch.zeros(2, 5), f"{name}.lora_up.weight": torch.zeros(5, 2)}, tmp_path / "wide.safetensors")
    with pytest.raises(ModelError, match="has the shape"):
        apply_lora(sd, tmp_path / "wide.safetensors")
    save_file({f"{name}.hada_w1_a": torch.zeros(2, 2)}, tmp_path / "loha.safetensors")
    with pytest.raises(ModelError, match="LyCORIS"):
        apply_lora(sd, tmp_path / "loha.safetensors")
