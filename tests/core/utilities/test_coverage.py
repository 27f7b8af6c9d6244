"""Which program would load a file: against diffusers' own converters, and by what differs between files that are known to load."""

import re

import pytest
import torch
from safetensors.torch import load_file

from core.utilities.files.lora_file import open_lora
from core.utilities.names.architectures import DIFFUSERS, UNETS, is_trained, original_name, text_layers, transformer_layers, unet_layers
from core.utilities.names.coverage import accepted, coverage_of
from core.utilities.names.family import family_of
from tests.core.utilities.layers import layer, write
from tests.lora_files import layers_of

CONFIGS = {
    "sd15": {"cross_attention_dim": 768, "attention_head_dim": 8},
    "sd2": {"cross_attention_dim": 1024, "attention_head_dim": [5, 10, 20, 20], "use_linear_projection": True},
    "sdxl": {"block_out_channels": (320, 640, 1280), "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
             "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"), "transformer_layers_per_block": [1, 2, 10],
             "cross_attention_dim": 2048, "attention_head_dim": [5, 10, 20], "use_linear_projection": True,
             "addition_embed_type": "text_time", "addition_time_embed_dim": 256, "projection_class_embeddings_input_dim": 2816}}
"""What differs from diffusers' defaults in the published configs."""


@pytest.fixture(scope="module")
def unets():
    from diffusers import UNet2DConditionModel

    with torch.device("meta"):
        return {family: UNet2DConditionModel(sample_size=64, **config) for family, config in CONFIGS.items()}


@pytest.mark.slow
@pytest.mark.parametrize("family", UNETS)
def test_the_rules_give_the_layers_of_diffusers_own_unets(unets, family):
    real = {name: tuple(module.weight.shape) for name, module in unets[family].named_modules()
            if isinstance(module, (torch.nn.Linear, torch.nn.Conv2d))}
    assert dict(unet_layers(family)) == real
    assert sum(map(is_trained, real)) == {"sd15": 192, "sd2": 192, "sdxl": 722}[family]  # as sd-scripts counts its modules


@pytest.mark.parametrize("family", ["flux1", "flux2_dev", "sd3"])
def test_the_rules_give_the_layers_of_diffusers_own_transformers(family):
    import diffusers

    made = {"flux1": lambda: diffusers.FluxTransformer2DModel(guidance_embeds=True),
            "flux2_dev": lambda: diffusers.Flux2Transformer2DModel(),
            "sd3": lambda: diffusers.SD3Transformer2DModel(num_layers=38, dual_attention_layers=tuple(range(38)))}
    with torch.device("meta"):
        model = made[family]()
    real = {name for name, module in model.named_modules() if isinstance(module, (torch.nn.Linear, torch.nn.Conv2d))}
    rules = transformer_layers(family, diffusers=True)
    assert real - rules == set()
    assert len(rules - real) <= 6  # SD3's last block has no feed-forward for the text
    assert set(DIFFUSERS) == {"flux1", "flux2", "sd3"}


def names_file(tmp_path, names, roles=(".lora_up.weight", ".lora_down.weight"), extra=None):
    tiny = {roles[0]: torch.ones(2, 1), roles[1]: torch.ones(1, 2)}
    return write(tmp_path / "a.safetensors", {name: {end: value.clone() for end, value in tiny.items()} for name in names} | (extra or {}))


def covered(path, family):
    with open_lora(path) as file:
        return {found.program: found for found in coverage_of(file.modules, file.unknown, family)}


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_a_file_of_sd_scripts_is_loaded_by_all_and_diffusers_converter_agrees(tmp_path, unets, family):
    from diffusers.loaders.lora_conversion_utils import _convert_non_diffusers_lora_to_diffusers, _maybe_map_sgm_blocks_to_diffusers

    path = names_file(tmp_path, [name for name, _ in layers_of(family, convolutions=True)])
    for coverage in covered(path, family).values():
        assert coverage.loaded == coverage.total == len(list(layers_of(family, convolutions=True))) and coverage.reason == "", coverage
    state = _maybe_map_sgm_blocks_to_diffusers(load_file(path), unets[family].config)
    converted, _ = _convert_non_diffusers_lora_to_diffusers(state)
    real = {f"unet.{name}" for name, _ in unets[family].named_modules()}
    found = {re.split("[._]lora", name)[0].replace(".processor.", ".") for name in converted if name.startswith("unet.")}
    found = {f"{name}.0" if name.endswith(".to_out") else name for name in found}
    assert found <= real and len(found) == sum(is_trained(name, True) for name in unet_layers(family))


def test_a_file_of_flux_is_loaded_and_diffusers_converter_agrees(tmp_path):
    from diffusers.loaders.lora_conversion_utils import _convert_kohya_flux_lora_to_diffusers

    blocks = [f"lora_unet_{name.replace('.', '_')}" for name in sorted(transformer_layers("flux1", False)) if "_blocks." in name]
    widths = {"qkv": 9216, "linear1": 21504, "mlp_0": 12288, "_mod_lin": 18432, "modulation_lin": 9216}
    layers = {}
    for name in blocks:
        wide_in = 15360 if name.endswith("linear2") else 12288 if name.endswith("mlp_2") else 3072
        out = next((width for end, width in widths.items() if name.endswith(end)), 3072)
        layers[name] = {".lora_up.weight": torch.ones(out, 1), ".lora_down.weight": torch.ones(1, wide_in), ".alpha": torch.tensor(1.0)}
    path = write(tmp_path / "a.safetensors", layers)
    found = covered(path, "flux1")
    assert {program: coverage.loaded for program, coverage in found.items()} == {
        "A1111": 0, "Forge": len(blocks), "ComfyUI": len(blocks), "diffusers": len(blocks)}
    assert "not known here" in found["A1111"].reason
    state = _convert_kohya_flux_lora_to_diffusers(load_file(path))
    converted = {name.removeprefix("transformer.").rpartition(".lora_")[0] for name in state}
    assert converted <= transformer_layers("flux1", diffusers=True)
    with open_lora(path) as file:
        assert family_of(file.modules, {}).name == "flux1"


def test_pefts_names_are_not_read_by_a1111_and_dots_of_comfyui_not_by_diffusers(tmp_path):
    peft = covered(names_file(tmp_path, [f"unet.{name}" for name in unet_layers("sd15") if is_trained(name)],
                              (".lora_B.weight", ".lora_A.weight")), "sd15")
    assert peft["diffusers"].loaded == 192 and peft["A1111"].loaded == 0 and "no place for 192" in peft["A1111"].reason
    names = [f"diffusion_model.{original_name('sdxl', name)}" for name in unet_layers("sdxl") if is_trained(name)]
    comfy = covered(names_file(tmp_path, names, (".lora_B.weight", ".lora_A.weight")), "sdxl")
    assert (comfy["ComfyUI"].loaded, comfy["Forge"].loaded, comfy["diffusers"].loaded) == (722, 722, 0)


def test_one_tensor_that_diffusers_does_not_know_makes_it_refuse_the_whole_file(tmp_path):
    from diffusers.loaders.lora_conversion_utils import _convert_non_diffusers_lora_to_diffusers

    names = ["lora_unet_mid_block_attentions_0_proj_in"]
    path = names_file(tmp_path, names, extra={"lora_unet_mid_block_attentions_0_proj_out": layer("loha")[0]})
    found = covered(path, "sd15")
    assert found["diffusers"].loaded == 0 and "does not compute with LoHa" in found["diffusers"].reason
    assert found["ComfyUI"].loaded == found["A1111"].loaded == 2
    with pytest.raises(ValueError, match="not been correctly renamed"):
        _convert_non_diffusers_lora_to_diffusers(load_file(path))


def test_the_first_text_encoder_of_sdxl_must_be_called_te1_for_a1111(tmp_path):
    path = names_file(tmp_path, [f"lora_te_text_model_encoder_{name.replace('.', '_')}" for name in text_layers("sdxl")[0]])
    found = covered(path, "sdxl")
    assert found["A1111"].loaded == 0 and found["ComfyUI"].loaded == 72
    assert "lora_te1_text_model_encoder_layers_0_mlp_fc1" in accepted("A1111", "sdxl")


def test_a_file_for_an_unknown_model_says_so(tmp_path):
    found = covered(names_file(tmp_path, ["lora_unet_x"]), "")
    assert all(coverage.loaded == 0 and "not known" in coverage.reason for coverage in found.values())


def test_of_a_file_with_names_of_both_kinds_diffusers_takes_its_own_alone(tmp_path):
    from diffusers import StableDiffusionPipeline

    own, theirs = "unet.mid_block.attentions.0.proj_in", "lora_unet_mid_block_attentions_0_proj_out"
    path = write(tmp_path / "a.safetensors", {
        own: {".lora_B.weight": torch.ones(2, 1), ".lora_A.weight": torch.ones(1, 2)},
        theirs: {".lora_up.weight": torch.ones(2, 1), ".lora_down.weight": torch.ones(1, 2)}})
    found = covered(path, "sd15")
    assert found["ComfyUI"].loaded == 2 and found["diffusers"].loaded == 1 and found["diffusers"].missing == (theirs,)
    assert "passes over the 1 layer under sd-scripts' names" in found["diffusers"].reason
    state, _ = StableDiffusionPipeline.lora_state_dict(load_file(path))
    assert {name.partition(".lora")[0] for name in state} == {own, theirs}  # not converted; only names that begin with unet. are loaded
