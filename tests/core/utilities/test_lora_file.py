"""LoRA files opened: what is in them under anybody's names, nothing loaded before it is asked for, and what is no such file."""

import json
import pickle
import zipfile

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.base.errors import ModelError
from core.base.tensor_headers import CONVERT
from core.stages import stage_named
from core.utilities.files.lora_file import open_lora
from core.utilities.files.modules import split_name
from tests.core.utilities.layers import KINDS, layer, write

NAMES = {
    "kohya": ("lora_unet_down_blocks_0_attentions_0_proj_in", ".lora_up.weight", ".lora_down.weight"),
    "peft": ("transformer.transformer_blocks.0.attn.to_q", ".lora_B.weight", ".lora_A.weight"),
    "peft adapter": ("base_model.model.transformer_blocks.0.attn.to_q", ".lora_B.default.weight", ".lora_A.default.weight"),
    "diffusers": ("unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.processor.to_q", "_lora.up.weight", "_lora.down.weight"),
    "diffusers 2": ("unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q", ".lora.up.weight", ".lora.down.weight"),
    "text": ("text_encoder.text_model.encoder.layers.0.self_attn.q_proj", ".lora_linear_layer.up.weight", ".lora_linear_layer.down.weight"),
    "comfy": ("diffusion_model.double_blocks.0.img_attn.qkv", ".lora_B.weight", ".lora_A.weight")}


@pytest.mark.parametrize("case", NAMES)
def test_a_layer_is_found_under_every_programs_names(tmp_path, case):
    name, up, down = NAMES[case]
    path = write(tmp_path / "a.safetensors", {name: {up: torch.ones(6, 2), down: torch.ones(2, 5)}})
    with open_lora(path) as file:
        module, = file.modules
        assert (module.name, module.words, module.rank, module.shape) == (name, "LoRA", 2, (6, 5)) and file.unknown == []
        assert module.scheme == ("comfy" if case == "comfy" else "kohya" if case == "kohya" else "diffusers")
        assert file.alpha(module) == 2 and file.scale(module) == 1 and file.missing_alpha() == [name]
        assert module.is_text == (case == "text")


WORDS = {"linear": "LoRA", "dora": "DoRA", "conv": "LoCon", "conv1": "LoRA", "tucker": "LoCon", "loha": "LoHa", "loha tucker": "LoHa",
         "lokr": "LoKr", "lokr factors": "LoKr", "lokr conv": "LoKr", "lokr tucker": "LoKr"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_layers_kind_shape_and_scale_are_told(tmp_path, kind):
    roles, update = layer(kind)
    with open_lora(write(tmp_path / "a.safetensors", {"lora_unet_x": roles})) as file:
        module, = file.modules
        assert module.words == WORDS[kind] and module.shape == tuple(update.shape) and file.unknown == []
        assert module.is_tucker == ("tucker" in kind) and module.is_dora == (kind == "dora")
        assert module.is_large_kernel == (kind in ("conv", "tucker", "loha tucker", "lokr conv", "lokr tucker"))
        assert file.scale(module) == (1 if kind in ("lokr", "lokr conv", "lokr factors", "lokr tucker") else 0.5)


def test_an_empty_tensor_may_stand_anywhere_in_the_header(tmp_path):
    """The order of the entries tells nothing; safetensors' own reader takes them in any."""
    header = {"lora_unet_a.lora_up.weight": {"dtype": "F32", "shape": [1, 1], "data_offsets": [0, 4]},
              "nothing": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]},
              "lora_unet_a.lora_down.weight": {"dtype": "F32", "shape": [1, 1], "data_offsets": [4, 8]},
              "none": {"dtype": "F32", "shape": [0], "data_offsets": [4, 4]}}
    text = json.dumps(header).encode()
    path = tmp_path / "a.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(8))
    assert set(load_file(path)) == set(header)
    stage = stage_named("inspect-lora")
    report = stage.run(tmp_path / "jobs", stage.settings_class().make(file=str(path)))
    assert report.as_dict()["unknown"] and open_lora(path).modules[0].rank == 1


def test_other_kinds_are_told_and_what_nobody_knows_is_listed(tmp_path):
    layers = {"lora_unet_a": {".oft_blocks": torch.ones(4, 3, 3)}, "lora_unet_b": {".oft_blocks": torch.ones(2, 4, 3, 3)},
              "lora_unet_c": {".weight": torch.ones(4), ".on_input": torch.ones(())}, "lora_unet_d": {".diff": torch.ones(4, 4)},
              "lora_unet_e": {".w_norm": torch.ones(4), ".b_norm": torch.ones(4)},
              "lora_unet_f": {f".{name}.weight": torch.ones(4, 4) for name in ("a1", "a2", "b1", "b2")},
              "lora_unet_g": {".lora_down.weight": torch.ones(2, 4)},
              "lora_unet_h": {".lora_up.weight": torch.ones(4, 3), ".lora_down.weight": torch.ones(2, 4)},
              "bundle_emb.mika.string_to_param.*": {"": torch.ones(2, 8)}, "first.layer": {".weight": torch.ones(2)}}
    with open_lora(write(tmp_path / "a.safetensors", layers)) as file:
        assert {module.name[-1]: module.words for module in file.modules} == {
            "a": "OFT", "b": "BOFT", "c": "(IA)³", "d": "full difference", "e": "norm layer", "f": "GLoRA", "g": "incomplete",
            "h": "incomplete"}
        assert sorted(place.name for place in file.unknown) == ["bundle_emb.mika.string_to_param.*", "first.layer.weight"]


def test_only_the_longest_ending_is_taken_off():
    assert split_name("a.lora_A.default.weight") == ("a", "down") and split_name("a.b_lora.up.weight") == ("a.b", "up")
    assert split_name("down.lora_up.weight") == ("down", "up") and split_name("nothing") is None


def test_alpha_is_read_from_pefts_settings_where_diffusers_wrote_them(tmp_path):
    settings = {"transformer.lora_alpha": 8, "transformer.r": 2, "transformer.alpha_pattern": {"b.to_q": 16},
                "transformer.use_rslora": False}
    layers = {f"transformer.{name}.to_q": {".lora_B.weight": torch.ones(6, 2), ".lora_A.weight": torch.ones(2, 5)} for name in "ab"}
    path = write(tmp_path / "a.safetensors", layers, {"lora_adapter_metadata": json.dumps(settings)})
    with open_lora(path) as file:
        assert [file.scale(module) for module in file.modules] == [4, 8] and file.missing_alpha() == []


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.float8_e4m3fn])
def test_tensors_are_what_was_saved_whatever_their_type_and_place(tmp_path, dtype):
    given = {"lora_unet_a.lora_up.weight": torch.randn(3, 1).to(dtype), "lora_unet_a.lora_down.weight": torch.randn(1, 5).to(dtype),
             "lora_unet_a.alpha": torch.tensor(0.5, dtype=torch.bfloat16)}
    save_file(given, tmp_path / "a.safetensors")
    with open_lora(tmp_path / "a.safetensors") as file:
        found = {place.name: file.tensor(place.name) for place in file.header.tensors}
        assert file.alpha(file.modules[0]) == 0.5
    assert all(torch.equal(found[name].view(torch.uint8), value.view(torch.uint8)) for name, value in given.items() if value.ndim)


def test_tensors_outlive_the_file_and_a_file_whose_tensors_lie_askew_is_read(tmp_path):
    header = {"lora_unet_a.alpha": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]},
              "lora_unet_a.lora_up.weight": {"dtype": "F32", "shape": [1, 1], "data_offsets": [1, 5]},
              "lora_unet_a.lora_down.weight": {"dtype": "F32", "shape": [1, 1], "data_offsets": [5, 9]}}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    data = b"\x03" + torch.tensor([1.5, 2.5]).numpy().tobytes()
    (tmp_path / "a.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + data)
    with open_lora(tmp_path / "a.safetensors") as file:
        up, alpha = file.tensor("lora_unet_a.lora_up.weight"), file.alpha(file.modules[0])
    assert up.item() == 1.5 and alpha == 3


def broken(tmp_path, case):
    pair = {".lora_up.weight": torch.ones(6, 2), ".lora_down.weight": torch.ones(2, 5)}
    whole = write(tmp_path / "whole.safetensors", {"lora_unet_a": pair})
    data = whole.read_bytes()
    length = int.from_bytes(data[:8], "little")
    path = tmp_path / "a.safetensors"
    made = {"empty": b"", "short": b"12345", "page": b"<!DOCTYPE html><html>" + b" " * 99, "cut": data[:-7], "cut in header": data[:60],
            "too long": (10**15).to_bytes(8, "little") + b"{" + data, "more": data + b"xy",
            "json": data[:8] + b"{" + b"x" * (length - 1) + data[8 + length:],
            "pickle": pickle.dumps({"a": 1}, protocol=2), "no lora": b""}
    path.write_bytes(made.get(case, b""))
    if case == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", b"x" * 100)
    if case == "no lora":
        save_file({"model.weight": torch.ones(2, 2)}, path)
    if case == "shape":
        path.write_bytes(data.replace(b'"shape":[6,2]', b'"shape":[6,3]'))
    if case == "missing":
        path.unlink()
    return path


@pytest.mark.parametrize("case, said", [
    ("missing", "does not exist"), ("empty", "has only 0 bytes"), ("short", "has only 5 bytes"), ("page", "begins as a web page does"),
    ("cut", "is cut off: "), ("cut in header", "cut off within its header"), ("too long", "header .* would be 1,000,000"),
    ("more", "2 bytes behind its last tensor"), ("json", "header .* cannot be read"), ("pickle", "pickled checkpoint"),
    ("zip", "pickled checkpoint"), ("no lora", "holds no layers of a LoRA"), ("shape", "bytes, which its shape")])
def test_what_is_no_lora_file_is_refused_with_the_reason_and_what_to_do(tmp_path, case, said):
    with pytest.raises(ModelError, match=said) as error:
        open_lora(broken(tmp_path, case))
    assert error.value.hint and (case not in ("pickle", "zip") or error.value.hint == CONVERT)


@pytest.mark.parametrize("length", [0x280, 0x380, 0x480, 0x580])
def test_a_header_whose_length_begins_as_a_pickle_does_is_none(tmp_path, length):
    """1,152 bytes are written 80 04, as protocol 4 of pickle is."""
    pair = {".lora_up.weight": torch.ones(6, 2), ".lora_down.weight": torch.ones(2, 5)}
    whole = write(tmp_path / "whole.safetensors", {"lora_unet_a": pair})
    data = whole.read_bytes()
    old = int.from_bytes(data[:8], "little")
    (tmp_path / "a.safetensors").write_bytes(length.to_bytes(8, "little") + data[8:8 + old].ljust(length) + data[8 + old:])
    with open_lora(tmp_path / "a.safetensors") as file:
        assert file.header.length == length and len(file.modules) == 1
