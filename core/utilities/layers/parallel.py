"""Many small layers at once: one thread of torch's own for each, for layers are too small to be divided among cores."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from types import TracebackType
from typing import Generic, TypeVar

from core.setup.hardware import cpu_cores

Item = TypeVar("Item", bound=Hashable)
Result = TypeVar("Result")
MOST = 16
"""Layers at work at once; each takes some ten MB."""


@contextmanager
def one_thread() -> Iterator[None]:
    """torch computes in one thread: for work on small pieces, where threads wait for each other longer than they compute."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Ahead(Generic[Item, Result]):
    """Works on items in their order, a few of them ahead of who asks for the results; used with `with`.

    Args:
        items: in the order in which they will be asked for.
        work: what is done with one; torch computes it in one thread.
        device: of torch; on a GPU one item at a time.
    """

    def __init__(self, items: Iterable[Item], work: Callable[[Item], Result], device: str = "cpu") -> None:
        self.items = list(items)
        self._places = {item: number for number, item in enumerate(self.items)}
        self._work, self._threads = work, 1 if device != "cpu" else max(1, min(MOST, int(cpu_cores())))
        self._futures: dict[int, Future[Result]] = {}
        self._next, self._before = 0, 0

    def __enter__(self) -> Ahead[Item, Result]:
        import torch

        self._before = torch.get_num_threads()
        torch.set_num_threads(1)
        self._pool = ThreadPoolExecutor(self._threads, "lora", initializer=torch.set_num_threads, initargs=(1,))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        import torch

        self._pool.shutdown(cancel_futures=True)
        self._futures.clear()
        torch.set_num_threads(self._before)

    def get(self, item: Item) -> Result:
        """The result for an item; it is given once. Raises: what the work raised; KeyError: it was given already."""
        place = self._places[item]
        for number in range(self._next, min(len(self.items), place + 2 * self._threads + 1)):
            self._futures[number] = self._pool.submit(self._work, self.items[number])
            self._next = number + 1
        return self._futures.pop(place).result()

    def __iter__(self) -> Iterator[tuple[Item, Result]]:
        for item in self.items:
            yield item, self.get(item)
