"""Which layers of several files are the same one, what goes into it, and how much: against the whole matrices."""

import pytest
import torch
from safetensors.torch import load_file

from core.base.errors import ConfigError, ModelError
from tests.core.utilities.layers import layer, low_rank, update_of, write
from tests.core.utilities.test_merging import FEED, merged, off, pair

TWO_NAMES = {
    "sdxl": ("lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k",
             "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k", 2048, (".lora_up.weight", ".lora_down.weight"),
             (".lora_up.weight", ".lora_down.weight")),
    "text": ("lora_te_text_model_encoder_layers_0_self_attn_q_proj", "lora_te1_text_model_encoder_layers_0_self_attn_q_proj", 768,
             (".lora_up.weight", ".lora_down.weight"), (".lora_up.weight", ".lora_down.weight")),
    "diffusers": ("unet.down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k",
                  "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn2.processor.to_k", 768,
                  (".lora_B.weight", ".lora_A.weight"), ("_lora.up.weight", "_lora.down.weight"))}
"""One layer under two names of one scheme: names, inputs, and the endings of both."""


@pytest.mark.parametrize("rule", ["fixed", "sv_fro"])
@pytest.mark.parametrize("case", TWO_NAMES)
def test_a_layer_is_one_under_whatever_names_the_files_have_for_it(tmp_path, case, rule):
    one, two, wide, *ends = TWO_NAMES[case]
    paths, updates = [], []
    for number, (name, (up, down)) in enumerate(zip((one, two), ends, strict=True)):
        factors = low_rank(24, 3 + number, seed=number), low_rank(3 + number, wide, seed=10 + number)
        paths.append(write(tmp_path / f"{number}.safetensors", {name: dict(zip((up, down), factors, strict=True))}))
        updates.append(factors[0] @ factors[1])
    report = merged(tmp_path, paths, weights=(1, -0.5), dynamic_method=rule, dynamic_param=1 if rule == "sv_fro" else 20)
    state = load_file(tmp_path / "out.safetensors")
    assert {name.split(".lora")[0] for name in state if "alpha" not in name} == {one}
    assert off(update_of(state, one), updates[0] - 0.5 * updates[1]) < 1e-6 and len(report.layers) == 1
    gone = merged(tmp_path, [paths[0], paths[0]], "gone", weights=(1, -1))
    assert float(update_of(load_file(gone.file), one).norm()) < 1e-6
    for method in ("ties", "dare"):
        merged(tmp_path, paths, method, weights=(1, -0.5), merge_method=method, density=1, new_rank=24)
    made = update_of(load_file(tmp_path / "dare.safetensors"), one)
    assert off(made, updates[0] - 0.5 * updates[1]) < 1e-5


def test_layers_of_one_file_alone_keep_their_names_and_that_there_are_several_ways_is_said(tmp_path):
    one, two, wide, *_ = TWO_NAMES["sdxl"]
    other = two.replace("to_k", "to_v")
    paths = [write(tmp_path / "a.safetensors", {one: layer("linear", wide=wide)[0]}),
             write(tmp_path / "b.safetensors", {two: layer("linear", 1, wide=wide)[0], other: layer("linear", 2, wide=wide)[0]})]
    report = merged(tmp_path, paths)
    state = load_file(tmp_path / "out.safetensors")
    assert off(update_of(state, other), layer("linear", 2, wide=wide)[1]) < 1e-6 and not any(name.startswith(two) for name in state)
    assert "several names for layers" in report.sentence() and "1 of 2 layers are in one file alone" in report.sentence()


def test_a_file_that_names_its_layers_as_its_program_does_is_not_told_to_be_mixed(tmp_path):
    start = "unet.down_blocks.0.attentions.0.transformer_blocks.0"
    roles = {"_lora.up.weight": low_rank(24, 2), "_lora.down.weight": low_rank(2, 768)}
    peft = {".lora_B.weight": low_rank(24, 2), ".lora_A.weight": low_rank(2, 768)}
    old = write(tmp_path / "old.safetensors", {f"{start}.attn2.processor.to_k": roles, f"{start}.ff.net.2": peft,
                                               "text_encoder.text_model.encoder.layers.0.mlp.fc1": peft})
    _, two, wide, *_ = TWO_NAMES["sdxl"]
    sdxl = write(tmp_path / "xl.safetensors", {name: layer("linear", wide=wide)[0] for name in (
        two, "lora_te1_text_model_encoder_layers_0_mlp_fc1", "lora_te2_text_model_encoder_layers_0_mlp_fc1")})
    for path in (old, sdxl):
        assert "several names" not in merged(tmp_path, [path, path], f"{path.stem}-twice").sentence()


def test_a_layer_twice_in_one_file_or_whole_and_in_parts_is_refused(tmp_path):
    one, two, *_ = TWO_NAMES["text"]
    twice = write(tmp_path / "a.safetensors", {name: layer("linear", wide=768)[0] for name in (one, two)})
    with pytest.raises(ModelError, match=f"{two} and {one} in a.safetensors mean the same layer|{one} and {two} in a.safetensors mean the"):
        merged(tmp_path, [twice, twice])
    whole, part = "lora_unet_double_blocks_0_img_attn_qkv", "lycoris_transformer_blocks_0_attn_to_q"
    flux = {"modelspec.architecture": "flux-1-dev/lora"}
    paths = [write(tmp_path / "w.safetensors", {whole: layer("linear", out=72)[0]}, flux),
             write(tmp_path / "p.safetensors", {part: layer("linear")[0]}, flux)]
    with pytest.raises(ModelError, match=f"{whole} in w.safetensors and {part} in p.safetensors mean one layer"):
        merged(tmp_path, paths)
    turned = [write(tmp_path / f"{number}.safetensors", {name: layer("linear")[0]}, flux) for number, name in
              enumerate(("lora_unet_final_layer_adaLN_modulation_1", "lycoris_norm_out_linear"))]
    with pytest.raises(ModelError, match="laid out as in the original model and as diffusers has it"):
        merged(tmp_path, turned)


@pytest.mark.parametrize("kinds", [("linear", "linear"), ("loha", "linear"), ("linear", "bias"), ("bias", "linear"), ("bias", "bias")])
def test_differences_of_biases_beside_factors_are_added_too(tmp_path, kinds):
    paths, updates, biases = [], [], []
    for number, kind in enumerate(kinds):
        roles, update = layer(kind, number) if kind != "bias" else ({}, torch.zeros(24, 36, dtype=torch.float64))
        biases.append(low_rank(24, seed=70 + number))
        updates.append(update)
        paths.append(write(tmp_path / f"{number}.safetensors", {FEED: {**roles, ".diff_b": biases[-1]}}))
    merged(tmp_path, paths, weights=(0.5, -2))
    state = load_file(tmp_path / "out.safetensors")
    assert off(state[f"{FEED}.diff_b"].double(), 0.5 * biases[0] - 2 * biases[1]) < 1e-6
    if kinds != ("bias", "bias"):
        assert off(update_of(state, FEED), 0.5 * updates[0] - 2 * updates[1]) < 1e-6
        with pytest.raises(ModelError, match=f"{FEED} is .* with a difference of the bias: TIES is for products alone"):
            merged(tmp_path, paths, "ties", merge_method="ties")
    long = write(tmp_path / "long.safetensors", {FEED: {".diff_b": torch.ones(25)}})
    with pytest.raises(ModelError, match=r"diff_b has the shape \[24\] in 0.safetensors, but \[25\] in long.safetensors"):
        merged(tmp_path, [paths[0], long])
    huge = write(tmp_path / "huge.safetensors", {FEED: {".diff_b": torch.full((24,), 1e6)}})
    with pytest.raises(ModelError, match="diff_b does not fit into F16"):
        merged(tmp_path, [paths[0], huge], "huge-out", save_precision="fp16")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_and_alphas_that_are_no_numbers_are_refused_as_such(tmp_path, value):
    paths, _ = pair(tmp_path)
    with pytest.raises(ConfigError, match="The weight (nan|inf) is no number"):
        merged(tmp_path, paths, weights=(1, value))
    for name in ("ties_scale", "density", "dynamic_param"):
        with pytest.raises(ConfigError, match="must be"):
            merged(tmp_path, paths, **{name: value})
    broken = write(tmp_path / "n.safetensors", {FEED: {**layer("linear")[0], ".alpha": torch.tensor(value)}})
    for method in ("sum", "ties"):
        with pytest.raises(ModelError, match=r"The alpha of .* in n.safetensors is no number"):
            merged(tmp_path, [paths[0], broken], merge_method=method)


def test_a_rule_for_one_file_counts_before_one_for_all_and_none_is_said_twice(tmp_path):
    paths, updates = pair(tmp_path)
    for number, rules in enumerate([("up=0.5", "2: up=0"), ("2: up=0", "up=0.5"), ("Up =.5", "2:  up  =0.")]):
        merged(tmp_path, paths, str(number), blocks=rules)
        assert off(update_of(load_file(tmp_path / f"{number}.safetensors"), FEED), 0.5 * updates[0][FEED]) < 1e-6
    for rules in (("up=0.5", "up=0.6"), ("2: up 1=1", "2: Up  1=1")):
        with pytest.raises(ConfigError, match="is said twice"):
            merged(tmp_path, paths, "x", blocks=rules)


@pytest.mark.parametrize("number", ["1.2.3", ".", "-", "1e", "1e999", "nan", "١"])
def test_what_is_no_number_is_no_weight_of_a_block(tmp_path, number):
    paths, _ = pair(tmp_path)
    with pytest.raises(ConfigError, match="is no weight of a block"):
        merged(tmp_path, paths, blocks=(f"up={number}",))


def test_chroma_and_flux_go_together_and_it_is_said(tmp_path):
    name = "lora_unet_double_blocks_0_img_attn_proj"
    paths = [write(tmp_path / f"{family}.safetensors", {name: layer("linear", number)[0]}, {"modelspec.architecture": f"{family}/lora"})
             for number, family in enumerate(("flux-1-dev", "chroma"))]
    report = merged(tmp_path, paths)
    assert off(update_of(load_file(tmp_path / "out.safetensors"), name), layer("linear")[1] + layer("linear", 1)[1]) < 1e-6
    assert report.sentence().count("have the same layers but are different models") == 1
    assert "have the same layers" not in merged(tmp_path, [paths[0], paths[0]], "same").sentence()
