"""Names, types and kinds converted: against diffusers' own converters, and there and back to the last bit."""

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from core.base.errors import ConfigError, ModelError
from core.base.paths import DEMO_VERSION
from core.utilities.files.derived import ALPHAS, PARTS
from core.utilities.files.lora_file import LoraFile, open_lora
from core.utilities.layers.products import factors_of
from core.utilities.names.converting import ConvertSettings, convert_lora
from core.utilities.names.coverage import coverage_of
from core.utilities.names.naming import names_of, slots_of
from core.utilities.names.unnamed import unnamed_finding
from tests.core.utilities.layers import layer, low_rank, update_of, write
from tests.lora_files import layers_of

VERSIONS = {"sd15": {"ss_base_model_version": "sd_v1"}, "sdxl": {"ss_base_model_version": "sdxl_base_v1-0"},
            "flux1": {"modelspec.architecture": "flux-1-dev/lora"}, "flux2_dev": {"modelspec.architecture": "flux-2-dev/lora"},
            "sd3": {"modelspec.architecture": "stable-diffusion-3-5-large/lora"}}


def converted(path, target, naming="same", **settings):
    return convert_lora(ConvertSettings.make(file=str(path), save_to=str(target), naming=naming, device="cpu", **settings))


def bits(path):
    return {name: (value.dtype, value.shape, value.contiguous().view(-1).view(torch.uint8).numpy().tobytes() if value.numel() else b"")
            for name, value in load_file(path).items()}


def outputs_of(family, slot):
    """Outputs of a layer with parts of the sizes that diffusers' converters expect."""
    if family == "flux1":
        return 3072 * sum(slot.widths) if len(slot.parts) > 1 else 24
    return 36 if family == "flux2_dev" and slot.original.endswith("mlp.0") else 24  # by which FLUX.2 is told from FLUX.1


def original_file(tmp_path, family, naming="kohya", sparse=False, alpha=1.0, rank=8):
    """A file of a transformer's layers, and its updates by the original names."""
    wanted = {"flux1": ("double_blocks.1.", "single_blocks.2.", "final_layer.", "_in"), "flux2_dev": ("double_blocks.1.", "single_blocks.0",
              "final_layer.", "_in", "single_stream"), "sd3": ("joint_blocks.0.", "joint_blocks.23.", "final_layer", "t_embedder")}[family]
    layers, updates = {}, {}
    for number, slot in enumerate(slot for slot in slots_of(family, 24 if family == "sd3" else 0) if not slot.text):
        if not slot.original.startswith(tuple(wanted)) and not slot.original.partition(".")[0].endswith("_in"):
            continue
        if slot.original.startswith("joint_blocks.23.context_block") and "qkv" not in slot.original and "adaLN" not in slot.original:
            continue  # SD3's last block has none
        out, wide = outputs_of(family, slot), 6144 if family == "flux2_dev" and slot.original == "single_blocks.0.linear1" else 6
        up, down = low_rank(out, rank, seed=number).half(), low_rank(rank, wide, seed=900 + number).half()
        if sparse and len(slot.parts) > 1:
            each, unit, begin = rank // len(slot.parts), out // sum(slot.widths), 0
            mask = torch.zeros_like(up)
            for part, width in enumerate(slot.widths):
                mask[begin * unit:(begin + width) * unit, part * each:(part + 1) * each] = 1
                begin += width
            up = torch.where(mask > 0, up, torch.zeros_like(up))
        layers[names_of(slot, naming, family)[0]] = {".lora_up.weight": up, ".lora_down.weight": down,
                                                    ".alpha": torch.tensor(alpha, dtype=torch.float16)}
        updates[slot.original] = alpha / rank * up.double() @ down.double()
    return write(tmp_path / "a.safetensors", layers, VERSIONS[family], dtype=torch.float16), updates


class Checkpoint(dict):
    """A checkpoint for diffusers' converters: what they ask for and nobody gave is zero."""

    def pop(self, key, *default):
        rows = 21504 if "linear1" in key else 24
        return super().pop(key, torch.zeros(rows, 6, dtype=torch.float64))


@pytest.mark.slow
@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("family", ["flux1", "flux2_dev", "sd3"])
def test_a_transformers_layers_become_what_diffusers_makes_of_the_same_weights(tmp_path, family, sparse):
    from diffusers.loaders import single_file_utils as theirs

    convert = {"flux1": theirs.convert_flux_transformer_checkpoint_to_diffusers,
               "sd3": theirs.convert_sd3_transformer_checkpoint_to_diffusers,
               "flux2_dev": theirs.convert_flux2_transformer_checkpoint_to_diffusers}[family]
    path, updates = original_file(tmp_path, family, sparse=sparse, alpha=3.0, rank=12)
    converted(path, tmp_path / "b.safetensors", "diffusers")
    state = load_file(tmp_path / "b.safetensors")
    given = {f"{name}.weight": update for name, update in updates.items()}
    if family == "sd3":
        given.setdefault("context_embedder.weight", torch.zeros(12, 6, dtype=torch.float64))
    wanted = {name.removesuffix(".weight"): value for name, value in convert(Checkpoint(given)).items()
              if value.any() and name.endswith(".weight")}
    found = {name.removesuffix(".lora_A.weight").removeprefix("transformer.") for name in state if name.endswith("A.weight")}
    assert found == set(wanted)
    with open_lora(tmp_path / "b.safetensors") as file:
        made_of = {module.name: factors_of(file, module, computing="float64").matrix() for module in file.modules}
    for name, update in wanted.items():
        made = made_of[f"transformer.{name}"]
        assert float((made - update).norm() / update.norm()) < 1e-12, name
    if sparse:
        assert state[f"transformer.transformer_blocks.{0 if family == 'sd3' else 1}.attn.to_q.lora_A.weight"].shape[0] == 4


@pytest.mark.parametrize("alpha", [8.0, 1.0, 3.0], ids=["scale 1", "an eighth", "no power of two"])
@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("other", ["diffusers", "comfy"])
@pytest.mark.parametrize("family", ["flux1", "flux2_dev", "sd3"])
def test_transformers_come_back_to_the_last_bit(tmp_path, family, other, sparse, alpha):
    path, _ = original_file(tmp_path, family, sparse=sparse, alpha=alpha, rank=12 if sparse else 8)
    report = converted(path, tmp_path / "b.safetensors", other)
    assert report.kept == () and report.rounding == 0 and bits(tmp_path / "b.safetensors") != bits(path)
    converted(tmp_path / "b.safetensors", tmp_path / "c.safetensors", "kohya")
    assert bits(tmp_path / "c.safetensors") == bits(path)


@pytest.mark.parametrize("note", ["{", "[]", '{"": 5}', '{"": ["x", "F16", 1]}', '{"": [1, "F99", 1]}', '{"transformer_blocks": [[9, 2]]}',
                                  '{"double_blocks.1.img_attn.qkv": [[7, 4], [-1, 4]]}'])
@pytest.mark.parametrize("key", [ALPHAS, PARTS])
def test_notes_for_the_way_back_that_somebody_spoiled_are_passed_over(tmp_path, key, note):
    path, _ = original_file(tmp_path, "flux1", sparse=True, alpha=12.0, rank=12)
    converted(path, tmp_path / "b.safetensors", "diffusers")
    save_file(load_file(tmp_path / "b.safetensors"), tmp_path / "c.safetensors", {**VERSIONS["flux1"], key: note})
    converted(tmp_path / "c.safetensors", tmp_path / "d.safetensors", "kohya")
    before, after = load_file(path), load_file(tmp_path / "d.safetensors")
    for name in {name.partition(".")[0] for name in before}:
        torch.testing.assert_close(update_of(after, name), update_of(before, name))
    if key == PARTS:
        save_file(before, tmp_path / "e.safetensors", {**VERSIONS["flux1"], key: note})
        converted(tmp_path / "e.safetensors", tmp_path / "f.safetensors", "diffusers")
        assert bits(tmp_path / "f.safetensors") == bits(tmp_path / "b.safetensors")


def unet_file(tmp_path, family, alpha=2.0, dtype=torch.float16):
    layers = {}
    for number, (name, shape) in enumerate(layers_of(family, convolutions=True)):
        kernel = shape[2:]
        layers[name] = {".lora_up.weight": low_rank(5, 4, seed=number).reshape(5, 4, *[1] * len(kernel)),
                        ".lora_down.weight": low_rank(4, 3 * (9 if kernel == (3, 3) else 1), seed=5000 + number).reshape(4, 3, *kernel),
                        ".alpha": torch.tensor(alpha)}
    return write(tmp_path / "a.safetensors", layers, VERSIONS[family], dtype=dtype)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_unets_come_back_to_the_last_bit_and_every_program_knows_the_names(tmp_path, family):
    path = unet_file(tmp_path, family)
    for naming, program in (("diffusers", "diffusers"), ("comfy", "ComfyUI")):
        target = tmp_path / f"{naming}.safetensors"
        converted(path, target, naming)
        with open_lora(target) as file:
            found = {one.program: one for one in coverage_of(file.modules, file.unknown, family)}[program]
        assert found.loaded == found.total == len(list(layers_of(family, convolutions=True))), found
        converted(target, tmp_path / f"{naming}-back.safetensors", "kohya")
        assert bits(tmp_path / f"{naming}-back.safetensors") == bits(path)
    converted(tmp_path / "comfy.safetensors", tmp_path / "across.safetensors", "diffusers")
    assert bits(tmp_path / "across.safetensors") == bits(tmp_path / "diffusers.safetensors")


@pytest.mark.slow
def test_a_unets_layers_become_those_of_diffusers_converter(tmp_path):
    from diffusers import UNet2DConditionModel
    from diffusers.loaders.lora_conversion_utils import _convert_non_diffusers_lora_to_diffusers, _maybe_map_sgm_blocks_to_diffusers

    from tests.core.utilities.test_coverage import CONFIGS
    path = unet_file(tmp_path, "sdxl", alpha=4.0)
    with torch.device("meta"):
        config = UNet2DConditionModel(sample_size=64, **CONFIGS["sdxl"]).config
    theirs, _ = _convert_non_diffusers_lora_to_diffusers(_maybe_map_sgm_blocks_to_diffusers(load_file(path), config))
    renamed = {}
    for name, value in theirs.items():
        name = name.replace(".processor.", ".").replace("_lora.", ".lora.").replace(".to_out.lora", ".to_out.0.lora")
        name = name.replace(".lora.up.", ".lora_B.").replace(".lora.down.", ".lora_A.").replace("lora_linear_layer.up", "lora_B")
        renamed[name.replace("lora_linear_layer.down", "lora_A")] = value
    converted(path, tmp_path / "b.safetensors", "diffusers")
    ours = load_file(tmp_path / "b.safetensors")
    unets = {name: value for name, value in ours.items() if name.startswith("unet.")}
    assert set(unets) == {name for name in renamed if name.startswith("unet.")}
    assert all(torch.equal(value, renamed[name]) for name, value in unets.items())


def test_layers_that_diffusers_alone_trained_are_put_together_and_come_back(tmp_path):
    """PEFT trains queries, keys and values apart, each with its own factors; some not at all, and with other ranks."""
    block = "transformer.single_transformer_blocks.0.attn"
    layers = {f"{block}.to_q": (4, 24), f"{block}.to_v": (2, 24), "transformer.transformer_blocks.3.attn.to_q": (4, 24),
              "transformer.transformer_blocks.3.attn.to_k": (4, 24), "transformer.transformer_blocks.3.attn.to_v": (4, 24),
              "transformer.norm_out.linear": (4, 10)}
    path = write(tmp_path / "a.safetensors", {
        name: {".lora_B.weight": low_rank(out, rank, seed=number).float(), ".lora_A.weight": low_rank(rank, 6, seed=90 + number).float()}
        for number, (name, (rank, out)) in enumerate(layers.items())}, VERSIONS["flux1"])
    converted(path, tmp_path / "b.safetensors", "kohya")
    state, old = load_file(tmp_path / "b.safetensors"), load_file(path)
    linear1 = update_of(state, "lora_unet_single_blocks_0_linear1")
    assert linear1.shape == (7 * 24, 6) and torch.allclose(linear1[:24], update_of(old, f"{block}.to_q"))
    assert torch.allclose(linear1[48:72], update_of(old, f"{block}.to_v")) and not linear1[24:48].any() and not linear1[72:].any()
    last = update_of(state, "lora_unet_final_layer_adaLN_modulation_1")
    assert torch.allclose(last, update_of(old, "transformer.norm_out.linear").roll(5, 0))
    converted(tmp_path / "b.safetensors", tmp_path / "c.safetensors", "diffusers")
    assert bits(tmp_path / "c.safetensors") == bits(path)


def test_a_strength_that_factors_cannot_hold_stands_in_diffusers_settings(tmp_path):
    roles, update = layer("linear", rank=3)  # alpha 2 of 3
    name = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q"
    path = write(tmp_path / "a.safetensors", {name: roles}, VERSIONS["sd15"])
    report = converted(path, tmp_path / "b.safetensors", "diffusers")
    assert "The alpha of 1 layer stands in diffusers' settings" in report.sentence()
    with safe_open(tmp_path / "b.safetensors", "pt") as file:
        told = json.loads(file.metadata()["lora_adapter_metadata"])
    assert told["unet.alpha_pattern"] == {"mid_block.attentions.0.transformer_blocks.0.attn1.to_q": 2} and told["unet.r"] == 3
    with open_lora(tmp_path / "b.safetensors") as file:
        assert file.scale(file.modules[0]) == pytest.approx(2 / 3)
    converted(tmp_path / "b.safetensors", tmp_path / "c.safetensors", "kohya")
    assert bits(tmp_path / "c.safetensors") == bits(path)
    report = converted(path, tmp_path / "d.safetensors", "diffusers", fold_alpha=True, save_precision="fp16")
    with open_lora(tmp_path / "d.safetensors") as file:
        assert file.scale(file.modules[0]) == 1 and "lora_adapter_metadata" not in file.metadata and 1e-5 < report.rounding < 1e-3
        made = factors_of(file, file.modules[0]).matrix()
    assert float((made - update).norm() / update.norm()) < 1e-3


@pytest.mark.parametrize("kind", ["loha", "lokr", "tucker", "loha tucker", "lokr factors"])
def test_loha_lokr_and_tucker_become_lora_exactly_also_under_other_names(tmp_path, kind):
    block = "lora_unet_mid_block_attentions_0_transformer_blocks_0"
    name = "lora_unet_down_blocks_1_resnets_0_conv1" if "tucker" in kind else f"{block}_attn1_to_q"
    (roles, update), plain = layer(kind), f"{block}_attn1_to_k"
    path = write(tmp_path / "a.safetensors", {name: roles, plain: layer("linear", 2)[0]}, VERSIONS["sd15"])
    report = converted(path, tmp_path / "b.safetensors", to_lora=True)
    state = load_file(tmp_path / "b.safetensors")
    assert report.made_lora == 1 and float((update_of(state, name) - update).norm() / update.norm()) < 1e-6
    assert torch.equal(state[f"{plain}.lora_up.weight"], load_file(path)[f"{plain}.lora_up.weight"])
    rounded = [converted(path, tmp_path / f"r{number}.safetensors", naming, to_lora=True, save_precision="bf16").rounding
               for number, naming in enumerate(("same", "comfy"))]
    assert all(5e-4 < one < 5e-3 for one in rounded)
    converted(path, tmp_path / "c.safetensors", "comfy", to_lora=True)
    assert len(load_file(tmp_path / "c.safetensors")) == 6 and sorted(one.name for one in tmp_path.iterdir() if one.name[0] == ".") == []
    with pytest.raises(ModelError, match="Make LoRA of LoHa, LoKr"):
        converted(path, tmp_path / "d.safetensors", "comfy")


def test_another_precision_is_measured_and_what_does_not_fit_is_refused(tmp_path):
    roles, _ = layer("linear")
    path = write(tmp_path / "a.safetensors", {"lora_unet_x": {**roles, ".dora_scale": torch.ones(24, 1)}, "emb.x": {"": low_rank(2, 3)}})
    report = converted(path, tmp_path / "b.safetensors", save_precision="bf16")
    assert {value.dtype for value in load_file(tmp_path / "b.safetensors").values()} == {torch.bfloat16}
    assert 1e-4 < report.rounding < 4e-3 and report.kept == ("emb.x",) and report.renamed == 0
    roles[".lora_up.weight"][0, 0] = 1e30
    path = write(tmp_path / "big.safetensors", {"lora_unet_x": roles})
    with pytest.raises(ModelError, match="lora_unet_x.lora_up.weight does not fit into F16"):
        converted(path, tmp_path / "c.safetensors", save_precision="fp16")
    roles[".lora_up.weight"][0, 0] = float("nan")
    with pytest.raises(ModelError, match="holds 1 of 96 values that are NaN"):
        converted(write(tmp_path / "nan.safetensors", {"lora_unet_x": roles}), tmp_path / "c.safetensors", save_precision="fp16")


def test_unknown_names_are_listed_and_kept_and_what_cannot_be_said_is_refused(tmp_path):
    known = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q"
    path = write(tmp_path / "a.safetensors", {known: layer("linear")[0], "lora_unet_odd": layer("linear", 1)[0],
                                             "emb.x": {"": low_rank(2, 3)}}, VERSIONS["sd15"])
    report = converted(path, tmp_path / "b.safetensors", "diffusers")
    assert report.kept == ("lora_unet_odd", "emb.x") and "1 layer kept its name, such as lora_unet_odd" in report.sentence()
    told, = report.findings
    assert told.level == "warning" and "Stable Diffusion 1.x has no layer called so. Names of several kinds now stand" in told.what
    assert "Of the new file diffusers loads 1 of 2 layers." in told.remedy
    assert "lora_unet_odd.lora_up.weight" in load_file(tmp_path / "b.safetensors")
    with pytest.raises(ConfigError, match="is there already"):
        converted(path, tmp_path / "b.safetensors", "diffusers")
    with pytest.raises(ModelError, match="base model of x.safetensors is not known"):
        converted(write(tmp_path / "x.safetensors", {"lora_unet_odd": layer("linear")[0]}), tmp_path / "c.safetensors", "diffusers")
    with pytest.raises(ModelError, match="is DoRA, which is not renamed"):
        converted(write(tmp_path / "d.safetensors", {known: layer("dora")[0]}, VERSIONS["sd15"]), tmp_path / "c.safetensors", "comfy")
    both = write(tmp_path / "e.safetensors", {known: layer("linear")[0], "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_q":
                                              layer("linear")[0]}, VERSIONS["sd15"])
    with pytest.raises(ModelError, match="mean the same layer"):
        converted(both, tmp_path / "c.safetensors", "comfy")


def test_a_file_of_the_demo_model_has_no_other_names_but_another_precision(tmp_path):
    known = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q"
    path = write(tmp_path / "a.safetensors", {known: layer("linear")[0]}, {"ss_base_model_version": DEMO_VERSION})
    with pytest.raises(ModelError, match="a.safetensors was made with Lorabook's demo model, which is in no other program"):
        converted(path, tmp_path / "b.safetensors", "diffusers")
    assert converted(path, tmp_path / "c.safetensors", save_precision="fp16").findings == ()


def test_a_file_that_was_converted_before_does_not_bear_both_names(tmp_path):
    def named(stem, **values):
        return ConvertSettings.make(file=str(tmp_path / f"{stem}.safetensors"), **values).usual_target().name

    assert named("mika-diffusers", naming="kohya") == "mika-kohya.safetensors"
    assert named("mika-diffusers-diffusers", naming="comfy") == "mika-comfy.safetensors"
    assert named("-diffusers", naming="kohya") == "-diffusers-kohya.safetensors"
    assert named("mika-diffusers", save_precision="fp16") == "mika-diffusers-fp16.safetensors"
    assert [named("m", to_lora=True), named("m"), named("m.1", naming="comfy")] == ["m-lora.safetensors", "m-copy.safetensors",
                                                                                   "m.1-comfy.safetensors"]


@pytest.mark.parametrize(("family", "name", "said"), [
    ("sd3", "lora_unet_joint_blocks_0_context_block_attn_qkv", "Of the new file ComfyUI loads 1 of 2 layers."),
    ("flux1", "lora_unet_double_blocks_0_img_attn_qkv", "Of the new file Forge loads 1 of 2 layers, ComfyUI loads 1 of 2 layers."),
    ("sd15", "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q", "Of the new file A1111 loads 1 of 2 layers, Forge loads")])
def test_of_programs_whose_names_are_not_known_for_a_model_nothing_is_said(tmp_path, family, name, said):
    path = write(tmp_path / "a.safetensors", {name: layer("linear")[0], "lora_unet_strange": layer("linear", 1)[0]})
    with open_lora(path) as file:
        told = unnamed_finding(path, [module for module in file.modules if module.name == "lora_unet_strange"], "kohya", family)
    assert told.remedy.startswith(said) and ("A1111" in told.remedy) == (family == "sd15")


def test_a_file_that_is_refused_is_not_read_for_its_hash(tmp_path, monkeypatch):
    monkeypatch.setattr(LoraFile, "tensors_hash", lambda file: pytest.fail("the whole file was read"))
    path = write(tmp_path / "a.safetensors", {"lora_unet_odd": layer("linear")[0]})
    with pytest.raises(ModelError, match="base model of a.safetensors is not known"):
        converted(path, tmp_path / "b.safetensors", "diffusers")
