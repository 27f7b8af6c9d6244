"""The report is one file that needs no network, shows what there is and escapes every text."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from core.base.files import sha256
from core.base.jobs import append_event
from core.training.evaluated import Column, EvaluationReport, Picture
from core.training.monitor.curve import CurvePoint
from core.training.report import write_report
from core.training.report_parts import large_picture, picture
from core.training.report_plots import loss_plot, round_ticks
from core.training.run import Run
from tests.core.training.fake_trainer import write_lora
from tests.core.training.fakes import make_project, make_settings

EVIL = 'cat <script>alert("x")</script> & "quotes"'


class Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.words = [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.words.append(data)


def whole_run(tmp_path):
    project = make_project(tmp_path)
    for number in range(3):
        Image.new("RGB", (64, 64), (80 * number, 0, 0)).save(project.images / f"{number}.png")
        (project.images / f"{number}.txt").write_text("mochi, red, <b>bold</b>")
    settings = make_settings(project.folder).with_values(sampling={"sample_prompts": [EVIL]})
    run = Run.create(project.folder, settings, "builtin")
    append_event(run.folder, "start", total_steps=20, epochs=2, images=3, batches=3, buckets={})
    for step in range(1, 21):
        append_event(run.folder, "step", step=step, epoch=1 + step // 11, loss=1 / step, average_loss=0.2, lr={"unet": 1e-4}, seconds=0.1)
    for epoch in (1, 2):
        path = run.folder / "samples" / f"mochi_e{epoch:06d}_00_5.png"
        Image.new("RGB", (64, 64), "green").save(path)
        append_event(run.folder, "sample", path=str(path), step=10 * epoch, epoch=epoch, prompt=EVIL, seed=5, index=0)
    write_lora(run.checkpoints / "mochi.safetensors")
    folder = run.folder / "evaluation"
    folder.mkdir()
    for number in range(2):
        Image.new("RGB", (64, 64), "blue").save(folder / f"{number}.png")
    report = EvaluationReport(str(folder), "grid.png", "m", (Column("without", ""), Column("finished", "x", 3, 4, 0.25)),
                              (Picture("0.png", 0, EVIL, 1), Picture("1.png", 1, EVIL, 1)), ("one remark",), 1.0)
    (folder / "evaluation.json").write_text(json.dumps({**__import__("dataclasses").asdict(report), "settings": {}}))
    return run


def read(run):
    reader, text = Reader(), write_report(run).read_text(encoding="utf-8")
    reader.feed(text)
    return reader, text


def test_the_report_shows_settings_dataset_loss_samples_comparison_and_files(tmp_path):
    run = whole_run(tmp_path)
    reader, text = read(run)
    for heading in ("Before and after", "Loss", "Samples during training", "In numbers", "Dataset", "Settings", "Files"):
        assert f"<h2>{heading}</h2>" in text
    words = " ".join(reader.words)
    assert sha256(run.checkpoints / "mochi.safetensors") in words and "3 pictures, 3 with a caption" in words
    assert "3 of 4 modules, pictures differ by 25.0%" in words and "Rank" in words and "epoch 2" in words and "mochi (3)" in words
    images = [attributes for tag, attributes in reader.tags if tag == "img"]
    assert len(images) == 2 + 2 + 3


def test_the_report_needs_nothing_from_outside(tmp_path):
    reader, text = read(whole_run(tmp_path))
    assert not [tag for tag, _ in reader.tags if tag in ("script", "link", "iframe")]
    places = [value for _, attributes in reader.tags for name, value in attributes.items() if name in ("src", "href")]
    assert places and all(place.startswith("data:image/") for place in places)
    assert "@import" not in text and not re.search(r"url\(", text)


def test_every_text_is_escaped(tmp_path):
    reader, text = read(whole_run(tmp_path))
    assert "<script" not in text and "<b>bold" not in text
    assert EVIL in " ".join(reader.words)


def test_both_colour_schemes_are_served(tmp_path):
    _, text = read(whole_run(tmp_path))
    assert "prefers-color-scheme: dark" in text and "color-scheme: light dark" in text


def test_a_run_that_has_just_been_prepared_has_a_report_too(tmp_path):
    project = make_project(tmp_path)
    run = Run.create(project.folder, make_settings(project.folder), "builtin")
    _, text = read(run)
    assert "<h2>Settings</h2>" in text and "<svg" not in text


def test_a_failure_stands_at_the_top_with_its_last_lines(tmp_path):
    run = whole_run(tmp_path)
    (run.folder / "supervisor.json").write_text(json.dumps({"attempt": 1, "host": "elsewhere", "mark": None}))
    run.log.write_text("one\n<last> line\n")
    cause = {"kind": "out_of_memory", "sentence": "The GPU ran out of memory.", "hint": "Lower it."}
    run.note("end", attempt=1, state="failed", cause=cause)
    _, text = read(run)
    assert '<p class="cause"><strong>The GPU ran out of memory.</strong> Lower it.</p>' in text and "&lt;last&gt; line" in text


def test_a_picture_that_is_broken_becomes_its_name(tmp_path):
    (tmp_path / "x<y.png").write_bytes(b"no picture")
    assert picture(tmp_path / "x<y.png", "alt") == "<em>x&lt;y.png cannot be shown</em>"


def test_a_large_picture_is_embedded_smaller(tmp_path):
    Image.effect_noise((1500, 900), 80).save(tmp_path / "big.png")
    tag = picture(tmp_path / "big.png", "alt", longest=300)
    assert "data:image/jpeg" in tag and len(tag) < 120_000


def test_a_large_picture_keeps_its_pixels_and_can_be_enlarged_without_a_script_or_a_link(tmp_path):
    Image.new("RGB", (2192, 1636), "red").save(tmp_path / "sheet.png")
    text = large_picture(tmp_path / "sheet.png", "a <sheet>")
    assert "data:image/png" in text and '<input type="checkbox" aria-label="a &lt;sheet&gt;: full size">' in text
    assert "<img class=large" in text and "<a " not in text and "<script" not in text
    (tmp_path / "broken.png").write_bytes(b"no picture")
    assert large_picture(tmp_path / "broken.png", "alt") == "<em>broken.png cannot be shown</em>"


def test_the_axis_has_round_numbers_around_the_values():
    assert round_ticks(0.02, 0.22) == pytest.approx([0, 0.05, 0.1, 0.15, 0.2, 0.25])
    for low, high in ((0.5, 0.5), (0, 0), (1e-5, 3e4), (0.0911, 0.0913)):
        ticks = round_ticks(low, high)
        assert 2 <= len(ticks) <= 9 and ticks[0] <= low and ticks[-1] >= high


def test_the_plot_survives_nan_one_point_and_a_flat_line():
    assert loss_plot([]) == "" and loss_plot([CurvePoint(1, float("nan"))]) == ""
    assert "<svg" in loss_plot([CurvePoint(1, 0.5, smoothed=0.5)])
    flat = loss_plot([CurvePoint(step, 0.5 if step != 3 else float("nan"), smoothed=0.5) for step in range(1, 9)])
    assert "nan" not in flat and flat.count("<polyline") == 2


def test_a_report_names_the_model_but_not_where_it_lies():
    from core.training.report import _value

    assert _value("pretrained_model_name_or_path", "/home/maker/secret place/model.safetensors") == "model.safetensors"
    assert _value("output_name", "a/b") == "a/b"


def watched_run(tmp_path, prompts=1, epochs=2, layers=3):
    """A run with everything that the monitor knows."""
    run = whole_run(tmp_path)
    norms = [{"kind": "begin", "step": 0, "layers": [f"lora_unet_{number}" for number in range(layers)]},
             {"kind": "steps", "first": 1, "gradient": [1 / step for step in range(1, 21)]},
             {"kind": "layers", "step": 10, "first": 0, "update": [0.1] * layers, "weight": [2.0] * layers}]
    (run.folder / "norms.jsonl").write_text("".join(json.dumps(row) + "\n" for row in norms))
    usage = [{"time": 1000 + 10 * number, "disk": 50 << 30, "gpus": [[0, 8000 + number, 90, 61, 300]]} for number in range(50)]
    (run.folder / "usage.jsonl").write_text("".join(json.dumps(row) + "\n" for row in usage))
    run.log.write_text(f"WARNING: {EVIL}\nall is well in {run.project_folder}\nERROR of {run.project_folder}/images\n")
    append_event(run.folder, "memory", reserved=9 << 30, allocated=8 << 30)
    append_event(run.folder, "price", per_hour=2.0)
    append_event(run.folder, "end", attempt=0, state="done", seconds=1800)
    for epoch in range(1, epochs + 1):
        for number in range(prompts):
            path = run.folder / "samples" / f"mochi_e{epoch:06d}_{number:02d}_5.png"
            Image.effect_noise((256, 256), 90).convert("RGB").save(path)
            append_event(run.folder, "sample", path=str(path), step=epoch, epoch=epoch, prompt=f"prompt number {number}", seed=5,
                         index=number)
    return run


def test_the_report_shows_what_the_monitor_shows(tmp_path):
    reader, text = read(watched_run(tmp_path))
    words = " ".join(reader.words)
    for heading in ("Loss", "Learning rate", "Gradient and layers", "GPU and disk", "Log"):
        assert f"<h2>{heading}</h2>" in text
    for said in ("Gradient norm of a step", "lora_unet_2", "5 % (0.1 of 2), at step 10", "GPU temperature, °C", "Free disk, GiB",
                 "1.00 so far, at 2 an hour", "9.0 GiB", "Errors and warnings (2)"):
        assert said in words, said
    assert "<script" not in text and "ERROR of PROJECT/images" in words and "all is well" not in words
    assert not [tag for tag, attributes in reader.tags if "http" in str(attributes.get("src", "")) + str(attributes.get("href", ""))]


def test_the_prompt_stands_under_its_pictures(tmp_path):
    _, text = read(watched_run(tmp_path, prompts=2))
    section = text[text.index("<h2>Samples during training</h2>"):]
    assert section.index('alt="prompt number 1, epoch 1"') < section.index("<div>prompt number 1</div>")


@pytest.mark.slow
def test_many_prompts_epochs_and_layers_do_not_make_it_large(tmp_path):
    reader, text = read(watched_run(tmp_path, prompts=20, epochs=30, layers=2000))
    samples = [attributes for tag, attributes in reader.tags if tag == "img" and "prompt number" in attributes.get("alt", "")]
    assert 40 <= len(samples) <= 96 and "1960 more changed less" in text and len(text) < 12_000_000


def test_why_nothing_was_measured_is_told(tmp_path):
    run = whole_run(tmp_path)
    (run.folder / "norms.jsonl").write_text('{"kind": "off", "why": "the optimizer made no <step>"}\n')
    _, text = read(run)
    assert "<h2>Gradient and layers</h2>" in text and "Not measured: the optimizer made no &lt;step&gt;." in text


@pytest.mark.parametrize("home", ["/", "nobody"])
def test_the_log_stays_readable_where_the_home_is_the_root_or_unknown(tmp_path, monkeypatch, home):
    run = whole_run(tmp_path)
    run.log.write_text("WARNING: /opt/models/a.safetensors is old\n")

    def find_home():
        if home == "nobody":
            raise RuntimeError("Could not determine home directory.")
        return Path(home)

    monkeypatch.setattr(Path, "home", find_home)
    assert "/opt/models/a.safetensors is old" in read(run)[1]
