"""Models that stay open: loaded once, counted, unloaded for one that needs the room, never while they work."""

import gc
import threading
import time
import weakref

import pytest

from core.base.errors import ModelError
from core.models.warm import WarmModels, free_memory, used_memory

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
