"""The monitor on real run folders: norms, machine, price, comparison, the log, and the quiet reminder."""

import json
from dataclasses import replace

import ipywidgets as ipw
import pytest
from PIL import Image

from core.base.files import write_json
from core.base.jobs import append_event
from core.training.finish.kept import FILE as FINISH_FILE
from core.training.finish.kept import keep_finish
from core.training.finish.settings import FinishSettings
from core.training.run import Run
from widgets.training.choice import read_settings
from widgets.training.monitor import MonitorPanel
from widgets.training.report import ReportPanel
from widgets.training.settings import SettingsPanel


def make_run(session, color="red", rank=8, pace=2.0):
    """A run that has ended, with everything that is measured of one."""
    run = Run.create(session.folder, read_settings(session).with_values(network={"network_dim": rank}), "builtin")
    run.note("launch", attempt=1, backend="builtin", resumed_from=0)
    run.note("trainer", attempt=1)
    run.note("start", total_steps=20, epochs=2, images=3, batches=10, buckets=1)
    for step in range(1, 21):
        append_event(run.folder, "step", step=step, epoch=1 + step // 11, loss=1 / step, lr={"unet": 1e-4}, seconds=pace,
                     time=1e9 + step * pace)
    for epoch in (1, 2):
        path = run.folder / "samples" / f"mochi_e{epoch:06d}_00_5.png"
        Image.new("RGB", (64, 64), color).save(path)
        run.note("sample", path=str(path), step=epoch * 10, epoch=epoch, prompt="mychar", seed=42, index=0)
    layers = [f"lora_unet_down_blocks_{number}_attn" for number in range(40)] + ["lora_te_text_model_encoder_layers_11"]
    rows = [{"kind": "begin", "step": 0, "layers": layers}, {"kind": "steps", "first": 1, "gradient": [1 / step for step in range(1, 21)]},
            {"kind": "layers", "step": 10, "first": 0, "update": [0.01 * (n + 1) for n in range(40)] + [0.0], "weight": [2.0] * 41}]
    (run.folder / "norms.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    usage = [{"time": 1e9 + 10 * number, "disk": 50 << 30, "gpus": [[0, 8192, 90, 61, None]]} for number in range(30)]
    (run.folder / "usage.jsonl").write_text("".join(json.dumps(row) + "\n" for row in usage))
    (run.folder / "log.txt").write_text("the first line\nWARNING: an old file\nsteps:  50%|# | 10/20 [00:01<00:01, 1.00s/it]\nthe end\n")
    write_json(run.folder / "supervisor.json", {"attempt": 1})
    run.note("end", attempt=1, state="done", seconds=1800.0, output=str(run.checkpoints / "x.safetensors"))
    return run


@pytest.fixture
def run(session):
    return make_run(session)


def labels(chart):
    return [curve["label"] for curve in chart.curves]


def test_gradient_layers_machine_and_price_are_shown(session, run):
    keep_finish(session.folder, FinishSettings(price_per_hour=3.0))
    panel = MonitorPanel(session)
    assert "Gradient norm" in panel._facts.value and "0.05" in panel._facts.value
    assert "30 min" in panel._facts.value and "1.50 so far, at 3 an hour" in panel._facts.value
    assert labels(panel.norms) == ["gradient", "smoothed gradient", "U-Net", "text encoder"]
    assert labels(panel.usage) == ["GPU 0: memory", "GPU 0: load", "GPU 0: temperature", "free disk"]
    assert panel.usage.panes == ["GPU memory, GiB", "GPU load, %", "GPU temperature, °C", "Free disk, GiB"]
    assert panel._layers.value.index("down_blocks_39_attn") < panel._layers.value.index("down_blocks_38_attn")
    assert "22 layers between them" in panel._layers.value and "1 more</th><td>not changed by the step" in panel._layers.value


def test_the_prompt_stands_under_its_pictures(session, run):
    panel = MonitorPanel(session)
    assert panel.samples.below and panel.samples.rows == ["mychar"] and panel.samples.columns == ["Epoch 1", "Epoch 2"]


def test_the_log_is_brought_when_it_is_opened_and_follows_what_is_chosen(session, run):
    panel = MonitorPanel(session)
    log = panel.run_log.view
    assert log.lines == []
    log.opened = True
    assert [text for _, text in log.lines] == run.log.read_text().splitlines() and log.note == "The whole log: 4 lines."
    log.levels = ["warning"]
    assert log.lines == [["warning", "WARNING: an old file"]] and log.note == "1 line fits."
    log.levels, log.words = ["error", "warning", "info", "progress"], "THE"
    assert [text for _, text in log.lines] == ["the first line", "the end"]
    with open(run.log, "a", encoding="utf-8") as file:
        file.write("the very end\n")
    panel.refresh()
    assert [text for _, text in log.lines] == ["the first line", "the end", "the very end"]
    log.words = "nowhere"
    assert log.lines == [] and log.note == "No line fits."


def test_warnings_of_lorabook_stand_before_the_log(session, run):
    run.note("warning", message="The disk is nearly full.")
    panel = MonitorPanel(session)
    panel.run_log.view.opened = True
    assert panel.run_log.view.lines[0] == ["warning", "Note: The disk is nearly full."]


def test_two_runs_are_compared_by_step_and_by_time_with_settings_and_samples(session, run):
    other = make_run(session, "blue", rank=16, pace=4.0)
    panel = MonitorPanel(session)
    comparison = panel.comparison
    assert comparison.view.layout.display == "" and comparison.chart.curves == []
    comparison.fold.button.value = True
    assert list(comparison.runs.value) == [other.id, run.id]
    assert labels(comparison.chart) == [other.id, run.id] and comparison.chart.x_title == "step"
    assert "LoRA: Rank" in comparison._table.value and "<td>16</td><td>8</td>" in comparison._table.value
    assert comparison.samples.columns == [other.id, run.id] and comparison.samples.rows == ["mychar"]
    assert comparison.moment.value == "epoch 2" and len(comparison.samples.pictures) == 2
    assert {str(run.folder), str(other.folder)} <= {key["key"].partition("/samples/")[0] for key in comparison.samples.pictures}
    comparison.moment.value = "epoch 1"
    assert all("e000001" in picture["key"] for picture in comparison.samples.pictures)
    comparison.axis.value = "time"
    assert comparison.chart.x_title == "minutes"
    comparison.runs.value = [run.id]
    assert "1 is chosen: two to 6 can be compared" in comparison._words.value and comparison._found.layout.display == "none"


def test_a_comparison_follows_a_run_that_works_also_beside_a_finished_one_that_is_watched(session, run, monkeypatch):
    other, states, repeated = make_run(session, "blue", rank=16, pace=4.0), ["running"], []
    panel = MonitorPanel(session)
    compare = panel.session.training.compare

    def compared(chosen):
        found = compare(chosen)
        return replace(found, runs=tuple(replace(one, state=states[0] if one.id == other.id else one.state) for one in found.runs))

    monkeypatch.setattr(type(panel.session.training), "compare", lambda _, chosen: compared(chosen))
    monkeypatch.setattr(panel.loop, "repeat", lambda look, seconds: repeated.append(look))
    panel.comparison.fold.button.value = True
    assert len(repeated) == 1 and repeated[0]() is True
    states[0], panel.comparison._looked = "done", 0.0
    assert repeated[0]() is True  # it looks, and finds that the run has ended
    assert repeated[0]() is False and len(repeated) == 1


def test_one_run_alone_is_not_offered_for_comparison(session, run):
    assert MonitorPanel(session).comparison.view.layout.display == "none"


def test_the_report_puts_chosen_runs_beside_it(session, run):
    make_run(session, "blue", rank=16)
    panel = ReportPanel(session)
    assert list(panel.others.options) == [run.id]
    panel.others.value = [run.id]
    panel.main.click()
    assert panel.status.state == "done"
    assert "Compared with other runs" in (panel.session.training.run(panel.picker.chosen).folder / "report.html").read_text()


def test_the_reminder_is_one_calm_line_for_those_who_wish_for_it(session, run):
    assert MonitorPanel(session)._calm.value == ""
    keep_finish(session.folder, FinishSettings(reminder=True))
    assert "The training has ended." in MonitorPanel(session)._calm.value


def test_a_broken_file_of_the_finish_does_not_blind_the_monitor(session, run):
    (session.folder / FINISH_FILE).write_text("[finish]\nreminder = 'perhaps'\nthen = [[[\n")
    panel = MonitorPanel(session)
    assert panel._calm.value == "" and "Gradient norm" in panel._facts.value and labels(panel.norms)


def test_why_nothing_was_measured_stands_alone(session, run):
    (run.folder / "norms.jsonl").write_text(json.dumps({"kind": "off", "why": "the optimizer <b>made</b> no step"}) + "\n")
    panel = MonitorPanel(session)
    assert "Not measured: the optimizer &lt;b&gt;made&lt;/b&gt; no step." in panel._off.value and panel._layers.value == ""
    (run.folder / "norms.jsonl").write_text("")
    panel = MonitorPanel(session)
    assert "Not measured yet." in panel._layers.value and "Not measured" not in panel._off.value


def loggers(panel):
    """What the field offers and says; its fold is opened first, for until then there is no control."""
    for row in panel.form.section("logging").view.children:
        for button in getattr(row, "children", ()):
            if isinstance(button, ipw.ToggleButton):
                button.value = True
    control = panel.form.control("logging.log_with")
    return [value for _, value in control.widget.options], control._note.value


def test_weights_and_biases_is_offered_only_where_it_can_be_sent_to(session, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("WANDB_API_KEY", "WANDB_MODE", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    env = tmp_path / "env"
    for folder in ("bin", "lib/python3.11/site-packages/wandb"):
        (env / folder).mkdir(parents=True)
    (env / "bin/python").touch()
    monkeypatch.setenv("SD_SCRIPTS_PYTHON", str(env / "bin/python"))
    monkeypatch.setattr("widgets.training.settings.backend_of", lambda session: "sd-scripts")
    options, note = loggers(SettingsPanel(session))
    assert options == [None, "tensorboard"] and "no key of Weights &amp; Biases" in note
    monkeypatch.setenv("WANDB_API_KEY", "a" * 40)
    options, note = loggers(SettingsPanel(session))
    assert options == [None, "tensorboard"] and "has no package wandb" in note and "a" * 40 not in note
    (env / "lib/python3.11/site-packages/wandb/__init__.py").touch()
    assert loggers(SettingsPanel(session))[0] == [None, "tensorboard", "wandb", "all"]
    monkeypatch.setattr("widgets.training.settings.backend_of", lambda session: "builtin")
    options, note = loggers(SettingsPanel(session))
    assert options == [None, "tensorboard"] and "The built-in trainer writes TensorBoard files only." in note
