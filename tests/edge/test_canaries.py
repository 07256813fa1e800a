"""Secrets and personal data never come out where they should not: canaries go in everywhere, on good
ways and bad ones, and everything that comes out is searched."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from shared.bus.producer import Producer
from shared.bus.topics import FEEDBACK, REJECTED, SCORES
from shared.db.engine import create_engine
from shared.runtime.auth import ApiKeys, Scope
from tests.edge import canaries as c
from tests.edge.live import SECRET_KEY, Live, services
from tests.edge.outputs import (
    Output,
    database_away,
    failing_receiver,
    records_since_now,
    search_record,
    with_password,
)
from tests.integration.ingest.process import running

PATIENCE_S: Final = 120.0
COMMANDS: Final = (
    ("doctor",),
    ("sources", "list"),
    ("keys", "list"),
    ("customers", "list"),
    ("alerts", "list"),
    ("rejected", "list"),
    ("audit",),
)


async def until(look: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever is looked for
    async with asyncio.timeout(PATIENCE_S):
        while not (found := await asyncio.to_thread(look)):
            await asyncio.sleep(0.1)
    return found


def set_up(live: Live, receiver: str, out: Output) -> None:
    """Sources and endpoints, each with something secret."""
    with live.client("ingest") as http:
        for vendor, secret in c.SOURCE_SECRETS.items():
            body = {"id": f"canary-{vendor}", "vendor": vendor, "secrets": [secret]}
            idempotent = {"idempotency-key": f"{c.SECRET}-{vendor}"}
            for _ in range(2):
                assert out.answer(http.post("/v1/sources", json=body, headers=idempotent)).status_code == 201
            other = body | {"secrets": [f"{c.SECRET}other"]}
            assert out.answer(http.post("/v1/sources", json=other, headers=idempotent)).status_code == 400
            out.answer(http.post("/v1/sources", json=body | {"id": c.PERSON.upper(), "vendor": c.PERSON}))
    endpoints: tuple[dict[str, Any], ...] = (
        {
            "id": "fails",
            "kind": "webhook",
            "url": f"{receiver}/hook?token={c.SECRET}",
            "secret": c.WEBHOOK_SECRET,
        },
        {"id": "closed", "kind": "webhook", "url": f"http://127.0.0.1:1/?{c.SECRET}={c.SECRET}"},
        {"id": "mail", "kind": "email", "to": "council@example.com"},
        {"id": "notify", "kind": "notify", "url": f"json://{c.SECRET}:{c.SECRET}@127.0.0.1:1/{c.SECRET}"},
    )
    with live.client("alerts") as http:
        for body in endpoints:
            made = http.post("/v1/endpoints", json=body | {"councils": ["default"]})
            assert made.status_code == 201, made.text
            out.answer(http.get(f"/v1/endpoints/{body['id']}"))
        credentials = {"id": "x", "kind": "webhook", "url": f"https://{c.SECRET}:{c.SECRET}@example.com/"}
        assert out.answer(http.post("/v1/endpoints", json=credentials)).status_code == 400
        bad = {"id": "y", "kind": "notify", "url": f"nonsense://{c.SECRET}"}
        assert out.answer(http.post("/v1/endpoints", json=bad)).status_code == 400
        out.answer(http.get("/v1/endpoints"))


def deliver(url: str, key: str, out: Output, every: int = 1) -> None:
    """Every sender's deliveries (or each n-th of them) and own events, good and bad."""
    with httpx.Client(base_url=url, headers={"authorization": f"Bearer {key}"}, timeout=30) as http:
        for source, request in c.deliveries()[::every]:
            target = f"/v1/webhooks/{source}?token={c.SECRET}&who={c.PERSON}"
            out.answer(http.post(target, content=request.body, headers=request.headers))
        out.answer(http.post(f"/v1/webhooks/{c.PERSON}", content=c.PERSON.encode()))
        batch = [
            c.own_event("1"),
            c.own_event("2", score=99, metric=c.PERSON),
            c.own_event("3", unheard_of=c.PERSON),
        ]
        kind = {"content-type": "application/cloudevents-batch+json", "idempotency-key": c.PERSON}
        out.answer(http.post("/v1/events", json=batch, headers=kind))
        out.answer(http.post("/v1/events", json=[c.own_event("4", score=c.PERSON)], headers=kind))
        out.answer(http.post("/v1/events", json=[batch[1]], headers={"content-type": kind["content-type"]}))
        out.answer(http.post("/v1/events", content=f"{c.PERSON}{{".encode(), headers=kind))


def ask(live: Live, out: Output) -> None:
    """Questions with canaries where an id, a filter or a key would be."""
    person, word = f"{c.PERSON}@canary.example", f"{c.PERSON} {c.SECRET}"
    for name, paths in {
        "ingest": (f"/v1/sources/{c.PERSON}", f"/v1/rejected?cursor={word}", f"/{c.PERSON}?{c.SECRET}"),
        "scoring": (
            f"/v1/lookup?identifier=email:{person}x",
            f"/v1/lookup?identifier={word}",
            f"/v1/customers/{c.PERSON}/score?as_of={word}",
            f"/v1/customers?risk_min={word}&sort={word}&limit={word}",
            f"/v1/events/{c.PERSON}",
        ),
        "alerts": (
            f"/v1/alerts/{c.PERSON}",
            f"/v1/alerts?state={word}&since={word}",
            f"/v1/rules/{c.PERSON}",
        ),
    }.items():
        with live.client(name) as http:
            for path in paths:
                assert out.answer(http.get(path)).status_code >= 400, path
            out.answer(http.get("/v1/nothing", headers={"authorization": f"Bearer cxk_{c.SECRET}wrong"}))
            out.answer(http.post("/v1/scores", json={"identifiers": [word], "as_of": word}))
            out.answer(http.post("/v1/rules", json={"id": word, "when": {"kind": word}}))
            out.answer(http.post("/v1/alerts/x/act", json={"by": ["x", word], "until": word, "note": 7}))
            out.answer(
                http.put(
                    "/v1/councils/x",
                    json={"name": word, "sponsor": word + "@@", "scope": {"region": [[word]], "x": word}},
                )
            )


def collect(live: Live, out: Output) -> None:
    """Metrics, documents, lists, logs and command lines."""
    for name in live.urls:
        with live.client(name) as http:
            metrics = http.get("/metrics")
            assert metrics.status_code == 200
            out.told.append((f"{name} /metrics", metrics.text))
            for path in ("/openapi.json", "/livez", "/readyz", "/v1/audit"):
                out.told.append((name + path, out.answer(http.get(path)).text))
        out.told.append((f"log of {name}", live.logs[name].read_text("utf-8", "replace")))
        line = Path(f"/proc/{live.processes[name].pid}/cmdline").read_bytes().replace(b"\0", b" ")
        out.told.append((f"command line of {name}", line.decode()))
    with live.client("ingest") as http:
        out.answer(http.get("/v1/sources"))
        out.answer(http.get("/v1/rejected?limit=200"))
    with live.client("alerts") as http:
        out.answer(http.get("/v1/deliveries?limit=200"))
        out.answer(http.get("/v1/alerts?limit=200"))
    with live.client("scoring") as http:
        out.answer(http.get("/v1/customers?limit=200"))


def command(live: Live, database_url: str, *words: str) -> str:
    """What a person sees who runs `cxloop` with everything in the environment."""
    settings = os.environ | {
        "DATABASE_URL": database_url,
        "CXLOOP_API_KEY": live.key,
        "CXLOOP_INGEST_URL": live.urls["ingest"],
        "CXLOOP_SCORING_URL": live.urls["scoring"],
        "CXLOOP_ALERTS_URL": live.urls["alerts"],
        "CXLOOP_SECRET_KEY": SECRET_KEY,
        "CXLOOP_SMTP_URL": c.SMTP,
    }
    done = subprocess.run(
        [sys.executable, "-m", "services.cli", *words],
        env=settings,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout + done.stderr


async def spread_poison(kafka: str) -> None:
    producer = Producer(kafka, "edge-poison")
    await producer.start()
    try:
        for topic in (FEEDBACK, SCORES, REJECTED):
            for value in c.poison():
                await producer.send(topic, b"poison", value, deadline_s=20)
    finally:
        await producer.aclose()


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_nothing_comes_out(own_database_url: str, kafka: str, tmp_path: Path) -> None:
    out, address = Output(), with_password(own_database_url)
    engine = create_engine(own_database_url, 2, "tests")
    await ApiKeys(engine).ensure(c.API_KEY, "edge", list(Scope))
    await engine.dispose()
    async with records_since_now(kafka) as records:
        await drive(own_database_url, address, kafka, tmp_path, out)
        async for record in records():
            search_record(record, out)
    assert any(place.endswith(" 503") for place, _ in out.told), "the database was never away"
    assert any(place.startswith(FEEDBACK) for place, _ in out.told), "nothing was published"
    assert not (found := out.findings()), f"{len(found)} findings\n" + "\n\n".join(found[:12])


async def drive(database_url: str, address: str, kafka: str, folder: Path, out: Output) -> None:
    """Good ways, bad ways, failures of every part."""
    settings = {"CXLOOP_SMTP_URL": c.SMTP, "CXLOOP_LOG_LEVEL": "debug"}
    text = {"CXLOOP_LOG_FORMAT": "text", "CXLOOP_LOG_LEVEL": "debug", "CXLOOP_SECRET_KEY": SECRET_KEY}
    with (
        failing_receiver() as receiver,
        services(address, kafka, c.API_KEY, folder, **settings) as live,
        running(address, "127.0.0.1:1", folder, c.API_KEY, **text) as without_bus,
    ):
        await asyncio.to_thread(set_up, live, receiver, out)
        await spread_poison(kafka)
        await asyncio.to_thread(deliver, live.urls["ingest"], live.key, out, 2)
        await asyncio.to_thread(deliver, without_bus.url, live.key, out, 7)
        await asyncio.to_thread(ask, live, out)
        await until(lambda: _tried(live))
        for words in COMMANDS:
            told = await asyncio.to_thread(command, live, address, *words)
            out.shown.append((f"cxloop {' '.join(words)}", told))
        async with database_away(database_url):
            await asyncio.to_thread(deliver, without_bus.url, live.key, out, 41)
            await asyncio.to_thread(ask, live, out)
            for words in (("doctor",), ("migrate",)):
                told = await asyncio.to_thread(command, live, address, *words)
                out.told.append((f"cxloop {words[0]} without a database", told))
        await until(lambda: all(_ready(url) for url in live.urls.values()))
        await asyncio.to_thread(collect, live, out)
        out.told.append(("log without bus", without_bus.log.read_text("utf-8", "replace")))


def _tried(live: Live) -> bool:
    """Each endpoint was tried at least once."""
    with live.client("alerts") as http:
        items = http.get("/v1/deliveries?limit=200").json()["items"]
    tried = {item["endpoint"] for item in items if item["attempts"]}
    return tried >= {"fails", "closed", "mail", "notify"}


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=5).status_code == 200
    except httpx.TransportError:
        return False
