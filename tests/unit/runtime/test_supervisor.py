"""Background tasks: a death is never silent."""

from __future__ import annotations

import asyncio

from shared.runtime.health import Health
from shared.runtime.supervisor import Tasks


async def test_a_task_that_dies_takes_the_process_along() -> None:
    health, left = Health(), asyncio.Event()
    tasks = Tasks(health)
    tasks.on_failure = left.set

    async def die() -> None:
        raise KeyError("ann@example.com")

    tasks.start("consumer", die())
    await asyncio.wait_for(left.wait(), 5)
    assert tasks.failed
    assert await health.report("liveness") == {"consumer": "died: KeyError"}


async def test_a_task_that_ends_by_itself_is_no_failure() -> None:
    tasks = Tasks(Health())
    done = asyncio.Event()

    async def end() -> None:
        done.set()

    tasks.start("once", end())
    await asyncio.wait_for(done.wait(), 5)
    await tasks.aclose(1)
    assert not tasks.failed


async def test_closing_cancels_and_does_not_wait_for_ever() -> None:
    tasks = Tasks(Health())
    ended: list[str] = []
    stubborn = asyncio.Event()

    async def polite() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("polite")

    async def impolite() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await stubborn.wait()

    tasks.start("polite", polite())
    tasks.start("impolite", impolite())
    await asyncio.sleep(0)
    await asyncio.wait_for(tasks.aclose(0.05), 5)
    assert ended == ["polite"]
    assert not tasks.failed
    stubborn.set()
    await tasks.aclose(1)
