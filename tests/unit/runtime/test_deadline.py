"""A deadline does what asyncio.timeout does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from shared.runtime.deadline import Deadline

LONG_S = 60.0


async def test_what_ends_in_time_is_not_disturbed() -> None:
    with Deadline(LONG_S):
        await asyncio.sleep(0)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_what_does_not_end_is_ended() -> None:
    began = time.monotonic()
    with pytest.raises(TimeoutError), Deadline(0.05):
        await asyncio.sleep(LONG_S)
    assert time.monotonic() - began >= 0.04
    await asyncio.sleep(0)  # and nothing of it is left for what comes after


async def test_many_share_a_timer_and_each_ends() -> None:
    async def wait(seconds: float) -> str:
        try:
            with Deadline(seconds):
                await asyncio.sleep(LONG_S if seconds < 1 else 0)
        except TimeoutError:
            return "late"
        return "in time"

    given = [0.01, 5.0] * 50
    assert await asyncio.gather(*(wait(one) for one in given)) == ["late", "in time"] * 50


@pytest.mark.parametrize("cancel_first", [True, False])
async def test_a_cancellation_from_outside_stays_one(cancel_first: bool) -> None:
    held: list[Deadline] = []

    async def work() -> None:
        with Deadline(LONG_S) as deadline:
            held.append(deadline)
            await asyncio.sleep(LONG_S)

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    for step in (task.cancel, held[0].expire) if cancel_first else (held[0].expire, task.cancel):
        step()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_it_can_be_called_early_and_not_too_late() -> None:
    with pytest.raises(TimeoutError), Deadline(LONG_S) as deadline:
        deadline.expire()
        deadline.expire()
        await asyncio.sleep(LONG_S)
    deadline.expire()
    await asyncio.sleep(0)


async def test_an_error_passes_also_after_the_time_is_over() -> None:
    with pytest.raises(ValueError, match="first"), Deadline(LONG_S):
        raise ValueError("first")
    with pytest.raises(ValueError, match="then"), Deadline(0.01):
        try:
            await asyncio.sleep(LONG_S)
        except asyncio.CancelledError:
            raise ValueError("then") from None
    await asyncio.sleep(0)


async def test_inside_one_another_the_right_one_ends() -> None:
    async def inner(wait: Callable[[], Awaitable[None]]) -> str:
        try:
            with Deadline(LONG_S):
                await wait()
        except TimeoutError:
            return "inner"
        return "none"

    with pytest.raises(TimeoutError), Deadline(0.01):
        await inner(lambda: asyncio.sleep(LONG_S))


def test_outside_of_a_task_it_is_refused() -> None:
    with pytest.raises(RuntimeError), Deadline(1.0):
        pass
