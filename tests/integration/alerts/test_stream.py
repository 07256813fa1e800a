"""Score topic in, alert and feedback topics out, on a real Kafka; and what must not stop the stream."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer

from services.alerts.consumer import ScoreConsumer
from services.alerts.timers import Timers
from shared.bus.batches import Batch, Record
from shared.bus.consumer import SeekTo
from shared.bus.topics import ALERTS, FEEDBACK, SCORES
from shared.db.engine import create_engine, driver
from shared.events import decode, scores
from shared.events.times import DAY, HOUR
from tests.integration.alerts.conftest import Service, now, running, until
from tests.unit.alerts.builders import answer, change, event, wait
from tests.unit.alerts.builders import scores as levels

Unique = Callable[[str], str]


async def read_until(kafka: str, topic: str, wanted: Callable[[bytes], bool], count: int) -> list[bytes]:
    """The first `count` values on a topic that are wanted."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=kafka, auto_offset_reset="earliest")
    await consumer.start()
    found: list[bytes] = []
    try:
        async with asyncio.timeout(20):
            async for record in consumer:
                if wanted(record.value):
                    found.append(record.value)
                if len(found) == count:
                    return found
    finally:
        await consumer.stop()
    return found


def bad(customer: str, version: int = 1, name: str = "a", **more: Any) -> scores.ScoreChange:  # noqa: ANN401
    given = answer(f"{name}-{customer}", 2, when=now())
    return change(version, levels(), levels(), customer, events=(given,), **more)


async def test_every_change_is_told_on_both_topics(service: Service, kafka: str, unique: Unique) -> None:
    customer = unique("c")
    await service.tell(bad(customer))
    alert = await service.alert(customer)
    path = f"/v1/alerts/{alert['id']}"
    await service.post(f"{path}/act", {"by": "bob", "action": "called", "note": "long talk"})
    await service.tell(change(2, customer=customer, events=(answer("g-" + customer, 9, when=now()),)))
    await service.alert(customer, "verified")
    told = await read_until(kafka, ALERTS, lambda v: alert["id"].encode() in v, 3)
    events = [json.loads(value) for value in told]
    assert [e["type"] for e in events] == [
        "cxloop.alert.opened.v1",
        "cxloop.alert.acted.v1",
        "cxloop.alert.verified.v1",
    ]
    assert [e["data"]["version"] for e in events] == [1, 2, 3]
    back = await read_until(kafka, FEEDBACK, lambda v: alert["id"].encode() in v, 2)
    acted, verified = (decode(value) for value in back)
    assert (acted.type, acted.source, acted.actor) == ("council.acted", "/alerts", "agent")
    assert acted.identifiers == (f"email:{customer}@example.com",)
    assert (acted.body.action, acted.body.by) == ("called", "bob")  # type: ignore[attr-defined]
    assert verified.body.action == "verified"  # type: ignore[attr-defined]


async def test_old_versions_repetitions_and_junk_stop_nobody(service: Service, unique: Unique) -> None:
    customer = unique("c")
    message = bad(customer, version=5)
    await service.producer.send(SCORES, customer.encode(), b"junk " + customer.encode())
    await service.producer.send(SCORES, customer.encode(), b"")
    await service.tell(message, message, bad(customer, version=4, name="older"))
    alert = await service.alert(customer)
    marker = unique("c")
    await service.tell(*(bad(marker, i, f"m{i}") for i in range(1, 4)))
    await service.alert(marker)
    assert (await service.alerts(customer)) == [alert]
    rows = await service.sql(
        "SELECT reasons FROM alerts.rejected WHERE body LIKE $1", f"junk {customer}".encode()
    )
    assert rows[0]["reasons"][0].startswith("DecodeError")


async def test_a_restart_goes_on_where_it_was(database_url: str, kafka: str, unique: Unique) -> None:
    group, customer, later = unique("alerts"), unique("c"), unique("c")
    async with running(database_url, kafka, consumer_group=group) as first:
        await first.tell(bad(customer))
        alert = await first.alert(customer)
    async with running(database_url, kafka, consumer_group=group) as second:
        await second.tell(bad(later))
        await second.alert(later)
        assert [a["id"] for a in await second.alerts(customer)] == [alert["id"]]


async def test_merged_customers_keep_one_alert(service: Service, unique: Unique) -> None:
    one, other = unique("c"), unique("c")
    await service.tell(bad(one))
    older = await service.alert(one)
    await service.tell(bad(other))
    younger = await service.alert(other)
    await service.tell(change(2, levels(), levels(), one, merged_from=(other,)))

    async def merged() -> Any:  # noqa: ANN401
        found = await service.get(f"/v1/alerts/{younger['id']}")
        return found if found["state"] == "merged" else None

    closed = await until(merged)
    assert closed["merged_into"] == older["id"]
    assert closed["customer_id"] == one
    through_the_old_id = {a["id"]: a["state"] for a in await service.alerts(other)}
    assert through_the_old_id == {older["id"]: "open", younger["id"]: "merged"}
    leaves = (f"leaf-{other}",)
    await service.tell(change(9, levels(), levels(), other, split_from=one, leaves=leaves))

    async def parted() -> Any:  # noqa: ANN401
        found = await service.get(f"/v1/alerts/{younger['id']}")
        return found if found["state"] == "open" else None

    assert (await until(parted))["customer_id"] == other
    assert [a["id"] for a in await service.alerts(other)] == [younger["id"]]
    assert [a["id"] for a in await service.alerts(one)] == [older["id"]]


async def test_time_alone(own_database_url: str, kafka: str, unique: Unique) -> None:
    """A promise breaks, a snooze ends, nobody acts in time, evidence never comes."""
    customer = unique("c")
    async with running(own_database_url, kafka, consumer_group=unique("alerts")) as service:
        waits = (wait(due=now() + 2_000_000),)
        await service.tell(change(1, customer=customer, persona="decision_maker", waits=waits))
        alert = await service.alert(customer)
        assert alert["rule"] == "promise-broken"
        path, until_then = f"/v1/alerts/{alert['id']}", {"by": "ann", "until": "2999-01-01T00:00:00Z"}
        await service.post(f"{path}/snooze", until_then)
        assert await told_by_time(service, alert["id"], 1000 * 365 * DAY) == ["updated"]
        assert await told_by_time(service, alert["id"], 1000 * 365 * DAY + 9 * HOUR) == ["escalated"]
        await service.post(f"{path}/act", {"by": "ann"})
        await service.post(f"{path}/resolve", {"by": "ann"})
        assert await told_by_time(service, alert["id"], 31 * DAY) == ["unconfirmed"]
        assert (await service.get(path))["state"] == "unconfirmed"


async def told_by_time(service: Service, alert: str, later: int) -> list[str]:
    """What is told of the alert when the clock stands `later` than now."""
    engine = create_engine(service.database_url, 1, "test")
    timers = Timers(engine, service.app.state.alerts.writer)
    told: list[str] = []
    try:
        count = 1
        while count:
            async with driver(engine) as connection, connection.transaction():
                count, news = await timers.step(connection, now() + later)
                told += [item.what for item in news if item.alert.id == alert]
    finally:
        await engine.dispose()
    return told


async def test_two_replicas_open_one_alert(
    service: Service, database_url: str, kafka: str, unique: Unique
) -> None:
    customers = [unique("c") for _ in range(20)]
    async with running(database_url, kafka, consumer_group=unique("alerts")):
        await service.tell(*(bad(c, v, f"v{v}") for v in (1, 2) for c in customers))
        for customer in customers:
            await service.alert(customer)
            assert len(await service.alerts(customer)) == 1


async def test_a_batch_takes_a_constant_number_of_statements(service: Service, unique: Unique) -> None:
    engine = create_engine(service.database_url, 2, "test")
    consumer = ScoreConsumer(engine, service.app.state.alerts.writer)
    counts = []
    try:
        for size in (1, 1, 50):
            topic = unique("t")
            values = [scores.encode(bad(unique("c"))) for _ in range(size)]
            batch = Batch(tuple(Record(topic, 0, i, 0, b"k", v) for i, v in enumerate(values)))
            async with driver(engine) as connection:
                seen: list[str] = []
                connection.add_query_logger(lambda query, seen=seen: seen.append(query.query))
                async with connection.transaction():
                    assert await consumer.step(connection, batch)
                counts.append(len(seen))
    finally:
        await engine.dispose()
    # The first one also asks the driver's questions about types.
    assert counts[1] == counts[2]
    assert counts[1] < 30


async def test_what_cannot_be_applied_is_kept_aside_and_the_rest_is_applied(
    service: Service, unique: Unique
) -> None:
    good, poison, topic = unique("c"), unique("c"), unique("t")
    await service.sql("INSERT INTO alerts.customer (id, body) VALUES ($1, 'no memory')", poison)
    engine = create_engine(service.database_url, 2, "test")
    try:
        consumer = ScoreConsumer(engine, service.app.state.alerts.writer)
        values = [scores.encode(bad(name)) for name in (unique("c"), poison, good)]
        await consumer.handle(Batch(tuple(Record(topic, 0, i, 0, b"k", v) for i, v in enumerate(values))))
    finally:
        await engine.dispose()
    assert len(await service.alerts(good)) == 1
    rows = await service.sql("SELECT reasons FROM alerts.rejected WHERE topic = $1", topic)
    assert [row["reasons"] for row in rows] == [["could not be applied: DecodeError"]]
    ends = await service.sql("SELECT next_offset FROM alerts.progress WHERE topic = $1", topic)
    assert ends[0]["next_offset"] == 3


async def test_a_customer_the_timers_cannot_work_on_holds_up_nobody(
    own_database_url: str, kafka: str, unique: Unique
) -> None:
    poison, customer = "a-poison", unique("c")
    async with running(own_database_url, kafka, consumer_group=unique("alerts")) as service:
        await service.sql("INSERT INTO alerts.customer (id, body) VALUES ($1, 'no memory')", poison)
        await service.sql("INSERT INTO alerts.rule_state VALUES ($1, 'silence', '{}', 1)", poison)
        waits = (wait(due=now() + 3_000_000),)
        await service.tell(change(1, customer=customer, persona="decision_maker", waits=waits))
        assert (await service.alert(customer))["rule"] == "promise-broken"
        rows = await service.sql("SELECT next_at FROM alerts.rule_state WHERE customer = $1", poison)
        assert rows[0]["next_at"] > now()


async def test_a_database_ahead_of_the_batch_s_start_asks_to_seek(service: Service, unique: Unique) -> None:
    engine, topic = create_engine(service.database_url, 2, "test"), unique("t")
    consumer = ScoreConsumer(engine, service.app.state.alerts.writer)
    value = scores.encode(bad(unique("c")))
    try:
        with pytest.raises(SeekTo) as wanted:  # nothing was ever seen of it
            await consumer.handle(Batch((Record(topic, 0, 4, 0, b"k", value),)))
        assert wanted.value.offsets == {(topic, 0): 0}
        await consumer.handle(Batch((Record(topic, 0, 4, 0, b"k", value),), {(topic, 0): 4}))
        gap = Batch((Record(topic, 0, 9, 0, b"k", value),))
        with pytest.raises(SeekTo) as wanted:
            await consumer.handle(gap)
        assert wanted.value.offsets == {(topic, 0): 5}
        await consumer.handle(Batch(gap.records, {(topic, 0): 9}))
    finally:
        await engine.dispose()


async def test_an_account_s_cancellation(service: Service, unique: Unique) -> None:
    account = unique("acc")
    given = event("e-" + account, "subscription.cancel_scheduled", now(), key="s1", actor=None)
    await service.tell(change(1, customer=None, account_id=account, events=(given,)))

    async def look() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await service.get("/v1/alerts", account_id=account))["items"]
        return found

    (alert,) = await until(look)
    assert (alert["customer_id"], alert["rule"], alert["severity"]) == (None, "cancel-scheduled", "urgent")
