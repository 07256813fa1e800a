"""Rows of the failure table: who tells others dies at every statement: alerts, dispatcher, relay, drainer."""

from __future__ import annotations

import asyncio
import base64
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.alerts.api.endpoints import new_secret
from services.alerts.consumer import ScoreConsumer
from services.alerts.dispatcher import Dispatcher
from services.alerts.sending.guard import Guard
from services.alerts.sending.receivers import Receivers
from services.alerts.store import deliveries, setup
from services.alerts.store.deliveries import NewDelivery
from services.alerts.telling import Teller
from services.alerts.writing import Writer
from services.ingest.drainer import Drainer
from services.ingest.store import spool
from shared.bus.batches import Batch, Record
from shared.bus.producer import Producer
from shared.bus.topics import SCORES
from shared.db import outbox
from shared.db.engine import create_engine
from shared.db.outbox import OutboxRow
from shared.db.relay import Relay
from shared.events import scores
from shared.runtime.secrets import KeyHasher, SecretBox
from tests.e2e.receivers import Hook, http_receiver
from tests.faults.countdown import Countdown, Step, countdown, dies_everywhere, lives
from tests.faults.world import SOAK
from tests.integration.alerts.conftest import now
from tests.integration.alerts.receivers import WebhookReceiver
from tests.integration.bus_kit import everything, make_topic, producer_of
from tests.integration.waiting import until
from tests.unit.alerts.builders import answer, change
from tests.unit.alerts.builders import scores as levels

Unique = Callable[[str], str]
KEY = base64.b64encode(bytes(32)).decode()
BOX, HASHER = SecretBox.from_key(KEY), KeyHasher.from_key(KEY)


class Past:
    """A database behind a countdown, and a connection of our own past it."""

    def __init__(self, proxy: Countdown, conn: asyncpg.Connection) -> None:
        self.proxy = proxy
        self.conn = conn

    async def count(self, what: str, *arguments: object) -> int:
        return int(await self.conn.fetchval(f"SELECT count(*) FROM {what}", *arguments))


@pytest.fixture
async def past(own_database_url: str) -> AsyncIterator[Past]:
    conn = await asyncpg.connect(own_database_url, timeout=10, command_timeout=30)
    async with countdown(own_database_url) as proxy:
        yield Past(proxy, conn)
    await conn.close()


@pytest.fixture
def hook() -> Any:  # noqa: ANN401
    with http_receiver() as receiver:
        yield receiver


async def connect(past: Past, hook: Hook) -> None:
    """The receiver is connected to the default council."""
    await setup.install_shipped(past.conn)
    hook.secret = new_secret()
    await setup.put_endpoint(past.conn, BOX, "hook", "webhook", hook.url, ["default"], "full", hook.secret)


async def test_alerts_dies_at_every_statement_of_a_batch(past: Past, hook: Hook) -> None:
    """A bad answer, news of the same customer, another customer, and a message that nobody can read."""
    await connect(past, hook)

    def batch(n: int) -> Batch:
        bad = answer(f"a-{n}", 2, when=now())
        changes = [
            change(1, levels(), levels(), f"c-{n}", events=(bad,)),
            change(2, levels(), levels(0.3), f"c-{n}"),
            change(1, None, levels(), f"d-{n}"),
        ]
        values = [*(scores.encode(one) for one in changes), b"junk"]
        return Batch(tuple(Record(SCORES, n, i, 0, b"k", value) for i, value in enumerate(values)))

    async def step_of(number: int) -> Step:
        async def step(engine: AsyncEngine) -> None:
            writer = Writer(Teller(BOX, HASHER, mail=False), "https://alerts.example/{id}", lambda: None)
            await ScoreConsumer(engine, writer).handle(batch(number))

        return step

    await lives(past.proxy, await step_of(0))
    tables = ["alerts.customer", "alerts.alert", "alerts.delivery", "alerts.outbox", "alerts.rejected"]
    usual = {table: await past.count(table) for table in tables}
    assert all(usual.values()), usual
    deaths = await dies_everywhere(past.proxy, step_of, both=SOAK)
    said(f"alerts died {deaths} times in a batch")
    assert deaths > 20
    assert {table: await past.count(table) for table in tables} == {
        table: n * (deaths + 2) for table, n in usual.items()
    }
    assert await past.count("alerts.customer WHERE version = 2") == deaths + 2


async def test_the_dispatcher_dies_at_every_statement(
    past: Past, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it had sent is sent again, under the same id, once its lease is over (which is not waited for)."""
    for patience in ("dispatcher.DRAIN_S", "dispatcher.RETRY_S", "concluding.RETRY_S"):
        monkeypatch.setattr(f"services.alerts.{patience}", 0.1)  # the dead do not wait
    await connect(past, hook)
    told: list[str] = []

    async def step_of(number: int) -> Step:
        told.append(f"told-{number}")
        row = NewDelivery(told[-1], "hook", None, 1, "opened", b'{"data":{}}')
        await deliveries.add(past.conn, [row])

        async def step(engine: AsyncEngine) -> None:
            await past.conn.execute("UPDATE alerts.delivery SET leased_until = now() - interval '1 s'")
            receivers = Receivers(Guard(("127.0.0.0/8",)), None, 10.0)
            dispatcher = Dispatcher(engine, BOX, receivers, 4)
            async with at_work(dispatcher.run()):
                await until(lambda: ended(past, "alerts.delivery WHERE state = 'pending'"))
            await receivers.aclose()

        return step

    deaths = await dies_everywhere(past.proxy, step_of, both=SOAK)
    arrived = [headers["webhook-id"] for headers, _ in hook.taken]
    said(f"the dispatcher died {deaths} times; sent again: {len(arrived) - len(told)}")
    assert deaths > 5
    assert set(arrived) == set(told)
    assert await past.count("alerts.delivery WHERE state = 'delivered'") == len(told)


async def test_the_relay_dies_at_every_statement(
    past: Past, kafka: str, unique: Unique, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything arrives, some of it again; a key's newest message stays its last."""
    monkeypatch.setattr("shared.db.relay.SHARE_EVERY_S", 0.1)  # the lanes of the dead are soon found free
    topic = unique("told")
    await make_topic(kafka, topic)
    async with producer_of(kafka) as producer:

        async def step_of(number: int) -> Step:
            rows = [OutboxRow(topic, b"k%d" % key, b"%d %d" % (key, number), ()) for key in range(8)]
            async with past.conn.transaction():
                await outbox.add(past.conn, "scoring", rows)

            async def step(engine: AsyncEngine) -> None:
                async with at_work(Relay(engine, "scoring", producer).run()):
                    await until(lambda: ended(past, "scoring.outbox"))

            return step

        deaths = await dies_everywhere(past.proxy, step_of, both=SOAK)
    values = [tuple(map(int, value.split())) for value in await everything(kafka, topic)]
    said(f"the relay died {deaths} times; sent again: {len(values) - len(set(values))}")
    assert deaths > 10
    assert len(set(values)) == 8 * (deaths + 1)
    for key in range(8):
        versions = [version for found, version in values if found == key]
        assert versions == sorted(versions)


async def test_the_drainer_dies_at_every_statement(past: Past, kafka: str, unique: Unique) -> None:
    """Everything arrives, some of it again, under the same event id."""
    topic = unique("drained")
    await make_topic(kafka, topic)
    async with producer_of(kafka) as producer:

        async def step_of(number: int) -> Step:
            rows = [spool.Spooled(topic, b"k", b"%d %d" % (number, i)) for i in range(5)]
            await spool.add(past.conn, rows)
            return drained(past, producer)

        deaths = await dies_everywhere(past.proxy, step_of, both=SOAK)
    values = await everything(kafka, topic)
    said(f"the drainer died {deaths} times; sent again: {len(values) - len(set(values))}")
    assert deaths > 5
    assert len(set(values)) == 5 * (deaths + 1)


def drained(past: Past, producer: Producer) -> Step:
    async def step(engine: AsyncEngine) -> None:
        drainer = Drainer(engine, producer)
        while await past.count("ingest.spool") and not past.proxy.sprung:
            await drainer.drain_once()

    return step


async def ended(past: Past, rest: str) -> bool:
    """Nothing is left, or the process is as good as dead."""
    return past.proxy.sprung or not await past.count(rest)


@asynccontextmanager
async def at_work(loop: Any) -> AsyncIterator[None]:  # noqa: ANN401
    """A loop of a service; it must survive the loss of its connection by itself, until it is thrown away."""
    task = asyncio.ensure_future(loop)
    try:
        yield
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def said(what: str) -> None:
    sys.stdout.write(f"\n{what}\n")


async def test_a_dispatcher_that_ends_gives_back_what_it_had_not_begun(past: Past) -> None:
    """Else a rolling restart would hold up dozens of deliveries until their leases end."""
    async with WebhookReceiver() as receiver:
        await setup.install_shipped(past.conn)
        await setup.put_endpoint(
            past.conn, BOX, "hook", "webhook", receiver.url, ["default"], "full", new_secret()
        )
        engine = create_engine(past.proxy.url, 4, "test-dispatcher")
        receivers = Receivers(Guard(("127.0.0.0/8",)), None, 10.0)
        await add_deliveries(past, 0, 4)
        async with at_work(Dispatcher(engine, BOX, receivers, 1).run()):
            await until(lambda: ended(past, "alerts.delivery WHERE state = 'pending'"))
            receiver.hang.clear()  # a lane that was fast is given several at once
            await add_deliveries(past, 4, 8)
            await until(lambda: len(receiver.requests) == 5)
            receiver.hang.set()
        assert await past.count("alerts.delivery WHERE leased_until IS NOT NULL") == 0
        await receivers.aclose()
        await engine.dispose()


async def add_deliveries(past: Past, first: int, count: int) -> None:
    rows = [
        NewDelivery(f"d-{n}", "hook", None, 1, "opened", b'{"data":{}}') for n in range(first, first + count)
    ]
    await deliveries.add(past.conn, rows)
