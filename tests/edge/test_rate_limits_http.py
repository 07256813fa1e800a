"""Limits of ingest as a sender meets them: a process, real parts, signed deliveries."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.contract.test_ingest_webhooks import deliver, make, ticket
from tests.integration.ingest.fixtures import http, key
from tests.integration.ingest.process import Ingest, cloud_event, running
from tests.senders_kit import Request

__all__ = ["http", "key"]

Unique = Callable[[str], str]
SLOW = {"rate_per_s": "0.1", "burst": "3"}


@pytest.fixture(scope="module")
def ingest(
    database_url: str, kafka: str, key: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ingest]:
    """Whose keys may send one request in ten seconds, and five at once."""
    folder = tmp_path_factory.mktemp("ingest")
    tight = {"CXLOOP_SOURCE_RATE_PER_S": "0.1", "CXLOOP_SOURCE_BURST_S": "50"}
    with running(database_url, kafka, folder, key, **tight) as process:
        yield process


def is_limited(answer: httpx.Response) -> bool:
    if answer.status_code != 429:
        return False
    problem: dict[str, Any] = answer.json()
    assert problem["type"] == "/problems/rate_limited"
    assert 1 <= int(answer.headers["retry-after"]) <= 30
    return True


async def test_a_source_over_its_rate_is_told_when_to_come_again_and_others_are_not(
    http: httpx.AsyncClient, unique: Unique
) -> None:
    busy, quiet = unique("busy"), unique("quiet")
    await make(http, busy, "zendesk", settings=SLOW)
    await make(http, quiet, "zendesk", settings=SLOW)
    answers = await asyncio.gather(*(deliver(http, busy, ticket(busy)) for _ in range(12)))
    assert Counter(answer.status_code for answer in answers) == {202: 3, 429: 9}
    assert all(is_limited(answer) for answer in answers if answer.status_code != 202)
    assert (await deliver(http, quiet, ticket(quiet))).status_code == 202
    assert (await http.patch(f"/v1/sources/{busy}", json={"settings": {}})).status_code == 200
    assert (await deliver(http, busy, ticket(busy))).status_code == 202


async def test_forged_deliveries_leave_the_budget_alone(
    http: httpx.AsyncClient, ingest: Ingest, unique: Unique
) -> None:
    source = unique("desk")
    await make(http, source, "zendesk", settings=SLOW)
    forged = ticket(source, secret="somebody else's")
    unsigned = ticket(source)._replace(headers={"content-type": "application/json"})
    for request in [forged, unsigned] * 30:
        assert (await deliver(http, source, request)).status_code == 401
    assert [(await deliver(http, source, ticket(source))).status_code for _ in range(3)] == [202] * 3
    told = [line for line in ingest.log.read_text().splitlines() if source in line and "refused" in line]
    assert 20 <= len(told) < 30


async def test_an_unknown_source_costs_no_budget_of_anybody(http: httpx.AsyncClient, unique: Unique) -> None:
    nobody = unique("nobody")
    for _ in range(20):
        assert (await deliver(http, nobody, Request("POST", {}, b"{}"))).status_code == 404


async def test_a_key_over_its_rate_is_told_so_too(http: httpx.AsyncClient, ingest: Ingest) -> None:
    headers = {"content-type": "application/cloudevents+json"}
    statuses = Counter[int]()
    for number in range(8):
        answer = await http.post("/v1/events?dry_run=1", json=cloud_event(str(number)), headers=headers)
        statuses[answer.status_code] += 1
        assert answer.status_code == 200 or is_limited(answer)
    assert statuses[200] in (5, 6)
    scrape = (await http.get("/metrics")).text
    (line,) = (one for one in scrape.splitlines() if 'ingest_limited_total{limit="key"}' in one)
    assert float(line.split()[-1]) == statuses[429]


@pytest.mark.parametrize("settings", [{"rate_per_s": "fast"}, {"burst": "0"}])
async def test_a_rate_that_is_none_is_refused(
    http: httpx.AsyncClient, unique: Unique, settings: dict[str, str]
) -> None:
    source = {"id": unique("desk"), "vendor": "zendesk", "secrets": ["x"], "settings": settings}
    answer = await http.post("/v1/sources", json=source)
    assert answer.status_code == 400
    assert [error["where"] for error in answer.json()["errors"]] == [f"/settings/{name}" for name in settings]
