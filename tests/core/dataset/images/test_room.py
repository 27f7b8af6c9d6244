"""How much of memory the pictures of a job take: by their pixels, and nothing of those that are done."""

import gc
import threading
import weakref

import numpy
import pytest
from PIL import Image

from core.dataset.images.room import pixels_in, pixels_of
from core.dataset.images.sourcing import one_unit
from core.dataset.images.tool import Output, Tool
from core.dataset.images.working import work_on
from core.dataset.parallel import default_workers


class Copier(Tool):
    """Holds what it is given, and counts how many pictures are held at once."""

    name, verb, kind = "upscale", "Upscaling", "upscaled"

    def __init__(self):
        self.held, self.most, self._lock, self._two = weakref.WeakSet(), 0, threading.Lock(), threading.Event()

    def told(self, work):
        return {}

    def prepare(self, work, decoded):
        held = Held(decoded.image)
        with self._lock:
            self.held.add(held)
            gc.collect()
            self.most = max(self.most, len(self.held))
        if self.most > 1:
            self._two.set()
        return held

    def infer(self, prepared, progress):
        return prepared.image.copy()

    def finish(self, work, prepared, result):
        self._two.wait(5)  # one is written while the next is read, however busy the machine is
        threading.Event().wait(0.02)
        return [Output(result)]


class Held:
    def __init__(self, image):
        self.image = image


@pytest.fixture
def many(project):
    for number in range(12):
        Image.new("RGB", (40, 30), (number, 0, 0)).save(project.images / f"{number}.png")
    return project


@pytest.mark.slow
def test_large_pictures_go_one_by_one_and_what_is_done_is_let_go(many, monkeypatch):
    monkeypatch.setattr("core.dataset.images.working.PIXELS_EACH", 10)
    tool = Copier()
    assert len(work_on(many, tool).made) == 12
    assert tool.most == 2, "while one is written the next is read"


@pytest.mark.slow
def test_small_ones_go_as_many_as_there_are_threads(many, monkeypatch):
    together = threading.Barrier(default_workers(), timeout=20)

    class Together(Copier):
        def prepare(self, work, decoded):
            if int(work.unit.item.id) < default_workers():
                together.wait()
            return super().prepare(work, decoded)

    assert len(work_on(many, Together()).made) == 12


def test_what_a_tool_holds_is_counted_once(many):
    picture, mask = Image.new("RGB", (40, 30)), numpy.zeros((30, 40), dtype=numpy.uint8)
    assert pixels_in((picture, mask), picture, None, 3) == 40 * 30 + 40 * 30 // 4
    assert pixels_of(one_unit(many, "1")) == 1200
    Image.new("RGB", (80, 60)).save(many.variants / "1_upscaled.png")
    (many.variants / "2_upscaled.png").write_bytes(b"no picture")
    assert pixels_of(one_unit(many, "1")) == 4800 and pixels_of(one_unit(many, "2")) == 0
