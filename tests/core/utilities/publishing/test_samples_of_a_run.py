"""A run of the project: its finished LoRA, and the pictures that this very file drew."""

import pytest
from PIL import Image

from core.base.errors import ConfigError
from core.base.files import write_json
from core.utilities.publishing.checking import check_publish
from core.utilities.publishing.found_samples import run_of
from core.utilities.publishing.release import gather
from tests.core.training.fakes import make_run
from tests.core.utilities.publishing.conftest import PROMPTS, draw_samples, make, settings


@pytest.fixture
def run(tmp_path):
    """A finished run with two epochs' samples."""
    run = make_run(tmp_path)
    make(run.checkpoints / f"{run.output_name}.safetensors")
    write_json(run.folder / "supervisor.json", {"attempt": 1, "host": "x", "mark": None})
    run.note("end", attempt=1, state="done", message="", checkpoint=str(run.checkpoints / f"{run.output_name}.safetensors"))
    draw_samples(run.checkpoints / "sample", run.output_name)
    (run.folder / "sample_prompts.txt").write_text(PROMPTS)
    return run


def samples(path, **values):
    return [(sample["prompt"], sample["by"]) for sample in check_publish(settings(path, to="zip", **values)).samples]


def test_a_runs_folder_means_its_finished_lora_and_shows_what_it_drew_last(run):
    assert samples(run.folder) == [("mika, smile", "epoch 10"), ("mika", "epoch 10")]


def test_a_copy_among_the_finished_ones_finds_its_run(run):
    output = run.folder.parent.parent / "output"
    output.mkdir(exist_ok=True)
    copy = output / "another name.safetensors"
    copy.write_bytes((run.checkpoints / f"{run.output_name}.safetensors").read_bytes())
    assert run_of(copy) == run and samples(copy)[0] == ("mika, smile", "epoch 10")
    make(copy, seed=5)
    assert run_of(copy) is None and samples(copy) == []


def test_what_before_and_after_drew_with_this_file_goes_before_samples_of_the_training(run):
    folder = run.folder / "evaluation"
    folder.mkdir()
    for name in ("00_00_1.png", "01_00_1.png"):
        Image.new("RGB", (32, 32)).save(folder / name)
    write_json(folder / "evaluation.json", {
        "folder": "", "grid": "grid.png", "model": "m", "warnings": [], "seconds": 1.0,
        "columns": [{"label": "without", "lora": ""}, {"label": "finished", "lora": f"/x/{run.output_name}.safetensors"}],
        "pictures": [{"path": "00_00_1.png", "column": 0, "prompt": "mika, rain", "seed": 1},
                     {"path": "01_00_1.png", "column": 1, "prompt": "mika, rain", "seed": 1}],
        "settings": {"steps": 28, "guidance": 7.0, "width": 32, "height": 32, "negative": "", "sampler": "", "weight": 0.8}})
    assert samples(run.folder) == [("mika, rain", f"{run.output_name}.safetensors")]
    assert samples(run.folder, samples_from="training")[0][1] == "epoch 10" and samples(run.folder, samples_from="none") == []
    (folder / "evaluation.json").write_text('{"columns": [')
    assert samples(run.folder)[0][1] == "epoch 10"


@pytest.mark.parametrize(("strength", "wanted"), [(1.0, 1.0), (0.7, 0.8), (-1.0, 0.8)])
def test_of_several_strengths_those_are_shown_that_are_nearest_to_the_usual_one(run, strength, wanted):
    folder = run.folder / "evaluation"
    folder.mkdir()
    lora = f"/x/{run.output_name}.safetensors"
    columns = [{"label": "without", "lora": ""}, *({"label": f"finished × {weight}", "lora": lora, "weight": weight}
                                                   for weight in (1.2, 0.8, 1.0))]
    pictures = [{"path": f"{number:02d}_00_1.png", "column": number, "prompt": column["label"], "seed": 1}
                for number, column in enumerate(columns)]
    for picture in pictures:
        Image.new("RGB", (32, 32)).save(folder / picture["path"])
    write_json(folder / "evaluation.json", {
        "folder": "", "grid": "grid.png", "model": "m", "warnings": [], "seconds": 1.0, "columns": columns, "pictures": pictures,
        "settings": {"steps": 28, "guidance": 7.0, "width": 32, "height": 32, "negative": "", "sampler": ""}})
    release = gather(settings(run.folder, to="zip", strength=strength))
    assert [(sample.prompt, sample.strength) for sample in release.samples] == [(f"finished × {wanted}", wanted)]


def test_a_folder_without_a_run_or_a_run_without_a_lora_is_a_sentence(run, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="a folder without a run"):
        samples(tmp_path / "empty")
    (run.checkpoints / f"{run.output_name}.safetensors").unlink()
    with pytest.raises(ConfigError, match="has no whole LoRA file"):
        samples(run.folder)
