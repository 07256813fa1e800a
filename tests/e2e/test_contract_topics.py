"""`cx.scores.v1` and `cx.alerts.v1`, read from the Kafka of the ready line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from tests.e2e.contract_alerts import council, step, unhappy
from tests.e2e.contract_kit import accepted, made
from tests.e2e.loop import Json, Loop, ago

Unique = Callable[[str], str]
SCORES = (
    "account_id version at identifiers name region persona value renewal_at events before after causes"
    " contributions policy model"
).split()
WAIT_S = 20.0


class Message(NamedTuple):
    key: str
    value: Json


async def read(bootstrap: str, topic: str, enough: Callable[[list[Message]], bool]) -> list[Message]:
    """Everything on the topic, from the beginning until there is enough."""
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    await consumer.start()
    found: list[Message] = []
    try:
        async with asyncio.timeout(WAIT_S):
            while not enough(found):
                batch: dict[TopicPartition, list[object]] = await consumer.getmany(timeout_ms=200)
                for records in batch.values():
                    for record in records:
                        key, value = record.key.decode(), record.value  # type: ignore[attr-defined]
                        found.append(Message(key, json.loads(value)))
    finally:
        await consumer.stop()
    return found


def scores_of(found: list[Message], key: str) -> list[Json]:
    return [one.value for one in found if one.key == key]


async def test_scores_of_customers_and_accounts(embedded: Loop, unique: Unique) -> None:
    person, company, talk = f"user:{unique('p')}", unique("acme"), unique("t")
    about = {"name": "Ann", "region": "emea", "persona": "admin", "value": 1000, "currency": "EUR"}
    said = {"interaction": talk, "message": "m", "author": "customer", "public": True, "text": "Awful"}
    nps = {"response": unique("r"), "metric": "nps", "score": 2, "scale": [0, 10], "about": talk}
    data = {"account": company, "actor": "customer"}
    events = [
        made("customer.identified", [person], about, at=ago(days=9), data=data),
        made("ticket.opened", [person], {"interaction": talk}, at=ago(days=8), data=data),
        made("ticket.message", [], said, at=ago(days=7), data={"actor": "customer"}),
        made("survey.answered", [], nps, at=ago(days=6), data={"actor": "customer"}),
    ]
    ids = accepted(embedded, *events)
    for one in ids:
        embedded.applied(one)
    customer = embedded.customer(person)
    account = embedded.get(f"{embedded.scoring}/v1/lookup", identifier=f"account:{company}")["account_id"]

    def enough(found: list[Message]) -> bool:
        told = {e["id"] for one in scores_of(found, customer) for e in one["events"]}
        return set(ids) <= told and bool(scores_of(found, account))

    found = await read(embedded.kafka, "cx.scores.v1", enough)
    people, organisations = scores_of(found, customer), scores_of(found, account)
    last = people[-1]
    assert (last["customer_id"], last["account_id"]) == (customer, account)
    assert [last[k] for k in ("name", "region", "persona", "value")] == ["Ann", "emea", "admin", 1000]
    assert person in last["identifiers"]
    for message in people + organisations:
        assert set(SCORES) <= set(message)
        for side in ("before", "after"):
            assert message[side] is None or {"health", "relationship", "risk"} <= set(message[side])
        for event in message["events"]:
            assert {"id", "type", "actor", "time", "recorded", "about"} <= set(event)
            assert event["type"].startswith("cxloop.") and event["type"].endswith(".v1")
        for name in ("health", "relationship", "risk"):
            assert len(message["contributions"][name]) <= 5
        assert all({"cause", "points"} <= set(cause) for cause in message["causes"])
    assert all("customer_id" not in one and one["account_id"] == account for one in organisations)
    versions = [one["version"] for one in people]
    assert versions == sorted(set(versions))
    assert all(one["before"] is not None for one in people[1:])
    talks = {e["id"]: e["about"] for one in people for e in one["events"]}
    assert talk in str(talks[ids[3]])


async def test_a_merge_names_whom_it_took_in(embedded: Loop, unique: Unique) -> None:
    names = [f"user:{unique('p')}" for _ in range(2)]
    for name in names:
        body = {"response": unique("r"), "metric": "csat", "score": 4, "scale": [1, 5]}
        embedded.applied(accepted(embedded, made("survey.answered", [name], body, at=ago(days=2)))[0])
    old = {embedded.customer(name) for name in names}
    embedded.applied(accepted(embedded, made("customer.linked", names, {"reason": "one person"}))[0])
    survivor = embedded.customer(names[0])

    def merged(found: list[Message]) -> list[Json]:
        return [one for one in scores_of(found, survivor) if one.get("merged_from")]

    found = await read(embedded.kafka, "cx.scores.v1", lambda found: bool(merged(found)))
    (message,) = merged(found)
    assert set(message["merged_from"]) == old - {survivor}
    assert "merge" in {cause["cause"] for cause in message["causes"]}


async def test_alerts_as_delivered(embedded: Loop, unique: Unique) -> None:
    _, region = council(embedded, unique)
    case = unhappy(embedded, region, unique("p"))
    assert step(embedded, case.id, "acknowledge").is_success

    def enough(found: list[Message]) -> bool:
        return len(scores_of(found, case.id)) >= 2

    found = await read(embedded.kafka, "cx.alerts.v1", enough)
    opened, acknowledged = scores_of(found, case.id)
    assert opened["type"] == "cxloop.alert.opened.v1"
    assert acknowledged["type"] == "cxloop.alert.acknowledged.v1"
    assert opened["specversion"] == "1.0"
    assert opened["data"]["id"] == case.id
    assert acknowledged["data"]["version"] == opened["data"]["version"] + 1
