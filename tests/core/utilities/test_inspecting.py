"""A file described: its family, its blocks, how strong each layer is, what is wrong with it."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.base.errors import ModelError
from core.base.paths import DEMO_VERSION
from core.cli import main
from core.stages import plain
from core.utilities.files.hashing import hashes_of
from core.utilities.files.lora_file import open_lora
from core.utilities.inspecting.about import about
from core.utilities.inspecting.inspecting import InspectSettings, inspect_lora
from core.utilities.layers.blocks import block_of, order_of
from core.utilities.merging.merging import MergeSettings, merge_loras
from core.utilities.merging.weighing import WeighSettings, weigh_lora
from core.utilities.names.family import family_of
from core.utilities.resizing.resizing import ResizeLoraSettings, resize_lora
from tests.core.utilities.layers import KINDS, layer, low_rank, write
from tests.lora_files import METADATA, layers_of, make_lora


def inspect(path, **settings):
    return inspect_lora(InspectSettings.make(file=str(path), device="cpu", **settings))


def test_norms_and_singular_values_are_those_of_the_whole_matrices(tmp_path):
    layers = {f"lora_unet_down_blocks_{number}_attentions_0_proj_in": layer(kind, number) for number, kind in enumerate(KINDS)}
    report = inspect(write(tmp_path / "a.safetensors", {name: roles for name, (roles, _) in layers.items()}))
    energy = torch.zeros(60, dtype=torch.float64)
    for facts in report.layers:
        update = layers[facts.name][1].flatten(1)
        values = torch.linalg.svdvals(update)
        assert facts.norm == pytest.approx(float(update.norm()), rel=1e-5)
        assert facts.spread == pytest.approx(float(update.square().mean().sqrt()), rel=1e-5)
        assert torch.allclose(torch.tensor(facts.values[:4], dtype=torch.float64), values[:4], rtol=1e-5)
        assert facts.enough(0.9) == int((torch.cumsum(values ** 2, 0) >= 0.9 * (values ** 2).sum()).nonzero()[0]) + 1
        energy[:len(values)] += values ** 2
    kept = torch.cumsum(energy, 0) / energy.sum()
    assert torch.allclose(torch.tensor(report.energy, dtype=torch.float64), kept[:len(report.energy)], atol=1e-6)
    assert [block.block for block in report.blocks] == [f"down {number}.0" for number in range(len(KINDS))]
    assert report.kind.startswith("LoKr (4), LoCon (2)") or "LoKr (4)" in report.kind


def test_a_real_sized_file_is_told_whole(tmp_path):
    path = make_lora(tmp_path / "a.safetensors", "sd15", rank=2, alpha=1.0)
    report = inspect(path)
    assert (report.kind, report.family.name, report.family.by, report.names) == ("LoRA", "sd15", "names and shapes", "kohya")
    assert len(report.layers) == 264 and report.ranks == {2: 264} and list(report.dtypes) == ["F16"]
    assert report.hashes == hashes_of(path).as_dict() and len(report.blocks) == 28 and not report.findings
    assert report.blocks[0].block == "text 1, layer 0" and report.blocks[12].block == "down 0.0" and report.blocks[-1].block == "up 3.2"
    assert all(block.ranks == (2,) and block.alphas == (1.0,) and block.norm for block in report.blocks)
    words = report.sentence()
    for part in ("a.safetensors: LoRA for Stable Diffusion 1.x, rank 2, ", "Made for       Stable Diffusion 1.x (by names and shapes)",
                 "Frequent tags  mika 12, 1girl 12, smile 7", "  ComfyUI    yes, all of it", f"Civitai)  {report.hashes['autov3']}",
                 "\n  Base model ", " model.safetensors\n", "  down 0.0             12      2     1      0.", "99 % at rank 2."):
        assert part in words, words
    value = plain(report)
    json.dumps(value)
    assert value["layers"][0]["rank_90"] in (1, 2) and value["family"]["title"] == "Stable Diffusion 1.x" and value["summary"] == words


def test_a_quick_look_reads_no_tensor_and_needs_no_torch(tmp_path):
    import subprocess
    import sys

    from core.base.paths import ROOT

    path = write(tmp_path / "a.safetensors", {"lora_unet_down_blocks_0_attentions_0_proj_in": layer("conv1")[0]})
    code = ("import sys\nfrom core.utilities.inspecting.inspecting import InspectSettings, inspect_lora\n"
            f"print(inspect_lora(InspectSettings.make(file={str(path)!r}, measured=False)).sentence())\nassert 'torch' not in sys.modules")
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0 and "Rank      4\n" in result.stdout, result.stderr


def test_broken_dead_and_loud_layers_and_odd_tensors_are_found(tmp_path):
    layers = {f"lora_unet_mid_block_attentions_0_transformer_blocks_{number}_ff_net_2": layer("linear", number)[0] for number in range(9)}
    names = list(layers)
    layers[names[0]][".lora_up.weight"] *= 0
    layers[names[1]][".lora_up.weight"] *= 1e-5
    layers[names[2]][".lora_up.weight"] *= 100
    layers[names[3]][".lora_down.weight"][1, 2] = float("nan")
    del layers[names[4]][".alpha"]
    layers["lora_unet_norm"] = {".w_norm": torch.tensor([1.0, float("inf")])}
    layers["odd"] = {".x": torch.ones(3)}
    layers["lora_te_text_model_encoder_layers_0_mlp_fc1"] = {".lora_down.weight": torch.ones(2, 3)}
    state = {f"{module}{end}": value.half() if "up" in end else value.float() for module, roles in layers.items()
             for end, value in roles.items()}
    save_file(state, tmp_path / "a.safetensors", {"sshs_model_hash": "0" * 64})
    told = [f"{finding.level}: {finding}" for finding in inspect(tmp_path / "a.safetensors").findings]
    expected = (f"error: {names[3]}.lora_down.weight in a.safetensors holds 1 of 144", "error: lora_unet_norm.w_norm holds 1 of 2",
                f"2 layers ({names[0]}, {names[1]}) of the U-Net or transformer do nothing", f"1 layer ({names[2]}) of the U-Net",
                "1 layer have no alpha", "several types: F32, F16", "1 tensor belong to no layer, such as odd.x",
                "1 layer are not whole", "another hash")
    for words in expected:
        assert any(words in line for line in told), (words, told)


@pytest.mark.parametrize("measured", [False, True])
@pytest.mark.parametrize("roles, said", [
    ({".alpha": torch.tensor(float("nan"))}, "nan"), ({".alpha": torch.tensor(float("inf"))}, "inf"),
    ({".scalar": torch.tensor(float("nan"))}, "nan"), ({".alpha": torch.ones(3)}, "should be one number")])
def test_an_alpha_that_is_no_number_is_found_and_spoils_nothing_else(tmp_path, roles, said, measured):
    names = [f"lora_unet_mid_block_attentions_0_transformer_blocks_{number}_ff_net_2" for number in range(3)]
    layers = {name: layer("linear", number)[0] for number, name in enumerate(names)}
    layers[names[1]] |= roles
    report = inspect(write(tmp_path / "a.safetensors", layers), measured=measured)
    told, = [finding for finding in report.findings if finding.level == "error"]
    assert names[1] in str(told) and said in str(told).lower()
    values = plain(report)
    assert json.dumps(values, allow_nan=False) and (len(report.energy) > 0) == measured
    assert [facts.alpha for facts in report.layers] == [2, None, 2] and report.blocks[0].alphas == (2,)
    if measured:
        assert [facts.norm is None for facts in report.layers] == [False, True, False] and report.energy[-1] == pytest.approx(1)


TWO_KINDS = {"LoRA and LoHa": ("linear", "loha"), "LoRA and LoKr": ("linear", "lokr"), "LoHa and LoKr": ("loha", "lokr"),
             "LoRA and full difference": ("linear", ".diff"), "LoRA and OFT": ("linear", ".oft_blocks"),
             "LoHa and norm layer": ("loha", ".w_norm"), "holds down, up twice": ("linear", "peft")}


@pytest.mark.parametrize("case", TWO_KINDS)
def test_several_kinds_in_one_layer_are_told_and_never_half_of_them_used(tmp_path, case):
    one, two = TWO_KINDS[case]
    more = layer("linear", 1)[0]
    further = {"peft": {".lora_B.weight": more[".lora_up.weight"], ".lora_A.weight": more[".lora_down.weight"]},
               ".diff": {".diff": torch.ones(24, 36)}, ".oft_blocks": {".oft_blocks": torch.ones(2, 3, 3)},
               ".w_norm": {".w_norm": torch.ones(24)}}
    name, other = "lora_unet_down_blocks_0_attentions_0_proj_in", "lora_unet_down_blocks_1_attentions_0_proj_in"
    path = write(tmp_path / "a.safetensors", {name: {**layer(one)[0], **(further.get(two) or layer(two, 1)[0])}, other: layer("linear")[0]})
    with open_lora(path) as file:
        module, _ = file.modules
        assert module.words == "incomplete" and case in module.problem and not file.unknown
        assert sorted(place.name for place in module.tensors.values()) == sorted(key for key in load_file(path) if key.startswith(name))
    assert any(f"such as {name}, which" in str(finding) and case in str(finding) for finding in inspect(path).findings)
    for refused in (lambda: merge_loras(MergeSettings.make(files=(str(path), str(path)))),
                    lambda: weigh_lora(WeighSettings.make(file=str(path), weight=0.5))):
        with pytest.raises(ModelError, match=f"{name}.* is incomplete: it .*{case}"):
            refused()
    report = resize_lora(ResizeLoraSettings.make(file=str(path), new_rank=2, device="cpu"))
    old, new = load_file(path), load_file(report.file)
    assert report.kept == (name,) and new[f"{other}.lora_down.weight"].shape[0] == 2
    assert all(torch.equal(new[key], value) for key, value in old.items() if key.startswith(name))


@pytest.mark.parametrize("roles", [{".diff_b": torch.ones(24)}, {".dora_scale": torch.ones(24, 1)}, {".scalar": torch.tensor(0.5)},
                                   {".reshape_weight": torch.ones(2)}, {".lora_B.bias": torch.ones(24)}])
def test_what_goes_with_factors_makes_no_second_kind_of_them(tmp_path, roles):
    with open_lora(write(tmp_path / "a.safetensors", {"lora_unet_x": {**layer("linear")[0], **roles}})) as file:
        module, = file.modules
        assert module.kind == "lora" and module.problem == "" and not file.unknown


@pytest.mark.parametrize("family", ["sd15", "sd2", "sdxl"])
@pytest.mark.parametrize("part", ["all", "text", "without attention to text"])
def test_the_family_is_told_by_the_layers(tmp_path, family, part):
    chosen = {name: shape for name, shape in layers_of(family, convolutions=True)
              if (part == "all") or (part == "text") == name.startswith("lora_te")}
    if part.startswith("without"):
        chosen = {name: shape for name, shape in chosen.items() if "attn2" not in name}
    path = write(tmp_path / "a.safetensors", {name: {".lora_up.weight": torch.ones(shape[0], 1).expand(-1, 1).half(),
                                                     ".lora_down.weight": torch.ones(1, shape[1])} for name, shape in list(chosen.items())},
                 dtype=torch.float16)
    with open_lora(path) as file:
        found = family_of(file.modules, {})
    assert found.name == (family if part != "without attention to text" or family == "sdxl" else "sd15")


NAMES = {"flux1": {"transformer.single_transformer_blocks.0.attn.to_q": (3072, 3072)},
         "flux2_klein": {"diffusion_model.double_blocks.0.img_mlp.0": (18432, 3072)},
         "flux2_dev": {"transformer.single_transformer_blocks.0.attn.to_qkv_mlp_proj": (55296, 6144)},
         "sd3": {"lora_unet_joint_blocks_0_x_block_attn_qkv": (4608, 1536)},
         "qwen_image": {"transformer.transformer_blocks.0.img_mlp.net.2": (3072, 12288)}}


@pytest.mark.parametrize("family", NAMES)
def test_newer_families_are_told_by_names_and_widths(tmp_path, family):
    layers = {name: {".lora_B.weight": torch.ones(shape[0], 1), ".lora_A.weight": torch.ones(1, shape[1])}
              for name, shape in NAMES[family].items()}
    with open_lora(write(tmp_path / "a.safetensors", layers)) as file:
        assert family_of(file.modules, {}).name == family


def test_metadata_that_says_another_model_is_found_out(tmp_path):
    with open_lora(make_lora(tmp_path / "a.safetensors", "sd15", rank=1)) as file:
        assert family_of(file.modules, {"ss_base_model_version": "sdxl_base_v1-0"}).conflict == "Stable Diffusion XL"
        assert family_of(file.modules, {"ss_base_model_version": "sd_v1"}).conflict == ""
    plain_layer = {"x.y": {".lora_B.weight": low_rank(3, 1), ".lora_A.weight": low_rank(1, 3)}}
    with open_lora(write(tmp_path / "b.safetensors", plain_layer)) as file:
        assert family_of(file.modules, {"modelspec.architecture": "Flux.2-dev/lora"}).name == "flux2_dev"
        assert family_of(file.modules, {}).title == "an unknown model"


@pytest.mark.parametrize("name, block, inner", [
    ("lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k", "down 1.0", "0 attn2_to_k"),
    ("unet.up_blocks.1.resnets.2.conv1", "up 1.2", "resnet conv1"),
    ("lora_unet_mid_block_attentions_0_proj_in", "middle attentions.0", "proj_in"),
    ("lora_unet_input_blocks_7_1_transformer_blocks_3_ff_net_2", "input 7.1", "3 ff_net_2"),
    ("lora_unet_middle_block_1_proj_out", "middle 1", "proj_out"),
    ("lora_te2_text_model_encoder_layers_10_mlp_fc1", "text 2, layer 10", "mlp_fc1"),
    ("text_encoder.text_model.encoder.layers.0.self_attn.q_proj", "text 1, layer 0", "self_attn_q_proj"),
    ("lora_unet_double_blocks_7_img_attn_qkv", "double 7", "img_attn_qkv"),
    ("diffusion_model.single_blocks.3.linear1", "single 3", "linear1"),
    ("transformer.transformer_blocks.3.attn.to_q", "double 3", "attn_to_q"),
    ("transformer.single_transformer_blocks.3.attn.to_q", "single 3", "attn_to_q"), ("lora_unet_img_in", "other", "img_in")])
def test_a_layers_place_is_told_whatever_way_it_is_named(name, block, inner):
    assert block_of(name) == (block, inner)


def test_blocks_stand_in_the_order_of_the_picture_and_ten_behind_nine():
    given = ["output 2.0", "middle 1", "input 10.1", "input 9.1", "text 1, layer 3", "other"]
    assert sorted(given, key=order_of) == ["text 1, layer 3", "input 9.1", "input 10.1", "middle 1", "output 2.0", "other"]


def test_what_the_metadata_tells_is_read_and_what_is_broken_in_it_passed_over():
    found = about({**METADATA, "ss_dataset_dirs": '{"10_mika": {"n_repeats": 10, "img_count": 12}}',
                   "ss_training_started_at": "1700000000.5", "ss_cache_latents": "True", "ss_vae_name": "None"})
    assert found.trigger == "mika, 1girl" and found.trigger_by == "tags" and found.pictures == 12
    table = dict(found.training)
    assert table["Begun"] == "2023-11-14 22:13 UTC" and table["Learning rate"] == "0.0001" and table["Base model"] == "model.safetensors"
    assert "on" in table.values() and "VAE" not in table
    assert about({"modelspec.trigger_phrase": "mika", "ss_tag_frequency": "{broken", "ss_dataset_dirs": "[1]"}).trigger_by == "metadata"


def test_a_terminal_tells_what_the_panel_tells(tmp_path, capsys):
    path = write(tmp_path / "a.safetensors", {name: layer("linear", number)[0] for number, (name, _) in enumerate(layers_of("sd15"))
                                              if number % 20 == 0}, {**METADATA, "sshs_model_hash": "0" * 64})
    assert main(["inspect-lora", "--file", str(path), "--device", "cpu"]) == 0
    words = capsys.readouterr().out
    told = plain(inspect(path))["told"]
    for value in [value for row in (*told["facts"], *told["loads"], *told["hashes"]) for value in row]:
        assert value in words
    assert words.count("warning: Its metadata names another hash (sshs_model_hash)") == words.count("another hash") == 1
    assert main(["inspect-lora", "--file", str(path), "--no-measured", "--no-hashes"]) == 0
    assert "energy" not in capsys.readouterr().out


def test_a_file_of_the_demo_model_is_told_by_what_its_trainer_wrote(tmp_path):
    names = [name for name, _ in layers_of("sd15")][:3]
    said = {"ss_base_model_version": DEMO_VERSION, "modelspec.architecture": f"{DEMO_VERSION}/lora"}
    report = inspect(write(tmp_path / "a.safetensors", {name: layer("linear")[0] for name in names}, said))
    assert (report.family.name, report.family.title, report.family.by) == ("demo", "Lorabook's demo model", "metadata")
    assert next(one for one in report.findings if "it loads in Lorabook alone" in one.what).level == "info"
    assert all(one.loaded == 0 and one.reason == "Lorabook's demo model is in no other program." for one in report.programs)
