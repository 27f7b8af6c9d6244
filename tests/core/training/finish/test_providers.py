"""Providers: what is asked of them, what they answer, and where a key goes."""

import json
import os
import threading
import time
import types

import pytest

from core.base.errors import ConfigError, TrainingError
from core.training.finish.providers import MACHINES, find_machine, stop_keeps
from core.training.finish.providers.calling import Caller
from core.training.finish.providers.colab import FILE, disconnect_if_asked
from tests.core.training.finish.servers import Vast


def test_vast_is_stopped_destroyed_and_asked_for_its_price(tmp_path, vast):
    machine = find_machine(tmp_path)
    assert machine.name() == "Vast.ai machine 1234" and machine.missing() == ""
    facts = machine.facts()
    assert facts.price_per_hour == 0.5 and facts.started == 1_700_000_000.5
    machine.stop()
    machine.destroy()
    assert vast.does == ["stop", "destroy"] and {key for _, _, key in vast.asked} == {vast.key}


def test_runpod_is_stopped_destroyed_and_asked_for_its_price(tmp_path, runpod):
    machine = find_machine(tmp_path)
    assert machine.name() == "RunPod pod abc123" and machine.missing() == ""
    assert machine.facts().price_per_hour == 0.69 and machine.facts().started == 1720811680
    machine.stop()
    machine.destroy()
    assert runpod.does == ["stop", "destroy"]


@pytest.mark.parametrize(("code", "words"), [(401, "does not accept the key"), (403, "does not allow it"), (404, "does not know this")])
def test_a_refusal_is_told_in_words_without_the_key_and_not_tried_again(tmp_path, vast, code, words):
    vast.faults = [code]
    with pytest.raises(TrainingError, match=words) as told:
        find_machine(tmp_path).stop()
    assert vast.key not in str(told.value) and "***" in str(told.value) and "CONTAINER_API_KEY" in str(told.value)
    assert len(vast.asked) == 1 and vast.does == []


def test_rate_limits_and_faults_of_a_while_are_waited_for(tmp_path, vast):
    vast.faults = [429, 503, 500]
    find_machine(tmp_path).stop()
    assert vast.does == ["stop"] and len(vast.asked) == 4


def test_a_provider_that_fails_for_good_is_told(tmp_path, vast, monkeypatch):
    vast.faults = [502] * 9
    with pytest.raises(TrainingError, match=r"Vast.ai failed \(HTTP 502.*after 4 tries"):
        find_machine(tmp_path).stop()
    monkeypatch.setenv("LORABOOK_VAST_API", "http://127.0.0.1:9")
    with pytest.raises(TrainingError, match="could not be reached"):
        find_machine(tmp_path).stop()


def test_an_answer_that_says_no_is_no_success(tmp_path, vast, monkeypatch):
    monkeypatch.setattr(vast, "obey", lambda *_: (200, {"success": False, "msg": "account is locked"}))
    with pytest.raises(TrainingError, match="did not do it: account is locked"):
        find_machine(tmp_path).destroy()


def test_a_key_goes_to_its_own_server_only(vast):
    with Vast() as other:
        vast.obey = lambda *_: (302, {}, {"Location": f"{other.address}/instances/1234/"})
        with pytest.raises(TrainingError, match="HTTP 302"):
            Caller("Vast.ai", vast.address, vast.key, "CONTAINER_API_KEY").call("GET", "/instances/1234/")
        assert other.asked == []
    with pytest.raises(ConfigError, match="not https"):
        Caller("Vast.ai", "http://192.0.2.7", "secret", "CONTAINER_API_KEY").call("GET", "/")
    assert "secret" not in repr(Caller("Vast.ai", "https://x", "secret", "K"))


def test_without_key_or_number_it_says_what_is_missing(tmp_path, vast, monkeypatch):
    monkeypatch.delenv("CONTAINER_API_KEY")
    assert "CONTAINER_API_KEY is not set" in find_machine(tmp_path).missing()
    monkeypatch.setenv("VAST_CONTAINERLABEL", "C.../../users")
    monkeypatch.delenv("CONTAINER_ID")
    assert "number of this Vast.ai machine is not known" in find_machine(tmp_path).missing()


def test_ones_own_computer_cannot_be_stopped_and_says_so(tmp_path, monkeypatch):
    for name in ("local", "container"):
        machine = MACHINES.load(name)({}, tmp_path)
        assert "cannot stop" in machine.missing() and machine.facts().price_per_hour is None
        for act in (machine.stop, machine.destroy):
            with pytest.raises(TrainingError, match="cannot stop"):
                act()


def test_every_provider_that_is_recognised_has_a_machine():
    from core.setup import provider

    known = {value.name for value in vars(provider).values() if isinstance(value, provider.Provider)}
    assert known == set(MACHINES.names())


def test_what_a_stop_keeps_depends_on_the_provider(tmp_path, vast, monkeypatch):
    assert stop_keeps(tmp_path)[0]
    monkeypatch.setenv("RUNPOD_POD_ID", "abc123")
    monkeypatch.setattr("core.setup.provider.mount_point", lambda folder: type(folder)("/"))
    assert not stop_keeps(tmp_path)[0] and "empties" in stop_keeps(tmp_path)[1]


@pytest.fixture
def colab(monkeypatch):
    ended = []
    runtime = types.ModuleType("google.colab.runtime")
    runtime.unassign = lambda: ended.append(time.time())
    for name, module in (("google", types.ModuleType("google")), ("google.colab", types.ModuleType("google.colab")),
                         ("google.colab.runtime", runtime)):
        monkeypatch.setitem(__import__("sys").modules, name, module)
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release")
    runtime.ended = ended
    return runtime


def test_on_colab_the_notebook_ends_the_session_when_a_living_process_asks_for_it(tmp_path, colab, monkeypatch):
    monkeypatch.setenv("LORABOOK_FINISH_SECOND", "0.2")
    seen = []

    def panel():
        until = time.monotonic() + 20
        while not seen and time.monotonic() < until:
            if disconnect_if_asked(tmp_path):
                seen.append(True)

    thread = threading.Thread(target=panel)
    thread.start()
    with pytest.raises(TrainingError, match="was not open"):  # the played session goes on, so nobody ends the waiting
        monkeypatch.setattr("core.training.finish.providers.colab.PATIENCE", 5)
        find_machine(tmp_path).stop()
    thread.join()
    assert len(colab.ended) == 1 and not (tmp_path / FILE).exists()


def test_on_colab_a_request_of_an_earlier_session_ends_nothing(tmp_path, colab):
    from core.base.process import mark_of
    from core.training.finish.providers.colab import _session

    own = mark_of(os.getpid()).as_dict()
    for values in ({"session": "another", "mark": own}, {"session": _session(), "mark": {"pid": os.getpid(), "started": "1"}},
                   {"session": _session(), "mark": None}, {}):
        (tmp_path / FILE).write_text(json.dumps(values))
        assert not disconnect_if_asked(tmp_path)
    (tmp_path / FILE).write_text("half a li")
    assert not disconnect_if_asked(tmp_path) and colab.ended == []
    (tmp_path / FILE).write_text(json.dumps({"session": _session(), "mark": own}))
    assert disconnect_if_asked(tmp_path) and len(colab.ended) == 1


def test_on_colab_a_refusal_comes_back_to_who_asked(tmp_path, colab, monkeypatch):
    monkeypatch.setenv("LORABOOK_FINISH_SECOND", "0.2")

    def refuse():
        raise RuntimeError("no frontend")

    colab.unassign = refuse
    done = threading.Event()

    def panel():
        while not done.is_set():
            disconnect_if_asked(tmp_path)

    thread = threading.Thread(target=panel)
    thread.start()
    with pytest.raises(TrainingError, match="RuntimeError: no frontend"):
        find_machine(tmp_path).stop()
    done.set()
    thread.join()
