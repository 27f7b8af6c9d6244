"""Models that stay open: loaded once, counted, unloaded for one that needs the room, never while they work."""

import gc
import sys
import threading
import time
import weakref

import pytest

from core.base.errors import ModelError
from core.base.progress import SILENT
from core.base.turns import turn_on_the_machine
from core.dataset.images.manager import ImagesManager
from core.dataset.project import Project
from core.models.warm import WarmModels, forget_driver, free_memory, used_memory

GIB = 2**30


class Model:
    """Takes room on a machine of the test."""

    def __init__(self, machine, size):
        if machine.taken + size > machine.total:
            raise RuntimeError("CUDA out of memory. Tried to allocate")
        self.machine, self.size, self.closed = machine, size, False
        machine.taken += size

    def close(self):
        self.closed = True
        self.machine.taken -= self.size


class Machine:
    def __init__(self, total):
        self.total, self.taken = total, 0
        self.models = WarmModels(free=lambda device: self.total - self.taken, used=lambda device: self.taken)

    def use(self, name, size, told=True):
        return self.models.use(name, name, lambda: Model(self, size), "cuda", size if told else 0)

    @property
    def names(self):
        return [one.name for one in self.models.list()]


def test_a_model_is_loaded_once_and_its_memory_is_measured():
    machine = Machine(10 * GIB)
    with machine.use("a", 2 * GIB) as first:
        assert machine.models.list()[0].is_used
    with machine.use("a", 2 * GIB) as second:
        assert second is first
    (one,) = machine.models.list()
    assert (one.name, one.memory, one.is_used, one.device) == ("a", 2 * GIB, False, "cuda")


def test_the_one_that_was_used_longest_ago_makes_room():
    machine = Machine(10 * GIB)
    for name in ("a", "b", "a"):
        with machine.use(name, 3 * GIB):
            pass
    with machine.use("c", 4 * GIB):
        assert sorted(machine.names) == ["a", "c"]
    with machine.use("d", 9 * GIB, told=False):  # its size was not known: all that is idle goes
        assert machine.names == ["d"]


def test_what_works_at_this_moment_is_not_unloaded():
    machine = Machine(10 * GIB)
    with machine.use("a", 6 * GIB) as model:
        assert not machine.models.unload("a") and machine.models.unload_all() == 0
        with pytest.raises(ModelError, match="no room for b: 4.+free on the GPU"), machine.use("b", 6 * GIB):
            pass
        assert not model.closed
    assert machine.models.unload("a") and model.closed and machine.taken == 0


def test_an_error_that_is_not_about_memory_is_handed_on_and_nothing_is_kept():
    models = WarmModels()

    def broken():
        raise ModelError("It is no upscaler.")

    with pytest.raises(ModelError, match="no upscaler"), models.use("x", "x", broken):
        pass
    assert models.list() == []


def test_two_threads_take_turns_with_one_model():
    machine, seen, inside = Machine(10 * GIB), [], []

    def work():
        with machine.use("a", GIB) as model:
            inside.append(1)
            time.sleep(0.002)
            seen.append((model, len(inside)))
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {id(model) for model, _ in seen} == {id(seen[0][0])} and {count for _, count in seen} == {1}


def test_an_open_model_is_used_while_another_is_loaded():
    models, begun, go_on = WarmModels(), threading.Event(), threading.Event()
    with models.use("open", "open", object):
        pass

    def load():
        begun.set()
        assert go_on.wait(10)

    def work(name, load, done):
        with models.use(name, name, load):
            done.set()

    slow, quick = threading.Event(), threading.Event()
    threads = [threading.Thread(target=work, args=given) for given in (("slow", load, slow), ("open", object, quick))]
    threads[0].start()
    assert begun.wait(10)
    threads[1].start()
    was_free = quick.wait(2) and not slow.is_set()
    go_on.set()
    for thread in threads:
        thread.join()
    assert was_free and slow.is_set()


def test_what_nobody_used_for_a_while_is_unloaded(monkeypatch):
    machine, now = Machine(10 * GIB), [1000.0]
    monkeypatch.setattr("core.models.warm.time.monotonic", lambda: now[0])
    with machine.use("old", GIB):
        pass
    now[0] += 500
    with machine.use("new", GIB):
        pass
    with machine.use("works", GIB):
        now[0] += 101
        assert machine.models.unload_idle(600) == 1 and sorted(machine.names) == ["new", "works"]
        now[0] += 10_000
        assert machine.models.unload_idle(600) == 1 and machine.names == ["works"]
    assert machine.models.unload_idle(600) == 0 and machine.names == ["works"]  # it has just been used


def test_while_a_job_or_training_works_models_leave_the_gpu_to_it(tmp_path, monkeypatch):
    monkeypatch.setenv("LORABOOK_PROJECTS", str(tmp_path))
    machine, now = Machine(10 * GIB), [1000.0]
    monkeypatch.setattr("core.models.warm.time.monotonic", lambda: now[0])
    monkeypatch.setattr("core.dataset.images.manager.WARM", machine.models)
    for name, device in (("seeks", "cuda"), ("thinks", "cpu")):
        with machine.models.use(name, name, object, device):
            pass
    now[0] += 60
    manager = ImagesManager(Project.create(tmp_path / "mika", "mika"))
    assert manager.unload_idle_models() == 0
    with turn_on_the_machine(tmp_path, "the training of mika", SILENT):
        assert manager.unload_idle_models() == 1
    assert [model.name for model in machine.models.list()] == ["thinks"]


NVIDIA_SMI = """#!/bin/sh
echo x >> {asked}
cat {facts}
"""


@pytest.fixture
def driver(tmp_path, monkeypatch):
    """A driver with two GPUs that says what the test writes; torch is not loaded."""
    facts, asked, program = tmp_path / "facts", tmp_path / "asked", tmp_path / "nvidia-smi"
    program.write_text(NVIDIA_SMI.format(asked=asked, facts=facts), encoding="utf-8")
    program.chmod(0o755)
    facts.write_text("A, 550.1, 24576, 20480, 8.9\nB, 550.1, 8192, 1024, 8.6\n", encoding="utf-8")
    asked.touch()
    monkeypatch.setattr("core.setup.hardware.find_nvidia_smi", lambda: str(program))
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr("core.models.warm.ASKED_AGAIN", 1e9)
    forget_driver()
    yield facts, asked
    forget_driver()


def test_without_torch_the_driver_says_what_is_free_and_is_asked_once_a_second(driver, monkeypatch):
    facts, asked = driver
    assert free_memory("cuda") == 20 * GIB and used_memory("cuda") == 4 * GIB
    times = len(asked.read_text())
    assert free_memory("cuda") == 20 * GIB and len(asked.read_text()) == times
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,0")
    assert free_memory("cuda") == GIB and used_memory("cuda") == 7 * GIB
    facts.write_text("", encoding="utf-8")
    forget_driver()
    assert free_memory("cuda") == used_memory("cuda") == 0


def test_a_model_on_the_gpu_leaves_the_others_where_there_is_room_and_torch_is_not_loaded(driver):
    models = WarmModels()
    for name in ("a", "b"):
        with models.use(name, name, object, "cuda", needs=GIB):
            pass
    assert sorted(one.name for one in models.list()) == ["a", "b"]


def test_memory_that_was_given_back_is_seen_at_once(driver):
    """Else the figure of before would have every model unloaded where one is enough."""
    facts, _ = driver
    facts.write_text("A, 550.1, 24576, 1500, 8.9\n", encoding="utf-8")

    class Large:
        def close(self):
            facts.write_text("A, 550.1, 24576, 9000, 8.9\n", encoding="utf-8")

    models = WarmModels()
    for name in ("a", "b"):
        with models.use(name, name, Large, "cuda"):
            pass
    with models.use("c", "c", object, "cuda", needs=4 * GIB):
        assert sorted(one.name for one in models.list()) == ["b", "c"]


@pytest.mark.slow
def test_memory_goes_back_when_a_model_is_unloaded():
    numpy = pytest.importorskip("numpy")
    models = WarmModels()
    size = 400 * 2**20
    before = used_memory("cpu")
    with models.use("big", "big", lambda: {"weights": numpy.ones(size, numpy.uint8)}) as model:
        watched = weakref.ref(model["weights"])
    del model
    assert models.list()[0].memory == pytest.approx(size, rel=0.1)
    models.unload_all()
    gc.collect()
    assert watched() is None and used_memory("cpu") - before < size / 4 and free_memory("cpu") > 0


def test_a_model_of_another_device_leaves_no_room_and_so_stays():
    machine = Machine(10 * GIB)
    with machine.models.use("on the cpu", "on the cpu", lambda: Model(machine, 0), "cpu"):
        pass
    with machine.use("a", 6 * GIB):
        pass
    with machine.use("b", 6 * GIB):
        assert sorted(machine.names) == ["b", "on the cpu"]
