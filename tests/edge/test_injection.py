"""Words of strangers stay words: in SQL, in paths and queries, in headers of mails and webhooks."""

from __future__ import annotations

import email
import email.policy
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any, Final
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.alerts.sending.letters import letter
from services.alerts.sending.mail import Mailer
from services.alerts.sending.webhook import headers
from shared.db.engine import driver as database
from shared.runtime.auth import ApiKeys, Scope
from tests.edge import calls
from tests.edge.drive import Driver, services_in_process
from tests.edge.request import Answer, Hostile, call

NOW: Final = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
INJECTIONS: Final = (
    "' OR '1'='1",
    "'; DROP TABLE scoring.customer; --",
    "1); DELETE FROM ingest.source; --",
    '" OR ""="',
    "\\'; SELECT pg_sleep(30); --",
    "$1",
    "%",
    "_",
    "*",
    "\x00",
    "a\x00b",
    "x\r\nSet-Cookie: stolen=1",
    "x\nX-Injected: 1",
    "\u2028\u2029\x85",
    "\ufffe\U0010ffff",
    "NULL",
    "{}",
    "{0.__class__}",
    "%s%n",
    "../../etc/passwd",
)
TABLES: Final = "SELECT schemaname || '.' || tablename FROM pg_tables ORDER BY 1"


@pytest.fixture
async def everything(
    own_database_url: str, kafka: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Driver]:
    """All services in this process, with customers and alerts."""
    monkeypatch.setenv("DATABASE_URL", own_database_url)
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka)
    group = f"edge-{secrets.token_hex(4)}"
    apps = services_in_process(["ingest", "scoring", "alerts"], group)
    async with AsyncExitStack() as stack:
        for app in apps.values():
            await stack.enter_async_context(app.router.lifespan_context(app))
        keys: ApiKeys = apps["ingest"].state.api_keys
        made = Driver(apps, await keys.create("injection", list(Scope)), secrets.randbelow(10**6))
        await made.prepare()
        yield made


async def ask(everything: Driver, name: str, target: str, *more: tuple[bytes, bytes]) -> Answer:
    bearer = (b"authorization", f"Bearer {everything.key}".encode())
    return await call(everything.apps[name], Hostile("GET", target.encode(), (bearer, *more)))


def _targets(operation: calls.Operation, known: str) -> list[str]:
    """The operation with an injection at each place in turn."""
    path = operation.path
    for verb in ("{verb}",):
        path = path.replace(verb, "act")
    found = []
    for word in INJECTIONS:
        quoted = quote(word, safe="")
        if "{" in path:
            before, _, rest = path.partition("{")
            found.append(before + quoted + rest.partition("}")[2])
        whole = path.partition("{")[0] + known + path.partition("}")[2] if "{" in path else path
        found += [f"{whole}?{name}={quoted}" for name in operation.query]
    return found


@pytest.mark.slow
async def test_every_parameter_of_every_read(everything: Driver) -> None:
    async with database(everything.apps["ingest"].state.engine) as connection:
        before = [row[0] for row in await connection.fetch(TABLES)]
    for name, operations in everything.operations.items():
        known = (everything.ids[name] or ["x"])[0]
        for operation in operations:
            if operation.method != "GET":
                continue
            for target in _targets(operation, known):
                answer = await ask(everything, name, target)
                assert not answer.faults("GET"), (target, answer)
                assert not {"set-cookie", "x-injected"} & set(answer.headers), target
    async with database(everything.apps["ingest"].state.engine) as connection:
        assert [row[0] for row in await connection.fetch(TABLES)] == before
    for name, filters in {
        "scoring": ("region", "persona", "owner", "q"),
        "alerts": ("rule", "owner"),
    }.items():
        path = "/v1/customers" if name == "scoring" else "/v1/alerts"
        for word in INJECTIONS[:9]:
            for one in filters:
                answer = await ask(everything, name, f"{path}?{one}={quote(word, safe='')}")
                found = json.loads(answer.body)
                assert answer.status == 400 or found["items"] == [], (one, word)


async def test_an_origin_that_asks_first_is_repeated_on_one_line(everything: Driver) -> None:
    """The one header of a request that comes back in an answer."""
    origin = (b"webhook-request-origin", b"a.example\xff; x=\x7f")
    for name, value in (origin, (b"webhook-request-origin", b"")):
        target = Hostile("OPTIONS", b"/v1/webhooks/edge-zendesk", ((name, value),))
        answer = await call(everything.apps["ingest"], target)
        assert answer.status == 200
        assert "\n" not in answer.headers["webhook-allowed-origin"]


LEVELS: Final = {"health": 50.0, "relationship": None, "risk": 0.5}
TEXTS: Final = st.one_of(st.sampled_from(INJECTIONS), st.text(max_size=120))


def _cloudevent(title: str, words: str, severity: str) -> bytes:
    data: dict[str, Any] = {
        "id": "3f0c1f0e-9a51-5cf6-8f0b-55d1f0a0c1aa",
        "title": title,
        "severity": severity,
        "state": "open",
        "owner": words,
        "due_at": None,
        "suggestion": words,
        "url": f"https://cx.example.com/{quote(words, safe='', errors='replace')}",
        "reason": {"text": words, "contributions": [], "events": []},
        "scores": {"before": LEVELS, "after": LEVELS},
        "customer": {"identifiers": [], "name": words},
    }
    return msgspec.json.encode({"data": data})


@given(title=TEXTS, words=TEXTS)
@example(title="Hi\r\nBcc: everybody@example.com\r\n\r\nBody", words="x\r\n.\r\nMAIL FROM:<a@b>")
@example(title="=?utf-8?q?a=0d=0aBcc:_x@example.com?=", words="\n--===boundary")
@settings(max_examples=150)
def test_no_word_becomes_a_header_of_a_mail(title: str, words: str) -> None:
    made = letter(_cloudevent(title, words, "high"), "opened")
    mailer = Mailer("smtp://127.0.0.1:1", "cxloop@example.com")
    message = mailer.compose(made, "d-1", ["ann@example.com"], NOW)
    read = email.message_from_bytes(message.as_bytes(policy=email.policy.SMTP), policy=email.policy.default)
    assert isinstance(read, EmailMessage)
    names = sorted(name.lower() for name in read.keys())  # noqa: SIM118 - a header may be there twice
    usual = "from to subject date message-id auto-submitted references mime-version content-type"
    assert names == sorted(usual.split())
    assert read["to"].addresses[0].addr_spec == "ann@example.com"
    assert len(read["to"].addresses) == 1
    assert [part.get_content_type() for part in read.iter_parts()] == ["text/plain", "text/html"]


@given(words=TEXTS)
@settings(max_examples=60)
def test_no_word_becomes_a_header_of_a_webhook(words: str) -> None:
    body = _cloudevent(words, words, "high")
    told = headers("d-1", ("whsec_" + "QUJD" * 11,), body, NOW)
    assert all(value.isprintable() and value.isascii() for value in told.values())
    assert set(told) == {"content-type", "user-agent", "webhook-id", "webhook-timestamp", "webhook-signature"}
