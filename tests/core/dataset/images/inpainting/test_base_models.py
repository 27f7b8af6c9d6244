"""Where the model that draws comes from."""

import json
import re

import pytest

from core.base.errors import ConfigError, ModelError
from core.base.progress import SILENT
from core.dataset.images.inpainting import PAINTERS
from core.dataset.images.inpainting.base_models import have_base_model, stamp_of, wanted_files
from core.models.image_catalog import IMAGE_CATALOG

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_a_file_or_folder_is_found_by_its_name_and_by_its_path(models, tmp_path):
    (models / "inpainters").mkdir(parents=True)
    for path in (models / "mine.safetensors", models / "inpainters/painter.safetensors", tmp_path / "far.safetensors"):
        path.write_bytes(b"x")
    (models / "folder").mkdir()
    assert have_base_model("mine.safetensors", SILENT) == models / "mine.safetensors"
    assert have_base_model("painter.safetensors", SILENT) == models / "inpainters/painter.safetensors"
    assert have_base_model("folder", SILENT) == models / "folder"
    assert have_base_model(str(tmp_path / "far.safetensors"), SILENT) == tmp_path / "far.safetensors"


def test_named_models_that_lie_here_are_not_fetched(models):
    (models / "inpainters").mkdir(parents=True)
    (models / "inpainters/sd_xl_base_1.0_inpainting_0.1.safetensors").write_bytes(b"x")
    (models / "v1-5-pruned-emaonly.safetensors").write_bytes(b"x")
    assert have_base_model("sdxl-inpainting-0.1", SILENT).name == "sd_xl_base_1.0_inpainting_0.1.safetensors"
    assert have_base_model("sd-1.5", SILENT) == models / "v1-5-pruned-emaonly.safetensors"


def test_what_a_method_takes_when_nothing_is_chosen_is_in_the_catalogue_or_one_commit_of_a_repository():
    names = [entry.options["model"] for entry in PAINTERS if "model" in entry.options] + ["big-lama", "anime-manga-big-lama"]
    assert all(IMAGE_CATALOG[name].kind == "inpainter" if name in IMAGE_CATALOG else re.fullmatch(r"[^@]+/[^@]+@[0-9a-f]{40}", name)
               for name in names)


def test_a_repository_is_taken_at_one_commit_only(models, monkeypatch):
    with pytest.raises(ConfigError, match="without the commit"):
        have_base_model("owner/name", SILENT)
    with pytest.raises(ModelError, match="No model 'nothing'"):
        have_base_model("nothing", SILENT)
    monkeypatch.delenv("HF_HOME", raising=False)
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    held = models / "hub/models--owner--name/snapshots" / COMMIT
    for part in ("unet", "vae", "text_encoder"):
        (held / part).mkdir(parents=True)
        (held / part / "model.safetensors").write_bytes(b"x")
    index = {"unet": ["diffusers", "U"], "vae": ["diffusers", "V"], "text_encoder": ["transformers", "C"],
             "tokenizer": ["transformers", "T"], "safety_checker": ["stable_diffusion", "S"]}
    (held / "model_index.json").write_text(json.dumps(index))
    assert have_base_model(f"owner/name@{COMMIT}", SILENT) == held


def test_of_a_repository_only_what_draws_is_fetched_in_half_precision_where_there_is_one():
    names = ["model_index.json", "README.md", "unet/config.json", "unet/diffusion_pytorch_model.safetensors",
             "unet/diffusion_pytorch_model.fp16.safetensors", "unet/diffusion_pytorch_model.bin", "vae/diffusion_pytorch_model.safetensors",
             "safety_checker/model.safetensors", "tokenizer/vocab.json", "tokenizer/merges.txt", "image.png", "one.ckpt"]
    assert wanted_files(names) == ["model_index.json", "tokenizer/merges.txt", "tokenizer/vocab.json", "unet/config.json",
                                   "unet/diffusion_pytorch_model.fp16.safetensors", "vae/diffusion_pytorch_model.safetensors"]


def test_another_file_in_its_place_is_another_model(tmp_path):
    import os

    (tmp_path / "unet").mkdir()
    (tmp_path / "unet/a").write_bytes(b"x")
    before = stamp_of(tmp_path)
    os.utime(tmp_path / "unet/a", ns=(before + 5, before + 5))
    assert stamp_of(tmp_path) == stamp_of(tmp_path / "unet/a") == before + 5
