"""What a delivery becomes when its receiver answers badly, late, without end, or not at all.

All bad receivers are spoken to at once, by one service; what is checked is what the list of deliveries
says, and what each receiver shows once it has recovered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest

from tests.faults.receivers import (
    PATIENCE_S,
    Behave,
    RawReceiver,
    after_attempt,
    answering,
    council,
    endpoint,
    hang,
    hasten,
    opened,
    pour,
    row_of,
    status,
    then_cut,
    told_to,
    trickle,
)
from tests.integration.alerts.conftest import Service, running, until

Unique = Callable[[str], str]
DEADLINE_S = 2.0
POURED: Counter[str] = Counter()
OK = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n"

BAD: dict[str, tuple[Behave, tuple[str, int | None, str]]] = {
    "hangs": (hang(), ("timeout", None, "no answer within 2 s")),
    "trickles-its-headers": (trickle(OK, 0.1), ("timeout", None, "no answer within 2 s")),
    "sends-headers-without-end": (pour(OK + b"x-much: ", Counter()), ("unreachable", None, "no HTTP")),
    "informs-without-end": (
        trickle(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100_000, 0.001),
        ("timeout", None, "no answer within 2 s"),
    ),
    "cut-before-its-answer": (then_cut(b""), ("unreachable", None, "was cut")),
    "cut-in-its-headers": (then_cut(OK[:20]), ("unreachable", None, "was cut")),
    "speaks-no-http": (answering(b"\x16\x03\x01\x00\xff\xfe" * 40), ("unreachable", None, "no HTTP")),
    "500": (status(500), ("http_error", 500, "answered 500")),
    "404": (status(404), ("http_error", 404, "answered 404")),
    "switches-protocol": (
        answering(b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"),
        ("unreachable", None, "no HTTP"),
    ),
    "redirects": (status(302, "location: http://127.0.0.1:1/admin"), ("redirect", 302, "not followed")),
    "redirects-inside": (
        status(307, "location: http://169.254.169.254/latest/meta-data"),
        ("redirect", 307, "not followed"),
    ),
    "redirects-to-nonsense": (status(308, "location: http://[::bad"), ("redirect", 308, "not followed")),
    "retry-after-beyond-all-numbers": (
        status(503, "retry-after: Mon, 02 Mar 99999999999 10:01:30 GMT"),
        ("http_error", 503, "answered 503"),
    ),
    "retry-after-in-no-zone": (
        status(503, "retry-after: Mon, 02 Mar 2026 10:01:30 +99999999999999999999"),
        ("http_error", 503, "answered 503"),
    ),
}
"""Name → how it behaves, and what its delivery says: outcome, status, words of the detail."""

GOOD: dict[str, Behave] = {
    "answers-without-end": pour(OK + b"content-length: 10000000000\r\n\r\n", POURED),
    "answers-in-chunks-without-end": pour(OK + b"transfer-encoding: chunked\r\n\r\nFFFFFFFF\r\n", POURED),
    "trickles-its-body": trickle(OK + b"content-length: 100000\r\n\r\n", 0.001),
    "cut-in-its-body": then_cut(OK + b"content-length: 100000\r\n\r\nstart"),
    "lies-about-its-encoding": answering(OK + b"content-encoding: gzip\r\ncontent-length: 5\r\n\r\nnotgz"),
    "says-202": status(202),
    "sets-cookies": status(204, "set-cookie: a=1; path=/", "set-cookie: b=2"),
}
"""All said 2xx in time, so all have it."""


@pytest.fixture(scope="module")
async def service(database_url: str, kafka: str, unique: Unique) -> AsyncIterator[Service]:
    group = unique("alerts")
    async with running(database_url, kafka, consumer_group=group, delivery_timeout_s=DEADLINE_S) as made:
        yield made


async def by_endpoint(service: Service, alert: str, count: int) -> dict[str, str]:
    """Endpoint → its delivery of the alert, once all `count` of them were tried."""

    async def look() -> dict[str, str] | None:
        items = (await service.get("/v1/deliveries", alert=alert, limit=200))["items"]
        tried = {item["endpoint"]: item["id"] for item in items if item["attempts"]}
        return tried if len(tried) >= count else None

    found: dict[str, str] = await until(look, PATIENCE_S)
    return found


async def test_every_bad_answer_is_told_as_what_it_is_and_none_is_lost(
    service: Service, unique: Unique
) -> None:
    region = await council(service, unique("region"))
    async with AsyncExitStack() as stack:
        at: dict[str, RawReceiver] = {}
        for name, (behave, _) in BAD.items():
            at[name] = await stack.enter_async_context(RawReceiver(behave))
            await endpoint(service, f"{region}-{name}", url=at[name].url, councils=[region])
        alert = await opened(service, unique("c"), region)
        sent = await by_endpoint(service, alert, len(BAD))
        for name, (_, (outcome, code, words)) in BAD.items():
            row = await row_of(service, sent[f"{region}-{name}"])
            first = row["attempts"][0]
            assert (first["outcome"], first["status"], row["state"]) == (outcome, code, "pending"), name
            assert words in first["detail"], name
            assert "169.254" not in first["detail"] and "127.0.0.1" not in first["detail"], name
        for name, receiver in at.items():
            receiver.behave = status(204)
            await hasten(service, sent[f"{region}-{name}"])
        for name, receiver in at.items():
            delivery = sent[f"{region}-{name}"]
            row = await after_attempt(service, delivery, 2)
            assert (row["state"], row["attempts"][1]["outcome"]) == ("delivered", "delivered"), name
            assert receiver.shown == {delivery}, name
            assert len(receiver.ids) == 2, f"{name} heard it at each attempt, under one id"


async def test_2xx_is_enough_whatever_follows_it(service: Service, unique: Unique) -> None:
    region = await council(service, unique("region"))
    POURED.clear()
    async with AsyncExitStack() as stack:
        for name, behave in GOOD.items():
            receiver = await stack.enter_async_context(RawReceiver(behave))
            await endpoint(service, f"{region}-{name}", url=receiver.url, councils=[region])
        alert = await opened(service, unique("c"), region)
        sent = await by_endpoint(service, alert, len(GOOD))
        for name in GOOD:
            row = await row_of(service, sent[f"{region}-{name}"])
            assert [a["outcome"] for a in row["attempts"]] == ["delivered"], name
    assert POURED["bytes"] < 20_000_000, "an answer without end is let go, not read"


async def test_connections_are_used_again_and_cookies_are_not_kept(service: Service, unique: Unique) -> None:
    name = unique("again")
    async with RawReceiver(status(200, "set-cookie: secret=1; path=/")) as receiver:
        await endpoint(service, name, url=receiver.url, councils=[name])
        for _ in range(4):
            await after_attempt(service, await told_to(service, name))
        assert (len(receiver.ids), receiver.connections) == (4, 1)
        assert not any("cookie" in headers for headers in receiver.headers)
