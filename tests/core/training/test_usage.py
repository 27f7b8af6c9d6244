"""What the monitor knows beside the loss: norms of a resumed run, GPU and disk over time, time worked and its price, validation."""

import json
import time
from itertools import pairwise

import pytest

from core.base.files import write_json
from core.base.jobs import append_event
from core.training.finish.kept import keep_finish
from core.training.finish.settings import FinishSettings
from core.training.monitor import Monitor, read_status, usage
from core.training.monitor.curve import Curve, thin
from core.training.monitor.gpu import Gpu
from core.training.monitor.lines import LogParser
from core.training.monitor.norms import NormsReader
from core.training.monitor.usage import UsageReader, UsageWriter, read_usage
from core.training.watching.requests import StopRequest
from tests.core.training.fakes import make_run

CARD = Gpu(0, "NVIDIA H100", 8192.0, 81920.0, 97.0, 61.0, 312.5)


def norm_rows(folder, *rows, tail=""):
    with open(folder / "norms.jsonl", "a", encoding="utf-8") as file:
        file.write("".join(json.dumps(row) + "\n" for row in rows) + tail)


def begin(step, layers=("lora_unet_a", "lora_te_b")):
    return {"kind": "begin", "step": step, "layers": list(layers)}


def test_norms_are_read_as_they_come_and_half_a_line_waits(tmp_path):
    reader = NormsReader(tmp_path)
    assert reader.read().gradient == ()
    norm_rows(tmp_path, begin(0), {"kind": "steps", "first": 1, "gradient": [1.0, None]}, tail='{"kind": "steps", "fir')
    assert reader.read().gradient == ((1, 1.0, 1.0), (2, None, 1.0)) and reader.read().last_gradient == 1.0
    with open(tmp_path / "norms.jsonl", "a", encoding="utf-8") as file:
        file.write('st": 3, "gradient": [3.0]}\nnot json\n["neither"]\n{"kind": "steps"}\n')
    assert [step for step, _, _ in reader.read().gradient] == [1, 2, 3]


def test_layers_keep_their_latest_change_and_parts_their_course(tmp_path):
    norm_rows(tmp_path, begin(0), {"kind": "layers", "step": 2, "first": 0, "update": [3.0, 1.0], "weight": [30.0, 0.0]},
              {"kind": "layers", "step": 10, "first": 1, "update": [2.0], "weight": [10.0]}, {"kind": "off", "why": "it is full"})
    norms = NormsReader(tmp_path).read()
    assert [(change.name, change.step, change.share) for change in norms.layers] == [("lora_unet_a", 2, 0.1), ("lora_te_b", 10, 0.2)]
    assert dict(norms.parts) == {"U-Net": ((2, 0.1), (10, 0.1)), "text encoder": ((10, 0.2),)} and norms.off == "it is full"


def test_a_resumed_run_takes_the_steps_back_that_it_does_again(tmp_path):
    reader = NormsReader(tmp_path)
    norm_rows(tmp_path, begin(0), {"kind": "steps", "first": 1, "gradient": [1, 2, 3, 4]},
              {"kind": "layers", "step": 4, "first": 0, "update": [1.0, 1.0], "weight": [2.0, 2.0]})
    reader.read()
    norm_rows(tmp_path, begin(2), {"kind": "steps", "first": 3, "gradient": [30]})
    norms = reader.read()
    assert [(step, length) for step, length, _ in norms.gradient] == [(1, 1), (2, 2), (3, 30)] and dict(norms.parts)["U-Net"] == ()


def test_a_long_course_of_gradients_is_thinned_out(tmp_path):
    norm_rows(tmp_path, begin(0), {"kind": "steps", "first": 1, "gradient": [1.0] * 20_000})
    gradient = NormsReader(tmp_path).read().gradient
    assert len(gradient) <= 1502 and gradient[0][0] == 1 and gradient[-1][0] == 20_000


def test_gpu_and_disk_are_kept_over_time_and_only_when_it_is_time(tmp_path):
    writer = UsageWriter(tmp_path)
    for second in range(0, 60, 4):
        writer.note([CARD], now=1000.0 + second)
    moments = read_usage(tmp_path)
    assert [moment.time for moment in moments] == [1000.0, 1012.0, 1024.0, 1036.0, 1048.0]
    (gpu,) = moments[0].gpus
    assert (gpu.used, gpu.load, gpu.temperature, gpu.power) == (8192.0, 97.0, 61.0, 312.5) and moments[0].disk_free > 0


def test_the_course_stays_small_however_long_the_run_is(tmp_path, monkeypatch):
    monkeypatch.setattr(usage, "MOST", 20)
    writer, now = UsageWriter(tmp_path), 0.0
    for _ in range(400):
        now += 10
        writer.note([CARD], now=now)
    times = [moment.time for moment in read_usage(tmp_path)]
    assert len(times) <= 20 and times[0] == 10.0 and now - times[-1] < (times[1] - times[0]) * 2
    again = UsageWriter(tmp_path)  # another attempt goes on as seldom as the last one wrote
    again.note([CARD], now=now + 1000)
    again.note([CARD], now=now + 1010)
    assert len(read_usage(tmp_path)) == len(times) + 1
    assert all(second > first for first, second in pairwise(times))


@pytest.mark.parametrize("rows", [(10, 20, 30, 90_000), (10, 90_000), (10, 20, 90_000), (10, 20, 90_000, 90_010, 180_000)])
def test_a_pause_between_attempts_does_not_switch_the_course_off(tmp_path, rows):
    for row in rows:
        UsageWriter(tmp_path).note([CARD], now=float(row))
    writer = UsageWriter(tmp_path)
    for second in range(0, 8 * 3600, 60):
        writer.note([CARD], now=rows[-1] + 100.0 + second)
    assert len(read_usage(tmp_path)) == len(rows) + 8 * 60


def test_a_course_that_was_thinned_out_goes_on_as_seldom_after_a_pause(tmp_path, monkeypatch):
    monkeypatch.setattr(usage, "MOST", 20)
    writer = UsageWriter(tmp_path)
    for second in range(0, 700, 10):
        writer.note([CARD], now=1000.0 + second)
    UsageWriter(tmp_path).note([CARD], now=90_000.0)
    again = UsageWriter(tmp_path)
    again.note([CARD], now=90_100.0)
    assert again._every == writer._every > usage.EVERY


def test_a_course_with_broken_bytes_is_thinned_out_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(usage, "MOST", 20)
    (tmp_path / "usage.jsonl").write_bytes(b'{"time": 1.0, "disk": \xff\xfe\n')
    writer = UsageWriter(tmp_path)
    for second in range(10, 600, 10):
        writer.note([CARD], now=float(second))
    assert 5 < len(read_usage(tmp_path)) <= 20


def test_a_damaged_row_is_passed_over_and_a_changed_file_is_read_again(tmp_path):
    reader = UsageReader(tmp_path)
    assert reader.read() == ()
    UsageWriter(tmp_path).note([], now=50.0)
    assert len(reader.read()) == 1 and reader.read() is reader.read()
    with open(tmp_path / "usage.jsonl", "a", encoding="utf-8") as file:
        file.write('{"time": "x"}\nhalf a li')
    assert len(reader.read()) == 1


def test_what_others_take_while_a_run_waits_is_not_noted_as_its_own(tmp_path):
    run = make_run(tmp_path)
    write_json(run.folder / "supervisor.json", {"attempt": 1})
    request = StopRequest(run, 1)
    request.beat()
    assert read_usage(run.folder) == () and run.heartbeat()["attempt"] == 1
    write_json(run.folder / "trainer.json", {"attempt": 1})
    request._next_beat = 0.0
    request.beat()
    assert len(read_usage(run.folder)) == 1


def worked_run(tmp_path, *events):
    run = make_run(tmp_path)
    for at, name, values in events:
        append_event(run.folder, name, **{"time": at, **values})
    return run


def test_time_and_price_count_what_the_trainers_have_worked(tmp_path, monkeypatch):
    now = time.time()
    run = worked_run(tmp_path, (now - 9000, "launch", {"attempt": 1}), (now - 8000, "trainer", {}), (now - 7900, "trainer", {}),
                     (now - 4400, "end", {"attempt": 1, "state": "failed", "seconds": 3600}), (now - 2000, "launch", {"attempt": 2}),
                     (now - 1800, "trainer", {"attempt": 2}))
    monkeypatch.setattr("core.training.run.Run.state", lambda self: "running")
    assert read_status(run).spending.seconds == pytest.approx(5400, abs=5) and read_status(run).spending.price is None
    keep_finish(run.project_folder, FinishSettings(price_per_hour=0.5))
    spending = read_status(run).spending
    assert spending.price == pytest.approx(0.75, abs=0.01) and spending.words() == "0.75 so far, at 0.5 an hour"


def test_a_run_that_vanished_has_worked_until_its_last_sign_of_life(tmp_path):
    run = worked_run(tmp_path, (1000.0, "launch", {"attempt": 1}), (1010.0, "trainer", {}), (1100.0, "price", {"per_hour": 2.0}))
    write_json(run.folder / "heartbeat.json", {"time": 4610.0})
    assert read_status(run).spending.seconds == 3600.0 and read_status(run).spending.price == 2.0


def test_a_run_that_vanished_and_went_on_counts_what_is_known_of_the_first_time(tmp_path):
    run = worked_run(tmp_path, (1000.0, "launch", {"attempt": 1}), (1010.0, "trainer", {}), (1500.0, "warning", {"message": "x"}),
                     (9000.0, "launch", {"attempt": 2}), (9100.0, "trainer", {}), (9200.0, "end", {"seconds": 100}))
    assert read_status(run).spending.seconds == 590.0


def test_an_attempt_that_vanished_counts_to_its_last_sign_of_life_also_after_the_next_began(tmp_path):
    run = worked_run(tmp_path, (1000.0, "launch", {"attempt": 1}), (1010.0, "trainer", {}),
                     (9000.0, "launch", {"attempt": 2, "last_sign": 4610.0}), (9100.0, "trainer", {}), (9200.0, "end", {"seconds": 100}))
    assert read_status(run).spending.seconds == 3700.0


def test_an_end_that_tells_no_seconds_counts_to_its_own_time(tmp_path):
    run = worked_run(tmp_path, (1000.0, "launch", {"attempt": 1}), (1010.0, "trainer", {}), (1610.0, "end", {"state": "failed"}),
                     (1700.0, "launch", {"attempt": 2, "last_sign": 1609.0}), (1701.0, "end", {"state": "cancelled"}))
    assert read_status(run).spending.seconds == 600.0


def test_another_try_of_the_same_attempt_is_not_counted_twice(tmp_path):
    run = worked_run(tmp_path, (1000.0, "launch", {"attempt": 1}), (1010.0, "trainer", {"attempt": 1}), (1300.0, "launch", {"attempt": 1}),
                     (1310.0, "trainer", {"attempt": 1}), (1610.0, "end", {"attempt": 1, "seconds": 600}))
    assert read_status(run).spending.seconds == 600.0


def test_the_most_of_the_gpus_memory_is_told_at_the_end(tmp_path):
    run = worked_run(tmp_path, (1.0, "memory", {"reserved": 8 << 30, "allocated": 7 << 30}))
    assert read_status(run).memory_reserved == 8 << 30


def validation(name, done, total, loss):
    return f"{name}:  50%|#####     | {done}/{total} [00:01<00:01,  1.00s/it, {loss}, timestep=500]"


def test_validation_after_steps_and_after_epochs_stands_in_the_curve():
    parser = LogParser()
    step = "steps:  10%|# | {0}/10 [00:0{0}<00:09,  1.00s/it, avr_loss=0.5]"
    parser.feed([step.format(1), step.format(2), validation("validation steps", 1, 2, "val_avg_loss=0.9"),
                 validation("validation steps", 2, 2, "val_avg_loss=0.8"), step.format(3),
                 validation("epoch validation steps", 2, 2, "val_epoch_avg_loss=0.7")])
    assert [(point.step, point.validation) for point in parser.curve.points()] == [(1, None), (2, 0.8), (3, 0.7)]
    assert parser.facts.validation_loss == 0.7 and [point.time for point in parser.curve.points()] == [1.0, 2.0, 3.0]


def test_validation_is_read_exactly_from_tensorboard_where_epochs_have_numbers_of_their_own(tmp_path):
    writers = pytest.importorskip("torch.utils.tensorboard")
    run = make_run(tmp_path)
    writer = writers.SummaryWriter(str(run.folder / "logs" / "a"))
    for step in range(1, 7):
        writer.add_scalar("loss/current", 0.5, step)
        if step == 2:
            writer.add_scalar("loss/validation/step_average", 0.81, step)
        if step % 3 == 0:
            writer.add_scalar("loss/validation/epoch_average", 0.7 + step / 100, step // 3)
            writer.add_scalar("loss/validation/epoch_divergence", 0.1, step // 3)
    writer.close()
    status = Monitor(run).read()
    found = [(point.step, round(point.validation, 3)) for point in status.curve if point.validation is not None]
    assert found == [(2, 0.81), (3, 0.73), (6, 0.76)] and status.validation_loss == pytest.approx(0.76)
    assert all(point.time for point in status.curve)


def test_thinning_keeps_every_validation():
    curve = Curve()
    for step in range(1, 3001):
        curve.put(step, loss=1.0, validation=0.5 if step % 777 == 0 else None)
    assert [point.step for point in thin(curve.points(), 100) if point.validation] == [777, 1554, 2331]
