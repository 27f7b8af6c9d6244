"""Files given other ranks: as the full SVD would, in every program's names, with the errors told before."""

import json
import math

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from core.base.errors import Cancelled, ConfigError, ModelError
from core.base.progress import Progress
from core.base.tensor_headers import read_header
from core.utilities.files.hashing import hashes_of
from core.utilities.files.lora_file import open_lora
from core.utilities.resizing.resizing import PreviewSettings, ResizeLoraSettings, preview_sizes, resize_lora
from tests.core.utilities.layers import KINDS, best_of_rank, layer, low_rank, update_of, write

METADATA = {"ss_network_dim": "4", "ss_network_alpha": "2.0", "ss_training_comment": "mine", "sshs_model_hash": "old"}


def resized(tmp_path, path, **settings):
    return resize_lora(ResizeLoraSettings.make(file=str(path), save_to=str(tmp_path / "out.safetensors"), device="cpu", **settings))


def said(path):
    with safe_open(path, "pt") as file:
        return file.metadata()


@pytest.mark.parametrize("rank", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_becomes_the_best_of_its_rank(tmp_path, kind, rank):
    layers = {f"lora_unet_{seed}_down_blocks_0_resnets_0_conv1": layer(kind, seed) for seed in (1, 2)}
    path = write(tmp_path / "a.safetensors", {name: roles for name, (roles, _) in layers.items()}, METADATA)
    report = resized(tmp_path, path, new_rank=rank)
    state, lost, whole = load_file(tmp_path / "out.safetensors"), 0.0, 0.0
    for plan in report.layers:
        update = layers[plan.name][1]
        best, error = best_of_rank(update, rank)
        made = update_of(state, plan.name)
        assert plan.new_rank == rank == state[f"{plan.name}.lora_down.weight"].shape[0]
        assert float((made.flatten() - best.flatten()).norm() / update.norm()) < 1e-5
        assert plan.error == pytest.approx(error, rel=1e-4) and plan.norm == pytest.approx(float(update.norm()), rel=1e-5)
        lost, whole = lost + (error * float(update.norm())) ** 2, whole + float(update.norm()) ** 2
    assert report.error == pytest.approx(math.sqrt(lost / whole), rel=1e-4) and report.rounding < 1e-6
    assert ("lora_unet_1_down_blocks_0_resnets_0_conv1.dora_scale" in state) == (kind == "dora")
    assert not any("mid" in name or "hada" in name or "lokr" in name for name in state)


def test_flat_convolutions_of_loha_get_the_kernel_that_their_name_tells(tmp_path):
    path = write(tmp_path / "a.safetensors", {name: layer("loha", 1)[0] for name in (
        "lora_unet_down_blocks_0_resnets_0_conv1", "lora_unet_down_blocks_0_attentions_0_proj_in")})
    resized(tmp_path, path, new_rank=2)
    state = load_file(tmp_path / "out.safetensors")
    assert state["lora_unet_down_blocks_0_resnets_0_conv1.lora_down.weight"].shape == (2, 4, 3, 3)
    assert state["lora_unet_down_blocks_0_resnets_0_conv1.lora_up.weight"].shape == (24, 2, 1, 1)
    assert state["lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight"].shape == (2, 36)


def test_the_metadata_says_so_as_sd_scripts_says_it(tmp_path):
    path = write(tmp_path / "a.safetensors", {"lora_unet_x": layer("linear")[0], "lora_unet_y": layer("conv")[0]}, METADATA)
    resized(tmp_path, path, new_rank=2, new_conv_rank=1)
    found = said(tmp_path / "out.safetensors")
    assert found["ss_training_comment"] == "dimension is resized from 4 to 2 (conv: 1); mine"
    assert (found["ss_network_dim"], found["ss_network_alpha"]) == ("2", "0.5")
    counted = hashes_of(tmp_path / "out.safetensors").as_dict()
    assert all(found[key] == counted[key] for key in ("sshs_model_hash", "sshs_legacy_hash"))
    (tmp_path / "out.safetensors").unlink()
    resized(tmp_path, path, dynamic_method="sv_fro", dynamic_param=0.9, new_rank=3)
    found = said(tmp_path / "out.safetensors")
    assert found["ss_training_comment"] == "Dynamic resize with sv_fro: 0.9 from 4; mine"
    assert found["ss_network_dim"] == found["ss_network_alpha"] == "Dynamic"


def test_pefts_names_stay_and_its_settings_go_so_that_the_scale_is_not_lost(tmp_path):
    roles, _ = layer("linear")
    pair = {".lora_B.weight": roles[".lora_up.weight"], ".lora_A.weight": roles[".lora_down.weight"]}
    path = write(tmp_path / "a.safetensors", {"transformer.a.to_q": pair},
                 {"lora_adapter_metadata": json.dumps({"transformer.lora_alpha": 8, "transformer.r": 4})})
    resized(tmp_path, path, new_rank=2)
    state = load_file(tmp_path / "out.safetensors")
    best, _ = best_of_rank(2 * pair[".lora_B.weight"] @ pair[".lora_A.weight"], 2)
    assert sorted(state) == ["transformer.a.to_q.lora_A.weight", "transformer.a.to_q.lora_B.weight"]
    assert torch.allclose(update_of(state, "transformer.a.to_q"), best, atol=1e-5)
    assert "lora_adapter_metadata" not in (said(tmp_path / "out.safetensors") or {})


@pytest.mark.parametrize("precision, dtype, most", [("fp16", torch.float16, 6e-4), ("bf16", torch.bfloat16, 5e-3),
                                                    ("float", torch.float32, 1e-6)])
def test_rounding_is_measured_and_alpha_loses_nothing_by_it(tmp_path, precision, dtype, most):
    roles, update = layer("linear", rank=3)  # alpha 2 of 3, so 4/3 at rank 2, which no short number holds
    path = write(tmp_path / "a.safetensors", {"lora_unet_x": roles})
    report = resized(tmp_path, path, new_rank=2, save_precision=precision)
    state = load_file(tmp_path / "out.safetensors")
    assert {value.dtype for value in state.values()} == {dtype}
    off = float((update_of(state, "lora_unet_x") - best_of_rank(update, 2)[0]).norm() / update.norm())
    assert report.rounding == pytest.approx(off, rel=0.05, abs=1e-6) and off < most


def test_small_updates_are_not_lost_in_fp16(tmp_path):
    """All of the size in one factor would leave the numbers that fp16 holds; half in each does not."""
    pair = {".lora_up.weight": low_rank(32, 4) * 1e-4, ".lora_down.weight": low_rank(4, 32) * 1e-3, ".alpha": torch.tensor(4.0)}
    path = write(tmp_path / "a.safetensors", {"lora_unet_x": pair})
    assert resized(tmp_path, path, new_rank=4, save_precision="fp16").rounding < 3e-3


def test_what_has_no_rank_is_taken_over_as_it_is(tmp_path):
    layers = {"lora_unet_x": layer("linear")[0], "lora_unet_n": {".w_norm": low_rank(1, 9)[0]}, "bundle_emb.m": {".x": low_rank(2, 3)},
              "lora_unet_p": {".lora_down.weight": low_rank(2, 3)}, "lora_unet_z": {".lora_up.weight": torch.zeros(5, 4),
                                                                                   ".lora_down.weight": low_rank(4, 6)}}
    path = write(tmp_path / "a.safetensors", layers)
    report = resized(tmp_path, path, new_rank=9)
    old, new = load_file(path), load_file(tmp_path / "out.safetensors")
    for name in ("lora_unet_n.w_norm", "bundle_emb.m.x", "lora_unet_p.lora_down.weight"):
        assert torch.equal(old[name], new[name])
    assert new["lora_unet_z.lora_down.weight"].shape == (1, 6) and not new["lora_unet_z.lora_up.weight"].any()
    assert set(report.kept) == {"bundle_emb.m.x", "lora_unet_n", "lora_unet_p"}
    for words in ("2 layers already of a lower rank stay so", "1 layer without an alpha", "they have no rank: 3 (layers"):
        assert words in report.sentence()


def test_a_preview_tells_sizes_and_errors_as_they_will_be(tmp_path):
    path = write(tmp_path / "a.safetensors", {f"lora_unet_{seed}": layer(kind, seed)[0] for seed, kind in enumerate(KINDS)})
    report = preview_sizes(PreviewSettings.make(file=str(path), targets=("3", "1", "sv_ratio=3", "sv_cumulative=0.8", "sv_fro=0.9"),
                                                new_conv_rank=2))
    for plan in report.plans:
        target = tmp_path / "out.safetensors"
        target.unlink(missing_ok=True)
        rule = plan.rule
        done = resized(tmp_path, path, dynamic_method=rule.method, new_rank=min(rule.rank, 4096), dynamic_param=rule.param, new_conv_rank=2)
        with open_lora(target) as file:
            assert plan.size == sum(place.size for place in file.header.tensors)
        assert done.error == pytest.approx(plan.error) and [a.new_rank for a in done.layers] == [b.new_rank for b in plan.layers]
        assert plan.as_dict()["error"] == plan.error and plan.sentence().startswith(rule.words)
    assert [plan.error for plan in report.plans[:2]] == sorted(plan.error for plan in report.plans[:2])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_file_with_values_that_are_no_numbers_is_refused_by_name(tmp_path, value):
    roles, _ = layer("linear")
    roles[".lora_up.weight"][3, 1] = value
    path = write(tmp_path / "a.safetensors", {"lora_unet_x": roles})
    with pytest.raises(ModelError, match="lora_unet_x.lora_up.weight in a.safetensors holds 1 of 96 values that are NaN"):
        resized(tmp_path, path, new_rank=2)
    assert not (tmp_path / "out.safetensors").exists()


def test_nothing_is_written_over_and_a_cancel_leaves_nothing(tmp_path):
    path = write(tmp_path / "a.safetensors", {"lora_unet_x": layer("linear")[0], "lora_unet_y": layer("linear", 1)[0]})
    with pytest.raises(ConfigError, match="is there already"):
        resize_lora(ResizeLoraSettings.make(file=str(path), save_to=str(path)))
    with pytest.raises(ConfigError, match="does not end in"):
        resize_lora(ResizeLoraSettings.make(file=str(path), save_to=str(tmp_path / "x.pt")))

    class Stops(Progress):
        def report_step(self, item):
            if self.what == "Writing tensors" and self.done == 3:
                self.cancel()

    with pytest.raises(Cancelled):
        resize_lora(ResizeLoraSettings.make(file=str(path), new_rank=2), Stops())
    assert list(tmp_path.iterdir()) == [path]
    assert resize_lora(ResizeLoraSettings.make(file=str(path), new_rank=2, new_conv_rank=1)).file.endswith("a-r2-c1.safetensors")


def test_a_file_of_other_kinds_alone_is_told(tmp_path):
    path = write(tmp_path / "a.safetensors", {"lora_unet_x": {".diff": torch.ones(3, 3)}})
    with pytest.raises(ModelError, match="no layer that has a rank \\(full difference\\)"):
        resized(tmp_path, path)


def test_a_gpu_that_is_not_there_is_said(tmp_path):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    path = write(tmp_path / "a.safetensors", {"lora_unet_x": layer("linear")[0]})
    with pytest.raises(ConfigError, match="no GPU"):
        resize_lora(ResizeLoraSettings.make(file=str(path), device="cuda"))


def test_a_rank_above_every_layers_is_refused_and_what_is_said_of_the_rank_is_true(tmp_path):
    small, large = (f"lora_unet_up_blocks_{number}_attentions_0_proj_in" for number in (1, 2))
    path = write(tmp_path / "a.safetensors", {small: layer("linear", 1)[0], large: layer("linear", 2)[0]})
    with open_lora(path) as file:
        rank = max(module.rank for module in file.modules)
    with pytest.raises(ConfigError, match=f"no layer of rank {rank + 9} or more, so nothing would change"):
        resize_lora(ResizeLoraSettings.make(file=str(path), new_rank=rank + 9))
    assert list(tmp_path.iterdir()) == [path]
    report = resize_lora(ResizeLoraSettings.make(file=str(path), new_rank=rank + 9, save_precision="bf16"))
    assert read_header(report.file).metadata["ss_network_dim"] == str(rank)
