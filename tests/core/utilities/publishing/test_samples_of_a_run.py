"""A run of the project: its finished LoRA, and the pictures that this very file drew."""

from pathlib import Path

import pytest
from PIL import Image

from core.base.errors import ConfigError
from core.base.files import write_json
from core.base.progress import SILENT
from core.utilities.files.hashing import hashes_of
from core.utilities.files.metadata import MetadataSettings, edit_metadata
from core.utilities.merging.averaging import AverageSettings, average_loras
from core.utilities.merging.merging import MergeSettings, merge_loras
from core.utilities.merging.weighing import WeighSettings, weigh_lora
from core.utilities.names.converting import ConvertSettings, convert_lora
from core.utilities.publishing import origins
from core.utilities.publishing.checking import check_publish
from core.utilities.publishing.civitai_folder import write_for_civitai
from core.utilities.publishing.origins import origin_of
from core.utilities.publishing.release import gather
from core.utilities.resizing.resizing import ResizeLoraSettings, resize_lora
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


def run_of(file):
    found = origin_of(file, hashes_of(file).tensors)
    return found.run if found is not None else None


def final(run):
    return run.checkpoints / f"{run.output_name}.safetensors"


def drawn_before_and_after(run, *weights, lora="/x/{}.safetensors", **column):
    """A comparison with the run's finished file at several strengths; each picture's prompt says which."""
    folder = run.folder / "evaluation"
    folder.mkdir(exist_ok=True)
    columns = [{"label": "without", "lora": ""}, *({"label": f"finished × {weight}", "lora": lora.format(run.output_name),
                                                   "weight": weight, **column} for weight in weights)]
    pictures = [{"path": f"{number:02d}_00_1.png", "column": number, "prompt": column["label"], "seed": 1}
                for number, column in enumerate(columns)]
    for picture in pictures:
        Image.new("RGB", (64, 64)).save(folder / picture["path"])
    write_json(folder / "evaluation.json", {
        "folder": "", "grid": "grid.png", "model": "m", "warnings": [], "seconds": 1.0, "columns": columns, "pictures": pictures,
        "settings": {"steps": 28, "guidance": 7.0, "width": 64, "height": 64, "negative": "", "sampler": ""}})


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


@pytest.mark.parametrize("broken", ["{", "{}", "5", '{"backend": "x", "output_name": "mika", "created": "now"}'])
def test_a_run_that_cannot_be_read_is_no_matter_of_another_file(run, broken, tmp_path, monkeypatch):
    monkeypatch.setattr(origins, "known_projects", lambda: [run.project_folder])
    far = tmp_path / "far" / f"{run.output_name}.safetensors"
    far.parent.mkdir()
    far.write_bytes(final(run).read_bytes())
    bad = run.project_folder / "runs" / "0-broken"
    (bad / "checkpoints").mkdir(parents=True)
    (bad / "run.json").write_text(broken)
    inside = make(bad / "checkpoints" / "mika.safetensors", seed=5)
    assert run_of(far) == run_of(final(run)) == run
    assert run_of(inside) is None and samples(inside) == []
    with pytest.raises(ConfigError, match=r"run\.json cannot be read"):
        check_publish(settings(bad, to="zip"))


@pytest.mark.parametrize("weights", [(0,), ("NaN",), ("1e999",), ("1" + "0" * 400,), (1e-200, 1e-200)])
def test_a_weight_in_a_foreign_header_that_no_tool_wrote_is_passed_over(run, weights, tmp_path):
    drawn_before_and_after(run, 1.0)
    steps = ", ".join(f'{{"name": "x", "sshs_model_hash": "{hashes_of(final(run)).tensors}", "by": "weigh", "weight": {weight}}}'
                      for weight in weights)
    output = run.project_folder / "output"
    made = make(output / "z.safetensors", {"lorabook.made_of": f"[{steps}]"}, seed=5)
    assert len(samples(made)) <= 1  # nothing is divided by such a weight
    assert len(samples(made, samples_from="training")) in (0, 2)


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
    drawn_before_and_after(run, 1.2, 0.8, 1.0)
    release = gather(settings(run.folder, to="zip", strength=strength))
    assert [(sample.prompt, sample.strength) for sample in release.samples] == [(f"finished × {wanted}", wanted)]


def test_a_file_whose_metadata_was_edited_is_still_the_one_that_drew(run):
    drawn_before_and_after(run, 1.0)
    output = run.project_folder / "output"
    output.mkdir(exist_ok=True)
    copy = output / "mika.safetensors"
    copy.write_bytes(final(run).read_bytes())
    edit_metadata(MetadataSettings.make(file=str(copy), name="Another title", author="me"))
    edit_metadata(MetadataSettings.make(file=str(final(run)), author="me"))
    for path in (copy, final(run)):
        release = gather(settings(path, to="zip"))
        assert [(sample.prompt, sample.exact) for sample in release.samples] == [("finished × 1.0", True)]


def test_a_file_with_its_weight_in_it_shows_what_was_drawn_at_that_weight(run):
    drawn_before_and_after(run, 1.2, 0.8, 1.0)
    output = run.project_folder / "output"
    weighed = weigh_lora(WeighSettings.make(file=str(final(run)), weight=0.8, save_to=str(output / "mika-w0.8.safetensors"))).file
    (sample,) = gather(settings(weighed, to="zip")).samples
    assert (sample.prompt, sample.strength, sample.exact) == ("finished × 0.8", 1.0, True)
    assert sample.by == f"{run.output_name}.safetensors at 0.8"
    again = weigh_lora(WeighSettings.make(file=weighed, weight=1.5, save_to=str(run.checkpoints / "w.safetensors"))).file
    (sample,) = gather(settings(again, to="zip")).samples
    assert (sample.prompt, round(sample.strength, 6)) == ("finished × 1.2", 1.0)
    release = gather(settings(weighed, to="folder", samples_from="training"))
    assert {(sample.by, sample.strength, sample.exact) for sample in release.samples} == {("epoch 10", 1.25, True)}
    told = [finding.what for finding in check_publish(settings(weighed, to="zip", samples_from="training")).findings]
    assert "The samples were drawn at the strength 1.25, the usual one is said to be 1." in told


@pytest.mark.parametrize("tool", ["resize", "convert", "blocks"])
def test_what_a_changed_file_was_made_of_is_shown_and_said_to_be_another(run, tool, tmp_path):
    drawn_before_and_after(run, 1.0)
    target = str(run.project_folder / "output" / "small.safetensors")
    (run.project_folder / "output").mkdir(exist_ok=True)
    given = {"file": str(final(run)), "save_to": target}
    if tool == "resize":
        resize_lora(ResizeLoraSettings.make(**given, new_rank=2))
    elif tool == "convert":
        convert_lora(ConvertSettings.make(**given, naming="diffusers", save_precision="fp16"))
    else:
        weigh_lora(WeighSettings.make(**given, blocks=("down 1=0.5",)))
    check = check_publish(settings(target, to="zip"))
    assert [(sample["prompt"], sample["by"]) for sample in check.samples] == [("finished × 1.0", f"{run.output_name}.safetensors")]
    told = next(finding for finding in check.findings if "not of the very file" in finding.what)
    assert told.what.startswith(f"The samples are of {run.output_name}.safetensors") and "not link these" in told.remedy
    release = gather(settings(target, to="folder", save_to=str(tmp_path / "out")))
    write_for_civitai(release, SILENT)
    said = Image.open(tmp_path / "out" / "images" / "01.png").info["parameters"]
    assert "Steps: 28" in said and "Lora hashes" not in said


def test_an_average_of_checkpoints_shows_its_runs_pictures_as_anothers(run):
    epoch = make(run.checkpoints / f"{run.output_name}-000005.safetensors", seed=3)
    target = run.project_folder / "output" / "mean.safetensors"
    target.parent.mkdir(exist_ok=True)
    average_loras(AverageSettings.make(files=(str(epoch), str(final(run))), save_to=str(target)))
    release = gather(settings(target, to="zip"))
    assert {(sample.by, sample.exact) for sample in release.samples} == {("epoch 10", False)}
    merged = target.with_name("merged.safetensors")
    merge_loras(MergeSettings.make(files=(str(epoch), str(final(run))), save_to=str(merged)))
    assert gather(settings(merged, to="zip")).samples == ()


def test_a_file_among_the_runs_that_nobody_knows_shows_the_trainings_pictures_as_anothers(run):
    drawn_before_and_after(run, 1.0)
    other = make(run.checkpoints / "other.safetensors", seed=7)
    release = gather(settings(other, to="zip"))
    assert {(sample.by, sample.exact) for sample in release.samples} == {("epoch 10", False)}


def test_a_file_far_from_the_project_is_known_by_its_name_and_tensors(run, tmp_path, monkeypatch):
    monkeypatch.setenv("LORABOOK_PROJECTS", str(run.project_folder.parent))
    far = tmp_path / "far" / f"{run.output_name}.safetensors"
    far.parent.mkdir()
    far.write_bytes(final(run).read_bytes())
    assert run_of(far) == run
    assert run_of(make(far, seed=5)) is None


def test_headers_tell_which_run_it_was_and_no_file_is_counted_for_it(run, monkeypatch):
    whole = weigh_lora(WeighSettings.make(file=str(final(run)), weight=0.5)).file
    final(run).write_bytes(Path(whole).read_bytes())  # now it tells its hash, as what trainers write
    copy = run.project_folder / "output" / "x.safetensors"
    copy.parent.mkdir(exist_ok=True)
    copy.write_bytes(final(run).read_bytes())
    tensors = hashes_of(copy).tensors
    monkeypatch.setattr(origins, "hashes_of", lambda path: pytest.fail(f"{path} was counted"))
    assert origin_of(copy, tensors).run == run


def test_the_comparison_notes_what_it_drew_with_so_that_a_deleted_file_is_known(run):
    tensors = hashes_of(final(run)).tensors
    drawn_before_and_after(run, 1.0, lora="/x/epoch-of-then.safetensors", tensors=tensors)
    assert samples(run.folder)[0][0] == "finished × 1.0"


def test_a_folder_without_a_run_or_a_run_without_a_lora_is_a_sentence(run, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="a folder without a run"):
        samples(tmp_path / "empty")
    (run.checkpoints / f"{run.output_name}.safetensors").unlink()
    with pytest.raises(ConfigError, match="has no whole LoRA file"):
        samples(run.folder)
