"""Receivers that hang, and the others beside them: nobody waits for a stranger."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest

from services.alerts.sending.guard import Guard
from services.alerts.sending.letters import Letter
from services.alerts.sending.notify import Notifier
from tests.faults.receivers import (
    PATIENCE_S,
    RawReceiver,
    after_attempt,
    council,
    endpoint,
    hang,
    opened,
    status,
    told_to,
    trickle,
)
from tests.integration.alerts.conftest import Service, running, until

Unique = Callable[[str], str]
HANGING = 100
EACH = 6
QUICK = 400 if os.environ.get("CXLOOP_SOAK") else 60
DEADLINE_S = 6.0


@pytest.fixture(scope="module")
async def service(database_url: str, kafka: str, unique: Unique) -> AsyncIterator[Service]:
    group = unique("alerts")
    async with running(database_url, kafka, consumer_group=group, delivery_timeout_s=DEADLINE_S) as made:
        yield made


async def queue(service: Service, lane: str, count: int) -> None:
    """Deliveries of test events, as `POST …/test` writes them, without a request for each."""
    await service.sql(
        "INSERT INTO alerts.delivery (id, lane, version, what, body, state)"
        " SELECT gen_random_uuid()::text, $1, 0, 'test', body, 'pending' FROM alerts.delivery,"
        " generate_series(1, $3) WHERE id = $2",
        lane,
        await told_to(service, lane),
        count - 1,
    )


async def test_a_hundred_that_hang_delay_nobody(service: Service, unique: Unique) -> None:
    async with AsyncExitStack() as stack:
        bad = await stack.enter_async_context(RawReceiver(hang()))
        good = await stack.enter_async_context(RawReceiver(status(204)))
        stuck = [unique("stuck") for _ in range(HANGING)]
        for name in stuck:
            await endpoint(service, name, url=bad.url, councils=[name])
            await queue(service, name, EACH)

        async def all_hang() -> bool:
            return len(bad.shown) >= HANGING

        await until(all_hang, PATIENCE_S)
        region = await council(service, unique("region"))
        await endpoint(service, region, url=good.url, councils=[region])
        began = time.monotonic()
        alert = await opened(service, unique("c"), region)
        [told] = await service.deliveries(alert, "delivered")
        first_s = time.monotonic() - began
        await queue(service, region, QUICK)

        async def all_told() -> bool:
            return len(good.shown) >= QUICK + 1

        began = time.monotonic()
        await until(all_told, PATIENCE_S)
        rate = QUICK / (time.monotonic() - began)
        assert [a["outcome"] for a in told["attempts"]] == ["delivered"], "at the first attempt"
        rows = await service.sql(
            "SELECT count(*) FILTER (WHERE attempts::text LIKE '%timeout%') FROM alerts.delivery"
            " WHERE lane = $1",
            region,
        )
        assert rows[0][0] == 0
        waiting = await service.sql("SELECT count(*) FROM alerts.delivery WHERE lane = ANY($1)", stuck)
        assert waiting[0][0] == HANGING * EACH, "of the others nothing is lost"
        sys.stdout.write(
            f"\n{HANGING} hang, {len(bad.ids)} requests open or given up; an alert was told after"
            f" {first_s:.2f} s, {QUICK} more at {rate:.0f}/s\n"
        )
        # It answers now: each delivery is shown once, whatever was tried in between.
        bad.behave = status(200)

        async def all_in() -> bool:
            await service.sql(
                "UPDATE alerts.delivery SET next_at = now() WHERE lane = ANY($1) AND next_at > now()"
                " AND state = 'pending' AND lease IS NULL",
                stuck,
            )
            rows = await service.sql(
                "SELECT count(*) FROM alerts.delivery WHERE lane = ANY($1) AND state = 'delivered'", stuck
            )
            return bool(rows[0][0] == HANGING * EACH)

        await until(all_in, PATIENCE_S)
        assert len(bad.shown) == HANGING * EACH


async def test_chats_that_hang_or_trickle_delay_no_other_chat(service: Service, unique: Unique) -> None:
    slow = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nx-more: "
    async with AsyncExitStack() as stack:
        for behave in (hang(), trickle(slow, 0.2)):
            bad = await stack.enter_async_context(RawReceiver(behave))
            for _ in range(10):
                name = unique("stuck")
                url = bad.url.replace("http://", "json://")
                await endpoint(service, name, kind="notify", url=url, councils=[name])
                await queue(service, name, 4)

            async def all_hang(bad: RawReceiver = bad) -> bool:
                return bad.connections >= 10

            await until(all_hang, PATIENCE_S)
        good = await stack.enter_async_context(RawReceiver(status(200)))
        name = unique("quick")
        await endpoint(
            service, name, kind="notify", url=good.url.replace("http://", "json://"), councils=[name]
        )
        row = await after_attempt(service, await told_to(service, name))
        assert [a["outcome"] for a in row["attempts"]] == ["delivered"]


async def test_a_chat_that_trickles_ends_at_the_deadline_and_gives_its_thread_back() -> None:
    slow = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n"
    notifier = Notifier(Guard(["127.0.0.1"]))
    note = Letter(subject="s", text="t", html="h", thread=None)
    async with RawReceiver(trickle(slow, 0.05)) as receiver:
        url = receiver.url.replace("http://", "json://")
        results = await asyncio.gather(*(notifier.send(url, note, "low", 1.0) for _ in range(20)))
        assert {result.outcome.value for result in results} == {"timeout"}
        threads = list(notifier._pool._threads)

        async def idle() -> bool:
            return notifier._pool._idle_semaphore._value == len(threads)

        await until(idle, PATIENCE_S)
    notifier.close()
    for thread in threads:
        await asyncio.to_thread(thread.join, 10)
    assert not any(thread.is_alive() for thread in threads), "nothing keeps the process from ending"
