"""The commands against a running instance, as a person or a script calls them."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import httpx
import pytest

from tests.fixtures.running import Up, environment, up

T = TypeVar("T")
Json = dict[str, Any]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="cxloop-cli-", ignore_cleanup_errors=True) as name:
        yield Path(name) / "data"


@pytest.fixture(scope="module")
def instance(folder: Path) -> Iterator[Up]:
    with up(folder) as running:
        yield running


@pytest.fixture
def call(instance: Up, folder: Path) -> Callable[..., str]:
    """Run a command on the instance and return what it prints; a failure fails the test."""

    def run(*words: str, status: int = 0, stdin: str | None = None) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "services.cli", "--data-dir", str(folder), *words],
            env=environment(),
            capture_output=True,
            text=True,
            timeout=90,
            input=stdin,
        )
        assert done.returncode == status, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout if status == 0 else done.stderr

    return run


def eventually(look: Callable[[], T | None], what: str, timeout_s: float = 30.0) -> T:
    deadline = time.monotonic() + timeout_s
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.1)
    return found


def bad_answer(instance: Up, who: str) -> None:
    """Send a detractor's answer as a tool of one's own does."""
    body = {"response": f"r-{who}", "question": "nps", "metric": "nps", "score": 2, "comment": "No answer!"}
    send(instance, who, "survey.answered", body)


def send(instance: Up, who: str, kind: str, body: Json) -> None:
    event = {
        "specversion": "1.0",
        "id": f"e-{who}",
        "source": "shop",
        "type": f"cxloop.{kind}.v1",
        "data": {"identifiers": [f"email:{who}@example.com"], "body": body},
    }
    answer = httpx.post(
        f"{instance.ready['ingest']}/v1/events",
        json=event,
        headers={
            "Authorization": f"Bearer {instance.ready['api_key']}",
            "Content-Type": "application/cloudevents+json",
        },
    )
    assert answer.status_code == 202, answer.text


def test_an_alert_goes_its_way_from_the_command_line(
    instance: Up, call: Callable[..., str], unique: Callable[[str], str]
) -> None:
    who = unique("ann")
    bad_answer(instance, who)
    customer = f"email:{who}@example.com"

    def raised() -> Json | None:
        looked_up = httpx.get(
            f"{instance.ready['scoring']}/v1/lookup",
            params={"identifier": customer},
            headers={"Authorization": f"Bearer {instance.ready['api_key']}"},
        )
        if looked_up.status_code != httpx.codes.OK:
            return None
        found: list[Json] = json.loads(call("alerts", "list", "--customer", customer, "--json"))
        return found[0] if found else None

    alert = eventually(raised, "an alert of the bad answer")
    assert alert["rule"] == "detractor-answer"
    assert alert["id"] in call("alerts", "list", "--state", "open")
    assert "No answer!" in call("alerts", "show", alert["id"])
    assert "now acknowledged" in call("alerts", "ack", alert["id"], "--by", "mira", "--note", "mine")
    assert "now assigned" in call("alerts", "assign", alert["id"], "--by", "mira", "--to", "tom")
    assert "now acted" in call("alerts", "act", alert["id"], "--by", "tom", "--action", "called back")
    assert json.loads(call("alerts", "resolve", alert["id"], "--by", "tom", "--json"))["state"] == "verifying"
    assert "409" in call("alerts", "ack", alert["id"], "--by", "tom", status=1)
    history = call("alerts", "show", alert["id"])
    assert "tom" in history

    shown = json.loads(call("customers", "show", customer, "--json"))
    assert customer in shown["identifiers"]
    assert call("customers", "show", customer)
    explanation = json.loads(call("customers", "explain", customer, "--json"))
    assert set(explanation) >= {"health", "relationship", "risk"}
    assert "unknown" in call("customers", "explain", customer, "--score", "health")
    assert "No answer!" in call("customers", "timeline", customer)
    assert shown["customer_id"] in call("customers", "list", "--limit", "200")


def test_sources_and_what_they_could_not_read(call: Callable[..., str], unique: Callable[[str], str]) -> None:
    name = unique("desk")
    said = call(
        "sources", "add", name, "--vendor", "zendesk", "--default", "region=EMEA", stdin="s3cret-word\n"
    )
    assert f"/v1/webhooks/{name}" in said
    assert "s3cret-word" not in call("sources", "list") + call("sources", "list", "--json")
    assert "409" in call("sources", "add", name, "--vendor", "zendesk", "--secret", "x" * 12, status=1)
    assert "NAME=VALUE" in call(
        "sources", "add", name, "--vendor", "zendesk", "--secret", "x", "--default", "nonsense", status=2
    )
    assert isinstance(json.loads(call("rejected", "list", "--json")), list)
    assert "no rejected delivery" in call("rejected", "show", "nothing", status=1)
    assert "disconnected" in call("sources", "remove", name, "--yes")
    assert name not in call("sources", "list")


def test_a_delivery_that_cannot_be_read_is_shown_and_replayed(
    instance: Up, call: Callable[..., str], unique: Callable[[str], str]
) -> None:
    name = unique("own")
    made = json.loads(
        call(
            "sources", "add", name, "--vendor", "zendesk", "--auth", "header", "--secret", "w" * 20, "--json"
        )
    )
    answer = httpx.post(
        made["url"], content=b"{not json", headers={"Authorization": f"Bearer {'w' * 20}"}, timeout=10
    )
    assert answer.is_success, answer.text

    def listed() -> Json | None:
        found: list[Json] = json.loads(call("rejected", "list", "--json"))
        return next((item for item in found if item["source"] in (name, f"/sources/{name}")), None)

    item = eventually(listed, "the rejected delivery")
    assert "{not json" in call("rejected", "show", str(item["id"]))
    assert "1 replayed" in call("rejected", "replay", str(item["id"]))


def test_keys_are_made_listed_and_revoked(instance: Up, call: Callable[..., str]) -> None:
    made = json.loads(call("keys", "create", "dashboard", "--scope", "read", "--json"))
    headers = {"Authorization": f"Bearer {made['api_key']}"}
    url = f"{instance.ready['scoring']}/v1/customers"
    assert httpx.get(url, headers=headers).status_code == 200
    keys = {key["name"]: key for key in json.loads(call("keys", "list", "--json"))}
    assert keys["dashboard"]["scopes"] == ["read"]
    assert made["api_key"] not in json.dumps(keys)
    assert "revoked" in call("keys", "revoke", keys["dashboard"]["id"])
    eventually(lambda: httpx.get(url, headers=headers).status_code == 401, "the key is refused")
    assert "no key" in call("keys", "revoke", "key_nothing", status=1)


def test_what_was_managed_is_listed_over_all_services(
    instance: Up, call: Callable[..., str], unique: Callable[[str], str]
) -> None:
    name, secret = unique("audited"), "canary-secret"
    before = {row["id"] for row in json.loads(call("audit", "--limit", "10000", "--json"))}
    call("sources", "add", name, "--vendor", "zendesk", "--secret", secret)
    rule = f"{instance.ready['alerts']}/v1/rules/{name}"
    assert httpx.delete(rule, headers={"Authorization": "Bearer cxk_canary"}).status_code == 401
    assert (
        httpx.delete(rule, headers={"Authorization": f"Bearer {instance.ready['api_key']}"}).status_code
        == 404
    )
    key = json.loads(call("keys", "create", name, "--scope", "read", "--json"))["api_key"]
    call("keys", "revoke", "key_nothing", status=1)
    printed = call("audit", "--limit", "10000", "--json")
    assert secret not in printed
    assert key not in printed
    assert "canary" not in printed
    rows = [row for row in reversed(json.loads(printed)) if row["id"] not in before]
    seen = [(row["service"], row["method"], row["route"], row["status"]) for row in rows]
    assert seen == [
        ("ingest", "POST", "/v1/sources", 201),
        ("alerts", "DELETE", "/v1/rules/{rule_id}", 401),
        ("alerts", "DELETE", "/v1/rules/{rule_id}", 404),
        ("cli", "CLI", "cxloop keys create", 201),
        ("cli", "CLI", "cxloop keys revoke", 404),
    ]
    made = {row["name"]: row["id"] for row in json.loads(call("keys", "list", "--json"))}
    assert [row["object"] for row in rows] == [name, None, name, made[name], "key_nothing"]
    assert [row["key_name"] for row in rows][1::2] == [None, "command line"]
    assert name in call("audit", "--route", "/v1/rules", "--service", "alerts")
    assert "Nothing was managed" in call("audit", "--key", "key_nobody", "--service", "scoring")
    assert "no service" in call("audit", "--service", "console", status=2)
    assert "?since" in call("audit", "--since", "yesterday", status=1)


def test_a_damaged_row_is_found_and_written_anew(
    instance: Up, call: Callable[..., str], unique: Callable[[str], str]
) -> None:
    who = unique("bob")
    send(instance, who, "ticket.opened", {"interaction": f"t-{who}", "text": "It does not work."})
    url = instance.ready["database"]
    find = "SELECT id::text FROM scoring.customer WHERE $1 = ANY(identifiers) AND cardinality(live) > 0"

    def found() -> str | None:
        return asyncio.run(fetch(url, find, f"email:{who}@example.com"))

    customer = eventually(found, "the customer's row")
    assert json.loads(call("rebuild", "--customer", customer, "--json"))["differences"] == []
    asyncio.run(
        fetch(url, "UPDATE scoring.customer SET live = '{}' WHERE id = $1::uuid RETURNING 1", customer)
    )
    report = json.loads(call("rebuild", "--customer", customer, "--json"))
    assert {difference["customer_id"] for difference in report["differences"]} == {customer}
    assert report["marked"] == 1

    def mended() -> bool:
        again = json.loads(call("rebuild", "--customer", customer, "--dry-run", "--json"))
        return not again["older"] and not again["differences"]

    eventually(mended, "the row is written anew")


def test_doctor_finds_everything_well_and_prints_the_environment(
    instance: Up, call: Callable[..., str]
) -> None:
    findings = {finding["what"]: finding for finding in json.loads(call("doctor", "--json"))}
    assert [what for what, finding in findings.items() if finding["state"] == "bad"] == []
    assert {"ingest", "scoring", "alerts", "Kafka", "database", "spool", "rejected"} <= findings.keys()
    assert f"export CXLOOP_API_KEY={instance.ready['api_key']}" in call("doctor", "--env")
    assert "up to date" in call("doctor")


def test_migrate_finds_nothing_to_do(call: Callable[..., str]) -> None:
    assert json.loads(call("migrate", "--json"))["schemas"] == ["cxloop", "ingest", "scoring", "alerts"]


def test_the_demo_answers_only_where_the_demo_company_is(call: Callable[..., str]) -> None:
    assert "no demo company" in call("demo", "answer", "--email", "you@example.com", status=1)


async def fetch(url: str, statement: str, *values: str) -> str | None:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        found = await connection.fetchval(statement, *values)
        return None if found is None else str(found)
    finally:
        await connection.close()
