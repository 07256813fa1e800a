"""Every event type of the contract's table, with the names that the table gives."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.e2e.contract_kit import BATCH, accepted, made, pages, post, problem
from tests.e2e.loop import Json, Loop, ago, instant

SOON = "2031-03-01T09:00:00+01:00"


def interactions(noun: str, name: str) -> list[tuple[str, Json]]:
    """One of each verb for a ticket, a chat or a call."""
    opening: Json = {
        "interaction": name,
        "subject": "Export",
        "text": "It fails.",
        "priority": "high",
        "tags": ["export"],
        "team": "tier-1",
        "follows": f"{name}-before",
        "promises": {"first_response_at": SOON, "solution_at": SOON},
    }
    said: Json = {"interaction": name, "message": "m1", "author": "agent", "public": True}
    said |= {"text": "Try this.", "agent": "ann", "team": "tier-1"}
    status: Json = {"interaction": name, "status": "hold", "previous": "open", "until": SOON}
    status |= {"waited_s": 60, "answered": True}
    found = [
        (f"{noun}.opened", opening),
        (f"{noun}.updated", {"interaction": name, "priority": "urgent"}),
        (f"{noun}.note" if noun == "call" else f"{noun}.message", said),
        (f"{noun}.status", status),
        (f"{noun}.handover", {"interaction": name, "from": "a", "to": "b", "reason": "escalation"}),
        (f"{noun}.removed", {"interaction": f"{name}-spam", "reason": "spam"}),
    ]
    if noun != "call":
        found.append((f"{noun}.merged", {"interaction": f"{name}-double", "into": name}))
    return found


def subscriptions(name: str) -> list[tuple[str, Json]]:
    verbs = (
        "started trial_started renewed changed expanded contracted paused resumed cancel_scheduled "
        "cancel_revoked cancelled"
    ).split()
    body: Json = {
        "amount": 120_000,
        "currency": "EUR",
        "interval": "year",
        "plan": "team",
        "seats": 12,
        "previous_amount": 100_000,
        "period_end": SOON,
        "trial_end": SOON,
        "voluntary": True,
        "reason": "budget",
        "comment": "Too dear",
        "referred_by": "email:friend@example.com",
    }
    return [(f"subscription.{verb}", {"subscription": f"{name}-{verb}", **body}) for verb in verbs]


def others(name: str) -> list[tuple[str, Json]]:
    money: Json = {"amount": 990, "currency": "EUR"}
    answer: Json = {
        "response": name,
        "question": "q1",
        "wording": "How likely …?",
        "survey": "spring",
        "metric": "nps",
        "score": 9,
        "scale": [0, 10],
        "better": "high",
        "comment": "Good",
        "reason": "speed",
        "choices": ["a"],
        "complete": True,
        "about": f"{name}-ticket",
    }
    identified: Json = {"name": "Ann", "persona": "admin", "segment": "smb", "region": "emea"}
    identified |= {"language": "de", "time_zone": "Europe/Berlin", "role": "admin", "owner": "kim"}
    identified |= {"value": 120_000, "currency": "EUR", "renewal_at": SOON, "since": "2020-01-01T00:00:00Z"}
    return [
        ("selfservice.attempted", {"attempt": name, "query": "vat", "article": "a1", "helped": False}),
        ("survey.sent", {"response": name, "survey": "spring", "metric": "nps"}),
        ("survey.unsubscribed", {"survey": "spring"}),
        ("survey.answered", answer),
        ("review.posted", {"review": name, "site": "g2", "score": 4, "scale": [1, 5], "text": "Fine"}),
        ("review.removed", {"review": f"{name}-x", "site": "g2"}),
        ("purchase.made", {"order": name, **money, "reason": "more seats"}),
        ("purchase.refunded", {"order": name, "refund": "r1", **money, "reason": "broken"}),
        ("payment.failed", {"invoice": name, "attempt": 1, **money}),
        ("payment.recovered", {"invoice": name, "attempt": 2, **money}),
        ("payment.disputed", {"invoice": f"{name}-d", **money}),
        ("referral.made", {"referral": name, "referred": "email:x@example.com", "existing_customer": False}),
        ("referral.converted", {"referral": name, "existing_customer": False}),
        ("mention.made", {"mention": name, "where": "forum", "public": True, "stance": "praise"}),
        ("touchpoint.planned", {"touchpoint_id": name, "name": "review", "due_at": SOON, "by": "kim"}),
        ("touchpoint.held", {"touchpoint_id": name, "name": "review", "text": "went well"}),
        ("touchpoint.missed", {"touchpoint_id": f"{name}-x", "name": "review"}),
        ("inquiry.noted", {"inquiry": name, "text": "Copies by hand.", "by": "kim"}),
        ("feature.requested", {"request": name, "title": "SSO", "text": "please", "status": "open"}),
        ("feature.updated", {"request": name, "status": "planned"}),
        ("usage.observed", {"feature": "export", "count": 3, "from": "2026-01-01T00:00:00Z",
                            "to": "2026-01-08T00:00:00Z", "active_users": 4, "seats": 12}),
        ("customer.identified", identified),
    ]  # fmt: skip


@pytest.mark.parametrize("noun", ["ticket", "chat", "call", "subscription", "others"])
def test_every_type_is_taken_and_stands_in_the_timeline(
    embedded: Loop, noun: str, unique: Callable[[str], str]
) -> None:
    person, name = f"user:{unique('all')}", unique("n")
    table = {"subscription": subscriptions, "others": others}.get(noun, lambda n: interactions(noun, n))(name)
    events = [
        made(kind, [person], body, at=ago(minutes=300 - n), data={"actor": "customer"})
        for n, (kind, body) in enumerate(table)
    ]
    answer = post(embedded, events, BATCH)
    assert answer.status_code == 202, answer.text
    found = answer.json()
    assert (found["accepted"], found["rejected"], found["ignored"]) == (len(events), 0, 0)
    assert found["errors"] == found["warnings"] == []
    embedded.applied(found["ids"][-1])
    for one in found["ids"]:
        embedded.applied(one)
    customer = embedded.customer(person)
    items = pages(embedded, f"{embedded.scoring}/v1/customers/{customer}/timeline", limit="9")
    assert [(one["id"], one["type"]) for one in items] == [
        (event_id, event["type"]) for event_id, event in zip(found["ids"], events, strict=True)
    ]
    for one in items:
        assert {"id", "type", "time", "recorded", "source", "summary"} <= set(one)
        assert one["summary"] and one["source"] == "/tools/contract"


def test_data_of_every_field_is_taken_and_shown(embedded: Loop, unique: Callable[[str], str]) -> None:
    person = f"user:{unique('d')}"
    data: Json = {
        "account": unique("acme"),
        "stage": "support",
        "touchpoint": "ticket",
        "channel": "email",
        "region": "emea",
        "language": "pt-BR",
        "persona": "admin",
        "area": "billing",
        "initiative": "reactive",
        "actor": "agent",
        "url": "https://desk.example.com/1",
        "revision": 3,
        "native": {"anything": [1, None, {"a": "b"}]},
    }
    (event_id,) = accepted(embedded, made("ticket.opened", [person], {"interaction": unique("t")}, data=data))
    found = embedded.applied(event_id)["event"]
    assert found["id"] == event_id
    assert found["source"] == "/tools/contract"
    assert found["type"] == "cxloop.ticket.opened.v1"
    assert found["recordedtime"] >= found["time"]
    shown = found["data"]
    assert {name: shown[name] for name in data} == data
    assert person in shown["identifiers"]
    customer = embedded.customer(person)
    (item,) = pages(embedded, f"{embedded.scoring}/v1/customers/{customer}/timeline")
    assert item["url"] == data["url"]


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("stage", "research purchase implementation instruction use support repurchase"),
        (
            "channel",
            "email chat messaging phone web in_app social community selfservice video visit api other",
        ),
        ("actor", "customer agent bot system"),
        ("initiative", "reactive proactive"),
    ],
)
def test_closed_words(embedded: Loop, unique: Callable[[str], str], field: str, words: str) -> None:
    good = [
        made("ticket.opened", [f"user:{unique('w')}"], {"interaction": unique("t")}, data={field: word})
        for word in words.split()
    ]
    answer = post(embedded, good, BATCH, query="?dry_run=1")
    assert answer.is_success and answer.json()["accepted"] == len(good), answer.text
    bad = made("ticket.opened", ["user:w"], {"interaction": "t"}, data={field: "nonsense"})
    found = problem(post(embedded, bad), 400, "invalid_request")
    assert found["errors"][0]["where"] == f"/data/{field}"
    assert words.split()[-1] in found["errors"][0]["why"]


@pytest.mark.parametrize("status", ["new", "open", "pending", "hold", "solved", "closed"])
def test_statuses(embedded: Loop, unique: Callable[[str], str], status: str) -> None:
    event = made("chat.status", [f"user:{unique('s')}"], {"interaction": unique("t"), "status": status})
    assert post(embedded, event, query="?dry_run=1").json()["accepted"] == 1


@pytest.mark.parametrize("metric", ["nps", "csat", "ces", "rating", "thumbs", "text", "choice"])
def test_metrics(embedded: Loop, unique: Callable[[str], str], metric: str) -> None:
    event = made("survey.answered", [f"user:{unique('s')}"], {"response": unique("r"), "metric": metric})
    assert post(embedded, event, query="?dry_run=1").json()["accepted"] == 1


def test_unknown_type_names_the_closest(embedded: Loop) -> None:
    event = made("ticket.open", ["user:u"], {"interaction": "t"})
    found = problem(post(embedded, event), 400, "invalid_request")
    (error,) = [one for one in found["errors"] if one["where"] == "/type"]
    assert "cxloop.ticket.opened.v1" in error["why"]
    assert error["index"] == 0
    assert (found["accepted"], found["rejected"], found["ids"]) == (0, 1, [None])


def test_councils_actions_come_from_alerts_alone(embedded: Loop) -> None:
    body = {"alert": "a", "action": "called", "by": "kim"}
    found = problem(post(embedded, made("council.acted", ["user:u"], body)), 400, "invalid_request")
    assert found["errors"][0]["where"] == "/type"


def test_unknown_fields_are_kept_out_with_a_warning(embedded: Loop, unique: Callable[[str], str]) -> None:
    body = {"interaction": unique("t"), "colour": "red"}
    event = made("ticket.opened", [f"user:{unique('u')}"], body, data={"mood": "bad"})
    answer = post(embedded, event)
    assert answer.status_code == 202
    warned = answer.json()["warnings"]
    assert [(one["index"], one["where"]) for one in warned] == [(0, "/data/mood"), (0, "/data/body/colour")]
    assert all(one["why"] for one in warned)


def test_money_dates_and_identifiers_in_a_body(embedded: Loop, unique: Callable[[str], str]) -> None:
    person = f"user:{unique('u')}"
    body = {"subscription": unique("s"), "amount": 1, "currency": "euro", "period_end": "soon"}
    found = problem(post(embedded, made("subscription.started", [person], body)), 400, "invalid_request")
    assert {one["where"] for one in found["errors"]} == {"/data/body/currency", "/data/body/period_end"}
    body = {"subscription": unique("s"), "period_end": instant(ago(days=-30))}
    assert post(embedded, made("subscription.started", [person], body)).status_code == 202
