"""Sends deliveries at a pace and notes when what they cause can be read, was told, and woke somebody."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer

from shared.bus.topics import FEEDBACK, SCORES
from shared.events import scores
from tests.bench.load import http_request
from tests.bench.posts import Delivery
from tests.bench.wire import Wire

CONNECTIONS = 64
LOOKED_AT = 10
"""Of one delivery in so many it is looked at over HTTP when it can be read: more would be load itself."""
LOOK_S = 0.004
READS_PER_S = 20
SETTLE_S = 10.0
_SCORED = "SELECT coalesce(sum(next_offset), 0) FROM scoring.progress WHERE topic = $1"
_COMMITTED = """
SELECT event.event_id::text, coalesce(customer.merged_into, customer.id)::text
FROM scoring.event LEFT JOIN scoring.episode ON episode.id = event.episode
JOIN scoring.customer ON customer.id = coalesce(episode.owner, event.leaf)
WHERE event.event_id = ANY($1::uuid[])
"""
_DECIDED = "SELECT coalesce(sum(next_offset), 0) FROM alerts.progress WHERE topic = $1"


@dataclass
class Paced:
    """Seconds, one figure per delivery (or read)."""

    readable: list[float] = field(default_factory=list)
    told: list[float] = field(default_factory=list)
    alerted: list[float] = field(default_factory=list)
    read: list[float] = field(default_factory=list)


class Pacer:
    """Loads one running loop."""

    def __init__(self, database: str, kafka: str, ingest: int, scoring: int, receiver: int) -> None:
        self._database, self._kafka = database, kafka
        self._ports = ingest, scoring, receiver
        self._sent: dict[str, float] = {}
        self._mailed: dict[str, float] = {}
        self._waiting: dict[str, asyncio.Future[str]] = {}

    async def burst(self, feed: Iterator[Delivery], count: int) -> float:
        """Deliveries per second of the whole loop when it gets them as fast as it takes them, until alerts
        has decided on all that scoring told of them."""
        ingest, todo = Wire(self._ports[0], CONNECTIONS), [next(feed) for _ in range(count)]
        conn = await asyncpg.connect(self._database)
        before, began = await conn.fetchval(_SCORED, FEEDBACK), time.perf_counter()
        answers = await asyncio.gather(*(ingest.ask(one.request) for one in todo))
        accepted = sum(len(_ids(status, body)) for status, body in answers)
        while await conn.fetchval(_SCORED, FEEDBACK) < before + accepted:
            await asyncio.sleep(0.02)
        told = await self._told()
        while await conn.fetchval(_DECIDED, SCORES) < told:
            await asyncio.sleep(0.02)
        took = time.perf_counter() - began
        await conn.close()
        await ingest.close()
        await asyncio.sleep(SETTLE_S / 2)
        return count / took

    async def _told(self) -> int:
        """Messages on the topic of scores, those that were deleted included."""
        async with AIOKafkaConsumer(SCORES, bootstrap_servers=self._kafka) as consumer:
            ends: dict[Any, int] = await consumer.end_offsets(list(consumer.assignment()))
        return sum(ends.values())

    async def steady(
        self, feed: Iterator[Delivery], rate: float, seconds: float, reads: Sequence[bytes], key: str
    ) -> Paced:
        """Deliveries at random moments, `rate` per second on the average, and reads of scores beside them."""
        paced, random_ = Paced(), random.Random(4)
        self._sent.clear()
        self._mailed.clear()
        ingest, scoring = Wire(self._ports[0], CONNECTIONS), Wire(self._ports[1], CONNECTIONS)
        listener = asyncio.create_task(self._listen(paced))
        reader = asyncio.create_task(_read(scoring, reads, paced, random_))
        watcher = asyncio.create_task(self._watch())
        await asyncio.sleep(1)
        tasks: list[asyncio.Task[None]] = []
        at = time.perf_counter()
        until = at + seconds
        while at < until:
            one = next(feed)
            await asyncio.sleep(max(0.0, at - time.perf_counter()))
            looked_at = len(tasks) % LOOKED_AT == 0
            tasks.append(asyncio.create_task(self._deliver(ingest, scoring, one, paced, looked_at, key)))
            at += random_.expovariate(rate)
        await asyncio.gather(*tasks)
        reader.cancel()
        watcher.cancel()
        await self._settled(paced)
        listener.cancel()
        await asyncio.wait({reader, listener, watcher})
        for wire in (ingest, scoring):
            await wire.close()
        return paced

    async def _deliver(
        self, ingest: Wire, scoring: Wire, one: Delivery, paced: Paced, looked_at: bool, key: str
    ) -> None:
        began = time.time()
        (event,) = _ids(*await ingest.ask(one.request))
        self._sent[event] = began
        if one.email is not None:
            self._mailed[one.email] = began
        if looked_at:
            customer = await self._committed(event)
            headers = {"authorization": f"Bearer {key}"}
            status, _ = await scoring.ask(
                http_request(f"/v1/customers/{customer}/score", headers, method="GET")
            )
            if status != 200:
                raise RuntimeError(f"the score of an event that is committed was answered {status}")
            paced.readable.append(time.time() - began)

    async def _committed(self, event: str) -> str:
        """Whose score it is part of, at most LOOK_S after the commit of both. Asking the service until it
        knows would be load itself."""
        return await self._waiting.setdefault(event, asyncio.get_running_loop().create_future())

    async def _watch(self) -> None:
        """Asks for all that are waited for at once."""
        settings = {"plan_cache_mode": "force_generic_plan", "enable_seqscan": "off"}
        conn = await asyncpg.connect(self._database, server_settings=settings)
        try:
            while True:
                if self._waiting:
                    for row in await conn.fetch(_COMMITTED, list(self._waiting)):
                        self._waiting.pop(row[0]).set_result(row[1])
                await asyncio.sleep(LOOK_S)
        finally:
            conn.terminate()

    async def _listen(self, paced: Paced) -> None:
        consumer = AIOKafkaConsumer(SCORES, bootstrap_servers=self._kafka, auto_offset_reset="latest")
        async with consumer:
            early: dict[str, float] = {}
            waited: set[str] = set()
            while True:
                fetched: dict[Any, list[Any]] = await consumer.getmany(timeout_ms=50)
                now = time.time()
                for record in (record for records in fetched.values() for record in records):
                    change = scores.decode(record.value)
                    early |= {e.id: now for e in change.events if e.id not in waited and e.id not in early}
                for event in early.keys() & self._sent.keys():
                    paced.told.append(early.pop(event) - self._sent[event])
                    waited.add(event)

    async def _settled(self, paced: Paced) -> None:
        """Waits until all that was sent was told of, and its alerts are on the wire."""
        until = time.perf_counter() + SETTLE_S
        while True:
            seen = await self._seen()
            untold = len(self._sent) - len(paced.told)
            missing = [email for email in self._mailed if email not in seen]
            if not untold and not missing:
                break
            if time.perf_counter() > until:
                raise RuntimeError(
                    f"{untold} of {len(self._sent)} events were not told of, "
                    f"{len(missing)} of {len(self._mailed)} alerts are not on the wire"
                )
            await asyncio.sleep(0.1)
        paced.alerted += [seen[email] - at for email, at in self._mailed.items()]

    async def _seen(self) -> dict[str, float]:
        """When the alert of each customer arrived, by its email address."""
        receiver = Wire(self._ports[2], 1)
        _, body = await receiver.ask(http_request("/seen", {}, method="GET"))
        await receiver.close()
        seen: dict[str, float] = json.loads(body)
        return seen


def _ids(status: int, body: bytes) -> list[str]:
    if status != 202:
        raise RuntimeError(f"ingest answered {status}: {body[:300]!r}")
    ids: list[str] = json.loads(body)["ids"]
    return ids


async def _read(scoring: Wire, reads: Sequence[bytes], paced: Paced, random_: random.Random) -> None:
    while True:
        began = time.perf_counter()
        status, body = await scoring.ask(random_.choice(reads))
        if status != 200:
            raise RuntimeError(f"a score read was answered {status}: {body[:300]!r}")
        paced.read.append(time.perf_counter() - began)
        await asyncio.sleep(random_.expovariate(READS_PER_S))
