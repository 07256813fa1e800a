"""Lists of customers, timelines and bulk reads: filters, sorting, cursors that pin what they saw."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import NamedTuple

import pytest

from tests.e2e.contract_kit import accepted, made, pages, problem, wheres
from tests.e2e.loop import Json, Loop, ago, eventually, instant

Unique = Callable[[str], str]
FIELDS = (
    "customer_id name identifiers account_id owner persona region value renewal_at health relationship risk"
).split()


class People(NamedTuple):
    """Five customers of one region, the angriest first."""

    region: str
    persons: list[str]
    customers: list[str]
    account: str


def answers(loop: Loop, person: str, scores: list[int], **data: object) -> list[Json]:
    """NPS answers of the last days."""
    return [
        made(
            "survey.answered",
            [person],
            {"response": uuid.uuid4().hex, "metric": "nps", "score": score, "scale": [0, 10]},
            at=ago(days=n + 1),
            data={"actor": "customer", **data},
        )
        for n, score in enumerate(scores)
    ]


@pytest.fixture(scope="module")
def people(embedded: Loop, unique: Unique) -> People:
    region, account = unique("region"), unique("acme")
    persons = [f"email:{unique('p')}@example.com" for _ in range(5)]
    events = []
    for n, person in enumerate(persons):
        about: Json = {
            "name": f"Zoë {person}",
            "region": region,
            "owner": f"own-{region}",
            "persona": "developer",
        }
        about |= {"value": 1000 * (n + 1), "currency": "EUR", "renewal_at": "2031-01-01T00:00:00Z"}
        about["persona"] = "admin" if n == 0 else "developer"
        events.append(
            made("customer.identified", [person], about, at=ago(days=100), data={"account": account})
        )
        events += answers(embedded, person, [2 * n] * 3)
    for one in accepted(embedded, *events):
        embedded.applied(one)
    customers = [embedded.customer(person) for person in persons]
    listed(embedded, 5, region=region)
    return People(region, persons, customers, account)


def listed(loop: Loop, count: int, **filters: str) -> list[Json]:
    """The list, once it has that many."""

    def look() -> list[Json] | None:
        found = pages(loop, f"{loop.scoring}/v1/customers", limit="200", **filters)
        return found if len(found) == count else None

    return eventually(look, f"{count} customers of {filters}")


def test_items_and_filters(embedded: Loop, people: People) -> None:
    items = listed(embedded, 5, region=people.region)
    assert [one["customer_id"] for one in items] == people.customers, "-risk is the default"
    for one, person in zip(items, people.persons, strict=True):
        assert set(FIELDS) <= set(one)
        assert (one["name"], one["identifiers"]) == (f"Zoë {person}", [person])
        assert one["risk"]["horizon_days"]
    first = items[0]
    assert (first["persona"], first["value"], first["owner"]) == ("admin", 1000, f"own-{people.region}")
    assert first["renewal_at"].startswith("2031-01-01T00:00:00")
    assert len(listed(embedded, 5, owner=f"own-{people.region}")) == 5
    assert len(listed(embedded, 5, account=first["account_id"])) == 5
    assert len(listed(embedded, 1, region=people.region, persona="admin")) == 1
    for band in {one["risk"]["band"] for one in items}:
        wanted = [one["customer_id"] for one in items if one["risk"]["band"] == band]
        found = listed(embedded, len(wanted), region=people.region, band=band)
        assert [one["customer_id"] for one in found] == wanted
    middle = items[2]["risk"]["value"]
    assert len(listed(embedded, 3, region=people.region, risk_min=str(middle))) == 3
    for words in (people.persons[3][6:], f"zoë {people.persons[3]}"):
        (one,) = listed(embedded, 1, q=words)
        assert one["customer_id"] == people.customers[3]


def test_sorts(embedded: Loop, people: People) -> None:
    by_health = listed(embedded, 5, region=people.region, sort="health")
    health = [one["health"]["value"] for one in by_health]
    assert health == sorted(health)
    at_risk = listed(embedded, 5, region=people.region, sort="-value_at_risk")
    weights = [one["value"] * one["risk"]["value"] for one in at_risk]
    assert weights == sorted(weights, reverse=True)
    url = f"{embedded.scoring}/v1/customers"
    for query, where in (("sort=name", "?sort"), ("risk_min=2", "?risk_min"), ("band=bad", "?band")):
        assert wheres(problem(embedded.http.get(f"{url}?{query}"), 400, "invalid_request")) == [where]


def test_a_cursor_pins_what_it_saw(embedded: Loop, unique: Unique) -> None:
    """Neither a customer twice nor one forgotten, though scores move between the pages."""
    region = unique("region")
    persons = [f"user:{unique('p')}" for _ in range(5)]
    events = [e for n, p in enumerate(persons) for e in answers(embedded, p, [2 * n] * 3, region=region)]
    for one in accepted(embedded, *events):
        embedded.applied(one)
    items = listed(embedded, 5, region=region)
    url = f"{embedded.scoring}/v1/customers"
    page = embedded.get(url, region=region, limit="2")
    seen = [one["customer_id"] for one in page["items"]]
    assert seen == [one["customer_id"] for one in items[:2]]
    newcomer = f"user:{unique('p')}"
    moves = answers(embedded, persons[0], [10] * 9, region=region)
    moves += answers(embedded, persons[4], [0] * 9, region=region)
    moves += answers(embedded, newcomer, [5] * 3, region=region)
    for one in accepted(embedded, *moves):
        embedded.applied(one)
    listed(embedded, 6, region=region)
    eventually(lambda: listed(embedded, 6, region=region)[0]["customer_id"] != seen[0], "the move")
    while page["next"]:
        page = embedded.get(url, region=region, limit="2", cursor=page["next"])
        seen += [one["customer_id"] for one in page["items"]]
    assert seen == [one["customer_id"] for one in items]


def test_bulk_scores(embedded: Loop, people: People) -> None:
    url = f"{embedded.scoring}/v1/scores"
    asked = [*people.persons[:2], "email:nobody@example.com", "nonsense"]
    answer = embedded.http.post(url, json={"identifiers": asked, "as_of": instant(ago())})
    assert answer.status_code == 200, answer.text
    items = answer.json()["items"]
    assert [one.get("customer_id") for one in items] == [*people.customers[:2], None, None]
    for one in items[:2]:
        assert {"health", "relationship", "risk", "policy", "model", "as_of", "known_at"} <= set(one)
        assert "error" not in one
    assert [one["error"]["status"] for one in items[2:]] == [404, 400]
    answer = embedded.http.post(url, json={"customer_ids": [people.customers[0], "x"]})
    good, bad = answer.json()["items"]
    assert good["health"]["state"] == "known"
    assert bad["error"]["type"] == "/problems/not_found"
    for body in ({}, {"customer_ids": ["x"] * 201}, {"customer_ids": ["x"], "as_of": "today"}):
        problem(embedded.http.post(url, json=body), 400, "invalid_request")


def test_timeline_order_and_filters(embedded: Loop, unique: Unique) -> None:
    person, name = f"user:{unique('u')}", unique("t")
    table: list[tuple[str, Json]] = [
        ("ticket.opened", {"interaction": name, "subject": "Export", "text": "It fails"}),
        ("ticket.status", {"interaction": name, "status": "pending"}),
        (
            "survey.answered",
            {"response": name, "metric": "csat", "score": 2, "scale": [1, 5], "comment": "Meh"},
        ),
        ("ticket.status", {"interaction": name, "status": "solved"}),
    ]
    events = [made(k, [person], body, at=ago(hours=9 - n)) for n, (k, body) in enumerate(table)]
    ids = accepted(embedded, *reversed(events))[::-1]
    for one in ids:
        embedded.applied(one)
    url = f"{embedded.scoring}/v1/customers/{embedded.customer(person)}/timeline"

    def told(**params: str) -> list[str]:
        return [one["id"] for one in pages(embedded, url, **params)]

    assert told() == told(order="asc", limit="1") == ids
    assert told(order="desc", limit="3") == ids[::-1]
    assert told(type="ticket.status") == told(type="cxloop.ticket.status.v1") == [ids[1], ids[3]]
    assert told(**{"from": events[1]["time"], "to": events[3]["time"]}) == ids[1:3]
    assert told(**{"from": instant(ago(hours=7, minutes=30))}) == ids[2:]
    items = embedded.get(url)["items"]
    assert [one.get("text") for one in items][:3] == ["It fails", None, "Meh"]
    first = embedded.get(url, limit="2", order="desc")
    late = made(
        "ticket.updated", [person], {"interaction": name, "priority": "high"}, at=ago(hours=8, minutes=30)
    )
    embedded.applied(accepted(embedded, late)[0])
    second = embedded.get(url, limit="9", order="desc", cursor=first["next"])
    assert [one["id"] for one in first["items"] + second["items"]] == ids[::-1]
    for query, where in (("order=up", "?order"), ("from=now", "?from"), ("limit=x", "?limit")):
        assert wheres(problem(embedded.http.get(f"{url}?{query}"), 400, "invalid_request")) == [where]
