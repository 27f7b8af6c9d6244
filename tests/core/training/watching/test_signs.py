"""What the guards see: steps and pace, losses of this try alone, standstills, empty pictures."""

import math
import os
import time
from collections import deque

import pytest
from PIL import Image

from core.training.guards import GuardSettings
from core.training.monitor.curve import CurvePoint
from core.training.watching.losses import is_empty, lost_in
from core.training.watching.signs import Signs
from core.training.watching.stalls import StallGuard


def bar(step, total=100, loss="0.5"):
    return f"steps: {step:3d}%|###| {step}/{total} [00:02<00:30,  1.00s/it, avr_loss={loss}]"


def signs_after(tmp_path, steps, pace=1.0, start=0):
    fresh = deque(["running training", "num epochs: 10", "total optimization steps: 100"])
    signs = Signs(fresh, tmp_path, start, now=0.0)
    signs.read(0.0)
    for number in range(1, steps + 1):
        fresh.append(bar(number))
        signs.read(number * pace)
    return signs


def test_a_usual_step_is_the_median_and_is_not_known_at_once(tmp_path):
    assert signs_after(tmp_path, 3).usual is None
    signs = signs_after(tmp_path, 10, pace=2.0)
    assert signs.usual == 2.0 and signs.facts.step == 10 and signs.moved == 20.0


def test_a_standstill_is_told_once_and_only_while_steps_are_made(tmp_path):
    guards, guard, signs = GuardSettings(stall_factor=10, stall_minutes=0.5), StallGuard(), signs_after(tmp_path, 10)
    assert guard.look(signs, guards, now=39.0) is None
    cause = guard.look(signs, guards, now=40.5)
    assert cause.kind == "stalled" and "after step 10; one usually takes 1 s" in cause.sentence
    assert guard.look(signs, guards, now=400.0) is None
    for line in ("saving checkpoint: /x.safetensors", "generating sample images at step: 10"):
        signs.fresh.append(line)
        signs.read(500.0)
        assert guard.look(signs, guards, now=9000.0) is None
    slow = signs_after(tmp_path, 10, pace=60.0)
    assert StallGuard().look(slow, guards, now=600.0 + 599.0) is None and StallGuard().look(slow, guards, now=600.0 + 601.0)


def test_before_a_pace_is_known_nothing_stands_still(tmp_path):
    assert StallGuard().look(signs_after(tmp_path, 2), GuardSettings(stall_minutes=0.01), now=1e6) is None


NAN = math.nan


@pytest.mark.parametrize(("values", "lost"), [
    ([NAN, NAN, NAN], True), ([1.0, NAN, NAN], False), ([NAN, NAN], False), ([NAN, 1.0, NAN], False), ([math.inf] * 3, True),
    ([None, NAN, NAN], False), ([1.0, NAN, NAN, NAN], True), ([], False)])
def test_three_steps_in_a_row_without_a_number_are_lost(values, lost):
    cause = lost_in([CurvePoint(step, loss=value) for step, value in enumerate(values, 1)])
    assert (cause is not None) == lost
    if cause:
        assert cause.kind == "nan_loss" and f"step {len(values) - 2}." in cause.sentence


def test_an_average_that_stays_lost_is_not_believed_where_the_steps_are_known(tmp_path):
    """sd-scripts' average holds on to a single NaN for good; its TensorBoard file tells each step."""
    signs = signs_after(tmp_path, 0)
    writer = pytest.importorskip("torch.utils.tensorboard").SummaryWriter(str(tmp_path / "now"))
    for step in range(1, 6):
        signs.fresh.append(bar(step, loss="nan"))
        writer.add_scalar("loss/current", 0.5 if step > 1 else NAN, step)
    writer.flush()
    signs.read(1.0)
    assert lost_in(signs.losses(3)) is None
    for step in range(6, 9):
        writer.add_scalar("loss/current", NAN, step)
    writer.close()
    assert lost_in(signs.losses(3)) is not None


def test_what_an_earlier_try_logged_is_no_sign_of_this_one(tmp_path):
    writer = pytest.importorskip("torch.utils.tensorboard").SummaryWriter(str(tmp_path / "before"))
    for step in range(1, 9):
        writer.add_scalar("loss/current", NAN, step)
    writer.close()
    signs = signs_after(tmp_path, 3)
    assert lost_in(signs.losses(3)) is None and [point.step for point in signs.losses(3)] == [1, 2, 3]


@pytest.mark.parametrize(("colour", "dot", "empty"), [
    ("black", None, True), ((3, 2, 7), None, True), ("gray", None, True), ((120, 121, 119), None, True), ("black", "white", False),
    ("red", None, True), ("red", (200, 40, 0), False)])
def test_a_picture_is_empty_when_it_is_black_or_of_one_colour(tmp_path, colour, dot, empty):
    picture = Image.new("RGB", (16, 16), colour)
    if dot:
        picture.putpixel((2, 2), (255, 255, 255) if dot == "white" else dot)
    picture.save(tmp_path / "a.png")
    assert is_empty(tmp_path / "a.png") == empty


def test_a_picture_that_is_still_written_is_not_called_empty(tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n")
    os.utime(tmp_path / "a.png", (time.time(), time.time()))
    assert is_empty(tmp_path / "a.png") is False
