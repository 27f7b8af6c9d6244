"""Limits by time and by spend."""

import time

import pytest

from core.base.files import write_json
from core.training.finish.limits import Limits
from core.training.finish.providers import find_machine
from tests.core.training.fakes import make_run
from tests.core.training.finish.ended import settings


def limits(run, **values):
    return Limits(run, settings(**values), find_machine(run.folder))


def begun(run, attempt):
    write_json(run.folder / "supervisor.json", {"attempt": attempt, "host": "here", "mark": None})
    run.note("trainer", attempt=attempt)
    return time.time()


def test_the_hours_of_all_attempts_count_without_those_between_them(tmp_path):
    run = make_run(tmp_path)
    watched = limits(run, most_hours=3)
    assert watched.hours() == 0.0
    assert watched.hours(begun(run, 1) + 3600) == pytest.approx(1, abs=0.01)
    run.note("end", attempt=1, state="cancelled", seconds=2 * 3600)
    write_json(run.folder / "supervisor.json", {"attempt": 2, "host": "here", "mark": None})
    assert watched.hours(time.time() + 90 * 3600) == 2.0  # it waits for its turn
    now = begun(run, 2)
    assert watched.hours(now + 1800) == pytest.approx(2.5, abs=0.01) and watched.reached(now + 1800) == ""
    assert watched.reached(now + 1.01 * 3600) == "The limit of 3 hours is reached."


def test_an_attempt_that_vanished_has_cost_until_its_last_sign_of_life(tmp_path):
    run = make_run(tmp_path)
    run.note("launch", attempt=1, time=1000.0)
    run.note("trainer", attempt=1, time=1000.0)
    run.note("launch", attempt=2, last_sign=8200.0, time=20_000.0)
    run.note("trainer", attempt=2, time=20_000.0)
    watched = limits(run, most_hours=3)
    assert watched.hours(20_000.0 + 1800) == 2.5 and "3 hours is reached" in watched.reached(20_000.0 + 3600)


def test_hours_count_from_the_training_and_money_by_the_price(tmp_path):
    run = make_run(tmp_path)
    assert limits(run, most_hours=1).hours() == 0.0  # it waits for its turn
    now = begun(run, 1)
    watched = limits(run, most_hours=2, most_money=3, price_per_hour=1.2)
    assert watched.reached(now + 3600) == ""
    assert watched.reached(now + 2.01 * 3600) == "The limit of 2 hours is reached."
    dear = limits(run, most_money=3, price_per_hour=2)
    assert dear.reached(now + 1.4 * 3600) == "" and dear.reached(now + 1.6 * 3600).startswith("The limit of 3 is reached: 1.60 hours at 2")


def test_the_provider_is_asked_for_price_and_start_only_where_they_are_needed(tmp_path, vast):
    run = make_run(tmp_path)
    assert limits(run, most_hours=1).trouble == "" and vast.asked == []
    told = limits(run, most_money=10, limit_since="machine")
    assert told.price == 0.5 and told.hours(1_700_000_000.5 + 7200) == 2.0


def test_a_price_that_nobody_knows_is_told(tmp_path, vast):
    run = make_run(tmp_path)
    vast.faults = [401]
    assert "price of the machine is not known. Vast.ai does not accept" in limits(run, most_money=10).trouble
    assert limits(run, most_money=10, price_per_hour=1).trouble == ""


def test_away_from_a_provider_the_machine_counts_from_its_first_process(tmp_path):
    hours = limits(make_run(tmp_path), most_hours=1, limit_since="machine").hours()
    assert 0 < hours < 24 * 3650
