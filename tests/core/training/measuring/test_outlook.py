"""How long the planned training takes, and what of it is worth a word: worked out by hand from small numbers."""

import os
import time

import pytest

from core.base.files import write_json
from core.dataset.project import Project
from core.training.amounts import amount_lines
from core.training.config import Subset, TrainingSettings
from core.training.finish.kept import keep_finish
from core.training.finish.settings import FinishSettings
from core.training.fitting import check_before_launch, fit_to_project
from core.training.guards import GuardSettings, keep_guards
from core.training.measuring.findings import failure_of, findings_of
from core.training.measuring.fitting_caps import fitting_length
from core.training.measuring.marks import machine_mark, marks_of
from core.training.measuring.measured import Measured, Memory, Units, keep_measured, place_of_measuring, read_measured
from core.training.measuring.outlook import buckets_now, outlook
from core.training.measuring.report import read_report
from core.training.measuring.timeline import Bar, Moment, Timeline
from core.training.measuring.units import units_of
from core.training.monitor.causes import Cause
from core.training.run import Run
from tests.core.training.fake_trainer import write_lora, write_state
from tests.core.training.test_base_models import SD15, write_header
from tests.core.training.test_machine import put_nvidia_smi
from tests.tiny_models import make_pictures

UNITS = Units(load=30.0, encode=0.5, warm_up=4.0, step=2.0, sample=0.001, save=3.0, file_bytes=100, state_bytes=200)
NO_LIMITS = {"price": 0.0, "most_money": 0.0, "most_hours": 0.0}


def planned(**parts):
    settings = TrainingSettings().with_values(
        model={"pretrained_model_name_or_path": "/models/a.safetensors"}, data={"subsets": [Subset(image_dir="/own", num_repeats=10)]},
        sampling={"sample_prompts": ["one --w 100 --h 100 --s 10", "two --w 50 --h 100 --s 10"]})
    return settings.with_values(**parts)


def measured(units=UNITS, **values):
    facts = {"time": time.time(), "backend": "builtin", "marks": {}, "bucket": (512, 512), "batch": (2, 1), "steps": 3, "units": units}
    return Measured(**{**facts, **values})


def test_all_kinds_of_work_are_added_up():
    found = outlook(measured(), planned(), [10])  # 100 pictures in an epoch, 50 steps, 10 epochs
    assert (found.totals.steps, found.pictures, found.totals.saves) == (500, 20, 10)
    assert found.load == 30 and found.encode == 5 and found.steps == 4 + 1000
    assert found.samples == pytest.approx(10 * (100 + 50)) and found.saves == 30
    assert found.whole == pytest.approx(30 + 5 + 1004 + 1500 + 30) and found.price(3600.0) == pytest.approx(found.whole)


def test_mirrored_pictures_are_encoded_twice_and_states_cost_only_where_they_are_saved():
    found = outlook(measured(), planned(data={"flip_aug": True}, saving={"save_state": False}), [10])
    assert found.encode == 10 and found.saves == pytest.approx(10 * 1.0)
    at_end = outlook(measured(), planned(saving={"save_state": False, "save_state_on_train_end": True}), [10])
    assert at_end.saves == pytest.approx(10 * 1.0 + 2.0)


def test_what_the_short_run_did_not_come_to_is_said():
    cut = measured(Units(load=30.0, step=2.0), ended_for="The short run was ended: it had taken the 5 minutes of the time cap.")
    found = outlook(cut, planned(), [10])
    assert found.missing == ("sample pictures", "saves")
    told = findings_of(cut, planned(), [10], found, NO_LIMITS, 3)
    assert [one.level for one in told] == ["warning", "warning"] and "time cap" in told[0].what
    assert "sample pictures and saves" in told[1].what


def test_batches_that_buckets_do_not_fill_are_steps_too():
    with_buckets = measured(buckets=(61, 39))
    assert outlook(with_buckets, planned(), [10]).totals.steps_per_epoch == 31 + 20
    half = planned(data={"subsets": [Subset(image_dir="/own", num_repeats=5)]})
    assert buckets_now((61, 39), 50) == [30, 20] and outlook(with_buckets, half, [10]).totals.steps_per_epoch == 15 + 10
    assert sum(buckets_now((1, 1, 1, 1, 1, 1), 3)) == 3 and min(buckets_now((1,) * 6, 3)) >= 0


def test_validation_is_not_measured_and_that_is_said():
    settings = planned(data={"validation_split": 0.1})
    (told,) = findings_of(measured(), settings, [10], outlook(measured(), settings, [10]), NO_LIMITS, 3)
    assert told.level == "info" and "validation" in told.what


def test_of_several_machines_it_is_said_that_one_was_measured():
    settings = planned(machines={"num_processes": 4, "num_machines": 2})
    (told,) = findings_of(measured(), settings, [10], outlook(measured(), settings, [10]), NO_LIMITS, 3)
    assert told.level == "info" and "Of 2 machines only this one was measured" in told.what and "with 2 GPUs" in told.what


def test_without_a_second_step_nothing_is_worked_out():
    assert outlook(measured(Units(load=30.0)), planned(), [10]) is None and outlook(measured(), planned(), [0]) is None


def test_a_training_over_the_spend_cap_is_an_error_and_its_remedy_fits():
    limits, settings = {**NO_LIMITS, "price": 3.6, "most_money": 1.0}, planned()  # 0.001 a second, 1000 s
    (told,) = findings_of(measured(), settings, [10], outlook(measured(), settings, [10]), limits, 3)
    assert told.level == "error" and "2.57" in told.what and "spend cap of 1" in told.what
    (fix,) = told.fix
    assert fix == ("max_train_epochs", 3) and "'Epochs' (max_train_epochs) to 3" in told.remedy
    assert findings_of(measured(), settings.with_fields(dict([fix])), [10], outlook(measured(), settings.with_fields(dict([fix])), [10]),
                       limits, 3) == []
    longer = settings.with_fields({"max_train_epochs": 4})
    assert outlook(measured(), longer, [10]).price(3.6) > 1.0


def test_where_the_length_is_given_in_steps_the_remedy_is_in_steps():
    settings = planned(schedule={"max_train_epochs": None, "max_train_steps": 600}, sampling={"sample_prompts": []},
                       saving={"save_every_n_epochs": None})
    name, most = fitting_length(measured(), settings, [10], 1000.0)
    assert name == "max_train_steps" and most == (1000 - 30 - 5 - 4 - 3) // 2


def test_where_nothing_fits_there_is_no_button():
    limits = {**NO_LIMITS, "price": 3.6, "most_money": 0.01}
    (told,) = findings_of(measured(), planned(), [10], outlook(measured(), planned(), [10]), limits, 3)
    assert told.fix == () and "Not even the shortest" in told.remedy


def test_a_limit_of_hours_that_would_stop_it_is_a_warning():
    limits = {**NO_LIMITS, "most_hours": 0.5}
    (told,) = findings_of(measured(), planned(), [10], outlook(measured(), planned(), [10]), limits, 3)
    assert told.level == "warning" and "stopped after 0.5 hours" in told.what and told.fix[0][0] == "max_train_epochs"


def test_a_gpu_that_is_nearly_full_is_worth_a_word():
    full = measured(memory=Memory(gpu=23_800, gpu_before=400, gpu_total=24_000, gpu_name="RTX 4090"))
    (told,) = findings_of(full, planned(), [10], None, NO_LIMITS, 3)
    assert told.level == "warning" and "23.2 GiB of 23.4 GiB, 0.4 GiB of it by others" in told.what
    assert findings_of(measured(memory=Memory(gpu=20_000, gpu_total=24_000)), planned(), [10], None, NO_LIMITS, 3) == []


def test_out_of_memory_suggests_the_next_rung_of_the_ladder():
    cause = Cause("out_of_memory", "The GPU ran out of memory.", "Lower something.")
    told = failure_of(measured(cause=cause), planned(memory={"gradient_checkpointing": False}), retries=3)
    assert "The GPU ran out of memory." in told.what and told.fix == (("gradient_checkpointing", True),)
    of_sd_scripts = failure_of(measured(cause=cause, backend="sd-scripts"), planned(data={"batch_size": 4}), retries=3)
    assert dict(of_sd_scripts.fix) == {"batch_size": 2, "gradient_accumulation_steps": 2}
    in_parts = failure_of(measured(cause=cause), planned(data={"batch_size": 4}), retries=3)
    assert in_parts.fix == () and "by itself" in in_parts.remedy and "in parts of 2" in in_parts.remedy
    other = failure_of(measured(cause=Cause("file_not_found", "A file is missing: x.", "Check the path.")), planned(), retries=3)
    assert other.fix == () and other.level == "error"
    assert str(other).endswith("A file is missing: x. Check the path. Then measure again: 'Measure a short run'.")


LEAST = {"data": {"batch_size": 1, "cache_latents": True}, "memory": {"gradient_checkpointing": True}}


@pytest.mark.parametrize(("parts", "retries", "others", "level"), [
    ({"memory": {"gradient_checkpointing": False}}, 3, 0, "warning"), ({"memory": {"gradient_checkpointing": False}}, 0, 0, "error"),
    ({"memory": {"gradient_checkpointing": False}}, 0, 9000, "warning"), ({"data": {"batch_size": 4}}, 3, 0, "warning"),
    ({"data": {"batch_size": 4}}, 0, 0, "warning"), (LEAST, 3, 0, "error"), (LEAST, 3, 9000, "warning")])
def test_out_of_memory_is_an_error_only_where_nothing_could_help(parts, retries, others, level):
    cause = Cause("out_of_memory", "The GPU ran out of memory.", "Lower something.")
    memory = Memory(gpu=15_000, gpu_before=others, gpu_total=15_360, gpu_name="Small GPU")
    told = failure_of(measured(cause=cause, memory=memory), planned(**parts), retries)
    assert told.level == level and "again: 'Measure a short run'." in told.remedy
    assert ("Other programs held 8.8 GiB of the 15.0 GiB of Small GPU." in told.what) == bool(others)
    assert ("by itself" in told.remedy) == (parts is not LEAST and bool(retries or "data" in parts))


@pytest.fixture
def project(tmp_path):
    made = Project.create(tmp_path / "p", "p", trigger="mochi")
    make_pictures(made.images, [(64, 64)] * 4)
    return made


def own_settings(project):
    model = project.folder / "base.safetensors"
    model.touch()
    os.truncate(model, 600_000_000)  # as large as no demo, and takes no room
    return fit_to_project(planned(model={"pretrained_model_name_or_path": str(model)}, data={"subsets": []}), project)


def test_it_is_kept_with_the_project_and_read_again_as_it_was(project):
    kept = measured(cause=Cause("unknown", "x", "y"), memory=Memory(gpu=1.0))
    keep_measured(kept, project)
    assert read_measured(project) == kept


def test_one_that_cannot_be_read_is_none(project):
    write_json(place_of_measuring(project) / "measured.json", {"time": 1})
    assert read_measured(project) is None


def test_live_totals_take_time_and_price_from_a_measurement_that_holds(project):
    settings = own_settings(project)
    keep_finish(project.folder, FinishSettings(price_per_hour=3.6))
    assert "rough estimate" in amount_lines(settings, "builtin", project.folder, on_gpu=False)[-1]
    keep_measured(measured(marks=marks_of(settings, "builtin")), project)
    line = amount_lines(settings, "builtin", project.folder, on_gpu=False)[-1]
    assert "(measured 20" in line and "Price: about" in line
    half = amount_lines(settings.with_values(schedule={"max_train_epochs": 1}), "builtin", project.folder, on_gpu=False)[-1]
    assert "(measured 20" in half and half != line
    assert "rough estimate" in amount_lines(settings.with_values(network={"network_dim": 5}), "builtin", project.folder, on_gpu=False)[-1]
    assert "(measured" not in amount_lines(settings, "sd-scripts", project.folder, on_gpu=False)[-1]


def test_a_cap_that_is_raised_after_the_measurement_is_the_one_that_holds(project):
    settings = own_settings(project)

    def caps(kept, asked=0.0):
        keep_finish(project.folder, FinishSettings(price_per_hour=3.6, most_money=kept))
        keep_measured(measured(marks=marks_of(settings, "builtin"), most_money=asked), project)
        return [one for one in read_report(settings, "builtin", project, on_gpu=False).findings if "the spend cap of" in one.what]

    assert "'Most money' in the panel After the run" in caps(0.1)[0].remedy and caps(50.0) == []
    assert "the spend cap of 0.2" in caps(50.0, 0.2)[0].what and "raise 'Spend cap' and measure again" in caps(50.0, 0.2)[0].remedy


def test_a_report_shows_measured_and_estimated_side_by_side(project):
    settings = own_settings(project)
    keep_finish(project.folder, FinishSettings(price_per_hour=0.5))
    memory = Memory(gpu=11_000, gpu_total=24_000, gpu_name="RTX 4090", torch=9_500, machine=3_000)
    keep_measured(measured(marks=marks_of(settings, "builtin"), memory=memory), project)
    report = read_report(settings, "builtin", project, on_gpu=False)
    rows = {row.name: row for row in report.rows}
    assert "10.7 of 23.4 GiB (RTX 4090); the trainer's torch held 9.3 GiB" in rows["GPU memory at most"].measured
    assert rows["GPU memory at most"].estimated.endswith(" GiB") and rows["A step"].measured == "2 s (the first one 6 s)"
    assert rows["A step"].estimated == ""  # of a GPU nothing is known before its first run
    assert "loading 30 s" in rows["The whole training"].measured and "at 0.5 an hour" in rows["Price"].measured
    assert "Measured: the training takes about" in report.sentence() and report.as_dict()["exit_code"] == 0
    keep_measured(measured(marks=marks_of(settings, "builtin"), units=Units(step=2.3456, warm_up=0.01)), project)
    rows = {row.name: row for row in read_report(settings, "builtin", project, on_gpu=False).rows}
    assert rows["A step"].measured == "2.35 s (the first one 2.36 s)" and "rough estimate" in rows["A step"].estimated
    assert rows["The whole training"].estimated


def test_the_check_says_what_was_measured_of_the_gpu_in_place_of_the_estimate(project, tmp_path, monkeypatch):
    model = write_header(tmp_path / "base.safetensors", SD15)
    settings = own_settings(project).with_values(
        model={"pretrained_model_name_or_path": str(model)}, data={"resolution": 1024, "batch_size": 8},
        memory={"gradient_checkpointing": False})
    put_nvidia_smi(tmp_path, monkeypatch, "Small GPU", "8.0")
    machine_mark.cache_clear()

    def said():
        return [str(one) for one in check_before_launch(settings, "builtin", project.folder) if "GPU" in one.what and "GiB" in one.what]

    assert any("The GPU has 14.6 GiB free, the run needs more" in one for one in said())
    memory = Memory(gpu=12_000, gpu_total=15_360, gpu_name="Small GPU")
    keep_measured(measured(marks=marks_of(settings, "builtin"), memory=memory), project)
    (told,) = said()
    assert "Measured 20" in told and "11.7 of 15.0 GiB (Small GPU)" in told and "needs more" not in told
    cause = Cause("out_of_memory", "The GPU ran out of memory of its 15 GiB.", "")
    keep_measured(measured(marks=marks_of(settings, "builtin"), cause=cause), project)
    assert "The short run failed. The GPU ran out of memory" in said()[0] and "gradient_checkpointing" in said()[0]
    assert not [one for one in check_before_launch(settings, "builtin", project.folder, deep=False) if "The short run" in one.what and
                one.level == "error"]
    keep_guards(GuardSettings(memory_retries=0), project.folder)
    assert [one.level for one in check_before_launch(settings, "builtin", project.folder) if "The short run" in one.what] == ["error"]
    machine_mark.cache_clear()


def test_a_report_of_other_settings_says_which(project):
    settings = own_settings(project)
    keep_measured(measured(marks=marks_of(settings, "builtin")), project)
    report = read_report(settings.with_values(data={"batch_size": 7}), "builtin", project, on_gpu=False)
    assert report.rows == () and report.other_settings == ("Batch size (2 then, 7 now)",)
    assert "is of other settings: Batch size" in report.sentence()


def test_units_are_read_off_the_timeline_and_the_files(project):
    run = Run.create(project.folder, own_settings(project).with_values(data={"cache_latents": True}), "sd-scripts")
    now = time.time()
    timeline = Timeline(now - 100)
    timeline.moments = [Moment(now - 100, "load"), Moment(now - 90, "encode"), Moment(now - 80, "load"), Moment(now - 70, "train"),
                        Moment(now - 40, "sample"), Moment(now - 20, "save")]
    timeline.steps = {0: now - 70, 1: now - 60, 2: now - 56, 3: now - 52}
    timeline.bars = {"encode": Bar((now - 88, 1), (now - 82, 4), 4)}
    write_lora(run.checkpoints / "p.safetensors")
    write_state(run.checkpoints / "p-state", 3)
    (run.checkpoints / "sample").mkdir()
    picture = run.checkpoints / "sample" / "a.png"
    picture.write_bytes(b"x")
    os.utime(picture, (now - 25, now - 25))
    for path in [run.checkpoints / "p.safetensors", *(run.checkpoints / "p-state").iterdir()]:
        os.utime(path, (now - 17, now - 17))
    units = units_of(timeline, run)
    assert units.step == pytest.approx(4) and units.warm_up == pytest.approx(6) and units.load == pytest.approx(30 - 8)
    assert units.encode == pytest.approx(6 / 3) and units.captions is None
    assert units.sample == pytest.approx(15 / (100 * 100 * 10)) and units.save == pytest.approx(3)
    assert units.file_bytes == (run.checkpoints / "p.safetensors").stat().st_size and units.state_bytes > 0
