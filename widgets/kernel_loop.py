"""The kernel's event loop: repeated looks at files, and short work beside it, without ever blocking a click."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any


class KernelLoop:
    """The loop of the cell that made it. Outside a kernel there is none, and everything runs at once, in order.

    Newer kernels answer widgets from threads of their own (subshells); whatever changes a panel is therefore sent
    through `soon`, so that panels are only ever changed by one thread.
    """

    def __init__(self) -> None:
        try:
            self._loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None
        self._thread = threading.get_ident()
        self._tasks: set[asyncio.Task[None]] = set()

    def soon(self, act: Callable[[], None]) -> None:
        """Call `act` in the loop's thread; at once when this is that thread."""
        if self._loop is None or threading.get_ident() == self._thread:
            act()
        else:
            self._loop.call_soon_threadsafe(act)

    def repeat(self, look: Callable[[], bool], seconds: float) -> None:
        """Call `look` every `seconds` until it returns False. Outside a kernel it is not called at all."""
        async def keep_looking() -> None:
            while look():
                await asyncio.sleep(seconds)

        self._start(keep_looking)

    def after(self, act: Callable[[], None], seconds: float) -> None:
        """Call `act` once, some seconds later; outside a kernel now."""
        async def wait() -> None:
            await asyncio.sleep(seconds)
            act()

        if self._loop is None:
            act()
        else:
            self._start(wait)

    def beside(self, work: Callable[[], Any], then: Callable[[Any, BaseException | None], None]) -> None:
        """Run `work` in a thread, then `then(result, error)` in the loop's thread. Outside a kernel both run now."""
        def done() -> tuple[Any, BaseException | None]:
            try:
                return work(), None
            except Exception as error:  # noqa: BLE001 - handed on to the panel, which tells the person
                return None, error

        async def wait() -> None:
            then(*await asyncio.to_thread(done))

        if self._loop is None:
            then(*done())
        else:
            self._start(wait)

    def _start(self, coroutine: Callable[[], Any]) -> None:
        if self._loop is None:
            return
        task = self._loop.create_task(coroutine())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def stop(self) -> None:
        """End what is repeated."""
        for task in list(self._tasks):
            task.cancel()
