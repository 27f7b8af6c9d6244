"""Before and after on a tiny real model, with LoRA files that are written and read back."""

import json
from pathlib import Path

import pytest
from PIL import Image

from core.base.errors import Cancelled, ConfigError, ModelError, TrainingError
from core.base.progress import Progress
from core.diffusion import load_model
from core.stages import run_stage
from core.training.evaluated import EvaluationReport, weighing_of
from core.training.evaluation import UNFINISHED, EvaluationSettings, draw_before_after, settings_for
from core.training.run import Run
from core.training.sheet import cell_size, draw_sheet
from tests.core.training.fake_trainer import write_lora
from tests.core.training.fakes import make_project, make_run, make_settings
from tests.tiny_models import break_vae, make_model_folder


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory):
    return make_model_folder(tmp_path_factory.mktemp("model"))


def make_lora(path, model_folder, strength):
    """A LoRA in kohya's names for the tiny model's UNet attention."""
    import torch
    from safetensors.torch import save_file

    from core.diffusion.lora import find_targets

    torch.manual_seed(1)
    tensors = {}
    for target in find_targets(load_model(model_folder), convolutions=False):
        if target.part == "unet" and target.module.__class__.__name__ == "Linear":
            tensors[f"{target.name}.lora_down.weight"] = torch.randn(2, target.module.in_features) * strength
            tensors[f"{target.name}.lora_up.weight"] = torch.randn(target.module.out_features, 2) * strength
            tensors[f"{target.name}.alpha"] = torch.tensor(2.0)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path)
    return str(path)


@pytest.fixture(scope="module")
def loras(tmp_path_factory, model_folder):
    folder = tmp_path_factory.mktemp("lora")
    return [make_lora(folder / "x-000001.safetensors", model_folder, 0.0), make_lora(folder / "x.safetensors", model_folder, 0.6)]


def settings(model_folder, loras, folder, **values):
    usual = {"model": str(model_folder), "family": "sd15", "lora": loras, "prompts": ["a red cat"], "seeds": [1, 2],
             "width": 32, "height": 32, "steps": 2, "output_dir": str(folder)}
    return EvaluationSettings.make(**{**usual, **values})


class Recorder(Progress):
    def __init__(self, stop_after=0):
        super().__init__()
        self.warnings, self.stop_after = [], stop_after

    def warn(self, message):
        self.warnings.append(message)

    def report_step(self, item):
        if self.stop_after and self.done >= self.stop_after:
            self.cancel()


def test_the_same_seeds_are_drawn_without_and_with_each_lora(tmp_path, model_folder, loras):
    progress = Recorder()
    report = draw_before_after(settings(model_folder, loras, tmp_path), progress)
    assert [column.label for column in report.columns] == ["without", "epoch 1", "finished"] and len(report.pictures) == 6
    assert progress.done == progress.total == 6
    still, changed = report.columns[1:]
    assert still.changed == 0.0 and changed.changed > 0.01 and changed.applied == changed.in_file > 0
    assert progress.warnings == ["x-000001.safetensors changes nothing that can be seen."] == list(report.warnings)
    first = [(tmp_path / picture.path).read_bytes() for picture in report.pictures if picture.column == 0]
    assert first == [(tmp_path / picture.path).read_bytes() for picture in report.pictures if picture.column == 1]
    assert first[0] != first[1]
    with Image.open(tmp_path / "grid.png") as grid:
        assert grid.width > 3 * 192 and grid.height > 2 * 192
    assert EvaluationReport.read(tmp_path) == report
    assert json.loads((tmp_path / "evaluation.json").read_text())["settings"]["prompts"] == ["a red cat"]


def test_several_strengths_are_drawn_beside_each_other_and_the_best_is_written_into_a_file(tmp_path, model_folder, loras):
    """The new file draws at 1 what the other drew at the strength, to the last bit of every picture."""
    progress = Recorder()
    wanted = settings(model_folder, loras[1:], tmp_path / "all", weights=[0.5, 0.8, 1, 0.8])
    report = draw_before_after(wanted, progress)
    assert [(column.label, column.weight) for column in report.columns] == [
        ("without", 1.0), ("finished, strength 0.5", 0.5), ("finished, strength 0.8", 0.8), ("finished, strength 1", 1.0)]
    assert progress.done == progress.total == 8 and 0 < report.columns[1].changed < report.columns[3].changed
    assert EvaluationReport.read(tmp_path / "all") == report
    order = weighing_of(report, 2, tmp_path / "output")
    assert order == {"file": loras[1], "weight": 0.8, "save_to": str(tmp_path / "output" / "x-w0.8.safetensors"), "numbered": True}
    run_stage("weigh-lora", tmp_path, order)
    with pytest.raises(ConfigError, match=r"x-w0.8.safetensors is there already.+Take that file, or move it away first"):
        run_stage("weigh-lora", tmp_path, order)
    again = draw_before_after(settings(model_folder, [order["save_to"]], tmp_path / "one"))
    assert [(tmp_path / "all" / picture.path).read_bytes() for picture in report.pictures if picture.column == 2] == \
        [(tmp_path / "one" / picture.path).read_bytes() for picture in again.pictures if picture.column == 1]
    with pytest.raises(ConfigError, match="drawn at strength 1"):
        weighing_of(report, 3, tmp_path)
    for nothing in (0, 4):
        with pytest.raises(TrainingError, match="no such picture"):
            weighing_of(report, nothing, tmp_path)


def test_a_remark_is_told_once_for_all_strengths_and_a_file_that_does_not_fit_is_left_out_once(tmp_path, model_folder, loras):
    progress = Recorder()
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"<html>not found</html>")
    draw_before_after(settings(model_folder, [str(broken), loras[0]], tmp_path / "out", seeds=[1], weights=[0.5, -1]), progress)
    assert len(progress.warnings) == 2 and "changes nothing" in progress.warnings[1]


def test_a_comparison_from_before_says_its_strength(tmp_path, model_folder, loras):
    draw_before_after(settings(model_folder, loras[1:], tmp_path, seeds=[1], weight=0.7))
    values = json.loads((tmp_path / "evaluation.json").read_text())
    for column in values["columns"]:
        column.pop("weight")
    (tmp_path / "evaluation.json").write_text(json.dumps(values))
    assert EvaluationReport.read(tmp_path).columns[1].weight == 0.7


def test_strengths_out_of_bounds_are_refused():
    for wrong in (0, 2.5):
        with pytest.raises(ConfigError, match=f"must lie between -2 and 2 and not be 0, but one is {wrong:g}"):
            EvaluationSettings.make(weights=[1, wrong])


def test_a_lora_that_cannot_be_read_is_left_out_and_the_rest_goes_on(tmp_path, model_folder, loras):
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"<html>not found</html>")
    progress = Recorder()
    report = draw_before_after(settings(model_folder, [str(broken), loras[1]], tmp_path / "out", seeds=[1]), progress)
    assert len(report.columns) == 2 and "broken.safetensors was left out" in progress.warnings[0]


def test_no_usable_lora_is_an_error(tmp_path, model_folder):
    with pytest.raises(ModelError, match="None of the LoRA files"):
        draw_before_after(settings(model_folder, [str(tmp_path / "gone.safetensors")], tmp_path, seeds=[1]))


def test_cancelling_keeps_what_is_drawn(tmp_path, model_folder, loras):
    with pytest.raises(Cancelled):
        draw_before_after(settings(model_folder, loras, tmp_path, batch_size=1), Recorder(stop_after=3))
    assert len(list((tmp_path / UNFINISHED).glob("00_*.png"))) == 2 and EvaluationReport.read(tmp_path) is None


def test_a_comparison_that_is_cancelled_leaves_the_last_one_whole(tmp_path, model_folder, loras):
    """Never one comparison's pictures under the labels of another."""
    first = draw_before_after(settings(model_folder, loras[1:], tmp_path, seeds=[1]))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    other = settings(model_folder, loras[::-1], tmp_path, seeds=[1], prompts=["a hat"])
    with pytest.raises(Cancelled):
        draw_before_after(other, Recorder(stop_after=2))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before
    assert EvaluationReport.read(tmp_path) == first
    second = draw_before_after(other)
    assert EvaluationReport.read(tmp_path) == second and len(second.pictures) == 3
    assert all((tmp_path / picture.path).is_file() for picture in second.pictures) and not (tmp_path / UNFINISHED).exists()
    assert (tmp_path / "00_00_1.png").read_bytes() != before["00_00_1.png"]


def test_a_base_model_that_draws_no_numbers_is_an_error_with_its_remedy(tmp_path, model_folder, loras):
    broken = break_vae(make_model_folder(tmp_path / "broken"))
    with pytest.raises(ModelError, match="no_half_vae"):
        draw_before_after(settings(broken, loras, tmp_path / "out", seeds=[1]))
    assert EvaluationReport.read(tmp_path / "out") is None


def test_a_lora_with_which_nothing_can_be_drawn_is_left_out_and_the_rest_goes_on(tmp_path, model_folder, loras):
    lost = make_lora(tmp_path / "lost.safetensors", model_folder, float("nan"))
    progress = Recorder()
    report = draw_before_after(settings(model_folder, [lost, loras[1]], tmp_path / "out", seeds=[1]), progress)
    assert len(report.columns) == 2 and "lost.safetensors was left out: The model drew no picture" in progress.warnings[0]
    assert report.columns[1].changed > 0.01


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(ConfigError, match="Model must be given"):
        draw_before_after(EvaluationSettings.make(prompts=["x"]))


def test_empty_settings_are_filled_in_from_the_run(tmp_path):
    run = make_run(tmp_path)
    for name in ("mochi", "mochi-000001", "mochi-000002"):
        write_lora(run.checkpoints / f"{name}.safetensors")
    write_lora(run.checkpoints / "mochi-000003.safetensors", cut=3)
    found = settings_for(run, EvaluationSettings())
    assert [path.rpartition("/")[2] for path in found.lora] == ["mochi-000001.safetensors", "mochi-000002.safetensors", "mochi.safetensors"]
    assert found.prompts == ["mochi, sitting"] and (found.width, found.height) == (512, 512)
    assert found.model == str(run.project_folder) and found.output_dir == str(run.folder / "evaluation")
    assert [path.rpartition("/")[2] for path in settings_for(run, EvaluationSettings(every_epoch=False)).lora] == ["mochi.safetensors"]


def test_the_pictures_are_drawn_as_the_run_was_trained(tmp_path, model_folder):
    project = make_project(tmp_path)
    other = make_model_folder(tmp_path / "other", seed=5)
    trained = make_settings(project.folder).with_values(
        model={"pretrained_model_name_or_path": str(model_folder), "vae": str(other / "vae"), "v_parameterization": True,
               "no_half_vae": True, "clip_skip": None}, loss={"zero_terminal_snr": True})
    run = Run.create(project.folder, trained, "builtin")
    make_lora(run.checkpoints / "mochi.safetensors", model_folder, 0.2)
    found = settings_for(run, EvaluationSettings.make(prompts=["a red cat"], seeds=[1], width=32, height=32, steps=2))
    assert (found.vae, found.v_parameterization, found.zero_terminal_snr, found.no_half_vae) == (str(other / "vae"), True, True, True)
    report = draw_before_after(found)
    model = load_model(model_folder, vae=other / "vae")
    model.scheduler_config |= {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
    expected = model.sample(["a red cat"], seeds=1, width=32, height=32, steps=2, guidance=7.0, max_token_length=225)[0]
    with Image.open(Path(report.folder) / "00_00_1.png") as drawn:
        assert max(abs(a - b) for a, b in zip(drawn.tobytes(), expected.tobytes(), strict=True)) <= 1


def test_another_base_model_draws_in_its_own_way(tmp_path, model_folder):
    project = make_project(tmp_path)
    run = Run.create(project.folder, make_settings(project.folder).with_values(model={"v_parameterization": True}), "builtin")
    write_lora(run.checkpoints / "mochi.safetensors")
    found = settings_for(run, EvaluationSettings.make(model=str(model_folder)))
    assert not found.v_parameterization and found.vae is None


def test_a_run_without_a_lora_says_so(tmp_path):
    with pytest.raises(TrainingError, match="has no LoRA file yet"):
        settings_for(make_run(tmp_path), EvaluationSettings())


def test_small_pictures_grow_by_whole_numbers_and_large_ones_shrink():
    assert cell_size(64, 64, 4) == (192, 192) and cell_size(64, 96, 4) == (128, 192)
    assert cell_size(1024, 1024, 3) == (512, 512) and cell_size(256, 256, 3) == (256, 256)
    assert cell_size(1024, 1024, 40)[0] * 40 < 8000


def test_the_sheet_keeps_each_pixel_of_a_small_picture():
    red, blue = (Image.new("RGB", (64, 64), colour) for colour in ("red", "blue"))
    sheet = draw_sheet([[red], [blue]], ["without", "finished"], ["a cat\nseed 1"])
    assert sheet.getpixel((240, 50)) == (255, 0, 0) and sheet.getpixel((240 + 200, 50)) == (0, 0, 255)
    assert len(sheet.crop((0, 34, 220, 100)).getcolors(10000)) > 3  # the label was drawn


def test_a_name_that_ends_in_digits_is_no_epoch():
    from core.training.monitor.samples import label_of

    assert [label_of(Path(f"cat-120130{end}.safetensors"), "cat-120130") for end in ("-000004", "")] == ["epoch 4", "finished"]
