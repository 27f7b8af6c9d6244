"""Opening base models of both layouts, and refusing what is none."""

import json
import logging
import shutil
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file

from core.base.errors import ConfigError, ModelError
from core.base.paths import ROOT
from core.diffusion import FAMILIES, load_model
from core.diffusion.checkpoints import _load_part
from core.diffusion.conversion import unet_config
from tests.tiny_models import make_model_folder, make_single_file


@pytest.mark.slow
@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_a_single_file_computes_the_same_as_the_folder_that_it_was_made_from(family, sd_folder, sdxl_folder, tmp_path):
    folder = sd_folder if family == "sd15" else sdxl_folder
    file = make_single_file(folder, tmp_path / "model.safetensors", family)
    one, other = load_model(folder, device="cpu"), load_model(file, device="cpu")
    assert one.family == other.family == family
    prompts = ["red hair, cat", ""]
    first, second = one.encode_prompts(prompts, 2, 150), other.encode_prompts(prompts, 2, 150)
    assert torch.equal(first.hidden, second.hidden)
    assert (first.pooled is None and second.pooled is None) or torch.equal(first.pooled, second.pooled)
    images = torch.rand(1, 3, 32, 64) * 2 - 1
    latents = one.encode_images(images)
    assert torch.equal(latents, other.encode_images(images))
    assert torch.equal(one.decode(latents), other.decode(latents))
    noisy, timesteps = torch.randn(2, 4, 8, 8), torch.tensor([3, 700])
    with torch.no_grad():
        assert torch.equal(one.predict(noisy, timesteps, first), other.predict(noisy, timesteps, second))


def test_a_full_size_checkpoint_header_gives_the_published_sdxl_config():
    """Shapes as in sd_xl_base_1.0.safetensors; only names and shapes matter, so the tensors are meta ones."""
    shape = {"input_blocks.0.0.weight": (320, 4, 3, 3), "out.2.weight": (4, 320, 3, 3), "label_emb.0.0.weight": (1280, 2816)}
    for number in range(9):
        width = (320, 640, 1280)[number // 3]
        if number in (3, 6):
            shape[f"input_blocks.{number}.0.op.weight"] = (width // 2, width // 2, 3, 3)
        elif number:
            shape[f"input_blocks.{number}.0.in_layers.2.weight"] = (width, width, 3, 3)
    for number, depth, width in ((4, 2, 640), (5, 2, 640), (7, 10, 1280), (8, 10, 1280)):
        shape[f"input_blocks.{number}.1.proj_in.weight"] = (width, width)
        for layer in range(depth):
            shape[f"input_blocks.{number}.1.transformer_blocks.{layer}.attn2.to_k.weight"] = (width, 2048)
    shape["middle_block.1.transformer_blocks.9.attn2.to_k.weight"] = (1280, 2048)
    state = {f"model.diffusion_model.{name}": torch.empty(size, device="meta") for name, size in shape.items()}
    config = unet_config(state, 1280)
    assert config["block_out_channels"] == (320, 640, 1280) and config["layers_per_block"] == 2
    assert config["down_block_types"] == ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D")
    assert config["transformer_layers_per_block"] == (1, 2, 10) and config["attention_head_dim"] == (5, 10, 20)
    assert config["addition_time_embed_dim"] == 256 and config["use_linear_projection"] and config["cross_attention_dim"] == 2048


def test_a_tiny_autoencoder_serves_as_vae(tmp_path):
    model = load_model(make_model_folder(tmp_path / "m", tiny_vae=True, prediction_type="v_prediction"), device="cpu")
    assert model.vae_factor == 4 and model.prediction_type == "v_prediction"
    latents = model.encode_images(torch.zeros(1, 3, 64, 64))
    assert latents.shape == (1, 4, 16, 16) and model.decode(latents).shape == (1, 3, 64, 64)


def test_the_weights_are_frozen_and_in_eval_mode(sd):
    assert not any(parameter.requires_grad for module in sd.modules() for parameter in module.parameters())
    assert not any(module.training for module in sd.modules())


def test_another_family_than_said_is_refused(sd_folder):
    with pytest.raises(ModelError, match="Stable Diffusion 1.x model, but the settings say Stable Diffusion XL"):
        load_model(sd_folder, family="sdxl")


def test_files_that_are_no_base_model_are_named_for_what_they_are(tmp_path):
    with pytest.raises(ModelError, match="does not exist"):
        load_model(tmp_path / "nothing.safetensors")
    (tmp_path / "page.safetensors").write_text("<html>404</html>" * 10)
    with pytest.raises(ModelError, match="not a safetensors file"):
        load_model(tmp_path / "page.safetensors")
    save_file({"lora_unet_x.lora_down.weight": torch.zeros(2, 2)}, tmp_path / "lora.safetensors")
    with pytest.raises(ModelError, match="is a LoRA, not a base model"):
        load_model(tmp_path / "lora.safetensors")
    save_file({"double_blocks.0.x": torch.zeros(2)}, tmp_path / "flux.safetensors")
    with pytest.raises(ModelError, match="FLUX"):
        load_model(tmp_path / "flux.safetensors")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ModelError, match=r"without model_index\.json"):
        load_model(tmp_path / "folder")


def test_a_cut_off_file_is_noticed_before_it_is_loaded(sd_folder, tmp_path):
    file = make_single_file(sd_folder, tmp_path / "model.safetensors")
    file.write_bytes(file.read_bytes()[:-1000])
    with pytest.raises(ModelError, match="cut off"):
        load_model(file)


def test_a_file_without_its_tokenizer_says_where_one_is_looked_for(sd_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    file = make_single_file(sd_folder, tmp_path / "a/model.safetensors")
    file = file.rename(tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match="tokenizer_cache_dir"):
        load_model(file)
    (tmp_path / "cache").mkdir()
    (tmp_path / "a/tokenizer").rename(tmp_path / "cache/openai_clip-vit-large-patch14")
    assert load_model(file, tokenizer_dir=tmp_path / "cache", device="cpu").family == "sd15"


def test_the_same_seed_draws_the_same_picture_and_another_draws_another(sd):
    settings = {"width": 32, "height": 64, "steps": 3, "sampler": "euler_a"}
    first, second = sd.sample(["cat"] * 2, seeds=[5, 6], **settings)
    again = sd.sample(["cat"], seeds=5, **settings)[0]
    assert first.size == (32, 64)
    difference = max(abs(a - b) for a, b in zip(first.tobytes(), again.tobytes(), strict=True))
    assert difference <= 1  # batches of other sizes round differently
    assert first.tobytes() != second.tobytes()


@pytest.mark.parametrize("sampler", ["", "ddim", "euler", "dpmsolver++", "dpm_2_a", "pndm", "heun", "k_euler"])
def test_every_sampler_draws_with_both_prediction_types(sd, sampler):
    sd.scheduler_config["prediction_type"] = "v_prediction" if sampler in ("euler", "ddim") else "epsilon"
    assert sd.sample(["cat"], width=32, height=32, steps=3, sampler=sampler, guidance=1.0)[0].size == (32, 32)


def test_impossible_sizes_and_samplers_are_refused_with_a_remedy(sd):
    with pytest.raises(ConfigError, match="multiples of 8, but the size is 30 x 32"):
        sd.sample(["cat"], width=30, height=32)
    with pytest.raises(ConfigError, match="No sampler is called 'best'"):
        sd.sample(["cat"], width=32, height=32, sampler="best")


def test_every_family_entry_can_be_loaded():
    assert FAMILIES.names() == ("sd15", "sdxl")
    for entry in FAMILIES:
        assert FAMILIES.load(entry.name).family == entry.name
        json.dumps(entry.options)


def changed_copy(folder, to, part, **values):
    """A model folder with some values of a part's config replaced."""
    shutil.copytree(folder, to)
    config = json.loads((to / part).read_text())
    (to / part).write_text(json.dumps({**config, **values}))
    return to


def test_folders_of_other_kinds_are_named_for_what_they_are(sd_folder, tmp_path):
    with pytest.raises(ModelError, match="Stable Diffusion 2 model.*sd-scripts backend"):
        load_model(changed_copy(sd_folder, tmp_path / "two", "unet/config.json", cross_attention_dim=1024))
    with pytest.raises(ModelError, match="inpainting or editing model: its UNet takes 9 channels and gives 4"):
        load_model(changed_copy(sd_folder, tmp_path / "fill", "unet/config.json", in_channels=9))
    with pytest.raises(ModelError, match="is a Stable Diffusion 3 model"):
        load_model(changed_copy(sd_folder, tmp_path / "three", "model_index.json", _class_name="StableDiffusion3Pipeline"))


def test_single_files_of_other_kinds_are_named_for_what_they_are(tmp_path):
    unet = {"model.diffusion_model.input_blocks.0.0.weight": torch.zeros(8, 9, 3, 3),
            "model.diffusion_model.out.2.weight": torch.zeros(4, 8, 3, 3)}
    save_file({**unet, "cond_stage_model.transformer.x": torch.zeros(1)}, tmp_path / "fill.safetensors")
    with pytest.raises(ModelError, match="takes 9 channels and gives 4"):
        load_model(tmp_path / "fill.safetensors")
    unet["model.diffusion_model.input_blocks.0.0.weight"] = torch.zeros(8, 4, 3, 3)
    save_file({**unet, "cond_stage_model.model.x": torch.zeros(1)}, tmp_path / "two.safetensors")
    with pytest.raises(ModelError, match="Stable Diffusion 2 model"):
        load_model(tmp_path / "two.safetensors")


@pytest.mark.parametrize("part", ["model_index.json", "unet/config.json", "scheduler/scheduler_config.json", "vae/config.json",
                                  "text_encoder/config.json"])
@pytest.mark.parametrize("text", ['{"broken": ', "[1]", "\xff"])
def test_a_broken_config_is_named(sd_folder, tmp_path, part, text):
    folder = tmp_path / "model"
    shutil.copytree(sd_folder, folder)
    (folder / part).write_bytes(text.encode("latin-1"))
    with pytest.raises(ModelError, match=part.split("/")[0]):
        load_model(folder, device="cpu")


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_broken_weights_and_missing_parts_are_named(sd_folder, tmp_path, part):
    folder = tmp_path / "model"
    shutil.copytree(sd_folder, folder)
    weights = next((folder / part).glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:500])
    with pytest.raises(ModelError, match=f"'{part}'"):
        load_model(folder, device="cpu")
    shutil.rmtree(folder / part)
    with pytest.raises(ModelError, match=part):
        load_model(folder, device="cpu")


def test_a_folder_with_half_precision_files_only_is_opened(sdxl, sdxl_folder, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(sdxl_folder, folder)
    for file in folder.glob("*/*.safetensors"):
        file.rename(file.with_name(f"{file.stem}.fp16.safetensors"))
    loaded = load_model(folder, device="cpu")
    for one, other in zip(sdxl.modules(), loaded.modules(), strict=True):
        assert all(torch.equal(value, other.state_dict()[name]) for name, value in one.state_dict().items())


def test_what_a_model_is_can_be_told_without_torch(sd_folder):
    code = (f"import sys; from pathlib import Path; from core.diffusion.checkpoints import family_of; "
            f"print(family_of(Path({str(sd_folder)!r})), sorted({{'torch', 'numpy', 'diffusers'}} & set(sys.modules)))")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["sd15", "[]"]


def test_one_known_line_of_noise_is_left_out_and_nothing_else(sd, caplog):
    logger = logging.getLogger("bitsandbytes.backends.cpu.ops")
    logger.warning("Failed to load CPU gemm_4bit_forward from kernels-community: %s. Please make sure", "No module named 'kernels'")
    logger.warning("Something that matters")
    assert [record.message for record in caplog.records] == ["Something that matters"]


@pytest.mark.parametrize(("words", "told"), [("", "OSError"), ("\n", "OSError"), ("no such weights\nat all", "no such weights")])
def test_a_part_that_cannot_be_loaded_is_told_even_without_words(tmp_path, words, told):
    class Part:
        @classmethod
        def from_pretrained(cls, folder, **_):
            raise OSError(words)

    (tmp_path / "vae").mkdir()
    with pytest.raises(ModelError, match=f"cannot be loaded: {told}"):
        _load_part(Part, tmp_path / "vae")
