"""Outbox and relay on a real PostgreSQL. The bus is a list, that can refuse; once it is the real one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.bus.consumer import Batch, ConsumerLoop, Record
from shared.bus.errors import BusUnavailable, RecordTooLarge
from shared.bus.producer import Message, Result
from shared.db.engine import connect, create_engine, driver
from shared.db.outbox import LANES, OUTBOX_DDL, PARKED, OutboxRow, add, lane_of
from shared.db.relay import Relay
from shared.runtime.tracing import use_headers
from tests.integration.bus_kit import make_topic, producer_of
from tests.integration.bus_kit import running as consuming
from tests.integration.waiting import until

SCHEMA = "box"
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Bus:
    """Takes messages down; refuses while `away`, and for good what starts with `large`."""

    def __init__(self) -> None:
        self.taken: list[Message] = []
        self.away = False
        self.asked = 0

    async def send_many(self, messages: Sequence[Message], deadline_s: float = 5.0) -> list[Result]:
        self.asked += 1
        await asyncio.sleep(min(0.0, deadline_s))
        results: list[Result] = []
        for message in messages:
            if self.away:
                results.append(BusUnavailable("away"))
            elif message.value.startswith(b"large"):
                results.append(RecordTooLarge("2 MB"))
            else:
                self.taken.append(message)
                results.append(None)
        return results

    def values(self) -> list[bytes]:
        return [message.value for message in self.taken]


@pytest.fixture
async def engine(empty_database_url: str) -> AsyncIterator[AsyncEngine]:
    made = create_engine(empty_database_url, 8, "test")
    async with driver(made) as connection:
        await connection.execute(f"CREATE SCHEMA {SCHEMA}")
        await connection.execute(OUTBOX_DDL(SCHEMA))
    yield made
    await made.dispose()


@asynccontextmanager
async def running(*relays: Relay) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(relay.run()) for relay in relays]
    yield
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert all(task.cancelled() for task in tasks)


async def write(engine: AsyncEngine, *rows: OutboxRow) -> None:
    async with driver(engine) as connection, connection.transaction():
        await add(connection, SCHEMA, rows)


async def waiting(engine: AsyncEngine) -> int:
    async with driver(engine) as connection:
        count: int = await connection.fetchval(f"SELECT count(*) FROM {SCHEMA}.outbox")
    return count


async def held(engine: AsyncEngine) -> int:
    """Advisory locks of the database, presence of the relays left out."""
    async with driver(engine) as connection:
        found: int = await connection.fetchval(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid < 4294967295"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
    return found


async def test_told_in_order_and_gone(engine: AsyncEngine) -> None:
    bus = Bus()
    relay = Relay(engine, SCHEMA, bus)
    rows = [OutboxRow("t", b"key-%d" % (n % 7), b"%d" % n) for n in range(2000)]
    async with running(relay):
        await write(engine, *rows)
        relay.wake()
        await until(lambda: len(bus.taken) >= 2000)
    assert await waiting(engine) == 0
    for key in {row.key for row in rows}:
        assert [int(m.value) for m in bus.taken if m.key == key] == [
            int(r.body) for r in rows if r.key == key
        ]


async def test_a_transaction_that_is_rolled_back_tells_nothing(engine: AsyncEngine) -> None:
    with pytest.raises(RuntimeError):
        async with driver(engine) as connection, connection.transaction():
            await add(connection, SCHEMA, [OutboxRow("t", b"k", b"v")])
            raise RuntimeError("no")
    assert await waiting(engine) == 0


async def test_bytes_and_headers_arrive_as_they_were(engine: AsyncEngine) -> None:
    bus = Bus()
    with use_headers([("traceparent", PARENT.encode())]):
        await write(
            engine,
            OutboxRow("t", b"\x00\xff", b"\xff\x00", [("a", b"1"), ("b", b"")]),
            OutboxRow("t", b"k", b"traced"),
            OutboxRow("t", b"k", b"bare", ()),
        )
    async with running(Relay(engine, SCHEMA, bus)):
        await until(lambda: len(bus.taken) == 3)
    by_value = {message.value: message for message in bus.taken}
    assert by_value[b"\xff\x00"].key == b"\x00\xff"
    assert list(by_value[b"\xff\x00"].headers) == [("a", b"1"), ("b", b"")]
    assert by_value[b"traced"].headers[0][1][3:35] == PARENT[3:35].encode()
    assert list(by_value[b"bare"].headers) == []


async def test_while_the_bus_is_away_nothing_is_lost_and_nothing_is_asked_in_circles(
    engine: AsyncEngine,
) -> None:
    bus = Bus()
    bus.away = True
    async with running(Relay(engine, SCHEMA, bus)):
        await write(engine, *(OutboxRow("t", b"k", b"%d" % n) for n in range(10)))
        await until(lambda: bus.asked >= 2)
        assert bus.asked <= 3
        assert await waiting(engine) == 10
        bus.away = False
        await until(lambda: len(bus.taken) == 10)
    assert bus.values() == [b"%d" % n for n in range(10)]


async def test_what_the_bus_refuses_for_good_is_parked_and_stops_nobody(engine: AsyncEngine) -> None:
    bus = Bus()
    async with running(Relay(engine, SCHEMA, bus)):
        await write(engine, *(OutboxRow("t", b"k", value) for value in (b"1", b"large", b"2")))
        await until(lambda: len(bus.taken) == 2)
        async with driver(engine) as connection:
            await until(lambda: connection.fetchval(f"SELECT lane = {PARKED} FROM {SCHEMA}.outbox"))
    assert bus.values() == [b"1", b"2"]


async def test_a_row_that_commits_late_is_found_below_the_floor(
    engine: AsyncEngine, empty_database_url: str
) -> None:
    """Ids are given out before commit: the slow transaction has the lower one."""
    bus = Bus()
    slow = await connect(empty_database_url, "slow")
    try:
        async with running(Relay(engine, SCHEMA, bus)):
            transaction = slow.transaction()
            await transaction.start()
            await add(slow, SCHEMA, [OutboxRow("t", b"a", b"slow")])
            await write(engine, OutboxRow("t", b"a", b"fast"))
            await until(lambda: bus.values() == [b"fast"])
            await transaction.commit()
            await until(lambda: bus.values() == [b"fast", b"slow"])
    finally:
        await slow.close()


async def test_replicas_share_the_lanes_and_never_one(engine: AsyncEngine) -> None:
    buses = [Bus(), Bus()]
    first, second = (Relay(engine, SCHEMA, bus) for bus in buses)
    async with running(first):
        await until(lambda: _equals(held(engine), LANES))
        async with running(second):
            keys = [b"key-%d" % n for n in range(64)]
            sent = 0
            while not all(bus.taken for bus in buses):
                await write(engine, *(OutboxRow("t", key, b"%d" % sent) for key in keys))
                sent += 1
                await until(lambda: _equals(waiting(engine), 0))
            for bus in buses:
                bus.taken.clear()
            await write(engine, *(OutboxRow("t", key, b"shared") for key in keys))
            await until(lambda: sum(len(bus.taken) for bus in buses) == len(keys))
            owners = [{lane_of(message.key) for message in bus.taken} for bus in buses]
            assert [len(lanes) for lanes in owners] == [LANES // 2, LANES // 2]
            assert not owners[0] & owners[1]
        await until(lambda: _equals(held(engine), LANES))
        await write(engine, *(OutboxRow("t", key, b"last") for key in keys))
        await until(lambda: buses[0].values().count(b"last") == len(keys))


async def test_a_session_that_is_cut_is_replaced(engine: AsyncEngine, empty_database_url: str) -> None:
    bus = Bus()
    async with running(Relay(engine, SCHEMA, bus)):
        await write(engine, OutboxRow("t", b"k", b"1"))
        await until(lambda: len(bus.taken) == 1)
        admin = await connect(empty_database_url, "admin")
        try:
            await admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            async with admin.transaction():
                await add(admin, SCHEMA, [OutboxRow("t", b"k", b"2")])
        finally:
            await admin.close()
        await until(lambda: bus.values() == [b"1", b"2"])


async def test_to_a_real_bus_and_back(engine: AsyncEngine, kafka: str, unique: Callable[[str], str]) -> None:
    topic, taken = unique("topic"), list[Record]()
    await make_topic(kafka, topic, 3)

    async def handle(batch: Batch) -> None:
        taken.extend(batch.records)

    async with producer_of(kafka) as producer:
        relay = Relay(engine, SCHEMA, producer)
        consumer = ConsumerLoop(kafka, unique("group"), [topic], handle)
        async with running(relay), consuming(consumer):
            await write(engine, *(OutboxRow(topic, b"key-%d" % (n % 7), b"%d" % n) for n in range(700)))
            relay.wake()
            await until(lambda: len(taken) == 700)
    for key in {record.key for record in taken}:
        numbers = [int(record.value) for record in taken if record.key == key]
        assert numbers == sorted(numbers)
    assert await waiting(engine) == 0


async def test_a_mistake_of_ours_leaves_the_process(engine: AsyncEngine) -> None:
    """No table: no waiting will make one, so it is not tried again."""
    with pytest.raises(asyncpg.UndefinedTableError):
        await asyncio.wait_for(Relay(engine, "nowhere", Bus()).run(), 10)


async def _equals(count: Awaitable[int], wanted: int) -> bool:
    return await count == wanted
