"""The part of the Check panel that measures a short run."""

import time

import pytest

from core.base.files import write_json
from core.base.jobs import append_event
from core.base.paths import DEMO_ASSETS
from core.training.finish.kept import keep_finish
from core.training.finish.settings import FinishSettings
from core.training.measuring.marks import marks_of
from core.training.measuring.measured import Measured, Units, keep_measured, read_measured
from core.training.measuring.settings import MeasureSettings
from core.training.monitor.causes import Cause
from tests.core.training.fakes import wait_for
from widgets.training.check import TrainingCheckPanel
from widgets.training.choice import keep_settings, read_settings, settings_file

UNITS = Units(load=30.0, encode=0.5, warm_up=4.0, step=2.0, sample=1e-6, save=3.0, file_bytes=2 << 20, state_bytes=9 << 20)


@pytest.fixture
def chosen(session):
    """Settings with a model, kept."""
    settings = read_settings(session).with_values(model={"pretrained_model_name_or_path": str(DEMO_ASSETS / "model")})
    keep_settings(session, settings)
    return read_settings(session)


def keep(session, chosen, **values):
    facts = {"time": time.time(), "backend": "builtin", "marks": marks_of(chosen, "builtin"), "bucket": (512, 512), "batch": (2, 1),
             "steps": 3, "units": UNITS}
    keep_measured(Measured(**{**facts, **values}), session.training.project)


def buttons(panel):
    return list(panel.measuring.mends.children)


def test_before_anything_is_measured_it_says_what_it_would_do(session):
    panel = TrainingCheckPanel(session)
    assert panel.measuring.result.value == "" and panel.measuring.button.description == "Measure a short run"
    assert panel.measuring.button.disabled and "No model is chosen yet" in panel.measuring.button.tooltip
    assert list(panel.measuring.form.names()) == ["most_money", "most_minutes"]


def test_the_last_measurement_is_shown_again_with_what_was_estimated(session, chosen):
    keep(session, chosen)
    keep_finish(session.folder, FinishSettings(price_per_hour=0.5))
    panel = TrainingCheckPanel(session)
    shown = panel.measuring.result.value
    assert not panel.measuring.button.disabled
    assert '<th scope="row">A step</th><td>2 s (the first one 6 s)</td>' in shown and "at 0.5 an hour" in shown
    assert '<th scope="row">Price</th>' in shown and buttons(panel) == []


def test_after_a_change_that_matters_it_says_that_other_settings_were_measured(session, chosen):
    keep(session, chosen)
    panel = TrainingCheckPanel(session)
    keep_settings(session, chosen.with_values(data={"batch_size": 3}))
    panel.refresh()
    assert "is of other settings: Batch size (2 then, 3 now). Measure again" in panel.measuring.result.value
    assert "<table>" not in panel.measuring.result.value
    keep_settings(session, chosen.with_values(schedule={"max_train_epochs": 2}))
    panel.refresh()
    assert "<table>" in panel.measuring.result.value and "2 epochs" not in panel.measuring.result.value


def test_a_training_over_the_cap_is_mended_at_one_press(session, chosen):
    keep_finish(session.folder, FinishSettings(price_per_hour=3.6, most_money=0.5))
    keep(session, chosen)
    panel = TrainingCheckPanel(session)
    assert "more than the spend cap of 0.5" in panel.measuring.result.value
    (button,) = buttons(panel)
    assert button.description.startswith("Set 'Epochs' to ")
    button.click()
    assert read_settings(session).schedule.max_train_epochs < chosen.schedule.max_train_epochs
    assert "spend cap" not in panel.measuring.result.value and buttons(panel) == []


def test_a_short_run_that_failed_shows_why_and_the_next_downgrade(session, chosen):
    settings = chosen.with_values(memory={"gradient_checkpointing": False})
    keep_settings(session, settings)
    keep(session, settings, units=Units(), cause=Cause("out_of_memory", "The GPU ran out of memory.", "Lower something."))
    panel = TrainingCheckPanel(session)
    assert "The short run failed. The GPU ran out of memory." in panel.measuring.result.value
    (button,) = buttons(panel)
    assert button.description == "Switch 'Save memory' on"
    button.click()
    assert read_settings(session).memory.gradient_checkpointing and "Save memory (off then, on now)" in panel.measuring.result.value


def test_the_check_and_the_measurement_do_not_wipe_each_other_away(session, chosen):
    keep(session, chosen)
    panel = TrainingCheckPanel(session)
    panel.main.click()
    assert panel._findings.value and "<table>" in panel.measuring.result.value
    panel.refresh()
    assert panel._findings.value and "<table>" in panel.measuring.result.value


def test_the_caps_of_the_last_short_run_come_back(session, chosen):
    folder = session.folder / "jobs" / "20260101-000000-measure"
    order = {"stage": "measure", "project": str(session.folder), "settings": {"most_money": 2.5, "most_minutes": 4.0, "backend": "musubi"}}
    write_json(folder / "settings.json", order)
    panel = TrainingCheckPanel(session)
    assert panel.measuring.form.value() == MeasureSettings(most_money=2.5, most_minutes=4.0)


def test_a_short_run_of_other_settings_is_no_news_when_the_notebook_is_opened_again(session, chosen):
    keep(session, chosen)
    folder = session.folder / "jobs" / "20260101-000000-measure"
    write_json(folder / "settings.json", {"stage": "measure", "project": str(session.folder), "settings": {}})
    append_event(folder, "done", message="Measured: the training takes about 12 min.")
    assert TrainingCheckPanel(session).status.text == "Done: Measured: the training takes about 12 min."
    keep_settings(session, chosen.with_values(data={"batch_size": 3}))
    panel = TrainingCheckPanel(session)
    assert panel.status.text == "Ready" and "is of other settings" in panel.measuring.result.value


@pytest.mark.slow
def test_a_press_measures_in_a_job_with_the_settings_as_they_stand(session, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    preset = session.training.preset("demo").with_values(model={"pretrained_model_name_or_path": str(DEMO_ASSETS / "model")},
                                                         data={"batch_size": 1}, sampling={"sample_prompts": ["mychar --s 2"]})
    keep_settings(session, preset)
    panel = TrainingCheckPanel(session)
    panel.measuring.button.click()
    job = panel.job
    assert job.stage == "measure" and panel.main.disabled and panel.measuring.button.disabled
    beside_the_button = set()
    wait_for(lambda: beside_the_button.add(panel.measuring._going.value) or not panel._look(), 120)
    assert any("Working" in words for words in beside_the_button) and panel.measuring._going.value == ""
    assert panel.status.text.startswith("Done: Measured: the training takes about"), panel.status.text + job.log_tail()
    assert "<table>" in panel.measuring.result.value and read_measured(session.training.project).steps == 3
    assert session.training.runs() == [] and settings_file(session.folder).is_file() and not panel.measuring.button.disabled
