"""Scores, explanations, changes, history, forecast and the two clocks, as the contract words them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from tests.e2e.contract_kit import accepted, is_zulu, made, problem, state_of, wheres
from tests.e2e.loop import Json, Loop, ago, instant

NAMES = ("health", "relationship", "risk")
BANDS = {
    "health": {"poor", "fair", "good", "excellent"},
    "relationship": {"poor", "fair", "good", "excellent"},
    "risk": {"low", "elevated", "high"},
}


class Known(NamedTuple):
    """A customer with a past: id, account, events in order of time."""

    customer: str
    account: str
    person: str
    events: list[str]
    base: str


@pytest.fixture(scope="module")
def known(embedded: Loop, unique: Callable[[str], str]) -> Known:
    """Two years of history: started, a ticket, answers, an open ticket; in an account."""
    name, company = unique("ann"), unique("acme")
    person, data = f"user:{name}", {"account": company, "actor": "customer"}
    talk: Json = {"interaction": f"{name}-1"}
    said = {"message": "m1", "author": "agent", "public": True, "text": "Done."}
    period: Json = {"subscription": name, "amount": 120_000, "currency": "EUR", "interval": "year"}
    about: Json = {"name": name, "region": f"r-{name}", "persona": "admin", "owner": f"o-{name}"}
    about |= {"value": 120_000, "currency": "EUR", "renewal_at": "2031-01-01T00:00:00Z"}
    table: list[tuple[str, Json, timedelta]] = [
        ("customer.identified", about, timedelta(days=720)),
        ("subscription.started", period, timedelta(days=720)),
        ("subscription.renewed", period | {"period_end": instant(ago(days=-10))}, timedelta(days=355)),
        ("ticket.opened", talk | {"text": "This is a question"}, timedelta(days=30)),
        ("ticket.message", talk | said, timedelta(days=30, hours=-2)),
        ("ticket.status", talk | {"status": "solved"}, timedelta(days=30, hours=-3)),
    ]
    for n, (metric, score, scale) in enumerate(
        [("csat", 4, [1, 5]), ("nps", 9, [0, 10]), ("ces", 6, [1, 7])]
    ):
        body = {"response": f"{name}-{n}", "metric": metric, "score": score, "scale": scale}
        table.append(("survey.answered", body, timedelta(days=20 - 3 * n)))
    table.append(("ticket.opened", {"interaction": f"{name}-2", "text": "Nothing works!"}, timedelta(days=9)))
    events = accepted(
        embedded, *(made(kind, [person], body, at=ago() - age, data=data) for kind, body, age in table)
    )
    for one in events:
        embedded.applied(one)
    customer = embedded.customer(person)
    account = embedded.get(f"{embedded.scoring}/v1/lookup", identifier=f"account:{company}")["account_id"]
    return Known(customer, account, person, events, f"{embedded.scoring}/v1/customers/{customer}")


def both(loop: Loop, known: Known) -> list[tuple[str, str, str]]:
    """(field of the id, id, address) of the customer and of its account."""
    return [
        ("customer_id", known.customer, known.base),
        ("account_id", known.account, f"{loop.scoring}/v1/accounts/{known.account}"),
    ]


def check_score(name: str, score: Json) -> None:
    assert {"value", "band", "state", "evidence", "sd", "freshness_days", "respondents"} <= set(score)
    assert ("horizon_days" in score) == (name == "risk")
    if score["state"] == "unknown":
        assert score["value"] is None and score["band"] is None
        assert score["needs"]
    else:
        assert score["state"] == "known"
        assert score["band"] in BANDS[name]
        assert 0 <= score["value"] <= (1 if name == "risk" else 100)


def test_score_of_a_customer_and_an_account(embedded: Loop, known: Known) -> None:
    for field, its_id, base in both(embedded, known):
        found = embedded.get(f"{base}/score")
        assert {field, "as_of", "known_at", "policy", "model", *NAMES} <= set(found)
        assert found[field] == its_id
        assert is_zulu(found["as_of"]) and is_zulu(found["known_at"])
        assert isinstance(found["policy"], str) and isinstance(found["model"], str)
        for name in NAMES:
            check_score(name, found[name])
        assert found["health"]["state"] == "known"
        assert found["health"]["respondents"] == 1
    problem(embedded.http.get(f"{embedded.scoring}/v1/accounts/{known.customer}/score"), 404, "not_found")


def test_pinned_reads_have_an_etag(embedded: Loop, known: Known) -> None:
    now = instant(datetime.now(UTC))
    for field, _, base in both(embedded, known):
        for suffix in ("score", "explanation"):
            first = embedded.http.get(f"{base}/{suffix}", params={"as_of": now, "known_at": now})
            assert first.status_code == 200, (field, first.text)
            tag = first.headers["etag"]
            for given in (tag, f'"other", {tag}', f"W/{tag}"):
                again = embedded.http.get(
                    f"{base}/{suffix}",
                    params={"as_of": now, "known_at": now},
                    headers={"if-none-match": given},
                )
                assert (again.status_code, again.content) == (304, b"")
                assert again.headers["etag"] == tag
    assert "etag" not in embedded.http.get(f"{known.base}/score", params={"as_of": now}).headers


def decimals(loop: Loop, url: str, **params: str) -> Any:  # noqa: ANN401 - parsed JSON
    answer = loop.http.get(url, params=params)
    assert answer.is_success, answer.text
    return json.loads(answer.text, parse_float=Decimal, parse_int=Decimal)


@pytest.mark.parametrize("days", [-400, 0, 200])
def test_an_explanation_sums_exactly(embedded: Loop, known: Known, days: int) -> None:
    at = instant(datetime.now(UTC) + timedelta(days=days))
    for field, its_id, base in both(embedded, known):
        found = decimals(embedded, f"{base}/explanation", as_of=at)
        scores = decimals(embedded, f"{base}/score", as_of=at)
        assert found[field] == its_id
        for name in NAMES:
            one = found[name]
            assert {"baseline", "value", "unit", "contributions"} <= set(one)
            total = sum((c["points"] for c in one["contributions"]), Decimal(0))
            for row in one["contributions"]:
                assert {"signal", "label", "points", "coverage", "events"} <= set(row)
                assert sum((e["points"] for e in row["events"]), Decimal(0)) == row["points"]
                assert all({"id", "at", "type", "points"} <= set(e) for e in row["events"])
                assert all(e["points"] % Decimal("1e-9") == 0 for e in row["events"])
            if one["value"] is not None:
                assert one["baseline"] + total == one["value"]
                shown = one["probability"] if name == "risk" else one["value"]
                assert shown == scores[name]["value"]
            else:
                assert scores[name]["state"] == "unknown"


def test_an_explanation_names_the_customers_own_events(embedded: Loop, known: Known) -> None:
    found = embedded.get(f"{known.base}/explanation")
    rows = [e for name in NAMES for c in found[name]["contributions"] for e in c["events"]]
    assert {e["id"] for e in rows} <= set(known.events)
    assert {e["id"] for e in rows if e.get("open")} == {known.events[-1]}
    again = embedded.get(f"{known.base}/explanation", as_of=found["as_of"], known_at=found["known_at"])
    assert again == found


def test_the_past_is_what_it_was(embedded: Loop, known: Known) -> None:
    before = embedded.score(known.customer)
    at, known_at = before["as_of"], before["known_at"]
    late = {"response": uuid.uuid4().hex, "metric": "nps", "score": 0, "scale": [0, 10]}
    (event_id,) = accepted(
        embedded, made("survey.answered", [known.person], late, at=ago(days=40), data={"actor": "customer"})
    )
    embedded.applied(event_id)
    then = embedded.score(known.customer, as_of=at, known_at=known_at)
    assert {name: then[name] for name in NAMES} == {name: before[name] for name in NAMES}
    revised = embedded.score(known.customer, as_of=at)
    assert revised["health"] != before["health"], "as known now, the late event counts"
    (undone,) = accepted(embedded, made("event.retracted", None, {"event": event_id}))
    state_of(embedded, event_id, "retracted")
    assert embedded.score(known.customer, as_of=at)["health"] == before["health"]
    assert undone


def test_the_future_waits(embedded: Loop, known: Known) -> None:
    now = embedded.score(known.customer)
    later = embedded.score(known.customer, as_of=instant(ago(days=-3)))
    assert later["health"]["value"] < now["health"]["value"]
    assert later["risk"]["value"] > now["risk"]["value"]


@pytest.mark.parametrize(
    "query", ["as_of=yesterday", "known_at=2026-01-01T00:00:00", "as_of=1999-01-01T00:00:00Z"]
)
def test_times_that_cannot_be_read_at(embedded: Loop, known: Known, query: str) -> None:
    for suffix in ("score", "explanation"):
        found = problem(embedded.http.get(f"{known.base}/{suffix}?{query}"), 400, "invalid_request")
        assert wheres(found) == [f"?{query.partition('=')[0]}"]


def test_history(embedded: Loop, known: Known) -> None:
    span = {
        "from": "2026-03-27T23:00:00Z",
        "to": "2026-03-31T22:00:00Z",
        "step": "P1D",
        "tz": "Europe/Berlin",
    }
    for name in NAMES:
        found = embedded.get(f"{known.base}/history", score=name, **span)
        assert {"points", "markers"} <= set(found)
        assert all({"at", "value", "band", "state"} <= set(one) for one in found["points"])
        times = [one["at"] for one in found["points"]]
        days = ["27T23", "28T23", "29T22", "30T22", "31T22"]
        assert times == [f"2026-03-{day}:00:00Z" for day in days]
        for point in found["points"]:
            score = embedded.score(known.customer, as_of=point["at"])[name]
            assert [point[k] for k in ("value", "band", "state")] == [
                score[k] for k in ("value", "band", "state")
            ]
    for name, value in (("step", "1 day"), ("tz", "Mars/Base"), ("score", "mood"), ("from", "x")):
        answer = embedded.http.get(f"{known.base}/history", params=span | {name: value})
        assert wheres(problem(answer, 400, "invalid_request")) == [f"?{name}"]


def test_changes_add_up(embedded: Loop, known: Known) -> None:
    for _, _, base in both(embedded, known):
        items = []
        cursor: dict[str, str] = {}
        while True:
            page = decimals(embedded, f"{base}/changes", limit="3", **cursor)
            items += page["items"]
            if page["next"] is None:
                break
            cursor = {"cursor": page["next"]}
        assert items
        whole = decimals(embedded, f"{base}/changes", limit="200")["items"]
        newest = items[0]["at"]  # up to the time of the read, which differs
        assert [i for i in items if i["at"] < newest] == [i for i in whole if i["at"] < newest]
        for one in items:
            assert {"at", "score", "before", "after", "causes"} <= set(one)
            assert one["score"] in NAMES
            assert all({"cause", "points", "events"} <= set(cause) for cause in one["causes"])
            if one["score"] != "risk" and None not in (one["before"], one["after"]):
                total = sum((cause["points"] for cause in one["causes"]), Decimal(0))
                assert total == one["after"] - one["before"]


def test_forecast(embedded: Loop, known: Known) -> None:
    for _, _, base in both(embedded, known):
        found = embedded.get(f"{base}/forecast")
        assert set(NAMES) <= set(found)
        for name in NAMES:
            change = found[name]
            if change is None:
                continue
            assert {"at", "before", "after"} <= set(change)
            at = datetime.fromisoformat(change["at"])
            before = embedded.get(f"{base}/score", as_of=instant(at - timedelta(minutes=2)))[name]
            after = embedded.get(f"{base}/score", as_of=instant(at + timedelta(minutes=2)))[name]
            assert (before["band"] or "unknown") == change["before"]
            assert (after["band"] or "unknown") == change["after"]
    assert any(embedded.get(f"{known.base}/forecast")[name] for name in NAMES)
