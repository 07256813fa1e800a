"""Receivers that fail for long or ask for patience: when a delivery is tried again, and what comes of it.

The day is simulated: each wait is read, added up, and cut short.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from services.alerts.domain.retry import JITTER, SCHEDULE_S
from tests.faults.receivers import (
    RawReceiver,
    after_attempt,
    council,
    endpoint,
    hasten,
    opened,
    row_of,
    status,
    told_to,
)
from tests.integration.alerts.conftest import Service, running, until

Unique = Callable[[str], str]
DAY_S = 86_400.0
SLACK_S = 90.0
"""What a busy machine may need between the writing of a wait and its reading."""


@pytest.fixture(scope="module")
async def service(database_url: str, kafka: str, unique: Unique) -> AsyncIterator[Service]:
    async with running(database_url, kafka, consumer_group=unique("alerts")) as made:
        yield made


async def test_500_for_a_day_and_then_it_arrives(service: Service, unique: Unique) -> None:
    region = await council(service, unique("region"))
    async with RawReceiver(status(500)) as receiver:
        await endpoint(service, region, url=receiver.url, councils=[region])
        alert = await opened(service, unique("c"), region)
        [first] = await service.deliveries(alert, "pending")
        await service.post(f"/v1/alerts/{alert}/acknowledge", {"by": "ann"})
        clock, waits = 0.0, []
        for tried in itertools.count(1):
            await after_attempt(service, first["id"], tried)
            if clock > DAY_S:
                break
            waits.append(await hasten(service, first["id"]))
            clock += waits[-1]
        for wait, planned in zip(waits, SCHEDULE_S[1:], strict=False):
            assert planned - SLACK_S < wait <= planned * (1 + JITTER)
        row = await row_of(service, first["id"])
        assert row["state"] == "pending"
        assert {a["status"] for a in row["attempts"]} == {500}
        assert (await service.get(f"/v1/endpoints/{region}"))["enabled"]
        receiver.behave = status(204)
        later = [d for d in await service.deliveries(alert, "pending") if d["id"] != first["id"]]
        for delivery in (first, *later):
            await hasten(service, delivery["id"])

        async def all_in() -> bool:
            items = (await service.get("/v1/deliveries", alert=alert))["items"]
            return all(item["state"] == "delivered" for item in items)

        await until(all_in)
        assert [d["version"] for d in (first, *later)] == [1, 2]
        assert receiver.shown == {first["id"], *(d["id"] for d in later)}


async def test_500_for_ever_ends_in_the_log_and_can_be_sent_anew(service: Service, unique: Unique) -> None:
    region = await council(service, unique("region"))
    async with RawReceiver(status(500)) as receiver:
        await endpoint(service, region, url=receiver.url, councils=[region])
        alert = await opened(service, unique("c"), region)
        [row] = await service.deliveries(alert, "pending")
        for tried in range(1, len(SCHEDULE_S)):
            await after_attempt(service, row["id"], tried)
            await hasten(service, row["id"])
        row = await after_attempt(service, row["id"], len(SCHEDULE_S))
        assert (row["state"], row["next_at"]) == ("dead", None)
        found = (await service.get("/v1/deliveries", state="dead", endpoint=region))["items"]
        assert [item["id"] for item in found] == [row["id"]], "an operator finds it"
        receiver.behave = status(200)
        await service.post(f"/v1/deliveries/{row['id']}/redeliver", {}, 202)
        row = await after_attempt(service, row["id"], len(SCHEDULE_S) + 1)
        assert row["state"] == "delivered"
        assert receiver.shown == {row["id"]}


def in_(seconds: float) -> Callable[[], str]:
    return lambda: format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


ASKED: dict[str, tuple[int, str | Callable[[], str], float]] = {
    "429-seconds": (429, "7200", 7200),
    "503-seconds": (503, "7200", 7200),
    "429-date": (429, in_(7200), 7200),
    "503-date": (503, in_(7200), 7200),
    "seconds-beyond-a-day": (503, "99999999", DAY_S),
    "date-beyond-a-day": (429, in_(10 * DAY_S), DAY_S),
    "date-in-the-past": (429, in_(-7200), 5),
    "zero": (503, "0", 5),
    "negative": (503, "-7200", 5),
    "words": (429, "tomorrow", 5),
    "fraction": (429, "7200.5", 5),
    "two-of-them": (429, "7200, 7200", 5),
    "no-ascii": (503, "\xb2\xb2\xb2\xb2", 5),
    "long": (503, "9" * 4000, DAY_S),
}
"""Name → status, Retry-After, and the wait of it in seconds before jitter."""


async def test_retry_after_in_both_forms_clamped_and_junk_ignored(service: Service, unique: Unique) -> None:
    async def wait_of(name: str, code: int, asked: str | Callable[[], str]) -> float:
        header = asked if isinstance(asked, str) else asked()
        async with RawReceiver(status(code, "retry-after: " + header)) as receiver:
            where = unique(name)
            await endpoint(service, where, url=receiver.url, councils=[where])
            delivery = await told_to(service, where)
            row = await after_attempt(service, delivery)
            assert (row["attempts"][0]["outcome"], row["attempts"][0]["status"]) == ("http_error", code), name
            return await hasten(service, delivery)

    waits = await asyncio.gather(*(wait_of(name, code, asked) for name, (code, asked, _) in ASKED.items()))
    for (name, (_, _, wanted)), wait in zip(ASKED.items(), waits, strict=True):
        assert wanted - SLACK_S < wait <= wanted * (1 + JITTER), name


async def test_410_ends_it_also_for_what_is_already_claimed(service: Service, unique: Unique) -> None:
    region = await council(service, unique("region"))
    async with RawReceiver(status(410)) as receiver:
        await endpoint(service, region, url=receiver.url, councils=[region])
        sent = await asyncio.gather(*(told_to(service, region) for _ in range(40)))

        async def settled() -> list[str] | None:
            states = [(await row_of(service, delivery))["state"] for delivery in sent]
            return states if "pending" not in states else None

        states = await until(settled)
        assert set(states) <= {"dead", "cancelled"}
        assert "dead" in states
        shown = await service.get(f"/v1/endpoints/{region}")
        assert (shown["enabled"], shown["disabled_reason"]) == (False, "the receiver answered 410")
        heard = len(receiver.ids)
        alert = await opened(service, unique("c"), region)
        assert (await service.get("/v1/deliveries", alert=alert))["items"] == []
        assert len(receiver.ids) == heard, "nothing more is sent there"
