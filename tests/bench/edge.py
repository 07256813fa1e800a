"""ingest, webhook to 202, durable: against a raw ceiling and an idiomatic service, and against itself."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime

import httpx

from services.demo.client import new_secret
from services.demo.company import found, midnight
from services.demo.post import DESK
from services.demo.shapes import Ticket, ticket_event
from shared.runtime.auth import Scope
from tests.bench.load import Load, Outcome, generate, http_request
from tests.bench.processes import running
from tests.bench.references import SECRET
from tests.bench.report import Row, row
from tests.e2e.loop import free_ports

SECONDS = 3.0
CONNECTIONS = 64
NO_LIMIT = {"rate_per_s": "1000000"}  # one source sends more here than any sender does


def measure(env: dict[str, str], api_key: str, rounds: int) -> Iterator[Row]:
    """Three services side by side, order reversed between rounds."""
    ours, ceiling, idiomatic = free_ports(3)
    with ExitStack() as stack:
        stack.enter_context(running("services.ingest", env=env | {"CXLOOP_PORT": str(ours)}, port=ours))
        stack.enter_context(running("tests.bench.references", "ceiling", str(ceiling), env=env, port=ceiling))
        stack.enter_context(
            running("tests.bench.references", "idiomatic", str(idiomatic), env=env, port=idiomatic)
        )
        loads = _loads(ours, ceiling, idiomatic, api_key)
        results: dict[str, list[Outcome]] = {name: [] for name in loads}
        for number in range(rounds):
            for name in sorted(loads, reverse=bool(number % 2)):
                results[name].append(generate(loads[name]))
    yield from _rows(results)


def _loads(ours: int, ceiling: int, idiomatic: int, api_key: str) -> dict[str, Load]:
    secret = new_secret(DESK)
    answer = httpx.post(
        f"http://127.0.0.1:{ours}/v1/sources",
        headers={"authorization": f"Bearer {api_key}"},
        json={"id": "bench", "vendor": "zendesk", "secrets": [secret], "settings": NO_LIMIT},
    )
    if answer.status_code not in (201, 409):
        raise RuntimeError(f"the source was refused: {answer.text}")
    now = datetime.now(UTC)
    person = found(midnight(now)).people[0]
    ticket = Ticket(1, person, now, "It does not start", "x" * 1000, tags=("bench",))
    post = ticket_event(ticket, "created", now, "NEW", {}, person.desk_user)
    headers, body = post.signed(secret, now)
    signature = hmac.new(SECRET, body, hashlib.sha256).hexdigest()
    plain = {"content-type": "application/json", "x-signature": signature}
    webhook = http_request("/v1/webhooks/bench", headers, body)
    return {
        "ours": Load(ours, webhook, CONNECTIONS, SECONDS),
        "ours-16": Load(ours, webhook, 16, SECONDS),
        "ours-1024": Load(ours, webhook, 1024, SECONDS),
        "ceiling": Load(ceiling, http_request("/", plain, body), CONNECTIONS, SECONDS),
        "idiomatic": Load(idiomatic, http_request("/hook", plain, body), CONNECTIONS, SECONDS),
    }


def _rows(results: dict[str, list[Outcome]]) -> Iterator[Row]:
    def against(name: str, reference: str) -> list[float]:
        pairs = zip(results[name], results[reference], strict=True)
        return [a.rate / max(b.rate, 1e-9) for a, b in pairs]

    rates = {name: f"{sum(o.rate for o in found) / len(found):.0f}/s" for name, found in results.items()}
    bad = sum(outcome.bad for name in results for outcome in results[name])
    note = json.dumps(rates) + f", answers other than 2xx: {bad}"
    yield row("ingest / raw ASGI + producer", against("ours", "ceiling"), 0.6, note=note)
    yield row("ingest / idiomatic FastAPI", against("ours", "idiomatic"), 4.0)
    yield row("ingest at 1024 / at 64 connections", against("ours-1024", "ours"), 0.7)
    yield row("ingest at 16 / at 64 connections", against("ours-16", "ours"), 0.3)


async def make_key(database_url: str) -> str:
    """An API key for the run."""
    from shared.db.engine import create_engine
    from shared.runtime.auth import ApiKeys

    engine = create_engine(database_url, pool_size=2, application_name="bench")
    try:
        return await ApiKeys(engine).create("bench", list(Scope))
    finally:
        await engine.dispose()


def api_key(database_url: str) -> str:
    return asyncio.run(make_key(database_url))
