"""The files that the settings name: a missing one, an empty folder and a bad caption are found before training."""

import codecs

import pytest

from core.dataset.project import Project
from core.training.config import TrainingSettings
from core.training.config.sources import check_sources, image_counts, image_files
from core.training.fitting import check_before_launch, fit_to_project
from tests.tensor_files import write_tensors


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("a.png", "b.JPG"):
        (folder / name).write_bytes(b"picture")
        (folder / name).with_suffix(".txt").write_text("mikoneko, 1girl", encoding="utf-8")
    return folder


def settings(*folders, **changes):
    made = TrainingSettings().with_values(data={"subsets": [{"image_dir": str(folder)} for folder in folders]})
    return made.with_values(**changes) if changes else made


def found(made, level="error"):
    return [finding.what for finding in check_sources(made) if finding.level == level]


def test_a_good_folder_has_no_findings(folder):
    assert check_sources(settings(folder)) == []
    assert image_counts(settings(folder)) == [2]


def test_only_what_every_trainer_reads_counts_as_a_picture(folder):
    for name in ("c.Png", "d.gif", "e.txt"):
        (folder / name).write_bytes(b"x")
    for hidden in ("._a.png", ".b.jpg"):
        (folder / hidden).write_bytes(b"x")
    for inner in ("sub", ".ipynb_checkpoints", "g.png"):
        (folder / inner).mkdir()
        (folder / inner / "f.png").write_bytes(b"x")
    (folder / "loop.png").symlink_to("loop.png")
    assert [path.name for path in image_files(folder)] == ["a.png", "b.JPG"]
    assert "spelling of their ending (c.Png)" in found(settings(folder), "warning")[0]


def test_no_folder_at_all_is_found():
    assert found(settings()) == ["There is no folder of pictures to learn from."]


def test_missing_and_empty_folders_are_found(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    what = found(settings(tmp_path / "empty", tmp_path / "gone", tmp_path / "file"))
    assert [words in line for words, line in zip(("no picture in", "does not exist", "is a file"), what, strict=True)] == [True] * 3
    assert str(tmp_path / "empty") in what[0] and "sd-scripts" not in what[0]


def test_a_project_without_pictures_is_sent_to_the_import(tmp_path):
    (tmp_path / "images").mkdir()
    (finding,) = check_sources(settings(tmp_path / "images"), own=tmp_path / "images")
    assert str(finding) == "This project has no pictures yet. Import some in Dataset_Maker (panel Import)."


def test_one_folder_twice_is_found(folder):
    assert "given 2 times" in found(settings(folder, f"{folder}/"))[0]


def test_empty_and_foreign_captions_are_found(folder):
    (folder / "a.txt").write_text(" \n")
    (folder / "b.txt").write_bytes("für".encode("latin-1"))
    what = found(settings(folder))
    assert "are empty (a.txt)" in what[0]
    assert "not UTF-8 (b.txt)" in what[1]


def test_the_built_in_trainer_bears_an_empty_caption_and_is_not_told_of_sd_scripts(folder):
    (folder / "a.txt").write_text(" \n")
    (folder / "b.txt").write_bytes("für".encode("latin-1"))
    error, warning = check_sources(settings(folder), "builtin")
    assert (error.level, warning.level) == ("error", "warning") and "sd-scripts" not in f"{error} {warning}"
    assert "are empty (a.txt) and count as missing" in warning.what


def test_missing_captions_are_a_warning_unless_there_is_a_stand_in(folder):
    (folder / "a.txt").unlink()
    assert "1 of 2 pictures" in found(settings(folder), "warning")[0]
    with_words = TrainingSettings().with_values(data={"subsets": [{"image_dir": str(folder), "class_tokens": "1girl"}]})
    assert check_sources(with_words) == []


def test_what_sd_scripts_makes_of_a_foreign_folders_captions_is_told(tmp_path):
    folder = tmp_path / "one_two" / "three_four"
    folder.mkdir(parents=True)
    for name in ("a", "cat_1_2_3_4", "b"):
        (folder / f"{name}.png").write_bytes(b"picture")
    (folder / "a.txt").write_bytes(codecs.BOM_UTF8 + b"mochi, cat")
    (folder / "b.txt").write_text("mochi, cat\nmochi, dog\n")
    (folder / "cat.txt").write_text("mochi, another cat")
    taken, marked, several = (one for one in found(settings(folder), "warning") if "have no caption (" not in one)
    assert "cat_1_2_3_4.png" in taken and str(folder / "cat.txt") in taken
    assert "a BOM" in marked and "(a.txt)" in marked
    assert "several lines, of which sd-scripts reads the first alone (b.txt)" in several
    drawn = settings(folder).with_values(data={"subsets": [{"image_dir": str(folder)}], "enable_wildcard": True})
    assert not any("lines" in one for one in found(drawn, "warning"))
    assert [one for one in check_sources(settings(folder), "builtin") if "sd-scripts" in one.what] == []


def test_captions_with_another_ending_are_hinted_at(folder):
    made = TrainingSettings().with_values(data={"subsets": [{"image_dir": str(folder), "caption_extension": ".caption"}]})
    assert "ending of the caption files" in check_sources(made)[0].remedy


def test_pictures_that_share_a_caption_are_found(folder):
    (folder / "a.webp").write_bytes(b"x")
    assert "share a caption file (a)" in found(settings(folder), "warning")[0]


@pytest.mark.parametrize(("changes", "words"), [
    ({"model": {"pretrained_model_name_or_path": "/gone/model.safetensors"}}, "The model"),
    ({"model": {"vae": "gone.safetensors"}}, "The VAE"),
    ({"network": {"network_weights": "/gone.safetensors"}}, "LoRA to continue"),
    ({"saving": {"resume": "/gone-state"}}, "state to resume"),
    ({"model": {"tokenizer_cache_dir": "/gone"}}, "tokenizer folder"),
])
def test_a_missing_file_is_found(folder, changes, words):
    assert words in found(settings(folder, **changes))[0]


def test_a_hub_name_is_not_looked_for_on_disk(folder):
    assert check_sources(settings(folder, model={"pretrained_model_name_or_path": "someone/model"})) == []


def write_model(path, *names):
    """A safetensors file with these tensors, of one number each."""
    return str(write_tensors(path, dict.fromkeys(names, (1,))))


UNET = "model.diffusion_model.input_blocks.1.0.weight"
SD15, SDXL, SD2 = ("cond_stage_model.transformer.x", "conditioner.embedders.1.model.token_embedding.weight", "cond_stage_model.model.x")


def test_a_model_of_another_family_than_the_settings_say_is_found(folder, tmp_path):
    model = write_model(tmp_path / "pony.safetensors", UNET, SDXL)
    (finding,) = check_sources(settings(folder, model={"pretrained_model_name_or_path": model}))
    assert finding.level == "error"
    assert finding.what == "pony.safetensors is made for SDXL, but the settings are for Stable Diffusion 1.5."
    assert finding.remedy == "Choose a preset for SDXL, or another model."
    assert check_sources(settings(folder, model={"pretrained_model_name_or_path": model, "family": "sdxl"})) == []


def test_a_diffusers_folder_of_another_family_is_found(folder, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    made = settings(folder, model={"pretrained_model_name_or_path": str(tmp_path / "model"), "family": "sdxl"})
    assert found(made) == ["model is made for Stable Diffusion 1.5, but the settings are for SDXL."]


def test_stable_diffusion_2_is_a_family_of_its_own(folder, tmp_path):
    two, one = write_model(tmp_path / "two.safetensors", UNET, SD2), write_model(tmp_path / "one.safetensors", UNET, SD15)
    assert "is made for Stable Diffusion 2," in found(settings(folder, model={"pretrained_model_name_or_path": two}))[0]
    assert found(settings(folder, model={"pretrained_model_name_or_path": two, "family": "sd2"})) == []
    other = settings(folder, model={"pretrained_model_name_or_path": one, "family": "sd2"})
    assert "but the settings are for Stable Diffusion 2" in found(other)[0]


def test_what_is_no_base_model_is_found(folder, tmp_path):
    lora = write_model(tmp_path / "x.safetensors", "lora_unet_x.lora_down.weight")
    assert "x.safetensors is a LoRA, not a base model" in found(settings(folder, model={"pretrained_model_name_or_path": lora}))[0]
    (tmp_path / "empty").mkdir()
    made = settings(folder, model={"pretrained_model_name_or_path": str(tmp_path / "empty")})
    assert "without model_index.json" in found(made)[0]


def test_of_an_older_format_nothing_can_be_told(folder, tmp_path):
    (tmp_path / "old.ckpt").write_bytes(b"x")
    assert check_sources(settings(folder, model={"pretrained_model_name_or_path": str(tmp_path / "old.ckpt")})) == []


def test_a_warm_up_longer_than_the_run_and_a_huge_run_are_warnings(folder):
    assert "warm-up" in found(settings(folder, schedule={"lr_warmup_steps": 500}), "warning")[0]
    for family in ("sd15", "sdxl"):
        huge = settings(folder, model={"family": family}, schedule={"max_train_epochs": 9000}, data={"batch_size": 1})
        assert "18000 steps" in found(huge, "warning")[0]


def test_paths_of_windows_are_answered_with_what_to_do(tmp_path, monkeypatch):
    (tmp_path / "version").write_text("Linux version 5.15-microsoft-standard-WSL2")
    monkeypatch.setattr("core.base.paths.PROC_VERSION", tmp_path / "version")
    settings = TrainingSettings.from_values({
        "model": {"pretrained_model_name_or_path": "C:\\models\\a.safetensors", "vae": "D:/vae.safetensors"},
        "data": {"subsets": [{"image_dir": "C:\\pics"}]}})
    said = [str(finding) for finding in check_sources(settings)]
    for title, place in (("model", "c/models/a.safetensors"), ("VAE", "d/vae.safetensors"), ("folder", "c/pics")):
        assert any(one.startswith(f"The {title}: ") and one.endswith(f"Under WSL it is /mnt/{place}, and nothing is there.")
                   for one in said)


@pytest.mark.parametrize("changes", [
    {"model": {"pretrained_model_name_or_path": "~nobodyhere/model.safetensors"}}, {"model": {"vae": "~nobodyhere/vae.safetensors"}},
    {"network": {"network_weights": "~nobodyhere/x.safetensors"}}, {"saving": {"resume": "~nobodyhere/state"}},
    {"model": {"tokenizer_cache_dir": "~nobodyhere/words"}}, {"data": {"subsets": [{"image_dir": "~nobodyhere/pics"}]}}])
@pytest.mark.parametrize("backend", ["builtin", "sd-scripts"])
def test_the_home_of_a_user_who_is_not_known_is_told_wherever_it_is_written(tmp_path, changes, backend):
    project = Project.create(tmp_path / "cats", "cats", trigger="mochi")
    made = fit_to_project(TrainingSettings().with_values(**changes), project)
    findings = check_before_launch(made, backend, project.folder)
    assert any("~nobodyhere" in finding.what and "cannot be resolved" in finding.what for finding in findings if finding.level == "error")
