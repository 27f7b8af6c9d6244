"""A file with a weight in it does at 1 what the other does at that weight: exactly in alpha, measured where values are rounded."""

import errno
import json
import os

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from core.base.errors import Cancelled, ConfigError, DiskError, ModelError
from core.base.progress import Progress
from core.diffusion.lora import apply_lora, remove_lora
from core.utilities.files.derived import Step, made_of
from core.utilities.files.lora_file import open_lora
from core.utilities.layers.products import factors_of
from core.utilities.manager import UtilitiesManager
from core.utilities.merging.weighing import WeighSettings, weigh_lora
from tests.core.diffusion.test_lora import answer, random_file
from tests.core.utilities.layers import KINDS, layer, write
from tests.lora_files import METADATA, make_lora

NAME = "lora_unet_up_blocks_1_attentions_0_proj_in"
DIFFUSERS = {".lora_up.weight": ".lora_B.weight", ".lora_down.weight": ".lora_A.weight"}


def weighed(path, weight, **values):
    return weigh_lora(WeighSettings.make(file=str(path), weight=weight, save_to=str(path.with_name("out.safetensors")), **values))


def update(path, number=0):
    with open_lora(path) as file:
        found = factors_of(file, file.modules[number], "cpu", "float64")
        return found.scale * found.up @ found.down


def metadata_of(path):
    with safe_open(path, "pt") as file:
        return file.metadata() or {}


@pytest.mark.parametrize("weight", [0.5, 0.8, -0.7, 2.0])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "dora"])
def test_every_kind_does_at_1_what_it_did_at_the_weight(kind, weight, tmp_path):
    path = write(tmp_path / "a.safetensors", {NAME: layer(kind)[0]})
    report = weighed(path, weight)
    wanted = weight * layer(kind)[1].flatten(1)
    assert float((update(tmp_path / "out.safetensors").reshape(wanted.shape) - wanted).norm() / wanted.norm()) < 2e-7
    assert report.in_alpha + report.in_values == 1
    before, after = load_file(path), load_file(tmp_path / "out.safetensors")
    assert set(before) == set(after)
    if report.in_alpha:
        same = [name for name in before if not name.endswith(".alpha")]
        assert all(torch.equal(before[name].abs(), after[name].abs()) for name in same)  # a sign at most
        assert weight < 0 or all(torch.equal(before[name], after[name]) for name in same)


def test_what_alpha_holds_changes_no_other_bit_and_rounds_nothing(tmp_path):
    path = make_lora(tmp_path / "a.safetensors", "sd15", rank=2, alpha=4.0)
    report = weighed(path, 0.75)
    before, after = load_file(path), load_file(tmp_path / "out.safetensors")
    assert report.rounding == 0 and report.in_alpha == len(before) // 3 and "no value was rounded" in report.sentence()
    for name, value in before.items():
        assert torch.equal(after[name], torch.tensor(3.0).half() if name.endswith(".alpha") else value) and after[name].dtype == value.dtype
    assert report.notes == ()


def test_an_alpha_that_fp16_cannot_hold_becomes_float32_and_the_values_stay(tmp_path):
    path = make_lora(tmp_path / "a.safetensors", "sd15", rank=2, alpha=4.0)
    report = weighed(path, 0.8)
    before, after = load_file(path), load_file(tmp_path / "out.safetensors")
    alphas = [name for name in before if name.endswith(".alpha")]
    assert all(after[name].dtype == torch.float32 and float(after[name]) == pytest.approx(3.2, rel=1e-7) for name in alphas)
    assert all(torch.equal(before[name], after[name]) for name in set(before) - set(alphas))
    assert report.notes == (f"{len(alphas)} alphas became float32 (exact to 6e-8), for the file's own type cannot hold the product.",)


def test_into_the_values_rounds_and_says_how_much(tmp_path):
    path = make_lora(tmp_path / "a.safetensors", "sd15", rank=2, alpha=4.0)
    report = weighed(path, 0.8, in_factors=True)
    before, after = load_file(path), load_file(tmp_path / "out.safetensors")
    up = next(name for name in before if name.endswith("lora_up.weight"))
    assert torch.equal(after[up], (before[up].double() * 0.8).half()) and 1e-5 < report.rounding < 1e-3
    assert all(torch.equal(before[name], after[name]) for name in before if not name.endswith("lora_up.weight"))
    assert "by the values" in report.sentence() and "rounding changed 0.0" in report.sentence()


def test_under_diffusers_names_the_values_hold_it_and_powers_of_two_round_nothing(tmp_path):
    roles = {DIFFUSERS[end]: value for end, value in layer("linear")[0].items() if end in DIFFUSERS}
    told = {"lora_adapter_metadata": json.dumps({"unet.r": 4, "unet.lora_alpha": 2})}
    path = write(tmp_path / "a.safetensors", {"unet.up_blocks.0.attentions.0.to_q": roles}, told, torch.float16)
    before = update(path)
    report = weighed(path, 0.5)
    assert report.in_values == 1 and report.rounding == 0 and set(load_file(path)) == set(load_file(tmp_path / "out.safetensors"))
    assert torch.equal(update(tmp_path / "out.safetensors"), before / 2)


def test_a_layer_without_an_alpha_gets_one(tmp_path):
    roles = {end: value for end, value in layer("linear")[0].items() if end != ".alpha"}
    path = write(tmp_path / "a.safetensors", {NAME: roles})
    report = weighed(path, 0.8)
    after = load_file(tmp_path / "out.safetensors")
    assert float(after[f"{NAME}.alpha"]) == pytest.approx(3.2) and "1 layer had no alpha and got one" in report.sentence()
    assert float((update(tmp_path / "out.safetensors") - 0.8 * update(path)).abs().max()) < 1e-6


def test_plain_differences_norms_and_ia3_are_multiplied(tmp_path):
    path = write(tmp_path / "a.safetensors", {
        "lora_unet_a": {".diff": torch.ones(4, 4), ".diff_b": torch.ones(4)},
        "lora_unet_n": {".w_norm": torch.ones(4), ".b_norm": torch.ones(4)},
        "lora_unet_i": {".weight": torch.ones(4), ".on_input": torch.tensor(1.0)},
        NAME: {**layer("linear")[0], ".diff_b": torch.ones(24)}})
    weighed(path, 0.5)
    after = load_file(tmp_path / "out.safetensors")
    for name in ("lora_unet_a.diff", "lora_unet_a.diff_b", "lora_unet_n.w_norm", "lora_unet_n.b_norm", "lora_unet_i.weight",
                 f"{NAME}.diff_b"):
        assert bool((after[name] == 0.5).all()), name
    assert float(after["lora_unet_i.on_input"]) == 1.0 and float(after[f"{NAME}.alpha"]) == 1.0


@pytest.mark.parametrize(("roles", "said"), [
    (layer("dora")[0], "is DoRA: it learned the lengths"), ({".oft_diag": torch.ones(4)}, "is OFT: it turns the base's weights"),
    ({".oft_blocks": torch.ones(2, 4, 4)}, "is OFT: it turns"), ({".set_weight": torch.ones(4, 4)}, "replaces the base's weights"),
    ({".lora_up.weight": torch.ones(4, 2)}, "is incomplete"),
    ({**layer("linear")[0], ".bias": torch.ones(24)}, "a bias of unknown meaning")])
def test_what_is_no_sum_is_refused_with_the_reason(roles, said, tmp_path):
    path = write(tmp_path / "a.safetensors", {NAME: layer("linear")[0], "lora_unet_x": roles})
    with pytest.raises(ModelError, match=said):
        weighed(path, 0.8)
    assert [one.name for one in tmp_path.iterdir()] == ["a.safetensors"]


def test_blocks_have_weights_of_their_own_and_those_of_0_are_left_out(tmp_path):
    down, text = "lora_unet_down_blocks_0_attentions_0_proj_in", "lora_te_text_model_encoder_layers_0_mlp_fc1"
    path = write(tmp_path / "a.safetensors", {NAME: layer("linear", 1)[0], down: layer("linear", 2)[0], text: layer("linear", 3)[0]},
                 {"ss_network_alpha": "2.0"})
    report = weighed(path, 0.5, blocks=["up 1=2", "text=0"])
    after = load_file(tmp_path / "out.safetensors")
    assert report.left_out == (text,) and not any(name.startswith(text) for name in after)
    assert float(after[f"{NAME}.alpha"]) == 2.0 and float(after[f"{down}.alpha"]) == 1.0 and report.in_alpha == 1
    assert metadata_of(tmp_path / "out.safetensors")["ss_network_alpha"] == "Dynamic"
    with pytest.raises(ConfigError, match="no layer would be left"):
        weigh_lora(WeighSettings.make(file=str(path), blocks=["up=0", "down=0", "text=0"]))
    with pytest.raises(ConfigError, match="No layer stands in a block 'nowhere'"):
        weigh_lora(WeighSettings.make(file=str(path), blocks=["nowhere=1"]))


def test_the_file_says_of_what_it_was_made_and_its_hashes_are_its_own(tmp_path):
    path = make_lora(tmp_path / "mika.safetensors", "sd15", rank=2, alpha=4.0, metadata={**METADATA, "modelspec.hash_sha256": "0xold"})
    before = metadata_of(path)
    report = UtilitiesManager(tmp_path).weigh(WeighSettings.make(file=str(path), weight=0.75))
    said = metadata_of(report.file)
    assert report.file == str(tmp_path / "mika-w0.75.safetensors") and "modelspec.hash_sha256" not in said
    assert made_of(said) == (Step("mika.safetensors", before["sshs_model_hash"], "weigh", 0.75),)
    assert said["ss_network_alpha"] == "24" and said["ss_tag_frequency"] == before["ss_tag_frequency"]
    assert said["sshs_model_hash"] != before["sshs_model_hash"]


@pytest.mark.slow
@pytest.mark.parametrize("family", ["sd", "sdxl"])
@pytest.mark.parametrize(("weight", "in_factors"), [(0.8, False), (0.8, True), (-0.6, False)])
def test_a_model_computes_the_same_with_the_weight_in_the_file(family, weight, in_factors, request, tmp_path):
    model = request.getfixturevalue(family)
    random_file(model, tmp_path / "a.safetensors")
    weighed(tmp_path / "a.safetensors", weight, in_factors=in_factors)
    plain, answers = answer(model), []
    for name, strength in (("a", weight), ("out", 1.0)):
        assert apply_lora(model, tmp_path / f"{name}.safetensors", strength).unused == ()
        answers.append(answer(model))
        remove_lora(model)
    assert float((answers[0] - plain).abs().max()) > 1e-3
    torch.testing.assert_close(answers[1], answers[0], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("weight", [0.8, -0.6])
def test_diffusers_draws_the_same_with_the_weight_in_the_file(weight, sd_folder, tmp_path):
    """Also where the LoRA is taken away."""
    pytest.importorskip("peft")
    from diffusers import StableDiffusionPipeline

    pipe = StableDiffusionPipeline.from_pretrained(sd_folder, safety_checker=None)
    chance, state = torch.Generator().manual_seed(5), {}
    for name, module in pipe.unet.named_modules():
        if name.endswith(("to_q", "to_v", "conv1")):
            shape, kohya = module.weight.shape, f"lora_unet_{name.replace('.', '_')}"
            state |= {f"{kohya}.lora_up.weight": torch.randn(shape[0], 4, *[1] * (len(shape) - 2), generator=chance),
                      f"{kohya}.lora_down.weight": torch.randn(4, *shape[1:], generator=chance) * 0.1, f"{kohya}.alpha": torch.tensor(2.0)}
    save_file(state, tmp_path / "a.safetensors")
    weighed(tmp_path / "a.safetensors", weight)
    given = (torch.randn(1, 4, 8, 8, generator=chance), torch.tensor([400]),
             torch.randn(1, 7, pipe.unet.config.cross_attention_dim, generator=chance))
    answers = []
    for name, strength in (("a", weight), ("out", 1.0)):
        pipe.load_lora_weights(tmp_path, weight_name=f"{name}.safetensors", adapter_name=name)
        pipe.set_adapters([name], [strength])
        with torch.no_grad():
            answers.append(pipe.unet(*given).sample)
        pipe.unload_lora_weights()
    torch.testing.assert_close(answers[1], answers[0], atol=1e-5, rtol=1e-4)


def test_bad_input_is_told_in_words(tmp_path):
    path = write(tmp_path / "a.safetensors", {NAME: layer("linear")[0]})
    with pytest.raises(ConfigError, match="At strength 0 nothing of the LoRA would be left"):
        weighed(path, 0)
    with pytest.raises(ConfigError, match="At strength 1 the file does what it does already"):
        weighed(path, 1)
    with pytest.raises(ConfigError, match="Strength must be at most 10"):
        WeighSettings.make(file="a", weight=11)
    with pytest.raises(ConfigError, match="Strength"):
        WeighSettings.make(file="a", weight=float("nan"))
    weighed(path, 0.5)
    with pytest.raises(ConfigError, match="is there already"):
        weighed(path, 0.5)
    nan = layer("lokr")[0]
    nan[".lokr_w1"][0, 0] = float("nan")
    with pytest.raises(ModelError, match="lokr_w1 holds 1 of 24 values that are NaN"):
        weigh_lora(WeighSettings.make(file=str(write(tmp_path / "n.safetensors", {NAME: nan})), weight=0.5))
    large = write(tmp_path / "l.safetensors", {NAME: {**layer("lokr")[0], ".lokr_w1": torch.full((4, 6), 3e4)}}, dtype=torch.float16)
    with pytest.raises(ModelError, match="lokr_w1 does not fit into F16"):
        weigh_lora(WeighSettings.make(file=str(large), weight=4))


def test_a_cancel_and_a_full_disk_leave_nothing(tmp_path, monkeypatch):
    path = write(tmp_path / "a.safetensors", {NAME: layer("lokr")[0], f"{NAME}_b": layer("linear")[0]})

    class Stops(Progress):
        def report_step(self, item):
            if self.done == 2:
                self.cancel()

    with pytest.raises(Cancelled):
        weigh_lora(WeighSettings.make(file=str(path), weight=0.5), Stops())

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskError):
        weigh_lora(WeighSettings.make(file=str(path), weight=0.5))
    assert [one.name for one in tmp_path.iterdir()] == ["a.safetensors"]


def test_beside_what_was_made_of_another_lora_a_number_is_added_and_never_a_second_time(tmp_path):
    first, second = (write(tmp_path / f"{name}.safetensors", {NAME: layer("linear", number)[0]}) for number, name in enumerate("ab"))
    wanted = {"weight": 0.5, "save_to": str(tmp_path / "best.safetensors"), "numbered": True}
    assert weigh_lora(WeighSettings.make(file=str(first), **wanted)).file == str(tmp_path / "best.safetensors")
    assert weigh_lora(WeighSettings.make(file=str(second), **wanted)).file == str(tmp_path / "best-2.safetensors")
    for file in (first, second):
        with pytest.raises(ConfigError, match="written before, of the same LoRA"):
            weigh_lora(WeighSettings.make(file=str(file), **wanted))
    third = write(tmp_path / "c.safetensors", {NAME: layer("linear", 2)[0]})
    with pytest.raises(ConfigError, match="Choose another name under Save as"):
        weigh_lora(WeighSettings.make(file=str(third), **{**wanted, "numbered": False}))
    assert len(list(tmp_path.glob("best*"))) == 2
