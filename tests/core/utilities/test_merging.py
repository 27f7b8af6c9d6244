"""Several files made one: exactly what they do together, against the whole matrices, and every reason for which they are not merged."""

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from core.base.errors import Cancelled, ConfigError, ModelError
from core.base.progress import Progress
from core.utilities.files.hashing import hashes_of
from core.utilities.files.lora_file import open_lora
from core.utilities.merging.merging import MergeSettings, merge_loras
from core.utilities.merging.methods import agreed, dropped, trimmed
from tests.core.utilities.layers import KINDS, best_of_rank, layer, low_rank, update_of, write

MERGED = [kind for kind in KINDS if kind != "dora"]
FEED = "lora_unet_up_blocks_1_resnets_0_conv1"
TEXT = "lora_te_text_model_encoder_layers_3_mlp_fc1"


def merged(tmp_path, paths, name="out", **settings):
    return merge_loras(MergeSettings.make(files=tuple(map(str, paths)), save_to=str(tmp_path / f"{name}.safetensors"), device="cpu",
                                          **settings))


def said(path):
    with safe_open(path, "pt") as file:
        return file.metadata()


def off(made, wanted):
    return float((made.flatten() - wanted.flatten()).norm() / wanted.norm())


def pair(tmp_path, kind="linear", other="linear", **shape):
    """Two files of two layers, ranks 4 and 3, and the updates of both."""
    names, updates, paths = (FEED, TEXT), [], []
    for number, (kind_of_file, rank) in enumerate(((kind, 4), (other, 3))):
        found = {name: layer(kind_of_file, seed=10 * number + place, rank=rank, **shape) for place, name in enumerate(names)}
        updates.append({name: update for name, (_, update) in found.items()})
        paths.append(write(tmp_path / f"{'ab'[number]}.safetensors", {name: roles for name, (roles, _) in found.items()},
                           {"ss_output_name": "ab"[number], "ss_resolution": "512", "modelspec.trigger_phrase": f"mika{number}"}))
    return paths, updates


@pytest.mark.parametrize("kind", MERGED)
def test_the_sum_is_exact_for_every_kind_with_its_own_rank_and_alpha(tmp_path, kind):
    other = "linear" if kind in ("linear", "loha", "lokr", "lokr factors", "conv1") else kind
    if kind == "conv1":
        other = "conv1"
    paths, updates = pair(tmp_path, kind, other)
    report = merged(tmp_path, paths, weights=(0.7, -1.3))
    state = load_file(tmp_path / "out.safetensors")
    for name in (FEED, TEXT):
        assert off(update_of(state, name), 0.7 * updates[0][name] - 1.3 * updates[1][name]) < 1e-6
    assert report.error == 0 and report.rounding < 1e-6 and not any("mid" in name or "hada" in name or "lokr" in name for name in state)


def test_merge_then_subtract_gives_the_first_back(tmp_path):
    paths, updates = pair(tmp_path)
    merged(tmp_path, paths)
    merged(tmp_path, [tmp_path / "out.safetensors", paths[1]], "back", weights=(1, -1), new_rank=4)
    state = load_file(tmp_path / "back.safetensors")
    for name in (FEED, TEXT):
        assert state[f"{name}.lora_down.weight"].shape[0] == 4 and off(update_of(state, name), updates[0][name]) < 1e-6


@pytest.mark.parametrize("rank", [1, 5])
def test_a_lower_rank_is_the_best_of_the_sum_and_its_error_is_told(tmp_path, rank):
    paths, updates = pair(tmp_path, "conv", "tucker")
    report = merged(tmp_path, paths, new_rank=rank)
    state = load_file(tmp_path / "out.safetensors")
    for plan in report.layers:
        best, error = best_of_rank(updates[0][plan.name] + updates[1][plan.name], rank)
        assert off(update_of(state, plan.name), best) < 1e-5 and plan.error == pytest.approx(error, rel=1e-4)
    assert "is lost by the rank" in report.sentence() and f"rank {rank}, " in report.sentence()


def test_ranks_by_a_rule_are_those_of_the_sum(tmp_path):
    paths, updates = pair(tmp_path)
    report = merged(tmp_path, paths, dynamic_method="sv_fro", dynamic_param=0.8)
    for plan in report.layers:
        values = torch.linalg.svdvals(updates[0][plan.name] + updates[1][plan.name])
        kept = next(count for count in range(1, 8) if values[:count].norm() >= 0.8 * values.norm())
        assert plan.new_rank == kept + 1
    with pytest.raises(ConfigError, match="TIES needs a fixed rank"):
        merged(tmp_path, paths, "x", merge_method="ties", dynamic_method="sv_fro", dynamic_param=0.8)


def test_a_rank_above_the_sources_is_not_filled_with_nothing(tmp_path):
    paths, _ = pair(tmp_path)
    report = merged(tmp_path, paths, new_rank=64)
    assert {plan.new_rank for plan in report.layers} == {7} and "2 layers cannot have rank 64" in report.sentence()
    small, _ = pair(tmp_path, out=5, wide=6)
    assert {plan.new_rank for plan in merged(tmp_path, small, "small").layers} == {5}


def test_blocks_have_weights_of_their_own(tmp_path):
    paths, updates = pair(tmp_path)
    merged(tmp_path, paths, weights=(1, 2), blocks=("2: up=0.5", "up 1=3", "text=0"))
    state = load_file(tmp_path / "out.safetensors")
    assert off(update_of(state, FEED), 3 * updates[0][FEED] + 6 * updates[1][FEED]) < 1e-6  # the longer name counts
    assert not update_of(state, TEXT).any()
    for rule, why in (("9: up=1", "means file 9, but there are 2"), ("up", "is no weight of a block"), ("middle=1", "No layer stands in")):
        with pytest.raises(ConfigError, match=why):
            merged(tmp_path, paths, "x", blocks=(rule,))
    with pytest.raises(ConfigError, match="2 files, but 3 weights"):
        merged(tmp_path, paths, "x", weights=(1, 2, 3))


def test_layers_of_one_file_alone_unknown_tensors_and_plain_differences_come_along(tmp_path):
    one = write(tmp_path / "a.safetensors", {FEED: layer("linear")[0], TEXT: layer("linear", 1)[0], "emb.x": {"": low_rank(2, 3)},
                                             "lora_unet_n": {".w_norm": torch.ones(4)}})
    two = write(tmp_path / "b.safetensors", {FEED: layer("linear", 2)[0], "emb.x": {"": low_rank(2, 3)},
                                             "lora_unet_n": {".w_norm": torch.full((4,), 2.0)}})
    report = merged(tmp_path, [one, two], weights=(1, 0.25))
    state = load_file(tmp_path / "out.safetensors")
    assert off(update_of(state, TEXT), layer("linear", 1)[1]) < 1e-6
    assert torch.equal(state["emb.x"], load_file(one)["emb.x"]) and report.kept == ("emb.x",)
    assert torch.equal(state["lora_unet_n.w_norm"], torch.full((4,), 1.5))
    assert "1 of 3 layers are in one file alone" in report.sentence() and "Several files have emb.x" in report.sentence()


def test_the_file_says_of_what_it_was_made(tmp_path):
    paths, _ = pair(tmp_path)
    merged(tmp_path, paths, weights=(1, 0.5), blocks=("up=0.5",))
    found = said(tmp_path / "out.safetensors")
    told = json.loads(found["lorabook.sources"])
    assert [(one["name"], one["weight"]) for one in told["files"]] == [("a.safetensors", 1), ("b.safetensors", 0.5)]
    assert [one["sshs_model_hash"] for one in told["files"]] == [hashes_of(path).tensors for path in paths]
    assert (found["modelspec.merged_from"], found["ss_training_comment"]) == ("a, b", "merged (sum): 1 x a + 0.5 x b")
    assert found["modelspec.trigger_phrase"] == "mika0, mika1" and found["ss_resolution"] == "512" and "ss_output_name" not in found
    assert found["sshs_model_hash"] == hashes_of(tmp_path / "out.safetensors").tensors and found["ss_network_dim"] == "7"


def test_pefts_names_stay_pefts_and_mixed_types_give_the_widest(tmp_path):
    paths, updates = [], []
    for number, dtype in enumerate((torch.float16, torch.float32)):
        roles, _ = layer("linear", number)
        values = {".lora_B.weight": roles[".lora_up.weight"], ".lora_A.weight": roles[".lora_down.weight"]}
        paths.append(write(tmp_path / f"{number}.safetensors", {"transformer.a.to_q": values}, dtype=dtype))
        updates.append(update_of(load_file(paths[-1]), "transformer.a.to_q"))
    report = merged(tmp_path, paths)
    state = load_file(tmp_path / "out.safetensors")
    assert sorted(state) == ["transformer.a.to_q.lora_A.weight", "transformer.a.to_q.lora_B.weight"]
    assert off(update_of(state, "transformer.a.to_q"), sum(updates)) < 1e-6
    assert {value.dtype for value in state.values()} == {torch.float32} and "F16 and F32; F32 was written" in report.sentence()


def test_ties_is_what_its_paper_says(tmp_path):
    paths, updates = pair(tmp_path)
    report = merged(tmp_path, paths, merge_method="ties", density=0.3, ties_scale=1.5, new_rank=24)
    state = load_file(tmp_path / "out.safetensors")
    for plan in report.layers:
        flat = []
        for update in (updates[0][plan.name].flatten(), updates[1][plan.name].flatten()):
            kept = update.abs().argsort(descending=True)[:-(-3 * update.numel() // 10)]
            flat.append(torch.zeros_like(update).index_copy(0, kept, update[kept]))
        wanted = torch.zeros_like(flat[0])
        for place in range(len(wanted)):
            values = [float(one[place]) for one in flat]
            agreeing = [value for value in values if value * sum(values) > 0]
            wanted[place] = 1.5 * sum(agreeing) / max(1, len(agreeing))
        assert off(update_of(state, plan.name), wanted) < 1e-5 and plan.norm == pytest.approx(float(wanted.norm()), rel=1e-5)
        best = best_of_rank(wanted.reshape(24, 36), 5)[1]
        cut = next(one for one in merged(tmp_path, paths, f"cut-{plan.name}", merge_method="ties", density=0.3, ties_scale=1.5,
                                         new_rank=5).layers if one.name == plan.name)
        assert best <= cut.error * (1 + 1e-6) < best * 1.01
    assert "TIES of" in report.sentence()


def test_a_weight_below_zero_turns_a_file_round_in_ties_and_weights_are_relative():
    one, two = torch.tensor([1.0, -2.0, 3.0, 0.0]), torch.tensor([2.0, 1.0, -1.0, 4.0])
    assert torch.allclose(agreed([one, two], [1, 1]), torch.tensor([1.5, -2, 3, 4]))
    assert torch.allclose(agreed([one * 0.5, two * 0.5], [0.5, 0.5]), torch.tensor([1.5, -2, 3, 4]))
    assert torch.allclose(agreed([one, -two], [1, 1]), torch.tensor([-2, -1.5, 2, -4]))


def test_dare_keeps_the_mean_and_is_the_same_at_every_run(tmp_path):
    update = torch.ones(400, 400)
    thin = dropped(update.clone(), 0.25, torch.Generator().manual_seed(1))
    assert set(thin.unique().tolist()) == {0.0, 4.0} and float(thin.mean()) == pytest.approx(1, abs=0.02)
    paths, _ = pair(tmp_path)
    for name, seed in (("x", 1), ("y", 1), ("z", 2)):
        merged(tmp_path, paths, name, merge_method="dare", new_rank=24, seed=seed)
    x, y, z = (update_of(load_file(tmp_path / f"{name}.safetensors"), FEED) for name in "xyz")
    assert torch.equal(x, y) and not torch.allclose(x, z)
    merged(tmp_path, paths, "all", merge_method="dare", density=1, new_rank=24)
    merged(tmp_path, paths, "sum")
    assert off(*(update_of(load_file(tmp_path / f"{name}.safetensors"), FEED) for name in ("all", "sum"))) < 1e-5


def test_the_two_files_values_are_dropped_independently(tmp_path):
    roles, update = layer("linear", 3)
    paths = [write(tmp_path / f"{name}.safetensors", {FEED: roles}) for name in "ab"]
    merged(tmp_path, paths, merge_method="dare", new_rank=24)
    times = update_of(load_file(tmp_path / "out.safetensors"), FEED) / update
    assert {round(float(value)) for value in times.flatten()} == {0, 2, 4}


def test_trimming_keeps_the_largest():
    kept = trimmed(torch.tensor([[3.0, -5.0, 1.0], [0.5, 4.0, -2.0]]), 0.5)
    assert torch.equal(kept, torch.tensor([[3.0, -5.0, 0], [0, 4.0, 0]]))


def test_different_bases_ways_of_naming_and_shapes_are_refused(tmp_path):
    attention = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k"
    xl = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k"
    paths = [write(tmp_path / f"{name}.safetensors", {module: layer("linear", wide=wide)[0]})
             for name, module, wide in (("sd", attention, 768), ("xl", xl, 2048), ("peft", "unet.x.attn2.to_q", 36))]
    with pytest.raises(ModelError, match="sd.safetensors was made for Stable Diffusion 1.x, xl.safetensors for Stable Diffusion XL"):
        merged(tmp_path, paths[:2])
    with pytest.raises(ModelError, match="has names of kohya, peft.safetensors of diffusers"):
        merged(tmp_path, [paths[0], paths[2]])
    other = write(tmp_path / "c.safetensors", {attention: layer("linear", wide=768, out=25)[0]})
    with pytest.raises(ModelError, match=r"has the shape \[24, 768\] in sd.safetensors, but \[25, 768\]"):
        merged(tmp_path, [paths[0], other])


@pytest.mark.parametrize("roles, said", [
    (layer("dora")[0], "is DoRA: the lengths"), ({".oft_blocks": torch.ones(2, 3, 3)}, "is OFT: it multiplies"),
    ({".lora_down.weight": torch.ones(2, 4)}, "is incomplete"), ({".diff": torch.ones(24, 36)}, "but full difference in b"),
    ({".set_weight": torch.ones(24, 36)}, "is full difference: it multiplies or replaces")])
def test_what_cannot_be_added_is_refused_by_name(tmp_path, roles, said):
    one = write(tmp_path / "a.safetensors", {FEED: layer("linear")[0]})
    with pytest.raises(ModelError, match=f"{FEED} (in b.safetensors )?is .*{said.removeprefix('is ')}"):
        merged(tmp_path, [one, write(tmp_path / "b.safetensors", {FEED: roles})])
    assert not (tmp_path / "out.safetensors").exists()


@pytest.mark.parametrize("method", ["sum", "ties"])
def test_nan_is_refused_a_cancel_and_a_full_disk_leave_nothing_and_nothing_is_written_over(tmp_path, method, monkeypatch):
    paths, _ = pair(tmp_path)
    roles = layer("linear")[0]
    roles[".lora_up.weight"][0, 0] = float("nan")
    broken = write(tmp_path / "n.safetensors", {FEED: roles})
    with pytest.raises(ModelError, match=r"conv1.lora_up.weight in n.safetensors holds 1 of 96 values that are NaN"):
        merged(tmp_path, [paths[0], broken], merge_method=method)

    class Stops(Progress):
        def report_step(self, item):
            if self.done == 2:
                self.cancel()

    settings = MergeSettings.make(files=tuple(map(str, paths)), merge_method=method)
    with pytest.raises(Cancelled):
        merge_loras(settings, Stops())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.safetensors", "b.safetensors", "n.safetensors"]
    assert merge_loras(settings).file.endswith("a-merged.safetensors")
    with pytest.raises(ConfigError, match="is there already"):
        merge_loras(settings)


def test_values_that_do_not_fit_into_fp16_are_said(tmp_path):
    roles, _ = layer("linear")
    path = write(tmp_path / "a.safetensors", {FEED: {**roles, ".lora_up.weight": roles[".lora_up.weight"] * 1e9}})
    with pytest.raises(ModelError, match="does not fit into F16"):
        merged(tmp_path, [path, path], save_precision="fp16")


def test_a_missing_alpha_counts_as_the_rank_and_is_said(tmp_path):
    roles, update = layer("linear")
    paths = [write(tmp_path / "a.safetensors", {FEED: {end: value for end, value in roles.items() if end != ".alpha"}}),
             write(tmp_path / "b.safetensors", {FEED: roles})]
    report = merged(tmp_path, paths)
    assert off(update_of(load_file(tmp_path / "out.safetensors"), FEED), 3 * update) < 1e-6  # alpha 2 of rank 4: half
    assert "1 layer of a.safetensors without an alpha" in report.sentence()


def test_a_merged_file_can_be_opened_and_inspected_as_any_other(tmp_path):
    paths, _ = pair(tmp_path, "loha", "lokr")
    merged(tmp_path, paths)
    with open_lora(tmp_path / "out.safetensors") as file:
        assert {module.words for module in file.modules} <= {"LoRA", "LoCon"} and not file.unknown and not file.missing_alpha()
