"""Work on several items at once, in order, with a bounded number under way."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from core.base.errors import StudioError
from core.setup.hardware import cpu_cores

T = TypeVar("T")
R = TypeVar("R")


def default_workers() -> int:
    """Threads for decoding images: as many as there are cores, at most 8."""
    return max(1, min(8, int(cpu_cores())))


def bounded_map(work: Callable[[T], R], items: Iterable[T], workers: int = 0, ahead: int = 0,
                weigh: Callable[[T], float] | None = None, most: float = 0) -> Generator[tuple[T, R | StudioError], None, None]:
    """Yield (item, result) in the order of `items`; a StudioError is yielded in the place of the result.

    Args:
        workers: threads; 0 chooses.
        ahead: most items that are under way or finished and not yet taken; 0 means twice the workers. It bounds memory.
        weigh: what an item weighs, where items differ much; asked once, in the thread of the caller.
        most: what these may weigh together; an item that weighs more goes alone.
    """
    workers = workers or default_workers()
    ahead = ahead or 2 * workers
    queue: deque[tuple[T, Future[R], float]] = deque()
    held = 0.0

    def take() -> tuple[T, R | StudioError]:
        nonlocal held
        item, future, weight = queue.popleft()
        result = _outcome(future)
        held -= weight
        return item, result

    pool = ThreadPoolExecutor(workers, thread_name_prefix="decode")
    try:
        for item in items:
            weight = weigh(item) if weigh is not None else 0.0
            while queue and weigh is not None and held + weight > most:
                yield take()
            queue.append((item, pool.submit(work, item), weight))
            held += weight
            if len(queue) >= ahead:
                yield take()
        while queue:
            yield take()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _outcome(future: Future[R]) -> R | StudioError:
    try:
        return future.result()
    except StudioError as error:
        return error
