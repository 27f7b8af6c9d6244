"""One LoRA tool after another: what the second makes of the first one's file is what whole matrices give."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.base.errors import ModelError
from core.utilities.files.derived import ALPHAS, PARTS
from core.utilities.files.lora_file import open_lora
from core.utilities.layers.products import factors_of
from core.utilities.merging.merging import MergeSettings, merge_loras
from core.utilities.names.converting import ConvertSettings, convert_lora
from core.utilities.resizing.resizing import ResizeLoraSettings, resize_lora
from tests.core.utilities.layers import best_of_rank, layer, low_rank, update_of, write

SD15 = {"ss_base_model_version": "sd_v1"}
FLUX = {"modelspec.architecture": "flux-1-dev/lora"}
QUERY = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"
PEFT = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"


def convert(path, naming, **settings):
    target = path.with_name(f"{path.stem}-{naming}.safetensors")
    return target, convert_lora(ConvertSettings.make(file=str(path), naming=naming, save_to=str(target), device="cpu", **settings))


def resize(path, rank):
    target = path.with_name(f"{path.stem}-r.safetensors")
    resize_lora(ResizeLoraSettings.make(file=str(path), new_rank=rank, save_to=str(target), device="cpu"))
    return target


def merge(*paths):
    target = paths[0].with_name("merged.safetensors")
    merge_loras(MergeSettings.make(files=[str(path) for path in paths], save_to=str(target), device="cpu"))
    return target


def computed(path):
    """What each layer adds, with the settings in the metadata."""
    with open_lora(path) as file:
        return {module.name: factors_of(file, module, computing="float64").matrix() for module in file.modules}


@pytest.mark.parametrize("alpha", [2.0, 3.0], ids=["in the factors", "in diffusers' settings"])
def test_a_converted_file_that_was_resized_or_merged_comes_back_with_its_strength(tmp_path, alpha):
    roles, _ = layer("linear")
    path = write(tmp_path / "a.safetensors", {QUERY: {**roles, ".alpha": torch.tensor(alpha)}}, SD15)
    update = computed(path)[QUERY]
    other, _ = convert(path, "diffusers")
    back, _ = convert(resize(other, 2), "kohya")
    torch.testing.assert_close(computed(back)[QUERY], best_of_rank(update, 2)[0], atol=1e-5, rtol=1e-4)
    again, _ = convert(merge(other, other), "kohya")
    torch.testing.assert_close(computed(again)[QUERY], 2 * update, atol=1e-5, rtol=1e-4)
    with open_lora(other) as file, open_lora(tmp_path / "a-diffusers-r.safetensors") as resized:
        assert ALPHAS in file.metadata and not {ALPHAS, PARTS, "lora_adapter_metadata"} & set(resized.metadata)


@pytest.mark.parametrize("alpha", [0.0, -2.0])
def test_an_alpha_of_nothing_or_below_stays_what_it_is(tmp_path, alpha):
    path = write(tmp_path / "a.safetensors", {QUERY: {**layer("linear")[0], ".alpha": torch.tensor(alpha)}}, SD15)
    other, report = convert(path, "diffusers")
    torch.testing.assert_close(computed(other)[PEFT], computed(path)[QUERY])
    back, _ = convert(other, "kohya")
    assert "stands in diffusers' settings" in report.sentence()
    before, after = load_file(path), load_file(back)
    assert before.keys() == after.keys() and all(torch.equal(value, after[name]) for name, value in before.items())


def test_what_lycoris_multiplies_with_goes_into_alpha(tmp_path):
    path = write(tmp_path / "a.safetensors", {QUERY: {**layer("linear")[0], ".scalar": torch.tensor(0.25)}}, SD15)
    for naming in ("comfy", "diffusers"):
        other, _ = convert(path, naming)
        torch.testing.assert_close(next(iter(computed(other).values())), computed(path)[QUERY])
        back, _ = convert(other, "kohya")
        torch.testing.assert_close(computed(back)[QUERY], computed(path)[QUERY])


@pytest.mark.parametrize("alpha", [4.0, 2.0, 3.0], ids=["scale 1", "a half", "three quarters"])
def test_a_bias_beside_the_factors_comes_along_with_its_strength_in_parts_and_back(tmp_path, alpha):
    name, wide = "lora_unet_double_blocks_0_img_attn_qkv", 3072
    bias = low_rank(3 * wide).float()
    up, down = low_rank(3 * wide, 4), low_rank(4, 8, seed=1)
    other_layer = {".lora_up.weight": low_rank(12288, 4), ".lora_down.weight": low_rank(4, 15360 // 5, seed=1), ".alpha": torch.tensor(4.0)}
    path = write(tmp_path / "a.safetensors", {
        name: {".lora_up.weight": up, ".lora_down.weight": down, ".alpha": torch.tensor(alpha), ".diff_b": bias},
        "lora_unet_single_blocks_0_linear2": other_layer}, FLUX)
    other, report = convert(path, "diffusers")
    state, scale = load_file(other), 1.0 if alpha != 3 else 0.75
    parts = [state[f"transformer.transformer_blocks.0.attn.to_{one}.lora_B.bias"] for one in "qkv"]
    torch.testing.assert_close(torch.cat(parts) * scale, bias)
    assert "diff_b" not in " ".join(report.kept)
    back, _ = convert(other, "kohya")
    torch.testing.assert_close(load_file(back)[f"{name}.diff_b"], bias)


def test_a_bias_of_unknown_meaning_is_refused_by_name(tmp_path):
    path = write(tmp_path / "a.safetensors", {QUERY: {**layer("linear")[0], ".bias": torch.zeros(24)}}, SD15)
    with pytest.raises(ModelError, match=rf"{QUERY} has a bias of which it is not known what it means"):
        convert(path, "diffusers")


@pytest.mark.parametrize(("name", "turned_in"), [
    ("lora_unet_final_layer_adaLN_modulation_1", "diffusers"), ("transformer.norm_out.linear", "kohya"), ("norm_out.linear", "kohya"),
    ("base_model.model.norm_out.linear", "kohya"), ("lora_transformer_norm_out_linear", "kohya"), ("lycoris_norm_out_linear", "kohya")])
def test_shift_and_scale_of_the_last_norm_change_places_by_the_layers_name_and_not_by_who_wrote_it(tmp_path, name, turned_in):
    roles = {".lora_up.weight": low_rank(8, 2), ".lora_down.weight": low_rank(2, 4, seed=1)}
    path = write(tmp_path / "a.safetensors", {name: roles}, FLUX)
    for naming in ("kohya", "diffusers"):
        other, _ = convert(path, naming)
        (made,) = computed(other).values()
        whole = computed(path)[name]
        torch.testing.assert_close(made, torch.cat(whole.chunk(2)[::-1]) if naming == turned_in else whole)


def test_scales_of_parts_that_half_precision_cannot_hold_are_refused(tmp_path):
    parts = [f"transformer.transformer_blocks.0.attn.to_{one}" for one in "qkv"]
    told = {"transformer.r": 4, "transformer.lora_alpha": 4,
            "transformer.alpha_pattern": {"transformer_blocks.0.attn.to_k": 4 * 2.0 ** -14}}
    path = write(tmp_path / "a.safetensors", {name: {".lora_B.weight": low_rank(3072, 4), ".lora_A.weight": low_rank(4, 8, seed=1)}
                                              for name in parts}, {**FLUX, "lora_adapter_metadata": json.dumps(told)}, torch.float16)
    with pytest.raises(ModelError, match="The parts of lora_unet_double_blocks_0_img_attn_qkv have different scales"):
        convert(path, "kohya")


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2])
def test_files_of_eight_bits_go_through_the_tools(tmp_path, dtype):
    roles, _ = layer("linear")
    path = write(tmp_path / "a.safetensors", {QUERY: roles}, SD15, dtype=dtype)
    update = computed(path)[QUERY]
    for naming in ("diffusers", "comfy"):
        other, _ = convert(path, naming)
        torch.testing.assert_close(next(iter(computed(other).values())), update)
    small = computed(resize(path, 4))[QUERY]
    assert float((small - update).norm() / update.norm()) < 0.1 and computed(merge(path, path))[QUERY].shape == update.shape


def test_every_value_of_eight_bits_is_read_as_torch_reads_it(tmp_path):
    for dtype in (torch.float8_e4m3fn, torch.float8_e5m2):
        values = torch.arange(256, dtype=torch.uint8).view(dtype)
        save_file({f"lora_unet_{number}.{end}": values[number].reshape(()) if end == "alpha" else torch.ones(1, 1)
                   for number in range(256) for end in ("alpha", "lora_up.weight", "lora_down.weight")}, tmp_path / "a.safetensors")
        with open_lora(tmp_path / "a.safetensors") as file:
            for number in range(256):
                wanted, found = float(values[number]), file.number(file.places[f"lora_unet_{number}.alpha"])
                assert found == wanted or (found != found and wanted != wanted)


def test_an_alpha_that_is_no_number_is_told_by_name(tmp_path):
    path = write(tmp_path / "a.safetensors", {QUERY: {**layer("linear")[0], ".alpha": torch.tensor(float("nan"))}}, SD15)
    for work in (lambda: resize(path, 2), lambda: merge(path, path)):
        with pytest.raises(ModelError, match=rf"The alpha of {QUERY} in a.safetensors is no number"):
            work()


def test_a_resized_loha_says_that_it_is_a_lora_and_a_peft_bias_keeps_its_strength(tmp_path):
    said = {**SD15, "ss_network_module": "lycoris.kohya", "ss_network_args": '{"algo": "loha"}', "modelspec.hash_sha256": "old"}
    path = write(tmp_path / "a.safetensors", {QUERY: layer("loha")[0]}, said)
    with open_lora(resize(path, 2)) as file:
        assert file.metadata["ss_network_module"] == "networks.lora"
        assert not {"ss_network_args", "modelspec.hash_sha256"} & set(file.metadata)
    told = json.dumps({"unet.r": 4, "unet.lora_alpha": 8})
    roles = {".lora_B.weight": low_rank(24, 4), ".lora_A.weight": low_rank(4, 36, seed=1), ".lora_B.bias": torch.ones(24)}
    path = write(tmp_path / "b.safetensors", {PEFT: roles}, {**SD15, "lora_adapter_metadata": told})
    small = resize(path, 4)
    assert load_file(small)[f"{PEFT}.lora_B.bias"].tolist() == [2.0] * 24
    torch.testing.assert_close(update_of(load_file(small), PEFT), computed(path)[PEFT], atol=1e-5, rtol=1e-4)
