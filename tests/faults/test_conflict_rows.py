"""Rows of the failure table: PostgreSQL refuses transactions because they conflict, and means: try again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import count
from typing import Any, Final

import asyncpg
import httpx
import pytest

from services.demo.post import Post
from tests.e2e.loop import eventually
from tests.faults import conflicts
from tests.faults.world import World

FIRST: Final = {
    "ingest_spool",
    "ingest_rejected",
    "ingest_source",
    "scoring_claim",
    "scoring_outbox",
    "alerts_alert",
    "alerts_delivery",
    "alerts_outbox",
    "alerts_rule",
    "alerts_endpoint",
}
"""Tables that a transaction of each writer begins with: at COMMIT no other one is named."""
MUST_MEET: Final = {
    "at COMMIT": FIRST,
    "at a write": FIRST | {"scoring_event", "scoring_customer", "alerts_progress"},
}
"""Tables each of which has to see a conflict before the fault may end."""
_numbers = count(int(time.time()))


@pytest.mark.slow
@pytest.mark.parametrize("when", conflicts.WHEN)
def test_conflicts(world: World, when: str) -> None:
    """Every writer meets them, with Kafka away as well, so that the spool has its share; people manage
    sources, rules, endpoints and alerts meanwhile, and an unreadable delivery comes now and then."""
    unreadable: list[str] = []
    with world.row(f"serialisation conflicts {when}") as row:
        with conflicts.raised(world.database_url, when) as met:
            world.kafka_net.refuse()
            eventually(lambda: met().get("ingest_spool"), "a conflict of the spool", 30)
            world.kafka_net.heal()
            row.hold()

            def everybody() -> bool:
                unreadable.extend(send_unreadable(world) for _ in range(4))
                manage(world)
                return met().keys() >= MUST_MEET[when]

            eventually(everybody, "a conflict at every table", 60)
        row.over()
    assert refused_as_unreadable(world) == sorted(unreadable), "one refusal each, and of nothing else"


def send_unreadable(world: World) -> str:
    """Its id. A type of event that nobody knows is kept for people to look at."""
    name = f"unreadable-{next(_numbers)}"
    event = {
        "specversion": "1.0",
        "id": name,
        "source": "/tests",
        "type": "cxloop.weather.changed.v1",
        "data": {},
    }
    post = Post(datetime.now(UTC), "crm", event, name)
    url = f"{world.loop.ingest}/v1/webhooks/crm"

    def send() -> httpx.Response:
        headers, body = post.signed(world.loop.secrets["crm"], datetime.now(UTC))
        return world.loop.http.post(url, content=body, headers=headers, timeout=30)

    insist(send)
    return name


def refused_as_unreadable(world: World) -> list[str]:
    """Ids of the deliveries that lie in `ingest.rejected`; whatever else was refused shows as itself."""

    async def look() -> list[str]:
        conn = await asyncpg.connect(world.database_url, timeout=10, command_timeout=60)
        try:
            rows = await conn.fetch("SELECT convert_from(body, 'UTF8')::json ->> 'id' FROM ingest.rejected")
            await conn.execute("DELETE FROM ingest.rejected")
        finally:
            await conn.close()
        return sorted(str(row[0]) for row in rows)

    return asyncio.run(look())


def manage(world: World) -> None:
    """Everything that people change, once; each call repeated until it is taken."""
    for method, url, body in calls(world):
        insist(partial(world.loop.http.request, method, url, json=body))


def calls(world: World) -> Iterator[tuple[str, str, Any]]:
    ingest, alerts, name = world.loop.ingest, world.loop.alerts, f"conflict-{next(_numbers)}"
    secret = "whsec_" + "b25seSBmb3IgdGhlIHRlc3RzLCAzMiBieXRlcyEhISE="
    yield "POST", f"{ingest}/v1/sources", {"id": name, "vendor": "standard-webhooks", "secrets": [secret]}
    yield "PATCH", f"{ingest}/v1/sources/{name}", {"defaults": {"area": "elm"}}
    yield "DELETE", f"{ingest}/v1/sources/{name}", None
    when = {"kind": "happened", "types": ["referral.made"]}
    how = {"suggestion": "Nothing.", "severity": "low"}
    rule = {"id": name, "title": "Only here", "when": when, "enabled": False, **how}
    yield "POST", f"{alerts}/v1/rules", rule
    yield "PUT", f"{alerts}/v1/rules/{name}", rule | {"title": "And another title"}
    yield "DELETE", f"{alerts}/v1/rules/{name}", None
    nobody = {"name": "Of no customer", "scope": {"region": [name]}}  # else it would get this row's alerts
    yield "PUT", f"{alerts}/v1/councils/{name}", nobody
    endpoint = {"kind": "webhook", "url": world.hook.url, "councils": [name]}
    yield "POST", f"{alerts}/v1/endpoints", endpoint | {"id": name}
    yield "PUT", f"{alerts}/v1/endpoints/{name}", endpoint | {"detail": "reference"}
    yield "DELETE", f"{alerts}/v1/endpoints/{name}", None
    yield "DELETE", f"{alerts}/v1/councils/{name}", None
    answer = world.loop.http.get(f"{alerts}/v1/alerts", params={"state": "open", "limit": "1"})
    for alert in answer.json()["items"]:
        yield "POST", f"{alerts}/v1/alerts/{alert['id']}/acknowledge", {"by": "council"}


def insist(call: Callable[[], httpx.Response]) -> None:
    """Until it is taken. A refusal is a 503 that says when to come again; nothing else will do."""
    for _ in range(50):
        answer = call()
        if answer.is_success:
            return
        assert answer.status_code == 503 and answer.headers["retry-after"], (answer.url, answer.text)
    raise AssertionError(f"refused fifty times: {answer.url}")
