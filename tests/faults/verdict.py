"""What must hold when a fault is over, looked at where somebody outside would look.

Every check waits for what takes its time, and names what is missing in its error.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterable
from functools import partial
from typing import Any

import asyncpg
import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition

from services.demo.company import Person
from services.scoring import policy_files
from services.scoring.domain.customer import fold_all
from services.scoring.domain.types import Applied, TextFeature
from services.scoring.rebuild import rebuild
from shared.bus.topics import FEEDBACK, SCORES
from shared.events import decode
from tests.e2e.loop import Json, Loop, eventually
from tests.e2e.receivers import Hook
from tests.faults.people import Step
from tests.linear import linear

LIVE = {"open", "acknowledged", "assigned", "acted", "snoozed", "verifying"}


def events_of(loop: Loop, person: Person) -> list[str]:
    """Ids in the person's timeline, page by page; empty while nobody knows them."""
    found = loop.http.get(f"{loop.scoring}/v1/lookup", params={"identifier": f"email:{person.email}"})
    if not found.is_success:
        return []
    url = f"{loop.scoring}/v1/customers/{found.json()['customer_id']}/timeline"
    ids: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = loop.http.get(url, params={"limit": "200", **cursor})
        if not page.is_success:
            return []
        ids += [item["id"] for item in page.json()["items"]]
        if page.json()["next"] is None:
            return ids
        cursor = {"cursor": page.json()["next"]}


class Folded:
    """Waits until every event that was answered 2xx is in its customer's timeline."""

    def __init__(self, loop: Loop, acknowledged: dict[str, Step]) -> None:
        self._loop = loop
        self._missing: dict[Person, set[str]] = {}
        for event, step in acknowledged.items():
            self._missing.setdefault(step.person, set()).add(event)

    def wait(self, deadline_s: float) -> None:
        eventually(self._all, "everything that was answered 2xx is in its timeline", deadline_s)

    def _all(self) -> bool:
        try:
            for person in list(self._missing):
                if not self._missing[person] <= set(events_of(self._loop, person)):
                    return False
                del self._missing[person]
        except httpx.TransportError:  # it is being started, or was just ended
            return False
        return True


def nothing_doubled(loop: Loop, acknowledged: dict[str, Step]) -> None:
    """Each timeline holds exactly what was answered 2xx for its customer, each event once."""
    wanted: dict[Person, Counter[str]] = {}
    for event, step in acknowledged.items():
        wanted.setdefault(step.person, Counter())[event] += 1
    for person, ids in wanted.items():
        found = Counter(events_of(loop, person))
        assert found == ids, f"{person.email}: too much {found - ids}, too little {ids - found}"


def state_is_the_fold_of_the_log(database_url: str, events: Iterable[str], deadline_s: float) -> None:
    """Identity and state of these events' customers follow from the set of events, to the last bit; and the
    product's own check of all rows against the log finds nothing."""
    asyncio.run(_compare(database_url, list(events)))

    def clean() -> bool:
        report = asyncio.run(rebuild(database_url, mark=False))
        assert not report.differences, report
        return not report.older

    eventually(clean, "every row scored by the policy in force", deadline_s)


_ROWS = """
SELECT c.id::text, r.id::text, r.state, r.attributes, r.scored_at, r.organisation
FROM scoring.customer AS c JOIN scoring.customer AS r ON r.id = coalesce(c.merged_into, c.id)
WHERE c.id = ANY($1::uuid[])
"""


async def _compare(database_url: str, events: list[str]) -> None:
    conn = await asyncpg.connect(database_url, timeout=10, command_timeout=60)
    try:
        async with conn.transaction(isolation="repeatable_read", readonly=True):
            log = await conn.fetch(
                "SELECT body, compound, text_model FROM scoring.event WHERE event_id = ANY($1::uuid[])",
                events,
            )
            part_of, counted = linear(Applied(decode(body), _text(*text)) for body, *text in log)
            rows = await conn.fetch(_ROWS, list(part_of))
    finally:
        await conn.close()
    policy = policy_files.load(policy_files.SHIPPED)
    assert {row[0] for row in rows} == part_of.keys(), "identities"
    roots: dict[str, set[str]] = {}
    for leaf, root, state, attributes, scored_at, organisation in rows:
        part = part_of[leaf]
        roots.setdefault(part, set()).add(root)
        if organisation:  # nothing here is about the firm itself; it is the sum of its people
            assert not counted[part]
            continue
        whole = fold_all(counted[part], policy, scored_at)
        assert (state, attributes) == (whole.state.pack(), whole.attributes.pack()), f"state of {root}"
    assert all(len(found) == 1 for found in roots.values()), "one root for one component"


def _text(compound: int | None, model: str | None) -> TextFeature | None:
    return None if compound is None or model is None else TextFeature(compound, model)


_LEFT = """
SELECT (SELECT count(*) FROM ingest.spool) AS spool,
  (SELECT count(*) FROM scoring.outbox) AS scoring_outbox,
  (SELECT count(*) FROM alerts.outbox) AS alerts_outbox,
  (SELECT count(*) FROM alerts.delivery WHERE state = 'pending') AS deliveries
"""
_UNHEARD = """
SELECT c.id::text, c.version, a.version AS heard FROM scoring.customer AS c
LEFT JOIN alerts.customer AS a ON a.id = c.id::text
WHERE c.merged_into IS NULL AND c.state IS NOT NULL AND c.version IS DISTINCT FROM a.version
"""


def nothing_waits(database_url: str, deadline_s: float) -> None:
    """Spool, outboxes and deliveries are empty, and alerts has heard the last word about every customer."""

    async def look(query: str) -> list[asyncpg.Record]:
        conn = await asyncpg.connect(database_url, timeout=10, command_timeout=30)
        try:
            return list(await conn.fetch(query))
        finally:
            await conn.close()

    left: dict[str, Any] = {}

    def empty() -> bool:
        left.update(asyncio.run(look(_LEFT))[0])
        left["unheard"] = len(asyncio.run(look(_UNHEARD)))
        return not any(left.values())

    try:
        eventually(empty, "nothing waits", deadline_s)
    except AssertionError:
        raise AssertionError(f"still waiting after {deadline_s:.0f} s: {left}") from None


def alerts_told_once(loop: Loop, hook: Hook, acknowledged: dict[str, Step], deadline_s: float) -> int:
    """Each version of each alert arrived, and was shown once. How many alerts there are."""
    found = alerts_told(loop, hook, acknowledged, deadline_s)
    shown = Counter((told["data"]["id"], told["data"]["version"]) for told in _first_of_each_id(hook))
    doubled = {which: n for which, n in shown.items() if n > 1}
    assert not doubled, f"shown more than once under different ids: {doubled}"
    return found


def alerts_told(loop: Loop, hook: Hook, acknowledged: dict[str, Step], deadline_s: float) -> int:
    """Who gave a bad answer has an alert; one live alert per customer and rule; each delivery about them has
    arrived. How many alerts there are."""
    unhappy = {step.person for step in acknowledged.values() if step.bad}
    alerts: list[Json] = []
    for person in sorted({step.person for step in acknowledged.values()}, key=lambda p: p.number):
        found = eventually(
            partial(_alerts_of, loop, person, person in unhappy), f"alert of {person.email}", 30
        )
        live = Counter(alert["rule"] for alert in found if alert["state"] in LIVE)
        assert not live or max(live.values()) == 1, f"{person.email}: {live}"
        alerts += found
    for alert in alerts:
        try:
            eventually(partial(_told, loop, hook, alert["id"]), f"every word about {alert['id']}", deadline_s)
        except AssertionError as late:
            raise AssertionError(f"{late}: {_words(loop, hook, alert['id'])}") from None
    return len(alerts)


def _alerts_of(loop: Loop, person: Person, wanted: bool) -> list[Json] | None:
    found = loop.open_alerts(loop.customer(f"email:{person.email}"), limit="200")
    return found if found or not wanted else None


def _first_of_each_id(hook: Hook) -> list[Json]:
    """As a receiver shows them that keeps ids. The same id never comes with another body."""
    first: dict[str, bytes] = {}
    assert not hook.forged, hook.forged
    for headers, body in list(hook.taken):
        assert first.setdefault(headers["webhook-id"], body) == body, "one id, two bodies"
    return [json.loads(body) for body in first.values()]


def _told(loop: Loop, hook: Hook, alert: str) -> bool:
    """Every delivery about the alert has arrived."""
    words = _words(loop, hook, alert)
    return bool(words) and all(word["state"] == "delivered" and word["arrived"] for word in words)


def _words(loop: Loop, hook: Hook, alert: str) -> list[Json]:
    """What was to be told of an alert, and what became of it."""
    items = loop.get(f"{loop.alerts}/v1/deliveries", alert=alert, limit="200")["items"]
    arrived = {headers["webhook-id"] for headers, _ in list(hook.taken)}
    return [item | {"arrived": item["id"] in arrived} for item in items]


def nothing_unread(database_url: str, bootstrap: str, deadline_s: float = 60.0) -> None:
    """Both consumers have taken in the whole of their topics."""
    eventually(lambda: asyncio.run(_all_read(database_url, bootstrap)), "everything is read", deadline_s)


async def _all_read(database_url: str, bootstrap: str) -> bool:
    consumer = AIOKafkaConsumer(FEEDBACK, SCORES, bootstrap_servers=bootstrap)
    conn = await asyncpg.connect(database_url, timeout=10, command_timeout=30)
    try:
        await consumer.start()
        partitions = [
            TopicPartition(topic, n)
            for topic in (FEEDBACK, SCORES)
            for n in consumer.partitions_for_topic(topic) or ()
        ]
        ends = {tuple(p): end for p, end in (await consumer.end_offsets(partitions)).items() if end}
        rows = await conn.fetch("SELECT * FROM scoring.progress UNION ALL SELECT * FROM alerts.progress")
    finally:
        await consumer.stop()
        await conn.close()
    done = {(row[0], row[1]): row[2] for row in rows}
    return all(done.get(partition, 0) >= end for partition, end in ends.items())
