"""The kernel's event loop: repeated looks at files, and short work beside it, without ever blocking a click."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

SLOW_SECONDS = 10.0
"""Between two looks while files cannot be read."""
TICK, CALM_TICKS = 0.01, 3
"""Seconds between two looks at the loop's calm, and how many calm ones in a row are enough."""
BUSY = 0.03
"""Seconds by which a tick that comes late says that the loop had something else to do."""
CALM_SECONDS = 1.5
"""How long wishes for the same look are gathered: a change is told several times, and other work of the person should go first."""
LONGEST_WAIT = 2.0
"""Seconds after which a press is obeyed even though the loop is never calm."""


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
        self._gathered: set[Callable[[], None]] = set()

    def soon(self, act: Callable[[], None]) -> None:
        """Call `act` in the loop's thread; at once when this is that thread."""
        if self._loop is None or threading.get_ident() == self._thread:
            act()
        else:
            self._loop.call_soon_threadsafe(act)

    def settled(self, act: Callable[[], None]) -> None:
        """Call `act` in the loop's thread when everything is taken in that the browser sent before.

        A browser may send to the main queue and to a subshell at the same time, each in its own order (JupyterLab 4.4 with ipykernel 7
        does), so that a press can come before the text that was typed before it. What was sent earlier lies in one of the queues by then;
        so it is waited until the loop was at rest for some ticks in a row, about 30 ms.
        """
        async def wait() -> None:
            latest, calm = time.monotonic() + LONGEST_WAIT, 0
            while calm < CALM_TICKS and time.monotonic() < latest:
                due = time.monotonic() + TICK
                await asyncio.sleep(TICK)
                calm = calm + 1 if time.monotonic() - due < BUSY else 0
            act()

        if self._loop is None:
            act()
        else:
            self._start(wait)

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

    def calmly(self, act: Callable[[], None], seconds: float = CALM_SECONDS) -> None:
        """Call `act` once, some seconds after the first of several wishes for it; outside a kernel now."""
        def now() -> None:
            self._gathered.discard(act)
            act()

        if self._loop is None:
            act()
        elif act not in self._gathered:
            self._gathered.add(act)
            self.after(now, seconds)

    def beside(self, work: Callable[[], Any], then: Callable[[Any, BaseException | None], None], pool: Executor | None = None) -> None:
        """Run `work` in a thread, then `then(result, error)` in the loop's thread. Outside a kernel both run now.

        Args: pool: whose threads work; None: the kernel's own few, where nothing should wait for something else.
        """
        def done() -> tuple[Any, BaseException | None]:
            try:
                return work(), None
            except Exception as error:  # noqa: BLE001 - handed on to the panel, which tells the person
                return None, error

        async def wait() -> None:
            then(*await asyncio.get_running_loop().run_in_executor(pool, done))

        if self._loop is None:
            then(*done())
        else:
            self._start(wait)

    def _start(self, coroutine: Callable[[], Any]) -> None:
        loop = self._loop
        if loop is None:
            return

        def begin() -> None:
            task = loop.create_task(coroutine())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        self.soon(begin)  # a task that another thread makes lies there until something else wakes the loop

    def stop(self) -> None:
        """End what is repeated."""
        for task in list(self._tasks):
            task.cancel()


def patient(look: Callable[[], bool], tell: Callable[[BaseException], None]) -> Callable[[], bool]:
    """The same look for `KernelLoop.repeat`, which bears that files cannot be read for a while (a network drive that went away).

    What is wrong is told once, then it is looked every `SLOW_SECONDS` only, until it can be read again.
    """
    told, rests_until = "", 0.0

    def keep_looking() -> bool:
        nonlocal told, rests_until
        if time.monotonic() < rests_until:
            return True
        try:
            more = look()
        except Exception as error:  # noqa: BLE001 - a repeated look must neither end in silence nor tell it each second
            if str(error) != told:
                tell(error)
            told, rests_until = str(error), time.monotonic() + SLOW_SECONDS
            return True
        told = ""
        return more

    return keep_looking
