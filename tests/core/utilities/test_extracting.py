"""A LoRA made of two checkpoints, and put into one and out again; against the whole matrices."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.base.errors import ConfigError, ModelError
from core.utilities.checkpoints.baking import BakeSettings, bake_loras
from core.utilities.checkpoints.checkpoint_layers import places_in
from core.utilities.checkpoints.extracting import ExtractSettings, extract_lora, most_bytes
from core.utilities.files.lora_file import TensorFile
from core.utilities.layers.sketch import sketch
from core.utilities.names.naming import names_of
from tests.core.utilities.layers import best_of_rank, low_rank, update_of, write

UNET = "model.diffusion_model."
BASES = {
    "sd15": {f"{UNET}input_blocks.1.1.proj_in.weight": (24, 20, 1, 1), f"{UNET}input_blocks.1.0.in_layers.2.weight": (24, 12, 3, 3),
             f"{UNET}output_blocks.3.1.transformer_blocks.0.attn2.to_k.weight": (24, 32),
             f"{UNET}out.2.weight": (4, 12, 3, 3), f"{UNET}input_blocks.0.0.weight": (24, 4, 3, 3),
             "cond_stage_model.transformer.text_model.encoder.layers.2.mlp.fc1.weight": (40, 20), f"{UNET}out.0.weight": (12,)},
    "sdxl": {f"{UNET}input_blocks.4.1.transformer_blocks.1.attn1.to_q.weight": (24, 20),
             "conditioner.embedders.0.transformer.text_model.encoder.layers.1.self_attn.q_proj.weight": (20, 20),
             "conditioner.embedders.1.model.transformer.resblocks.3.attn.in_proj_weight": (60, 20),
             "conditioner.embedders.1.model.transformer.resblocks.3.attn.out_proj.weight": (20, 20),
             "conditioner.embedders.1.model.token_embedding.weight": (30, 20)},
    "flux1": {"double_blocks.0.img_attn.qkv.weight": (72, 24), "single_blocks.4.linear1.weight": (168, 24),
              "double_blocks.0.txt_mlp.0.weight": (96, 24), "final_layer.linear.weight": (16, 24)}}
LAYERS = {"sd15": 4, "sdxl": 6, "flux1": 3}
"""That take a LoRA: OpenCLIP's queries, keys and values are three."""


def models(tmp_path, family, rank=5, dtype=torch.float32):
    """A base and what it becomes by a change of a rank in every matrix."""
    base = {name: low_rank(*shape, seed=number).to(dtype) for number, (name, shape) in enumerate(BASES[family].items())}
    tuned = dict(base)
    for number, (name, shape) in enumerate(BASES[family].items()):
        if len(shape) > 1:
            thirds = 3 if "in_proj" in name else 1
            change = torch.cat([0.1 * low_rank(shape[0] // thirds, rank, seed=50 + number + part) @
                                low_rank(rank, base[name][0].numel(), seed=90 + number) for part in range(thirds)])
            tuned[name] = (base[name].double() + change.reshape(shape)).to(dtype)
    paths = tmp_path / "base.safetensors", tmp_path / "tuned.safetensors"
    for path, state in zip(paths, (base, tuned), strict=True):
        save_file({name: value.contiguous() for name, value in state.items()}, path)
    return paths


def extracted(tmp_path, paths, name="lora", **settings):
    return extract_lora(ExtractSettings.make(base=str(paths[0]), tuned=str(paths[1]), save_to=str(tmp_path / f"{name}.safetensors"),
                                             device="cpu", **settings))


def baked(base, target, *files, **settings):
    return bake_loras(BakeSettings.make(base=str(base), files=tuple(map(str, files)), save_to=str(target), device="cpu", **settings))


def changes(paths, family):
    """By sd-scripts' names."""
    one, two = (TensorFile(path) for path in paths)
    return {names_of(place.slot, "kohya", family)[0]: place.weight(two).double() - place.weight(one).double()
            for place in places_in(one, family)}


@pytest.mark.parametrize("family", BASES)
def test_a_change_of_a_rank_is_found_whole_and_a_lower_rank_loses_what_it_must(tmp_path, family):
    paths = models(tmp_path, family)
    report = extracted(tmp_path, paths, new_rank=5, save_precision="float")
    state, wanted = load_file(tmp_path / "lora.safetensors"), changes(paths, family)
    assert len(report.layers) == LAYERS[family] and report.error < 1e-5
    for layer in report.layers:
        assert float((update_of(state, layer.name) - wanted[layer.name]).norm() / wanted[layer.name].norm()) < 1e-5
    report = extracted(tmp_path, paths, "low", new_rank=2, save_precision="float")
    for layer in report.layers:
        assert layer.error == pytest.approx(best_of_rank(wanted[layer.name], 2)[1], rel=0.01)
        made = update_of(load_file(tmp_path / "low.safetensors"), layer.name)
        off = float((made - wanted[layer.name]).norm() / wanted[layer.name].norm())
        assert layer.error == pytest.approx(off, rel=1e-3)  # it is measured, not estimated


@pytest.mark.parametrize("family", BASES)
def test_the_size_is_told_before_by_the_headers(tmp_path, family):
    paths = models(tmp_path, family)
    for rank, conv_rank in ((3, None), (2, 1)):
        settings = {"new_rank": rank, "new_conv_rank": conv_rank, "save_precision": "fp16"}
        told = most_bytes(ExtractSettings.make(base=str(paths[0]), tuned=str(paths[1]), **settings))
        extracted(tmp_path, paths, f"r{rank}", **settings)
        tensors = load_file(tmp_path / f"r{rank}.safetensors").values()
        assert told == sum(tensor.nbytes for tensor in tensors)


@pytest.mark.parametrize("family", BASES)
def test_what_was_extracted_makes_the_trained_model_of_the_base_and_comes_out_again(tmp_path, family):
    paths = models(tmp_path, family)
    extracted(tmp_path, paths, new_rank=5, save_precision="float")
    report = baked(paths[0], tmp_path / "baked.safetensors", tmp_path / "lora.safetensors")
    made, wanted, base = (load_file(path) for path in (tmp_path / "baked.safetensors", paths[1], paths[0]))
    touched = {place.key for place in places_in(TensorFile(paths[0]), family)}
    for name, value in made.items():
        inside = name in touched and not name.endswith(("input_blocks.0.0.weight", "out.2.weight", "final_layer.linear.weight"))
        torch.testing.assert_close(value, wanted[name] if inside else base[name], atol=2e-6, rtol=1e-5)
    assert report.unused == () and report.weights == LAYERS[family] - (2 if family == "sdxl" else 0)
    baked(tmp_path / "baked.safetensors", tmp_path / "back.safetensors", tmp_path / "lora.safetensors", weights=(-1,))
    for name, value in load_file(tmp_path / "back.safetensors").items():
        torch.testing.assert_close(value, base[name], atol=1e-6, rtol=1e-6)


def test_what_takes_no_lora_is_told_with_its_share(tmp_path):
    paths = models(tmp_path, "sd15")
    report = extracted(tmp_path, paths, new_rank=4, new_conv_rank=0, text_encoders=False)
    assert len(report.layers) == 2 and len(report.others) == 4 and 0 < report.outside < 1
    assert "4 tensors that take no LoRA differ as well" in report.sentence()


def test_parts_of_diffusers_find_their_rows(tmp_path):
    paths = models(tmp_path, "flux1")
    roles = {".lora_B.weight": low_rank(24, 2), ".lora_A.weight": low_rank(2, 24, seed=1)}
    lora = write(tmp_path / "l.safetensors", {"transformer.single_transformer_blocks.4.attn.to_v": roles, "transformer.odd": roles},
                 {"modelspec.architecture": "flux-1-dev/lora"})
    report = baked(paths[0], tmp_path / "b.safetensors", lora, weights=(2,))
    change = load_file(tmp_path / "b.safetensors")["single_blocks.4.linear1.weight"] - load_file(paths[0])["single_blocks.4.linear1.weight"]
    wanted = 2 * roles[".lora_B.weight"] @ roles[".lora_A.weight"]
    assert torch.allclose(change[48:72].double(), wanted, atol=1e-5) and not change[:48].any() and not change[72:].any()
    assert report.unused == ("transformer.odd",) and "1 layer found no place" in report.sentence()


def test_what_rounding_costs_in_the_models_own_precision_is_told(tmp_path):
    paths = models(tmp_path, "sd15", dtype=torch.float16)
    extracted(tmp_path, paths, new_rank=5)
    report = baked(paths[0], tmp_path / "b.safetensors", tmp_path / "lora.safetensors")
    assert 1e-4 < report.rounding < 0.1 and load_file(tmp_path / "b.safetensors")[f"{UNET}out.0.weight"].dtype == torch.float16


def test_what_does_not_fit_is_refused(tmp_path):
    paths = models(tmp_path, "sd15")
    with pytest.raises(ModelError, match="do not differ"):
        extracted(tmp_path, (paths[0], paths[0]))
    (tmp_path / "xl").mkdir()
    others = models(tmp_path / "xl", "sdxl")
    with pytest.raises(ModelError, match="base.safetensors is Stable Diffusion 1.x, tuned.safetensors is Stable Diffusion XL"):
        extracted(tmp_path, (paths[0], others[1]))
    extracted(tmp_path, others, "xl-lora")
    with pytest.raises(ModelError, match="was made for Stable Diffusion XL, but base.safetensors is Stable Diffusion 1.x"):
        baked(paths[0], tmp_path / "x.safetensors", tmp_path / "xl-lora.safetensors")
    broken = load_file(paths[1])
    broken[f"{UNET}input_blocks.1.1.proj_in.weight"][0, 0] = float("nan")
    save_file(broken, tmp_path / "nan.safetensors")
    with pytest.raises(ModelError, match="proj_in.weight holds 1 of 480 values that are NaN"):
        extracted(tmp_path, (paths[0], tmp_path / "nan.safetensors"))
    extracted(tmp_path, paths)
    with pytest.raises(ConfigError, match="is there already"):
        extracted(tmp_path, paths)


def test_the_sketch_is_as_good_as_the_full_svd_also_where_values_fall_off_slowly():
    chance = torch.Generator().manual_seed(0)
    matrix = torch.randn(300, 200, generator=chance)
    for rank in (1, 20, 190):
        found = sketch(matrix, rank)
        best = best_of_rank(matrix.double(), rank)[1]
        assert best <= found.error / found.norm * (1 + 1e-5) < best * 1.02
        made = found.factors.matrix()
        assert float((matrix - made).norm()) == pytest.approx(found.error, rel=1e-3)


def test_queries_keys_and_values_of_openclip_are_its_thirds_in_that_order(tmp_path):
    """Extracting and baking share the rule: only the weights themselves show it."""
    paths = models(tmp_path, "sdxl")
    key = "conditioner.embedders.1.model.transformer.resblocks.3.attn.in_proj_weight"
    change = (load_file(paths[1])[key] - load_file(paths[0])[key]).double()
    found = changes(paths, "sdxl")
    for number, name in enumerate(("q_proj", "k_proj", "v_proj")):
        own = found[f"lora_te2_text_model_encoder_layers_3_self_attn_{name}"]
        assert torch.allclose(own, change[20 * number:20 * number + 20], atol=1e-6)
