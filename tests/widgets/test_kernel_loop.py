"""Repeated looks and work beside the kernel never block, and panels are changed by one thread only."""

import asyncio
import threading
import time

from widgets import kernel_loop
from widgets.kernel_loop import KernelLoop


def test_work_beside_the_loop_does_not_block_it_and_ends_in_its_thread():
    async def kernel():
        loop, ended, looks = KernelLoop(), asyncio.Event(), []
        loop.repeat(lambda: looks.append(1) or not ended.is_set(), 0.01)
        found = []

        def then(result, error):
            found.append((result, error, threading.get_ident()))
            ended.set()

        loop.beside(lambda: time.sleep(0.3) or "result", then)
        await asyncio.wait_for(ended.wait(), 5)
        assert found == [("result", None, threading.get_ident())]
        assert len(looks) > 5

    asyncio.run(kernel())


def test_an_error_beside_the_loop_is_handed_on():
    async def kernel():
        ended, found = asyncio.Event(), []
        KernelLoop().beside(lambda: 1 / 0, lambda result, error: (found.append(error), ended.set()))
        await asyncio.wait_for(ended.wait(), 5)
        assert isinstance(found[0], ZeroDivisionError)

    asyncio.run(kernel())


def test_what_another_thread_asks_for_is_done_in_the_loops_thread():
    async def kernel():
        loop, done, threads = KernelLoop(), asyncio.Event(), []
        threading.Thread(target=lambda: loop.soon(lambda: (threads.append(threading.get_ident()), done.set()))).start()
        await asyncio.wait_for(done.wait(), 5)
        assert threads == [threading.get_ident()]

    asyncio.run(kernel())


def test_a_press_waits_for_what_was_sent_before_it_on_another_way():
    """The typed text lies in the main queue behind slow work, while the press comes from a subshell's thread at once."""
    async def kernel():
        loop, main, typed, read, done = KernelLoop(), asyncio.get_running_loop(), [], [], asyncio.Event()

        def queue(works):
            if works:
                works[0]()
                main.call_soon(queue, works[1:])  # one message in each turn of the loop

        main.call_soon(queue, [*[lambda: time.sleep(0.05)] * 4, lambda: None, lambda: typed.append("cat")])
        threading.Thread(target=lambda: loop.settled(lambda: (read.append(list(typed)), done.set()))).start()
        await asyncio.wait_for(done.wait(), 5)
        assert read == [["cat"]]

    asyncio.run(kernel())


def test_a_press_is_obeyed_though_the_loop_is_never_calm(monkeypatch):
    monkeypatch.setattr(kernel_loop, "LONGEST_WAIT", 0.3)

    async def kernel():
        loop, done = KernelLoop(), asyncio.Event()
        loop.repeat(lambda: time.sleep(0.06) or not done.is_set(), 0.0)
        loop.settled(done.set)
        await asyncio.wait_for(done.wait(), 5)

    asyncio.run(kernel())


def test_presses_keep_their_order_and_come_at_once_where_there_is_no_kernel():
    async def kernel():
        loop, pressed = KernelLoop(), []
        for number in range(5):
            loop.settled(lambda number=number: pressed.append(number))
        await asyncio.sleep(0.5)
        assert pressed == [0, 1, 2, 3, 4]

    asyncio.run(kernel())
    pressed = []
    KernelLoop().settled(lambda: pressed.append(1))
    assert pressed == [1]


def test_what_is_repeated_ends_when_the_panel_is_let_go():
    async def kernel():
        loop, looks = KernelLoop(), []
        loop.repeat(lambda: looks.append(1) or True, 0.01)
        await asyncio.sleep(0.05)
        loop.stop()
        await asyncio.sleep(0.02)
        count = len(looks)
        await asyncio.sleep(0.05)
        assert len(looks) == count > 0

    asyncio.run(kernel())


def test_what_is_put_off_comes_later_and_never_to_a_panel_that_was_let_go():
    async def kernel():
        loop, done = KernelLoop(), []
        loop.after(lambda: done.append("first"), 0.02)
        assert done == []
        await asyncio.sleep(0.1)
        loop.after(lambda: done.append("second"), 0.02)
        loop.stop()
        await asyncio.sleep(0.1)
        assert done == ["first"]

    asyncio.run(kernel())
    now = []
    KernelLoop().after(lambda: now.append(1), 60)
    assert now == [1]


def test_work_that_another_thread_asks_for_begins_though_nothing_else_wakes_the_loop():
    async def kernel():
        loop, done = KernelLoop(), asyncio.Event()
        threading.Timer(0.2, lambda: loop.beside(lambda: 1, lambda result, error: done.set())).start()  # the loop sleeps by then
        await asyncio.wait_for(done.wait(), 5)

    asyncio.run(kernel())
