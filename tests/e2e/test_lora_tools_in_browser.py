"""LoRA files merged, averaged, converted, extracted and baked in a real browser, and the written files read."""

import pytest
import torch
from playwright.sync_api import expect
from safetensors.torch import load_file

from core.base.tensor_headers import read_header
from core.dataset.project import Project, folder_for
from tests.core.training.fakes import make_run
from tests.core.utilities.layers import layer, update_of, write
from tests.core.utilities.test_extracting import models
from tests.e2e.lab import Browser, Lab, keep_picture, overflowing, run_all
from tests.e2e.test_lora_files_in_browser import LOOKS, notebook
from tests.lora_files import METADATA, make_lora

pytestmark = [pytest.mark.browser, pytest.mark.slow]
LAYER = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q"
TEXT = "lora_te_text_model_encoder_layers_3_mlp_fc1"


@pytest.fixture
def mika(projects) -> Project:
    project = Project.create(folder_for("Mika"), "Mika", trigger="mika")
    project.output.mkdir(exist_ok=True)
    make_lora(project.output / "mika.safetensors", "sd15", rank=4, alpha=4.0)
    make_lora(project.output / "ink.safetensors", "sd15", rank=2, alpha=2.0, seed=1)
    return project


def choose(panel, label, words):
    panel.get_by_label(label, exact=True).select_option(label=words)


def lora(name):
    return f"{name}.safetensors (finished)"


@LOOKS
def test_files_are_merged_block_by_block_and_converted(tmp_path, mika, theme, width):
    make_lora(mika.output / "big.safetensors", "sdxl", rank=1, metadata={**METADATA, "ss_base_model_version": "sdxl_base_v1-0"})
    place = notebook(tmp_path, mika, ("merge", "MergePanel"), ("convert", "ConvertPanel"))
    with Lab(tmp_path, theme=theme) as lab, Browser(width=width, height=3600) as context:
        page = lab.open(context, place)
        run_all(page)
        merge, convert = page.locator(".lb-panel-merge"), page.locator(".lb-panel-convert")
        expect(merge.locator(".lb-status")).to_contain_text("Ready as soon as two LoRA files are chosen.")
        choose(merge, "LoRA file 1", lora("mika"))
        choose(merge, "LoRA file 2", lora("big"))
        expect(merge.locator(".lb-status")).to_contain_text("big.safetensors for Stable Diffusion XL: their layers belong to different")
        keep_picture(page, "merge", f"merge-others-{theme}-{width}")
        choose(merge, "LoRA file 2", lora("ink"))
        expect(merge.get_by_text("LoRA for Stable Diffusion 1.x, rank 2")).to_be_visible()
        merge.get_by_label("Weight of file 2", exact=True).fill("0.5")
        merge.get_by_role("button", name="Show weights of blocks of file 2").click()
        merge.get_by_label("Weight of all of Text encoder 1, file 2").fill("0")
        merge.get_by_label("Weight of down 1.0, file 2").fill("0,4")
        keep_picture(page, "merge", f"merge-blocks-{theme}-{width}")
        merge.get_by_label("Rank", exact=True).fill("3")
        merge.get_by_role("button", name="Merge", exact=True).click()
        expect(merge.locator(".lb-status")).to_contain_text("sum of 1 × mika.safetensors, 0.5 × ink.safetensors (weights of blocks "
                                                               "2: text 1=0, 2: down 1.0=0.4); rank 3", timeout=90_000)
        expect(merge.get_by_role("list", name="Down: share of the update that is lost")).to_be_visible()
        keep_picture(page, "merge", f"merge-done-{theme}-{width}")
        one, two, made = (load_file(mika.output / f"{name}.safetensors") for name in ("mika", "ink", "mika-merged"))
        for name, weight in ((LAYER, 0.2), (TEXT, 0.0)):
            wanted = update_of(one, name) + weight * update_of(two, name)
            best = torch.linalg.svdvals(wanted)[3:].norm() / wanted.norm()
            assert float((update_of(made, name) - wanted).norm() / wanted.norm()) == pytest.approx(float(best), rel=0.02, abs=1e-3)

        choose(convert, "LoRA file", lora("mika-merged"))
        expect(convert.get_by_role("row", name="Names sd-scripts, A1111, Forge (kohya)")).to_be_visible()
        choose(convert, "Names", "diffusers, PEFT")
        choose(convert, "Precision", "bf16")
        keep_picture(page, "convert", f"convert-{theme}-{width}")
        convert.get_by_role("button", name="Convert", exact=True).click()
        expect(convert.locator(".lb-status")).to_contain_text("layers under the names of diffusers, rounding changed", timeout=90_000)
        expect(convert.get_by_role("row", name="Names sd-scripts, A1111, Forge (kohya) diffusers, PEFT")).to_be_visible()
        keep_picture(page, "convert", f"convert-done-{theme}-{width}")
        new = read_header(mika.output / "mika-merged-diffusers.safetensors").tensors
        assert {place.dtype for place in new} == {"BF16"}
        assert "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q.lora_A.weight" in {place.name for place in new}
        odd = {LAYER: layer("linear")[0], "lora_unet_my_own": layer("linear", 1)[0]}
        write(mika.output / "odd.safetensors", odd, {"ss_base_model_version": "sd_v1"})
        convert.get_by_label("or its path").fill(str(mika.output / "odd.safetensors"))
        convert.get_by_label("or its path").press("Tab")
        expect(convert.get_by_text(f"Next to be written: {mika.output / 'odd-diffusers.safetensors'}.")).to_be_visible()
        convert.get_by_role("button", name="Convert", exact=True).click()
        expect(convert.locator(".lb-status")).to_contain_text("1 layer kept its name, such as lora_unet_my_own", timeout=90_000)
        expect(convert.locator(".lb-status")).to_contain_text("diffusers loads 1 of 2 layers")
        keep_picture(page, "convert", f"convert-odd-{theme}-{width}")
        torch.save({"a": torch.ones(3)}, mika.output / "old.pt")
        convert.get_by_label("or its path").fill(str(mika.output / "old.pt"))
        convert.get_by_label("or its path").press("Tab")
        expect(convert.get_by_text("This is a pickled checkpoint")).to_be_visible()
        expect(convert.get_by_label("Names", exact=True)).to_be_hidden()
        keep_picture(page, "convert", f"convert-pickled-{theme}-{width}")
        convert.get_by_role("button", name="Convert", exact=True).click()
        expect(convert.locator(".lb-status")).to_contain_text("old.safetensors: 1 tensor", timeout=90_000)
        assert list(load_file(mika.output / "old.safetensors")) == ["a"]
        assert overflowing(page, ".lb-panel-merge, .lb-panel-merge > *, .lb-panel-convert, .lb-panel-convert > *") == []
        assert not context.errors


@LOOKS
def test_a_runs_checkpoints_are_averaged(tmp_path, mika, theme, width):
    run = make_run(mika.folder.parent / "other")
    (mika.folder / "runs").mkdir(exist_ok=True)
    run.folder.rename(mika.folder / "runs" / run.id)
    places = mika.folder / "runs" / run.id / "checkpoints"
    for number in (1, 2, 3, 4):
        make_lora(places / f"mika-{number:06}.safetensors", "sd15", rank=2, alpha=2.0, seed=number)
    place = notebook(tmp_path, mika, ("average", "AveragePanel"))
    with Lab(tmp_path, theme=theme) as lab, Browser(width=width, height=2600) as context:
        page = lab.open(context, place)
        run_all(page)
        average = page.locator(".lb-panel-average")
        choose(average, "Run", f"{run.id} (4 LoRA files)")
        expect(average.get_by_text("4 checkpoints: LoRA for Stable Diffusion 1.x, rank 2")).to_be_visible()
        expect(average.get_by_label("mika-000003.safetensors")).to_be_checked()
        expect(average.get_by_label("mika-000001.safetensors")).not_to_be_checked()
        average.get_by_label("mika-000002.safetensors").check()
        choose(average, "Method", "later ones count more (EMA)")
        average.get_by_label("Rank", exact=True).fill("6")
        keep_picture(page, "average", f"average-{theme}-{width}")
        average.get_by_role("button", name="Average", exact=True).click()
        expect(average.locator(".lb-status")).to_contain_text("EMA 0.7 of 0.49 × mika-000002.safetensors", timeout=90_000)
        expect(average.get_by_text("Nothing is lost by the rank.")).to_be_visible()
        keep_picture(page, "average", f"average-done-{theme}-{width}")
        state = load_file(next(mika.output.glob("*-ema.safetensors")))
        parts = [(0.49, 2), (0.21, 3), (0.3, 4)]
        wanted = sum(share * update_of(load_file(places / f"mika-{number:06}.safetensors"), LAYER) for share, number in parts)
        assert float((update_of(state, LAYER) - wanted).norm() / wanted.norm()) < 2e-3
        run_all(page)  # a new panel in the same kernel reads the folder anew, and takes the last job up
        expect(average.get_by_label("mika-000002.safetensors")).to_be_checked()
        expect(average.get_by_label("mika-000001.safetensors")).not_to_be_checked()
        expect(average.locator(".lb-status")).to_contain_text("EMA 0.7 of 0.49")
        expect(average.get_by_text("Nothing is lost by the rank.")).to_be_visible()
        assert overflowing(page, ".lb-panel-average, .lb-panel-average > *") == []
        assert not context.errors


@LOOKS
def test_a_lora_is_extracted_and_baked(tmp_path, mika, monkeypatch, theme, width):
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setenv("LORABOOK_MODELS", str(folder))
    _, tuned = models(folder, "sd15")
    place = notebook(tmp_path, mika, ("extract", "ExtractPanel"), ("bake", "BakePanel"))
    with Lab(tmp_path, theme=theme) as lab, Browser(width=width, height=3000) as context:
        page = lab.open(context, place)
        run_all(page)
        extract, bake = page.locator(".lb-panel-extract"), page.locator(".lb-panel-bake")
        choose(extract, "Base model", "base.safetensors")
        choose(extract, "Trained model", "base.safetensors")
        expect(extract.locator(".lb-status")).to_contain_text("are the same file")
        choose(extract, "Trained model", "tuned.safetensors")
        extract.get_by_label("Rank", exact=True).fill("5")
        expect(extract.get_by_text("The LoRA takes up to about")).to_be_visible()
        keep_picture(page, "extract", f"extract-{theme}-{width}")
        extract.get_by_role("button", name="Extract", exact=True).click()
        expect(extract.locator(".lb-status")).to_contain_text("tuned-lora.safetensors: 4 layers", timeout=90_000)
        extract.get_by_role("button", name="Show What the LoRA cannot hold").click()
        expect(extract.get_by_text("model.diffusion_model.out.2.weight", exact=True)).to_be_visible()
        keep_picture(page, "extract", f"extract-done-{theme}-{width}")

        choose(bake, "Base model", "base.safetensors")
        expect(bake.get_by_text("The new model takes about")).to_be_visible()
        choose(bake, "LoRA file 1", lora("tuned-lora"))
        expect(bake.get_by_text("LoCon for Stable Diffusion 1.x, rank 5")).to_be_visible()
        bake.get_by_role("button", name="Add a file").click()
        choose(bake, "LoRA file 2", lora("mika"))
        keep_picture(page, "bake", f"bake-{theme}-{width}")
        bake.get_by_role("button", name="Take file 2 out").click()
        expect(bake.get_by_label("LoRA file 2", exact=True)).to_have_count(0)
        bake.get_by_role("button", name="Bake", exact=True).click()
        expect(bake.locator(".lb-status")).to_contain_text("base-baked.safetensors: 4 tensors changed", timeout=90_000)
        keep_picture(page, "bake", f"bake-done-{theme}-{width}")
        key = "model.diffusion_model.output_blocks.3.1.transformer_blocks.0.attn2.to_k.weight"
        torch.testing.assert_close(load_file(folder / "base-baked.safetensors")[key], load_file(tuned)[key], atol=1e-3, rtol=1e-3)
        assert overflowing(page, ".lb-panel-extract, .lb-panel-extract > *, .lb-panel-bake, .lb-panel-bake > *") == []
        assert not context.errors
