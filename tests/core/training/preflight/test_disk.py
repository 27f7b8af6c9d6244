"""What a run writes, against real files and against what is free."""

import numpy as np
import pytest

from core.base.errors import ConfigError
from core.setup.hardware import GIB
from core.training.preflight.disk import (
    Need,
    cache_needs,
    check_disk,
    latents_bytes,
    lora_bytes,
    sample_bytes,
    state_bytes,
    text_bytes,
)
from core.training.preflight.facts import FAMILIES
from core.training.preflight.memory import MemoryPlan, adapter_numbers


@pytest.mark.parametrize(("family", "shape"), [("sdxl", (4, 128, 96)), ("flux1", (16, 128, 96)), ("hunyuan_image", (64, 32, 24))])
def test_latents_are_as_large_as_a_file_that_numpy_writes(tmp_path, family, shape):
    np.savez(tmp_path / "a.npz", latents=np.zeros(shape, np.float32), original_size=np.array([1, 2]), crop_ltrb=np.array([0, 0, 1, 2]))
    assert latents_bytes(family, (768, 1024)) == pytest.approx((tmp_path / "a.npz").stat().st_size, rel=0.02)
    assert latents_bytes(family, (768, 1024), flip_aug=True) > 1.9 * latents_bytes(family, (768, 1024))


def test_texts_are_as_large_as_a_file_that_numpy_writes(tmp_path):
    np.savez(tmp_path / "a.npz", hidden_state1=np.zeros((227, 768), np.float32), hidden_state2=np.zeros((227, 1280), np.float32),
             pool2=np.zeros(1280, np.float32))
    assert text_bytes("sdxl") == pytest.approx((tmp_path / "a.npz").stat().st_size, rel=0.01)
    assert text_bytes("sd15") == 0 and text_bytes("flux1", half=True) < text_bytes("flux1")


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_latents(family):
    assert latents_bytes(family, (1024, 1024)) > 60_000


def test_a_family_that_is_not_known_is_named():
    with pytest.raises(ConfigError, match="'sd9'"):
        latents_bytes("sd9", (512, 512))


@pytest.mark.slow
@pytest.mark.parametrize(("rank", "conv_dim"), [(1, 0), (4, 0), (16, 0), (8, 4)])
def test_a_lora_file_is_as_large_as_a_real_one(tmp_path, rank, conv_dim):
    """The real layers of SD 1.5, without their weights, and a real file of zeros."""
    import torch
    from diffusers import UNet2DConditionModel
    from safetensors.torch import save_file
    from transformers import CLIPTextConfig, CLIPTextModel

    from core.diffusion.lora import LoraLayer, find_targets

    class Model:
        with torch.device("meta"):
            unet = UNet2DConditionModel(cross_attention_dim=768, attention_head_dim=8)
            text_encoders = (CLIPTextModel(CLIPTextConfig(hidden_size=768, intermediate_size=3072, num_hidden_layers=12,
                                                          num_attention_heads=12)),)

    tensors, modules = {}, 0
    with torch.device("meta"):
        for target in find_targets(Model, bool(conv_dim)):
            modules += 1
            layer = LoraLayer(target.module, conv_dim if target.large_kernel else rank, 1.0)
            tensors |= {f"{target.name}.{name}": value for name, value in layer.state_dict().items()}
    path = tmp_path / "lora.safetensors"
    save_file({name: torch.zeros(value.shape, dtype=torch.float16) for name, value in tensors.items()}, path)
    plan = MemoryPlan("sd15", network_dim=rank, conv_dim=conv_dim, train_text_encoders=True)
    assert adapter_numbers(plan) == sum(value.numel() for value in tensors.values()) - modules  # alpha, one each, is no adapter number
    assert lora_bytes(adapter_numbers(plan), modules) == pytest.approx(path.stat().st_size, rel=0.02)


def test_states_hold_full_precision_and_the_optimizers_memory():
    assert state_bytes(1_000_000, 2) == 6_000_000 and lora_bytes(1_000_000, 0, "float") > 2 * lora_bytes(900_000, 0)


def test_caches_that_are_there_are_taken_off(tmp_path):
    sizes = [(1024, 1024)] * 10
    whole = cache_needs("sdxl", tmp_path, sizes, latents=True, texts=True)
    assert [need.what for need in whole] == ["cached pictures", "cached captions"]
    (tmp_path / "a_1024x1024_sdxl.npz").write_bytes(bytes(100_000))
    (tmp_path / "a_te_outputs.npz").write_bytes(bytes(50_000))
    less = cache_needs("sdxl", tmp_path, sizes, latents=True, texts=True)
    assert [before.size - after.size for before, after in zip(whole, less, strict=True)] == [100_000, 50_000]
    assert cache_needs("sdxl", tmp_path, sizes, latents=False, texts=False) == []


def test_folders_on_one_disk_are_counted_together(tmp_path):
    disk = tmp_path.stat().st_dev
    needs = [Need("LoRA files", tmp_path / "runs" / "new", 3 * GIB), Need("cached pictures", tmp_path, 2 * GIB)]
    (full,), (tight,), (roomy,) = (check_disk(needs, {disk: free * GIB}) for free in (4, 5.5, 20))
    assert (full.level, tight.level, roomy.level) == ("error", "warning", "info")
    assert "about 5.0 GiB" in full.what and "LoRA files 3.0 GiB, cached pictures 2.0 GiB" in full.what and "4.0 GiB are free" in full.what
    assert "about 0.5 GiB are left" in tight.what


def test_nothing_to_write_is_no_finding_and_samples_are_counted():
    assert check_disk([]) == [] and sample_bytes((1024, 1024), 10) == pytest.approx(16.8e6, rel=0.01)
