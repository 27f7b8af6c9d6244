"""The monitor reads real output of sd-scripts, the built-in trainer's events and TensorBoard files."""

import json
import math
import sys

import pytest

from core.base.jobs import append_event
from core.base.paths import ROOT
from core.training.monitor import Monitor, read_status
from core.training.monitor.curve import Curve, thin
from core.training.monitor.gpu import Gpu, parse_gpus
from core.training.monitor.lines import LineSplitter, LogParser, clean_line
from core.training.monitor.status import duration
from core.training.monitor.tensorboard import EventFile, TensorBoardReader
from tests.core.training.fake_trainer import write_lora
from tests.core.training.fakes import make_run

DATA = ROOT / "tests" / "data"


def parsed(name, piece=1 << 20):
    splitter, parser, data = LineSplitter(), LogParser(), (DATA / name).read_bytes()
    for start in range(0, len(data), piece):
        parser.feed(splitter.feed(data[start: start + piece]))
    return parser


@pytest.mark.parametrize("piece", [1, 7, 4096, 1 << 20])
def test_a_real_log_gives_the_same_facts_however_it_arrives(piece):
    parser = parsed("sd_scripts_two_epochs.log", piece)
    facts = parser.facts
    assert (facts.step, facts.total, facts.epoch, facts.epochs, facts.images, facts.batches) == (12, 12, 2, 2, 6, 6)
    assert facts.seconds_per_step == 3.26
    averages = [point.average for point in parser.curve.points()]
    assert averages == [1.09, 1.11, 1.11, 1.11, 1.1, 1.08, 1.08, 1.06, 1.05, 1.05, 1.04, 1.05]
    assert [(path.rpartition("/")[2], step, epoch) for path, step, epoch in parser.saved] == [
        ("cpu_lora-000001.safetensors", 6, 1), ("cpu_lora.safetensors", 12, 2)]


def test_nested_bars_of_samples_and_validation_are_not_taken_for_steps():
    parser = parsed("sd_scripts_samples_and_validation.log")
    assert (parser.facts.step, parser.facts.total) == (2, 2)
    assert [(point.step, point.average) for point in parser.curve.points()] == [(1, 1.09), (2, 1.12)]
    assert parser.facts.validation_loss == 1.09


def test_caching_shows_as_a_phase_with_its_count():
    parser = LogParser()
    parser.feed(["INFO     caching latents...", " 33%|###3      | 2/6 [00:02<00:05,  1.44s/it]"])
    assert parser.facts.phase == "Caching latents (2 of 6)" and parser.facts.step == 0


def test_a_loggers_line_behind_a_bar_hides_neither_its_loss_nor_the_samples():
    """As sd-scripts prints them without console_log_simple: the logger writes on behind the bar, its words stand behind INFO."""
    parser = LogParser()
    parser.feed(["steps: 100%|##########| 6/6 [03:14<00:00, 32.35s/it, avr_loss=1.16]2026-11-21 07:08:25 INFO"])
    assert (parser.facts.step, parser.facts.average_loss) == (6, 1.16)
    parser.feed(["                    INFO     generating sample images at step / サンプル画像生成 ステップ: 6    train_util.py:6500"])
    assert parser.facts.phase == "Drawing sample pictures"


def test_fast_bars_and_long_runs_are_understood():
    parser = LogParser()
    parser.feed(["steps:  50%|#####     | 1000/2000 [1:02:03<1:02:03,  4.00it/s, avr_loss=0.0912, avr_key_norm=3.1]"])
    assert parser.facts.seconds_per_step == 0.25 and parser.facts.step == 1000 and parser.facts.average_loss == 0.0912


def test_a_nan_loss_neither_crashes_nor_spoils_the_smoothed_curve():
    parser = LogParser()
    parser.feed([f"steps:  1%| | {step}/9 [00:01<00:09,  1.00s/it, avr_loss={loss}]" for step, loss in enumerate(["0.5", "nan", "0.5"], 1)])
    points = parser.curve.points()
    assert math.isnan(points[1].average) and [round(point.smoothed, 6) for point in points] == [0.5, 0.5, 0.5]


def test_a_resumed_attempt_counts_on_and_its_curve_continues():
    """sd-scripts' bar begins at 0 again; the line between the attempts tells from where it goes on."""
    def bar(step, total, loss):
        return f"steps:  1%| | {step}/{total} [00:01<00:09,  1.00s/it, avr_loss={loss}]"

    parser = LogParser()
    parser.feed(["=== attempt 1, from step 0 ===", "  total optimization steps / x: 10", bar(1, 10, .9), bar(4, 10, .8), bar(6, 10, .7)])
    parser.feed(["=== attempt 2, from step 4 ===", "  total optimization steps / x: 10"])
    assert parser.facts.step == 4 and [point.step for point in parser.curve.points()] == [1, 4]
    parser.feed([bar(1, 6, .75), bar(6, 6, .5)])
    assert (parser.facts.step, parser.facts.total) == (10, 10)
    assert [(point.step, point.average) for point in parser.curve.points()] == [(1, .9), (4, .8), (5, .75), (10, .5)]


def test_terminal_codes_and_broken_bytes_are_cleaned():
    assert clean_line(b"\x1b[1;31mred\x1b[0m \xff text\x1b[A  ") == "red � text"


def test_the_status_follows_a_log_that_grows(tmp_path):
    run = make_run(tmp_path)
    monitor, data = Monitor(run), (DATA / "sd_scripts_two_epochs.log").read_bytes()
    assert monitor.read().state == "prepared" and monitor.read().step == 0
    half = data.index(b"epoch 2/2")
    run.log.write_bytes(data[:half])
    assert monitor.read().step == 6
    with open(run.log, "ab") as file:
        file.write(data[half:])
    status = monitor.read()
    assert (status.step, status.epoch, status.average_loss, len(status.curve)) == (12, 2, 1.05, 12)
    assert status == read_status(run)


def test_a_replaced_log_is_read_from_its_beginning(tmp_path):
    run = make_run(tmp_path)
    run.log.write_bytes((DATA / "sd_scripts_two_epochs.log").read_bytes())
    monitor = Monitor(run)
    monitor.read()
    run.log.write_text("steps:  1%| | 1/3 [00:01<00:09,  1.00s/it, avr_loss=0.2]\n")
    assert (monitor.read().step, monitor.read().total) == (1, 3)


def builtin(run, steps, first=1):
    append_event(run.folder, "start", total_steps=10, epochs=2, images=5, batches=5, buckets={})
    for step in range(first, steps + 1):
        append_event(run.folder, "step", step=step, epoch=1 + step // 6, loss=1 / step, average_loss=1.0,
                     lr={"unet": 1e-4, "text encoder": 5e-5}, seconds=0.5)


def test_events_of_the_builtin_trainer_give_exact_values(tmp_path):
    run = make_run(tmp_path, "builtin")
    builtin(run, 4)
    status = read_status(run)
    assert (status.step, status.total, status.epoch, status.epochs) == (4, 10, 1, 2)
    assert status.loss == 0.25 and status.lr == {"unet": 1e-4, "text encoder": 5e-5} and status.seconds_per_step == 0.5
    assert [point.loss for point in status.curve] == [1, 1 / 2, 1 / 3, 1 / 4]


def test_events_of_a_resumed_run_continue_the_curve(tmp_path):
    run = make_run(tmp_path, "builtin")
    append_event(run.folder, "launch", attempt=1, resumed_from=0)
    builtin(run, 6)
    append_event(run.folder, "launch", attempt=2, resumed_from=4)
    assert (read_status(run).step, [point.step for point in read_status(run).curve]) == (4, [1, 2, 3, 4])
    builtin(run, 7, first=5)
    assert [point.step for point in read_status(run).curve] == [1, 2, 3, 4, 5, 6, 7]


def test_samples_are_found_by_events_and_by_sd_scripts_names(tmp_path):
    run = make_run(tmp_path)
    folder = run.checkpoints / "sample"
    folder.mkdir()
    for name in ("mochi_e000002_00_20260101120000_1.png", "mochi_e000001_00_20260101110000_1.png", "mochi_000150_00_20260101120000.png",
                 "something_else.png"):
        (folder / name).write_bytes(b"x")
    (run.folder / "samples" / "a.png").write_bytes(b"x")
    append_event(run.folder, "sample", path="samples/a.png", step=9, epoch=3, prompt="mochi", seed=5)
    append_event(run.folder, "sample", path="samples/gone.png", step=6, epoch=2, prompt="mochi", seed=5)
    samples = read_status(run).samples
    assert [(sample.path.name[:14], sample.moment, sample.seed) for sample in samples] == [
        ("mochi_e000001_", "epoch 1", 1), ("mochi_e000002_", "epoch 2", 1), ("a.png", "epoch 3", 5), ("mochi_000150_0", "step 150", None)]
    assert samples[0].prompt == "mochi, sitting" and samples[2].prompt == "mochi"


def test_a_sample_that_a_resumed_run_drew_again_replaces_the_first(tmp_path):
    run = make_run(tmp_path)
    for name in ("mochi_000150_00_20260101120000", "mochi_000150_00_20260101130000", "mochi_000000_00_20260101110000"):
        (run.folder / "samples" / f"{name}.png").write_bytes(b"x")
    assert [(sample.moment, sample.path.stem[-6:]) for sample in read_status(run).samples] == [("before", "110000"), ("step 150", "130000")]


def test_samples_of_the_builtin_trainer_by_steps_are_told_apart_within_an_epoch(tmp_path):
    run = make_run(tmp_path, "builtin")
    for step in (0, 10, 20):
        path = run.folder / "samples" / f"mochi_{step:06d}_00_7.png"
        path.write_bytes(b"x")
        append_event(run.folder, "sample", path=str(path), step=step, epoch=1, prompt="mochi", seed=7, index=0)
    assert [sample.moment for sample in read_status(run).samples] == ["before", "step 10", "step 20"]


def test_checkpoints_carry_step_epoch_and_size(tmp_path):
    run = make_run(tmp_path)
    for name in ("mochi-000001", "mochi-step00000030", "mochi"):
        write_lora(run.checkpoints / f"{name}.safetensors")
    found = {checkpoint.path.stem: checkpoint for checkpoint in read_status(run).checkpoints}
    assert found["mochi-000001"].epoch == 1 and found["mochi-step00000030"].step == 30
    assert found["mochi"].final and not found["mochi-000001"].final and found["mochi"].size > 50


def test_the_last_file_of_a_run_whose_name_ends_in_a_number_is_of_no_epoch(tmp_path):
    run = make_run(tmp_path, saving={"output_name": "mika-240115"})
    for name in ("mika-240115-000002", "mika-240115"):
        write_lora(run.checkpoints / f"{name}.safetensors")
    found = {checkpoint.path.stem: (checkpoint.epoch, checkpoint.final) for checkpoint in read_status(run).checkpoints}
    assert found == {"mika-240115-000002": (2, False), "mika-240115": (None, True)}


def test_a_lost_run_shows_its_last_line_and_what_to_do(tmp_path):
    run = make_run(tmp_path)
    run.log.write_text("loading\nthe very last words\n")
    (run.folder / "supervisor.json").write_text(json.dumps({"attempt": 1, "host": __import__("socket").gethostname(),
                                                            "mark": {"pid": 1, "started": "never"}}))
    status = read_status(run)
    assert status.state == "lost" and status.ended and "the very last words" in status.cause.sentence and "Resume" in status.cause.hint
    assert status.sentence().startswith("Lost: ")


def test_the_summary_is_one_plain_sentence(tmp_path):
    run = make_run(tmp_path, "builtin")
    builtin(run, 4)
    assert read_status(run).sentence() == "Ready: step 4 of 10, epoch 1 of 2, loss 0.5055."
    assert [duration(seconds) for seconds in (40.4, 700, 7500)] == ["40 s", "12 min", "2 h 5 min"]


@pytest.fixture
def board(tmp_path):
    """A real TensorBoard file, written by the tensorboard package."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    def write(folder, steps, value=lambda step: 1 / step, when=1000.0):
        writer = EventFileWriter(str(folder))
        for step in steps:
            tags = {"loss/current": value(step), "loss/average": 0.5, "lr/unet": 1e-4, "other": 7.0}
            values = [Summary.Value(tag=tag, simple_value=number) for tag, number in tags.items()]
            writer.add_event(Event(wall_time=when + step, step=step, summary=Summary(value=values)))
        writer.close()

    return write


def test_tensorboard_files_give_exact_losses_and_rates(tmp_path, board):
    run = make_run(tmp_path)
    board(run.folder / "logs" / "2026" / "network_train", range(1, 9))
    run.log.write_text("steps:  1%| | 8/9 [00:01<00:09,  1.00s/it, avr_loss=0.5]\n")
    status = read_status(run)
    assert [point.step for point in status.curve] == list(range(1, 9))
    assert status.loss == pytest.approx(1 / 8, rel=1e-6) and status.lr == {"unet": pytest.approx(1e-4)} and status.average_loss == 0.5


def test_a_record_that_is_still_being_written_waits(tmp_path, board):
    board(tmp_path / "logs", range(1, 4))
    path = next((tmp_path / "logs").iterdir())
    data, growing = path.read_bytes(), tmp_path / "events.out.tfevents.1"
    file, seen = EventFile(growing), []
    for size in range(0, len(data) + 1, 5):
        growing.write_bytes(data[:size])
        seen += file.read()
    growing.write_bytes(data)
    seen += file.read()
    assert [step for tag, step, _, _ in seen if tag == "loss/current"] == [1, 2, 3]


def test_tensorboard_steps_of_a_resumed_run_are_put_behind_the_first(tmp_path, board):
    """sd-scripts numbers a resumed attempt from the rest of its epoch on."""
    board(tmp_path / "a", range(1, 9))
    board(tmp_path / "b", range(2, 5), when=5000.0)
    reader = TensorBoardReader(tmp_path)
    reader.read([(900.0, 0), (4000.0, 6)])
    assert [point.step for point in reader.curve.points()] == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert reader.curve.points()[6].loss == pytest.approx(1 / 2)


def test_batches_before_the_first_update_are_no_step_of_the_curve(tmp_path, board):
    """With accumulated batches sd-scripts logs them as step 0, also where it goes on; a real run ended with a step too many."""
    board(tmp_path / "a", [0, 1, 2], value=float)
    board(tmp_path / "b", [0, 0, 1, 2, 3, 4], value=float, when=5000.0)
    reader = TensorBoardReader(tmp_path)
    reader.read([(900.0, 0), (4000.0, 2)])
    assert [(point.step, point.loss) for point in reader.curve.points()] == [(1, 1.0), (2, 2.0), (3, 1.0), (4, 2.0), (5, 3.0), (6, 4.0)]


def test_damaged_tensorboard_files_are_passed_over(tmp_path):
    (tmp_path / "events.out.tfevents.9").write_bytes(b"\x03\0\0\0\0\0\0\0abcd\xff\xff\xffabcd" + b"\xff" * 50)
    reader = TensorBoardReader(tmp_path)
    reader.read([])
    assert not reader.curve


def test_gpus_are_read_from_what_nvidia_smi_prints():
    text = "0, NVIDIA GeForce RTX 4090, 10240, 24564, 97, 61, 287.35\n1, NVIDIA A100, 40GB, 5, 40960, [N/A], 33, [N/A]\nno devices\n"
    first, second = parse_gpus(text)
    assert (first.name, first.used, first.total, first.load) == ("NVIDIA GeForce RTX 4090", 10240.0, 24564.0, 97.0)
    assert (first.temperature, first.power, second.temperature, second.power) == (61.0, 287.35, 33.0, None)
    assert second.load is None and second.name == "NVIDIA A100, 40GB" and Gpu.from_dict(second.as_dict()) == second


def test_thinning_keeps_the_ends():
    curve = Curve()
    for step in range(1, 5001):
        curve.put(step, loss=1.0)
    points = thin(curve.points(), 1000)
    assert len(points) <= 1001 and points[0].step == 1 and points[-1].step == 5000


def test_looking_at_a_run_imports_nothing_heavy():
    import subprocess

    code = ("import sys; import core.training.manager, core.training.supervisor; "
            "sys.exit(', '.join(sorted(set(sys.modules) & {'torch', 'PIL', 'numpy', 'tensorboard', 'transformers', 'diffusers'})))")
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60).stderr.strip() == ""
