"""What finds its place in a checkpoint beside products of factors, and which checkpoints are not computed with; against whole tensors."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.base.errors import ModelError
from core.utilities.checkpoints.extracting import ExtractSettings, most_bytes
from tests.core.utilities.layers import layer, low_rank, write
from tests.core.utilities.test_extracting import BASES, UNET, baked, extracted

TEXT = "cond_stage_model.transformer.text_model.encoder.layers.2"
FURTHER = {
    "sd15": {f"{UNET}input_blocks.1.1.proj_in.bias": (24,), f"{UNET}input_blocks.1.1.norm.weight": (24,), f"{UNET}out.0.bias": (12,),
             f"{UNET}input_blocks.1.0.out_layers.0.weight": (24,), f"{TEXT}.layer_norm1.weight": (20,), f"{TEXT}.layer_norm1.bias": (20,)},
    "sdxl": {"conditioner.embedders.1.model.transformer.resblocks.3.attn.in_proj_bias": (60,),
             "conditioner.embedders.1.model.transformer.resblocks.3.ln_2.weight": (20,),
             f"{UNET}input_blocks.4.1.transformer_blocks.1.norm3.weight": (24,)},
    "flux1": {"double_blocks.0.img_attn.qkv.bias": (72,), "single_blocks.4.linear1.bias": (168,),
              "final_layer.adaLN_modulation.1.weight": (48, 24), "final_layer.adaLN_modulation.1.bias": (48,)}}


def model(tmp_path, family, dtype=torch.float32):
    shapes = {**BASES[family], **FURTHER[family]}
    state = {name: low_rank(*shape, seed=number).to(dtype) for number, (name, shape) in enumerate(shapes.items())}
    save_file(state, tmp_path / "base.safetensors")
    return tmp_path / "base.safetensors", state


def changed(tmp_path, path, layers, metadata=None, **settings):
    """What baking changed, by tensor, and its report."""
    lora = write(tmp_path / "lora.safetensors", layers, metadata)
    report = baked(path, tmp_path / "out.safetensors", lora, **settings)
    old, new = load_file(path), load_file(tmp_path / "out.safetensors")
    return {name: new[name].double() - old[name].double() for name in old if not torch.equal(new[name], old[name])}, report


def close(found, wanted):
    assert sorted(found) == sorted(wanted)
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value.double(), atol=1e-6, rtol=1e-5)


def test_whole_differences_biases_and_norm_layers_are_added(tmp_path):
    path, _ = model(tmp_path, "sd15")
    factors, update = layer("conv1", out=24, wide=20)
    whole, plain = low_rank(24, 12, 3, 3, seed=5), [low_rank(size, seed=60 + size) for size in (24, 12, 20)]
    found, report = changed(tmp_path, path, {
        "lora_unet_down_blocks_0_attentions_0_proj_in": {**factors, ".diff_b": plain[0]},
        "lora_unet_down_blocks_0_resnets_0_conv1": {".diff": whole, ".diff_b": plain[0]},
        "lora_unet_down_blocks_0_attentions_0_norm": {".w_norm": plain[0]},
        "lora_unet_down_blocks_0_resnets_0_norm2": {".w_norm": 2 * plain[0]},
        "lora_unet_conv_norm_out": {".w_norm": plain[1], ".b_norm": 2 * plain[1]},
        "lora_te_text_model_encoder_layers_2_layer_norm1": {".w_norm": plain[2], ".b_norm": 3 * plain[2]},
        "lora_unet_mid_block_attentions_0_norm": {".w_norm": plain[0]}}, weights=(0.5,))
    close(found, {f"{UNET}input_blocks.1.1.proj_in.weight": 0.5 * update, f"{UNET}input_blocks.1.1.proj_in.bias": 0.5 * plain[0],
                  f"{UNET}input_blocks.1.0.in_layers.2.weight": 0.5 * whole, f"{UNET}input_blocks.1.1.norm.weight": 0.5 * plain[0],
                  f"{UNET}input_blocks.1.0.out_layers.0.weight": plain[0], f"{UNET}out.0.weight": 0.5 * plain[1],
                  f"{UNET}out.0.bias": plain[1], f"{TEXT}.layer_norm1.weight": 0.5 * plain[2],
                  f"{TEXT}.layer_norm1.bias": 1.5 * plain[2]})
    # The base has neither the middle block nor that bias.
    assert sorted(report.unused) == ["lora_unet_down_blocks_0_resnets_0_conv1.diff_b", "lora_unet_mid_block_attentions_0_norm"]
    assert report.weights == 9 and "2 layers found no place" in report.sentence()


@pytest.mark.parametrize("prefix", ["lora_te2_text_model_encoder_layers_3_", "text_encoder_2.text_model.encoder.layers.3.",
                                    "text_encoders.clip_g.transformer.text_model.encoder.layers.3."])
def test_thirds_of_openclip_and_sdxls_norms_are_found_under_every_naming(tmp_path, prefix):
    path, _ = model(tmp_path, "sdxl")
    joint = "_" if prefix.startswith("lora") else "."
    norm = {"_": "lora_unet_input_blocks_4_1_transformer_blocks_1_norm3", "text_encoder_2": "unet.down_blocks.1.attentions.0."
            "transformer_blocks.1.norm3", "text_encoders": "diffusion_model.input_blocks.4.1.transformer_blocks.1.norm3"}[
            "_" if joint == "_" else prefix.partition(".")[0]]
    whole, bias, text, unet = low_rank(20, 20), low_rank(20, seed=1), low_rank(20, seed=2), low_rank(24, seed=3)
    found, report = changed(tmp_path, path, {f"{prefix}self_attn{joint}k_proj": {".diff": whole, ".diff_b": bias},
                                             f"{prefix}layer_norm2": {".w_norm": text}, norm: {".w_norm": unet}})
    key = "conditioner.embedders.1.model.transformer.resblocks.3."
    rows = torch.zeros(60, 20, dtype=torch.float64)
    rows[20:40] = whole
    column = torch.zeros(60, dtype=torch.float64)
    column[20:40] = bias
    close(found, {f"{key}attn.in_proj_weight": rows, f"{key}attn.in_proj_bias": column, f"{key}ln_2.weight": text,
                  f"{UNET}input_blocks.4.1.transformer_blocks.1.norm3.weight": unet})
    assert report.unused == ()


def test_a_part_of_a_fused_layer_has_its_rows_of_the_bias(tmp_path):
    path, _ = model(tmp_path, "flux1")
    factors, update = layer("linear", out=24, wide=24)
    names = dict(zip((".lora_up.weight", ".lora_down.weight", ".alpha"), (".lora_B.weight", ".lora_A.weight", ".alpha"), strict=True))
    bias = low_rank(24)
    found, _ = changed(tmp_path, path, {"transformer.single_transformer_blocks.4.attn.to_v": {
        **{names[end]: value for end, value in factors.items()}, ".diff_b": bias}}, {"modelspec.architecture": "flux-1-dev/lora"})
    rows, column = torch.zeros(168, 24, dtype=torch.float64), torch.zeros(168, dtype=torch.float64)
    rows[48:72], column[48:72] = update, bias
    close(found, {"single_blocks.4.linear1.weight": rows, "single_blocks.4.linear1.bias": column})


@pytest.mark.parametrize("name", ["transformer.norm_out.linear", "lycoris_norm_out_linear", "lora_unet_final_layer_adaLN_modulation_1"])
def test_shift_and_scale_of_the_last_norm_change_places_also_in_whole_differences_and_biases(tmp_path, name):
    path, _ = model(tmp_path, "flux1")
    whole, bias = low_rank(48, 24), low_rank(48, seed=1)
    found, _ = changed(tmp_path, path, {name: {".diff": whole, ".diff_b": bias}}, {"modelspec.architecture": "flux-1-dev/lora"})
    turned = [torch.cat([value[24:], value[:24]]) if "norm_out" in name else value for value in (whole, bias)]
    close(found, dict(zip([f"final_layer.adaLN_modulation.1.{end}" for end in ("weight", "bias")], turned, strict=True)))


@pytest.mark.parametrize("roles, said", [
    ({".diff_b": torch.ones(23)}, r"proj_in.diff_b has the shape \[23\] in lora.safetensors, but .*bias in base.safetensors \[24\]"),
    ({".diff": torch.ones(24, 19, 1, 1)}, r"proj_in.diff has the shape \[24, 19, 1, 1\]"),
    ({".diff": torch.full((24, 20, 1, 1), float("nan"))}, "proj_in.diff in lora.safetensors holds 480 of 480 values that are NaN"),
    ({".diff": torch.full((24, 20, 1, 1), 3e38)}, "does not fit into F32")])
def test_differences_that_do_not_fit_are_refused_and_nothing_is_written(tmp_path, roles, said):
    path, _ = model(tmp_path, "sd15")
    with pytest.raises(ModelError, match=said):
        changed(tmp_path, path, {"lora_unet_down_blocks_0_attentions_0_proj_in": roles}, weights=(2,))
    assert sorted(one.name for one in tmp_path.iterdir()) == ["base.safetensors", "lora.safetensors"]


@pytest.mark.parametrize("name", ["scaled_fp8", "double_blocks.0.img_attn.qkv.scale_weight", "double_blocks.0.img_attn.qkv.weight_scale",
                                  "model.diffusion_model.double_blocks.0.img_attn.qkv.comfy_quant",
                                  "double_blocks.0.img_attn.qkv.weight.absmax"])
def test_quantized_models_with_scales_of_their_own_are_refused_before_anything_is_computed(tmp_path, name):
    path, state = model(tmp_path, "flux1")
    scaled = tmp_path / "scaled.safetensors"
    save_file({**{key: value.to(torch.float8_e4m3fn) for key, value in state.items()}, name: torch.full((1,), 0.01)}, scaled)
    lora = write(tmp_path / "lora.safetensors", {"lora_unet_double_blocks_0_img_attn_qkv": layer("linear", out=72, wide=24)[0]})
    said = rf"scaled.safetensors holds quantized weights with scales of their own \({name}\)"
    with pytest.raises(ModelError, match=said):
        baked(scaled, tmp_path / "out.safetensors", lora)
    for pair in ((path, scaled), (scaled, path)):
        with pytest.raises(ModelError, match=said):
            extracted(tmp_path, pair, "extracted")
        with pytest.raises(ModelError, match=said):
            most_bytes(ExtractSettings.make(base=str(pair[0]), tuned=str(pair[1])))


def test_a_lora_of_flux_goes_into_chroma_and_it_is_said(tmp_path):
    path, state = model(tmp_path, "flux1")
    save_file({**state, "distilled_guidance_layer.norms.0.scale": torch.ones(2)}, path)
    name, (factors, update) = "double_blocks.0.img_attn.qkv", layer("linear", out=72, wide=24)
    for family, count in (("flux-1-dev", 1), ("chroma", 0)):
        found, report = changed(tmp_path, path, {f"lora_unet_{name.replace('.', '_')}": factors},
                                {"modelspec.architecture": f"{family}/lora"})
        close(found, {f"{name}.weight": update})
        assert report.sentence().count("Chroma and FLUX.1 have the same layers but are different models") == count
        (tmp_path / "out.safetensors").unlink()
