"""Runs beside each other: losses by step and by time, settings that differ, samples of the same moment and prompt."""

import pytest
from PIL import Image

from core.base.errors import TrainingError
from core.base.jobs import append_event
from core.training.comparing import compare_runs, minutes_of
from core.training.manager import TrainingManager
from core.training.monitor import read_status
from core.training.monitor.curve import CurvePoint
from core.training.run import Run
from tests.core.training.fakes import make_project, make_settings


def make_one(project, color, pace=2.0, epochs=(1, 2), **changes):
    """A run of four steps with a sample at the end of each epoch."""
    run = Run.create(project.folder, make_settings(project.folder).with_values(**changes), "builtin")
    for step in range(1, 5):
        append_event(run.folder, "step", step=step, epoch=(step + 1) // 2, loss=1 / step, lr={"unet": 1e-4}, seconds=pace,
                     time=1000 + step * pace)
    for epoch in epochs:
        path = run.folder / "samples" / f"mochi_e{epoch:06d}_00_5.png"
        Image.new("RGB", (32, 32), color).save(path)
        append_event(run.folder, "sample", path=str(path), step=2 * epoch, epoch=epoch, prompt="mochi, sitting", seed=5, index=0)
    return run


@pytest.fixture
def project(tmp_path):
    return make_project(tmp_path)


def compare(*runs):
    return compare_runs([(run, read_status(run)) for run in runs])


def test_losses_are_by_step_and_by_time(project):
    found = compare(make_one(project, "red"), make_one(project, "blue", pace=60.0))
    assert [[point.step for point in run.points] for run in found.runs] == [[1, 2, 3, 4]] * 2
    assert [run.minutes for run in found.runs] == [pytest.approx((0, 1 / 30, 2 / 30, 0.1)), (0, 1, 2, 3)] and found.has_minutes


def test_the_time_in_which_a_run_was_stopped_is_not_counted():
    points = [CurvePoint(step, 0.5, time=float(time)) for step, time in enumerate([0, 60, 120, 9000, 9060])]
    assert minutes_of(points) == [0, 1, 2, 3, 4]
    assert minutes_of([CurvePoint(1, 0.5), CurvePoint(2, 0.5, time=3.0)]) == [] and minutes_of([]) == []


def test_only_settings_that_differ_are_named_by_their_titles(project):
    found = compare(make_one(project, "red", network={"network_dim": 8}, optimizer={"learning_rate": 1e-4}),
                    make_one(project, "blue", network={"network_dim": 32}, optimizer={"learning_rate": 1e-4}),
                    make_one(project, "green", network={"network_dim": 8}, saving={"output_name": "other"}))
    shown = {difference.name: (difference.title, difference.values) for difference in found.differences}
    assert shown["network_dim"] == ("LoRA: Rank", ("8", "32", "8"))
    assert not {"output_dir", "logging_dir", "output_name", "seed"} & set(shown)


def named(*runs):
    return {difference.name: difference.values for difference in compare(*runs).differences}


def test_files_of_one_name_in_two_places_are_told_apart_in_as_few_words_as_it_takes(project):
    one, other, third = (make_one(project, "red", model={"pretrained_model_name_or_path": f"/models/{place}.safetensors"})
                         for place in ("old/base", "new/base", "old/base"))
    assert named(one, other, third)["pretrained_model_name_or_path"] == ("old/base.safetensors", "new/base.safetensors",
                                                                         "old/base.safetensors")
    assert "pretrained_model_name_or_path" not in named(one, third)


def test_folders_that_differ_in_more_than_name_and_repeats_are_named(project):
    folder = str(project.images)
    one, other = (make_one(project, "red", data={"subsets": [{"image_dir": folder, "num_repeats": 4, "flip_aug": flip}]})
                  for flip in (None, True))
    short, long = named(one, other)["subsets"]
    assert short == f"{project.folder.name}/images × 4" and long == f"{short}, Mirror pictures: True"


def test_prompts_that_differ_in_more_than_their_text_are_named(project):
    one, other = (make_one(project, "red", sampling={"sample_prompts": [{"prompt": "mochi, sitting", "seed": seed}]}) for seed in (5, 6))
    assert [words.startswith("mochi, sitting") for words in named(one, other)["sample_prompts"]] == [True, True]
    assert len(set(named(one, other)["sample_prompts"])) == 2


def test_runs_of_which_nothing_is_known_are_not_called_the_same(project):
    runs = [make_one(project, color) for color in ("red", "blue")]
    for run in runs:
        (run.folder / "settings.toml").write_text("[network]\nnetwork_dim = 'many'\n")
    assert [difference.values for difference in compare(*runs).differences] == [("not known", "not known")]


def test_samples_of_one_moment_and_prompt_stand_side_by_side(project):
    one, other = make_one(project, "red"), make_one(project, "blue", epochs=(2,))
    found = compare(one, other)
    assert found.moments == ("epoch 1", "epoch 2")
    ((words, paths),) = found.samples_at("epoch 1")
    assert words == "mochi, sitting" and paths == [one.folder / "samples" / "mochi_e000001_00_5.png", None]
    assert [path.parent.parent for path in found.samples_at("epoch 2")[0][1]] == [one.folder, other.folder]


def test_a_run_whose_settings_cannot_be_read_is_compared_all_the_same(project):
    one, other = make_one(project, "red"), make_one(project, "blue")
    (other.folder / "settings.toml").write_text("[network]\nnetwork_dim = 'many'\n")
    found = compare(one, other)
    assert len(found.runs) == 2 and {difference.values[1] for difference in found.differences} == {"not known"}


def test_one_run_alone_and_too_many_are_refused_in_words(project):
    run = make_one(project, "red")
    with pytest.raises(TrainingError, match="Two to 6 runs can be compared, but 1 is chosen."):
        compare(run)
    with pytest.raises(TrainingError, match="but 7 are chosen"):
        compare(*[run] * 7)


def test_the_report_holds_the_comparison_and_needs_no_network(project):
    one, other = make_one(project, "red", network={"network_dim": 8}), make_one(project, "blue", network={"network_dim": 16})
    manager = TrainingManager(project.folder)
    text = manager.report(one.id, [other.id]).read_text(encoding="utf-8")
    section = text[text.index("<h2>Compared with other runs</h2>"):]
    assert "Smoothed loss, over steps." in section and "Smoothed loss, over minutes." in section and "LoRA: Rank" in section
    assert section.count("<h3>Epoch") == 2 and "src=\"http" not in text and "<script" not in text
    assert "Compared with other runs" not in manager.report(one.id).read_text(encoding="utf-8")
