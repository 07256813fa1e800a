"""`POST /v1/events`: modes, limits, times, counts, keys, problems, as the contract words them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.e2e.contract_kit import BATCH, STRUCTURED, accepted, is_zulu, made, post, problem, wheres
from tests.e2e.loop import Json, Loop, eventually, instant

COUNTS = {"accepted", "rejected", "ignored", "ids", "errors", "warnings"}


@pytest.fixture
def ticket(unique: Callable[[str], str]) -> Json:
    return made("ticket.opened", [f"user:{unique('u')}"], {"interaction": unique("t"), "text": "Help"})


def test_structured_mode(embedded: Loop, ticket: Json) -> None:
    answer = post(embedded, ticket, "Application/CloudEvents+JSON; charset=UTF-8")
    assert answer.status_code == 202
    found = answer.json()
    assert set(found) >= COUNTS
    assert (found["accepted"], found["rejected"], found["ignored"]) == (1, 0, 0)
    told = embedded.applied(found["ids"][0])
    assert told["event"]["time"] == ticket["time"]
    assert is_zulu(told["event"]["recordedtime"])


def test_binary_mode_decodes_percent_once(embedded: Loop, ticket: Json) -> None:
    headers = {
        "ce-specversion": "1.0",
        "ce-id": '"a%2525 %C3%A9"',
        "ce-source": "/tools/caf%C3%A9",
        "ce-type": ticket["type"],
        "ce-time": ticket["time"],
        "content-type": "application/json",
    }
    url = f"{embedded.ingest}/v1/events"
    answer = embedded.http.post(url, content=json.dumps(ticket["data"]), headers=headers)
    assert answer.status_code == 202, answer.text
    told = embedded.applied(answer.json()["ids"][0])["event"]
    assert told["source"] == "/tools/café"
    again = post(embedded, ticket | {"id": "a%25 é", "source": "/tools/café"})
    assert again.json()["ids"] == answer.json()["ids"]
    bad = embedded.http.post(url, content=json.dumps(ticket["data"]), headers=headers | {"ce-id": "%C0%A0"})
    assert wheres(problem(bad, 400, "invalid_request")) == ["ce-id"]


def test_batch_mode_counts_element_by_element(embedded: Loop, ticket: Json) -> None:
    bad = ticket | {"id": "x", "data": {"identifiers": ["nobody"], "body": {}}}
    answer = post(embedded, [bad, ticket, 7], BATCH)
    assert answer.status_code == 202
    found = answer.json()
    assert (found["accepted"], found["rejected"], found["ignored"]) == (1, 2, 0)
    assert found["ids"][0] is None and found["ids"][2] is None
    assert found["ids"][1]
    assert {(one["index"], one["where"]) for one in found["errors"]} == {
        (0, "/data/identifiers/0"),
        (0, "/data/body/interaction"),
        (2, ""),
    }
    assert all(set(one) == {"index", "where", "why"} for one in found["errors"])
    assert post(embedded, [bad], BATCH).status_code == 400


def test_body_that_is_no_json(embedded: Loop) -> None:
    for mime in (STRUCTURED, BATCH, "application/json"):
        found = problem(post(embedded, b"{", mime), 400, "invalid_request")
        assert found["errors"]
    problem(post(embedded, {"a": 1}, BATCH), 400, "invalid_request")
    problem(post(embedded, b"<a/>", "application/cloudevents+xml"), 415, "unsupported_media_type")


def test_missing_attributes_are_all_told(embedded: Loop) -> None:
    found = problem(post(embedded, {}), 400, "invalid_request")
    assert set(wheres(found)) == {"/specversion", "/id", "/source", "/type", "/data"}


def test_webhooks_sources_are_reserved(embedded: Loop, ticket: Json) -> None:
    found = problem(post(embedded, ticket | {"source": "/sources/desk"}), 400, "invalid_request")
    assert wheres(found) == ["/source"]


@pytest.mark.parametrize(
    ("time", "good"),
    [
        (timedelta(hours=23, minutes=55), True),
        (timedelta(hours=24, minutes=5), False),
        ("2000-01-01T00:00:00Z", True),
        ("1999-12-31T23:59:59Z", False),
        ("2026-01-01T00:00:00", False),
        ("yesterday", False),
        ("2026-01-01T12:00:00.123456789+05:30", True),
    ],
)
def test_times(embedded: Loop, ticket: Json, time: str | timedelta, good: bool) -> None:
    at = time if isinstance(time, str) else instant(datetime.now(UTC) + time)
    answer = post(embedded, ticket | {"time": at}, query="?dry_run=1")
    if good:
        assert answer.is_success, answer.text
    else:
        assert wheres(problem(answer, 400, "invalid_request")) == ["/time"]


def test_absent_time_is_the_receipt(embedded: Loop, ticket: Json) -> None:
    del ticket["time"]
    (event_id,) = accepted(embedded, ticket)
    told = embedded.applied(event_id)["event"]
    assert told["time"] == told["recordedtime"]
    assert abs(datetime.fromisoformat(told["time"]) - datetime.now(UTC)) < timedelta(minutes=2)


def test_recordedtime_is_always_set_by_ingest(embedded: Loop, ticket: Json) -> None:
    (event_id,) = accepted(embedded, ticket | {"recordedtime": "2001-01-01T00:00:00Z"})
    assert embedded.applied(event_id)["event"]["recordedtime"] > "2026"


def test_dry_run_shows_and_keeps_nothing(embedded: Loop, ticket: Json) -> None:
    person = f"email: {uuid.uuid4().hex}@Example.COM "
    ticket["data"]["identifiers"] = [person]
    answer = post(embedded, ticket, query="?dry_run=1")
    assert answer.is_success
    (shown,) = answer.json()["events"]
    assert shown["type"] == ticket["type"]
    assert shown["data"]["identifiers"] == ["email:" + person[6:].strip().lower()]
    real = made("ticket.opened", ticket["data"]["identifiers"], {"interaction": "t2"})
    embedded.applied(accepted(embedded, real)[0])
    answer = embedded.http.get(f"{embedded.scoring}/v1/events/{shown['id']}")
    problem(answer, 404, "not_found")


def test_limits(embedded: Loop, ticket: Json) -> None:
    many = [ticket | {"id": str(n)} for n in range(500)]
    answer = post(embedded, many, BATCH, query="?dry_run=1")
    assert answer.is_success and answer.json()["accepted"] == 500
    problem(post(embedded, [*many, ticket], BATCH, query="?dry_run=1"), 400, "invalid_request")
    ticket["data"]["body"]["text"] = "a" * 64 * 1024
    assert post(embedded, ticket, query="?dry_run=1").is_success
    ticket["data"]["body"]["text"] += "a"
    problem(post(embedded, ticket, query="?dry_run=1"), 400, "invalid_request")
    raw = json.dumps(ticket).encode()
    assert post(embedded, raw.ljust(1024 * 1024 + 1), query="?dry_run=1").status_code == 413
    problem(post(embedded, b" " * (1024 * 1024 + 1)), 413, "too_large")


@pytest.mark.parametrize(
    ("kind", "body", "good"),
    [
        ("survey.answered", {"response": "r", "metric": "nps", "score": 3}, True),
        ("review.posted", {"review": "r", "site": "g2"}, True),
        ("mention.made", {"mention": "m", "where": "forum", "public": True}, True),
        ("usage.observed", {"feature": "f", "count": 1}, True),
        ("ticket.message", {"interaction": "t", "message": "m", "author": "agent", "public": True}, True),
        ("ticket.status", {"interaction": "t", "status": "open"}, True),
        ("customer.identified", {"name": "Ann"}, False),
        ("purchase.made", {"order": "o"}, False),
        ("ticket.opened", {"interaction": "t"}, False),
    ],
)
def test_who_may_be_nobody(embedded: Loop, kind: str, body: Json, good: bool) -> None:
    nobody: tuple[list[str] | None, ...] = ([], None)
    for identifiers in nobody:
        answer = post(embedded, made(kind, identifiers, body), query="?dry_run=1")
        assert answer.status_code in ((200, 202) if good else (400,)), answer.text
        if not good:
            assert wheres(problem(answer, 400, "invalid_request")) == ["/data/identifiers"]


def test_twenty_identifiers_at_most(embedded: Loop) -> None:
    names = [f"user:u{n}" for n in range(21)]
    body = {"interaction": "t"}
    assert post(embedded, made("ticket.opened", names[:20], body), query="?dry_run=1").is_success
    problem(post(embedded, made("ticket.opened", names, body), query="?dry_run=1"), 400, "invalid_request")


def test_the_same_key_gives_the_same_answer_for_a_day(embedded: Loop, ticket: Json) -> None:
    key = str(uuid.uuid4())
    first = post(embedded, ticket, idempotency_key=key)
    again = post(embedded, ticket, idempotency_key=key)
    assert (first.status_code, first.content) == (again.status_code, again.content)
    other = post(embedded, ticket | {"id": "another"}, idempotency_key=key)
    found = problem(other, 400, "invalid_request")
    assert wheres(found) == ["Idempotency-Key"]


@pytest.mark.parametrize("service", ["ingest", "scoring", "alerts"])
def test_keys_and_open_addresses(embedded: Loop, service: str) -> None:
    base = getattr(embedded, service)
    place = {"ingest": "/v1/sources", "scoring": "/v1/customers", "alerts": "/v1/alerts"}[service]
    for headers in ({}, {"authorization": "Bearer cxk_wrong"}, {"authorization": "Basic YTpi"}):
        problem(httpx.get(base + place, headers=headers), 401, "unauthorized")
    assert httpx.get(f"{base}/livez").status_code == 200
    assert httpx.get(f"{base}/readyz").status_code == 200
    document = httpx.get(f"{base}/openapi.json")
    assert document.status_code == 200
    assert document.json()["openapi"].startswith("3.")
    assert embedded.api_key.startswith("cxk_")


def test_problems_of_every_service(embedded: Loop) -> None:
    for base, place in (
        (embedded.ingest, "/v1/sources"),
        (embedded.scoring, "/v1/customers"),
        (embedded.alerts, "/v1/alerts"),
    ):
        for query, where in (("limit=0", "?limit"), ("limit=201", "?limit"), ("cursor=junk", "?cursor")):
            found = problem(embedded.http.get(f"{base}{place}?{query}"), 400, "invalid_request")
            assert wheres(found) == [where]
        assert embedded.http.get(f"{base}{place}?limit=200").is_success
        problem(embedded.http.get(f"{base}/v1/nothing"), 404, "not_found")
        problem(embedded.http.delete(base + place), 405, "method_not_allowed")


@pytest.mark.parametrize(
    ("base", "place", "body", "where"),
    [
        ("ingest", "/v1/sources", {"id": "UPPER", "vendor": "zendesk", "secrets": ["s" * 20]}, "/id"),
        ("ingest", "/v1/sources", {"id": "a" * 41, "vendor": "zendesk", "secrets": ["s" * 20]}, "/id"),
        ("ingest", "/v1/sources", {"id": "ok", "vendor": "nobody", "secrets": ["s" * 20]}, "/vendor"),
        ("ingest", "/v1/sources", {"id": "ok", "vendor": "zendesk", "secrets": "s"}, "/secrets"),
        ("scoring", "/v1/scores", {"customer_ids": "x"}, "/customer_ids"),
        ("scoring", "/v1/scores", {"customer_ids": ["x"], "as_of": "2026-01-01T00:00:00"}, "/as_of"),
        ("alerts", "/v1/endpoints", {"id": "e", "kind": "pigeon"}, "/kind"),
        ("alerts", "/v1/councils", {"id": "c", "name": "C", "members": 7}, "/members"),
    ],
)
def test_faults_are_pointed_at(
    embedded: Loop, base: str, place: str, body: Mapping[str, object], where: str
) -> None:
    answer = embedded.http.post(getattr(embedded, base) + place, json=body)
    assert where in wheres(problem(answer, 400, "invalid_request"))


def test_a_key_without_the_scope_is_forbidden(
    embedded: Loop, keys: Callable[[str], httpx.Client], ticket: Json
) -> None:
    reader, writer = keys("read"), keys("ingest")
    assert reader.get(f"{embedded.scoring}/v1/customers").is_success
    refused = reader.post(f"{embedded.ingest}/v1/events", json=ticket, headers={"content-type": STRUCTURED})
    problem(refused, 403, "forbidden")
    assert (
        writer.post(
            f"{embedded.ingest}/v1/events", json=ticket, headers={"content-type": STRUCTURED}
        ).status_code
        == 202
    )
    problem(writer.get(f"{embedded.scoring}/v1/customers"), 403, "forbidden")
    problem(reader.post(f"{embedded.alerts}/v1/alerts/x/acknowledge", json={"by": "a"}), 403, "forbidden")
    problem(reader.post(f"{embedded.ingest}/v1/sources", json={}), 403, "forbidden")
    problem(reader.put(f"{embedded.alerts}/v1/councils/x", json={"name": "x"}), 403, "forbidden")


def test_same_id_with_other_content_is_listed(embedded: Loop, ticket: Json) -> None:
    (event_id,) = accepted(embedded, ticket)
    embedded.applied(event_id)
    other = ticket | {"data": ticket["data"] | {"body": {"interaction": "other", "text": "Other"}}}
    assert accepted(embedded, other) == [event_id]

    def look() -> Json | None:
        items = embedded.get(f"{embedded.ingest}/v1/rejected", limit="200")["items"]
        found = [i for i in items if "id_conflict" in json.dumps(i["reasons"]) and "other" in i["body"]]
        return next((i for i in found if i["source"] == ticket["source"]), None)

    found = eventually(look, "the conflict is listed")
    assert {"id", "source", "received_at", "reasons", "body"} <= set(found)
    kept = embedded.applied(event_id)["event"]["data"]["body"]
    assert kept["interaction"] == ticket["data"]["body"]["interaction"]
    assert accepted(embedded, ticket) == [event_id]
