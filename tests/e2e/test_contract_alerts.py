"""Alerts: shape, filters, every step of their life, and what verifies or refutes that it helped."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tests.e2e.contract_alerts import Unhappy, alert_of, answer, council, in_state, step, unhappy
from tests.e2e.contract_kit import accepted, is_zulu, made, pages, problem, state_of, wheres
from tests.e2e.loop import Loop, ago, eventually, instant

Unique = Callable[[str], str]
FIELDS = (
    "id rule customer_id account_id council state severity title url opened_at owner due_at reason suggestion"
    " scores customer history version"
).split()


@pytest.fixture(scope="module")
def home(embedded: Loop, unique: Unique) -> tuple[str, str]:
    """A council and its region."""
    return council(embedded, unique)


@pytest.fixture
def case(embedded: Loop, unique: Unique, home: tuple[str, str]) -> Unhappy:
    return unhappy(embedded, home[1], unique("p"), persona="admin", value=5000, currency="EUR")


def test_shape(embedded: Loop, case: Unhappy, home: tuple[str, str]) -> None:
    alert = embedded.get(f"{embedded.alerts}/v1/alerts/{case.id}")
    assert set(FIELDS) <= set(alert)
    assert (alert["customer_id"], alert["council"], alert["state"]) == (case.customer, home[0], "open")
    assert alert["severity"] in ("low", "medium", "high", "urgent")
    assert alert["rule"] == "detractor-answer"
    assert alert["title"] and alert["suggestion"]
    assert is_zulu(alert["opened_at"])
    assert alert["due_at"] is None or alert["due_at"] > alert["opened_at"]
    reason = alert["reason"]
    assert {"text", "contributions", "events"} <= set(reason)
    assert 1 <= len(reason["events"]) <= 5
    for event in reason["events"]:
        assert {"id", "at", "type", "summary", "text", "url", "points"} <= set(event)
    assert "angry" in str(reason["events"])
    assert {"before", "after"} <= set(alert["scores"])
    who = alert["customer"]
    assert {"identifiers", "name", "account", "region", "persona", "value", "renewal_at"} <= set(who)
    assert (who["region"], who["persona"], who["value"]) == (case.region, "admin", 5000)
    assert case.person in who["identifiers"]
    assert all({"at", "by", "what", "note"} <= set(line) for line in alert["history"])
    assert alert["history"][0]["what"] == "opened"


def test_filters(embedded: Loop, case: Unhappy, home: tuple[str, str]) -> None:
    url = f"{embedded.alerts}/v1/alerts"
    assert step(embedded, case.id, "assign", to="mira").json()["owner"] == "mira"

    def ids(**params: str) -> list[str]:
        return [one["id"] for one in pages(embedded, url, **params)]

    opened = case.alert["opened_at"]
    for params in (
        {"customer_id": case.customer},
        {"customer_id": case.customer, "state": "assigned", "council": home[0], "owner": "mira"},
        {"customer_id": case.customer, "rule": "detractor-answer", "severity": case.alert["severity"]},
        {"customer_id": case.customer, "since": opened},
    ):
        assert ids(**params) == [case.id]
    later = instant(datetime.fromisoformat(opened) + timedelta(seconds=1))
    for params in (
        {"state": "open"},
        {"since": later},
        {"council": "default"},
        {"owner": "kim"},
        {"rule": "x"},
    ):
        assert ids(customer_id=case.customer, **params) == []
    assert case.id in ids(council=home[0], limit="1")
    for query in ("state=gone", "severity=huge", "since=today"):
        found = problem(embedded.http.get(f"{url}?{query}"), 400, "invalid_request")
        assert wheres(found) == [f"?{query.partition('=')[0]}"]
    problem(embedded.http.get(f"{url}/nothing"), 404, "not_found")


def test_the_whole_life(embedded: Loop, case: Unhappy) -> None:
    for verb, state in (("acknowledge", "acknowledged"), ("assign", "assigned"), ("act", "acted")):
        found = step(embedded, case.id, verb, to="mira", action="call", note="Called.")
        assert found.status_code == 200, found.text
        assert set(FIELDS) <= set(found.json())
        assert found.json()["state"] == state
    versions = found.json()["version"]
    problem(step(embedded, case.id, "acknowledge"), 409, "conflict")
    assert step(embedded, case.id, "resolve").json()["state"] == "verifying"
    for verb in ("acknowledge", "assign", "act", "resolve", "snooze"):
        again = step(embedded, case.id, verb, until=instant(ago(days=-1)))
        problem(again, 409, "conflict")
    assert step(embedded, case.id, "reopen").json()["state"] == "open"
    told = embedded.get(f"{embedded.alerts}/v1/alerts/{case.id}")
    assert told["version"] == versions + 2
    by = [(line["by"], line["what"]) for line in told["history"]]
    assert [what for who, what in by if who == "ann"][:3] == ["acknowledged", "assigned", "acted"]
    problem(step(embedded, case.id, "reopen"), 409, "conflict")
    problem(step(embedded, case.id, "resolve"), 409, "conflict")
    problem(step(embedded, "nothing", "act"), 404, "not_found")
    problem(step(embedded, case.id, "explode"), 404, "not_found")


def test_a_stale_version_changes_nothing(embedded: Loop, case: Unhappy) -> None:
    version = embedded.get(f"{embedded.alerts}/v1/alerts/{case.id}")["version"]
    stale = {"If-Match": f'"{version - 1}"'}
    found = problem(step(embedded, case.id, "acknowledge", headers=stale), 412, "stale")
    assert wheres(found) == ["If-Match"]
    fresh = {"If-Match": f'"{version}"'}
    assert step(embedded, case.id, "acknowledge", headers=fresh).json()["version"] == version + 1
    problem(step(embedded, case.id, "assign", headers=fresh), 412, "stale")


def test_who_and_when_must_be_told(embedded: Loop, case: Unhappy) -> None:
    url = f"{embedded.alerts}/v1/alerts/{case.id}"
    found = problem(embedded.http.post(f"{url}/acknowledge", json={}), 400, "invalid_request")
    assert wheres(found) == ["/by"]
    for until in (None, instant(ago(days=1)), "2031-01-01T00:00:00"):
        found = problem(step(embedded, case.id, "snooze", until=until), 400, "invalid_request")
        assert wheres(found) == ["/until"]
    for reason in (None, "boring"):
        found = problem(step(embedded, case.id, "dismiss", reason=reason), 400, "invalid_request")
        assert wheres(found) == ["/reason"]


def test_snoozed_and_back(embedded: Loop, case: Unhappy) -> None:
    step(embedded, case.id, "acknowledge")
    until = instant(datetime.now(UTC) + timedelta(seconds=2))
    assert step(embedded, case.id, "snooze", until=until).json()["state"] == "snoozed"
    problem(step(embedded, case.id, "act"), 409, "conflict")
    in_state(embedded, case.id, "acknowledged")


@pytest.mark.parametrize("reason", ["false_alarm", "known", "duplicate", "not_ours", "customer_gone"])
def test_dismissed_for_a_reason_and_reopened(embedded: Loop, case: Unhappy, reason: str) -> None:
    found = step(embedded, case.id, "dismiss", reason=reason, note="Seen.")
    assert (found.status_code, found.json()["state"]) == (200, "dismissed")
    assert reason in str(found.json()["history"][-1])
    problem(step(embedded, case.id, "dismiss", reason=reason), 409, "conflict")
    assert step(embedded, case.id, "reopen").json()["state"] == "open"


def test_cleared_when_its_cause_goes(embedded: Loop, case: Unhappy, unique: Unique) -> None:
    body = {"response": case.response, "metric": "nps", "score": 9}
    revised = made("survey.answered", [case.person], body, at=datetime.now(UTC), data={"revision": 2})
    accepted(embedded, revised)
    found = in_state(embedded, case.id, "cleared")
    assert found["version"] > case.alert["version"]
    assert step(embedded, case.id, "reopen").json()["state"] == "open"


def acted(loop: Loop, case: Unhappy) -> None:
    for verb in ("acknowledge", "act", "resolve"):
        assert step(loop, case.id, verb, action="call").is_success


def test_only_the_customers_own_later_evidence_verifies(
    embedded: Loop, case: Unhappy, unique: Unique
) -> None:
    ticket = unique("t")
    accepted(
        embedded, made("ticket.opened", [case.person], {"interaction": ticket}, data={"actor": "customer"})
    )
    old = answer(embedded, case.person, 5, f"old-{case.response}", at=ago(days=3))
    acted(embedded, case)
    now = datetime.now(UTC)
    held = {"touchpoint_id": unique("h"), "name": "call", "text": "All is well"}
    agents = [
        made(
            "ticket.status", [], {"interaction": ticket, "status": "solved"}, at=now, data={"actor": "agent"}
        ),
        made("touchpoint.held", [case.person], held, at=now, data={"actor": "agent"}),
        made("touchpoint.held", [case.person], held | {"touchpoint_id": unique("h")}, at=now),
    ]
    for one in accepted(embedded, *agents):
        embedded.applied(one)
    edited = answer(embedded, case.person, 10, f"old-{case.response}", at=now, data={"revision": 1})
    state_of(embedded, edited, "applied")
    state_of(embedded, old, "superseded")
    answer(embedded, case.person, 10, at=now - timedelta(hours=1))
    by_agent = answer(embedded, case.person, 10, at=datetime.now(UTC), data={"actor": "agent"})
    embedded.applied(by_agent)
    answer(embedded, case.person, 3, case.response, at=now, data={"revision": 7})
    found = embedded.get(f"{embedded.alerts}/v1/alerts/{case.id}")
    assert found["state"] == "verifying", found["history"]
    answer(embedded, case.person, 9)
    verified = in_state(embedded, case.id, "verified")
    assert verified["history"][-1]["what"] == "verified"
    problem(step(embedded, case.id, "dismiss", reason="known"), 409, "conflict")
    assert step(embedded, case.id, "reopen").json()["state"] == "open"


def test_a_later_bad_answer_refutes(embedded: Loop, case: Unhappy) -> None:
    acted(embedded, case)
    answer(embedded, case.person, 0)
    in_state(embedded, case.id, "unconfirmed")
    newer = alert_of(embedded, case.customer, state="open")
    assert newer["id"] != case.id
    assert step(embedded, case.id, "reopen").json()["state"] == "open"
    in_state(embedded, newer["id"], "merged")
    assert alert_of(embedded, case.customer, state="open")["id"] == case.id


def test_an_action_never_raises_a_score(embedded: Loop, case: Unhappy) -> None:
    before = embedded.score(case.customer)
    acted(embedded, case)
    timeline = f"{embedded.scoring}/v1/customers/{case.customer}/timeline"
    eventually(lambda: "cxloop.council.acted.v1" in str(pages(embedded, timeline)), "the act in the timeline")
    after = embedded.score(case.customer, as_of=before["as_of"])
    assert [after[n] for n in ("health", "relationship", "risk")] == [
        before[n] for n in ("health", "relationship", "risk")
    ]


def test_of_two_merged_customers_the_younger_alert_goes(
    embedded: Loop, home: tuple[str, str], unique: Unique
) -> None:
    older, younger = (unhappy(embedded, home[1], unique("p")) for _ in range(2))
    link = made("customer.linked", [older.person, younger.person], {"reason": "one person"})
    accepted(embedded, link)
    found = in_state(embedded, younger.id, "merged")
    survivor = embedded.customer(older.person)
    assert found["customer_id"] == survivor
    kept = alert_of(embedded, survivor, state="open")
    assert kept["id"] == older.id
    for old in (older.customer, younger.customer):
        listed = pages(embedded, f"{embedded.alerts}/v1/alerts", customer_id=old, state="open")
        assert [one["id"] for one in listed] == [older.id]
