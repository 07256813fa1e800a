"""Whom events are about: schemes, normalising, merge and split; natural keys, revisions, retractions."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest

from tests.e2e.contract_kit import accepted, made, pages, post, problem, state_of, wheres
from tests.e2e.loop import Json, Loop, ago, eventually

Unique = Callable[[str], str]


def lookup(loop: Loop, identifier: str) -> Json | None:
    answer = loop.http.get(f"{loop.scoring}/v1/lookup", params={"identifier": identifier})
    if answer.status_code == 404:
        problem(answer, 404, "not_found")
        return None
    assert answer.is_success, answer.text
    found: Json = answer.json()
    assert set(found) in ({"customer_id"}, {"account_id"})
    return found


def answer_of(loop: Loop, name: str, *identifiers: str, **over: object) -> str:
    """One survey answer by somebody; its id, once it is applied."""
    body = {"response": f"{name}-{uuid.uuid4().hex[:6]}", "metric": "csat", "score": 4, "scale": [1, 5]}
    (event_id,) = accepted(loop, made("survey.answered", list(identifiers), body, **over))
    loop.applied(event_id)
    return event_id


@pytest.mark.parametrize(
    ("told", "asked"),
    [
        ("email: {0}@Example.COM ", "email:{0}@example.com"),
        ("phone:+49 30 {1}", "phone:+4930{1}"),
        ("user:{0}", "user:{0}"),
        ("desk-one.user:{0}", "desk-one.user:{0}"),
        ("desk-one.contact:{0}", "desk-one.contact:{0}"),
    ],
)
def test_schemes_of_a_person(embedded: Loop, unique: Unique, told: str, asked: str) -> None:
    parts = unique("p"), str(uuid.uuid4().int)[:7]
    told, asked = told.format(*parts), asked.format(*parts)
    assert lookup(embedded, asked) is None
    answer_of(embedded, parts[0], told)
    found = lookup(embedded, asked)
    assert found and set(found) == {"customer_id"}
    assert lookup(embedded, told) == found
    listed = embedded.get(f"{embedded.scoring}/v1/customers/{found['customer_id']}")
    assert asked in listed["identifiers"]


@pytest.mark.parametrize("scheme", ["account", "desk-one.org"])
def test_an_organisation_alone_is_an_account(embedded: Loop, unique: Unique, scheme: str) -> None:
    name = f"{scheme}:{unique('Acme')}"
    body = {"subscription": unique("s"), "amount": 1200, "currency": "EUR"}
    (event_id,) = accepted(embedded, made("subscription.started", [name], body))
    told = embedded.applied(event_id)
    found = lookup(embedded, name)
    assert found and set(found) == {"account_id"}
    assert told["account_id"] == found["account_id"]
    base = f"{embedded.scoring}/v1/accounts/{found['account_id']}"
    described = embedded.get(base)
    assert described["account_id"] == found["account_id"]
    assert described["health"]["state"] == "unknown"
    (item,) = pages(embedded, f"{base}/timeline")
    assert item["id"] == event_id
    assert {"account_id", "health", "relationship", "risk"} <= set(embedded.get(f"{base}/score"))


def test_a_bare_account_links_people(embedded: Loop, unique: Unique) -> None:
    account, people = unique("acme"), [f"user:{unique('p')}" for _ in range(2)]
    for person in people:
        answer_of(embedded, person, person, data={"account": account})
    found = lookup(embedded, f"account:{account}")
    assert found
    base = f"{embedded.scoring}/v1/accounts/{found['account_id']}"
    items = pages(embedded, f"{base}/customers")
    customers = [embedded.customer(person) for person in people]
    assert sorted(one["customer_id"] for one in items) == sorted(customers)
    assert {one["account_id"] for one in items} == {found["account_id"]}


@pytest.mark.parametrize("junk", ["nonsense", "email:a", "twitter:x", "phone:12", ":x", "UPPER.user:x"])
def test_what_is_no_identifier(embedded: Loop, junk: str) -> None:
    answer = embedded.http.get(f"{embedded.scoring}/v1/lookup", params={"identifier": junk})
    assert wheres(problem(answer, 400, "invalid_request")) == ["?identifier"]
    event = made("ticket.opened", [junk], {"interaction": "t"})
    assert wheres(problem(post(embedded, event), 400, "invalid_request")) == ["/data/identifiers/0"]


def test_two_installations_of_one_vendor_are_two_people(embedded: Loop, unique: Unique) -> None:
    number = unique("n")
    for source in ("desk-a", "desk-b"):
        answer_of(embedded, source, f"{source}.user:{number}")
    one, other = (lookup(embedded, f"desk-{x}.user:{number}") for x in "ab")
    assert one and other and one != other


def test_after_a_merge_the_old_id_answers_and_after_a_split_the_oldest_has_it(
    embedded: Loop, unique: Unique
) -> None:
    first, second = f"user:{unique('a')}", f"email:{unique('b')}@example.com"
    events = [answer_of(embedded, "x", who) for who in (first, second)]
    old = [embedded.customer(who) for who in (first, second)]
    link = made("customer.linked", [first, second], {"reason": "the same person"})
    embedded.applied(accepted(embedded, link)[0])
    together = {embedded.customer(who) for who in (first, second)}
    assert len(together) == 1
    (survivor,) = together
    for customer in old:
        answer = embedded.http.get(f"{embedded.scoring}/v1/customers/{customer}/score")
        assert (answer.status_code, answer.json()["customer_id"]) == (200, survivor)
        assert embedded.get(f"{embedded.scoring}/v1/customers/{customer}")["customer_id"] == survivor
    told = {one["id"] for one in pages(embedded, f"{embedded.scoring}/v1/customers/{old[1]}/timeline")}
    assert set(events) <= told
    undo = made("event.retracted", [first], {"event": link["id"], "reason": "no, two people"})
    accepted(embedded, undo)
    parted = eventually(
        lambda: (
            found
            if len(found := [embedded.customer(who) for who in (first, second)]) == len(set(found))
            else None
        ),
        "the split",
    )
    assert parted[0] == old[0], "an id follows its oldest identifier"
    assert embedded.score(old[0])["customer_id"] == parted[0]
    assert embedded.score(old[1])["customer_id"] == parted[1]
    told = {one["id"] for one in pages(embedded, f"{embedded.scoring}/v1/customers/{parted[1]}/timeline")}
    assert events[1] in told and events[0] not in told


def nps(loop: Loop, who: str, response: str, score: int, *, body: Json | None = None, **over: object) -> str:
    said = {"response": response, "question": "q", "metric": "nps", "score": score, "scale": [0, 10]}
    (event_id,) = accepted(loop, made("survey.answered", [who], said | (body or {}), **over))
    loop.applied(event_id)
    return event_id


def test_a_later_version_supersedes_whatever_the_order(embedded: Loop, unique: Unique) -> None:
    who, response = f"user:{unique('u')}", unique("r")
    later = nps(embedded, who, response, 2, at=ago(hours=1))
    earlier = nps(embedded, who, response, 9, at=ago(hours=2))
    state_of(embedded, earlier, "superseded")
    state_of(embedded, later, "applied")
    revised = nps(embedded, who, response, 5, at=ago(hours=3), data={"revision": 1})
    state_of(embedded, revised, "applied")
    state_of(embedded, later, "superseded")
    other = nps(embedded, who, response, 5, at=ago(hours=3), body={"question": "another"})
    state_of(embedded, other, "applied")
    state_of(embedded, revised, "applied")


def test_fields_are_revised_one_by_one_and_null_removes(embedded: Loop, unique: Unique) -> None:
    who, response = f"user:{unique('u')}", unique("r")
    first = nps(embedded, who, response, 2, at=ago(hours=3), body={"comment": "Bad"})
    partly = made(
        "survey.answered", [who], {"response": response, "question": "q", "metric": "nps", "comment": None}
    )
    (second,) = accepted(embedded, partly | {"time": made("x", [], {}, at=ago(hours=2))["time"]})
    embedded.applied(second)
    state_of(embedded, first, "applied")
    customer = embedded.customer(who)
    for n in range(3):
        nps(embedded, who, f"{response}-{n}", 9, at=ago(hours=4))
    told = embedded.get(f"{embedded.scoring}/v1/customers/{customer}/explanation")
    named = {
        e["id"] for c in told["health"]["contributions"] for e in c["events"] if c["signal"] == "loyalty"
    }
    assert first in named or second in named, "the score that was not revised still counts"


def test_a_retraction_undoes_an_event_of_the_same_source(embedded: Loop, unique: Unique) -> None:
    who = f"user:{unique('u')}"
    event = made("survey.answered", [who], {"response": unique("r"), "metric": "nps", "score": 1})
    (event_id,) = accepted(embedded, event)
    keeps = nps(embedded, who, unique("r"), 9)
    foreign = made("event.retracted", [], {"event": event["id"]}, source="/tools/another")
    accepted(embedded, foreign)
    state_of(embedded, event_id, "applied")
    accepted(embedded, made("event.retracted", None, {"event": event["id"], "reason": "a test"}))
    found = state_of(embedded, event_id, "retracted")
    assert {"state", "customer_id"} <= set(found)
    customer = embedded.customer(who)
    told = embedded.get(f"{embedded.scoring}/v1/customers/{customer}/explanation")
    named = {e["id"] for s in ("health", "risk") for c in told[s]["contributions"] for e in c["events"]}
    assert event_id not in named
    assert keeps in {
        one["id"] for one in pages(embedded, f"{embedded.scoring}/v1/customers/{customer}/timeline")
    }


def test_an_interaction_is_one_whatever_its_noun_and_leads_to_its_customer(
    embedded: Loop, unique: Unique
) -> None:
    who, name = f"user:{unique('u')}", unique("t")
    opened = made("chat.opened", [who], {"interaction": name}, at=ago(hours=3))
    said = {"interaction": name, "message": "m", "author": "agent", "public": True, "text": "Hello"}
    events = accepted(
        embedded,
        opened,
        made("ticket.message", [], said, at=ago(hours=2)),
        made("ticket.status", [], {"interaction": name, "status": "solved"}, at=ago(hours=1)),
    )
    customer = embedded.customer(who)
    for one in events:
        assert embedded.applied(one)["customer_id"] == customer
    about = {"response": unique("r"), "metric": "csat", "score": 5, "scale": [1, 5], "about": name}
    (answer,) = accepted(embedded, made("survey.answered", [], about))
    assert embedded.applied(answer)["customer_id"] == customer
    elsewhere = about | {"response": unique("r"), "about": {"source": "/tools/contract", "id": name}}
    (answer,) = accepted(embedded, made("survey.answered", [], elsewhere, source="/tools/survey"))
    assert embedded.applied(answer)["customer_id"] == customer


def test_unknown_ids_are_not_found(embedded: Loop) -> None:
    for path in (
        f"events/{uuid.uuid4()}",
        "events/x",
        f"customers/{uuid.uuid4()}/score",
        "customers/x/score",
    ):
        problem(embedded.http.get(f"{embedded.scoring}/v1/{path}"), 404, "not_found")
