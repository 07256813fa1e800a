"""The shipped policy gives what a customer-experience council would expect, checked from outside."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tests.e2e.loop import Json, Loop, ago, instant

Names = list[str]


@pytest.fixture
def names(unique: Callable[[str], str]) -> Names:
    """Identifiers of a customer whom no other test knows."""
    return [f"user:{unique('u')}"]


def scores(loop: Loop, names: Names, last: str, **when: str) -> Json:
    loop.applied(last)
    return loop.score(loop.customer(names[0]), **when)


def survey(loop: Loop, names: Names, response: str, metric: str, score: int, at: datetime) -> str:
    scale = {"nps": [0, 10], "csat": [1, 5]}[metric]
    body = {"response": f"{names[0]}-{response}", "metric": metric, "score": score, "scale": scale}
    return loop.event("survey.answered", names, body, at, actor="customer")


def ticket(loop: Loop, names: Names, name: str, opened: datetime, solved_after: timedelta) -> str:
    interaction = {"interaction": f"{names[0]}-{name}"}
    loop.event("ticket.opened", names, interaction | {"subject": "A question"}, opened, actor="customer")
    answered = opened + solved_after / 2
    message = {"message": f"{name}-1", "author": "agent", "public": True, "text": "Here is how."}
    loop.event("ticket.message", names, interaction | message, answered, actor="agent")
    status = {"status": "solved", "previous": "open"}
    return loop.event("ticket.status", names, interaction | status, opened + solved_after, actor="agent")


def good_customer(loop: Loop, names: Names, until: datetime) -> str:
    for n in range(3):
        ticket(loop, names, f"good-{n}", until - timedelta(days=20 - 5 * n), timedelta(minutes=40))
        survey(loop, names, f"c{n}", "csat", 5, until - timedelta(days=19 - 5 * n))
    return survey(loop, names, "n", "nps", 10, until - timedelta(days=2))


def test_waiting_reopened_angry_is_at_risk(loop: Loop, names: Names) -> None:
    opened = ago(days=3)
    interaction = {"interaction": f"{names[0]}-t"}
    loop.event("ticket.opened", names, interaction | {"subject": "Nothing works"}, opened, actor="customer")
    at = opened + timedelta(hours=2)
    for _ in range(2):
        for status, previous, actor in (("solved", "open", "agent"), ("open", "solved", "customer")):
            body = interaction | {"status": status, "previous": previous}
            loop.event("ticket.status", names, body, at, actor=actor)
            at += timedelta(hours=3)
    angry = {
        "message": "m",
        "author": "customer",
        "public": True,
        "text": "Terrible! I am furious and disappointed.",
    }
    loop.event("ticket.message", names, interaction | angry, ago(hours=5), actor="customer")
    survey(loop, names, "c", "csat", 1, ago(hours=4))
    found = scores(loop, names, survey(loop, names, "n", "nps", 2, ago(hours=3)))
    assert found["risk"]["value"] >= 0.6
    assert found["health"]["value"] < 40
    assert (found["risk"]["band"], found["health"]["band"]) == ("high", "poor")


def test_solved_within_the_promise_is_healthy(loop: Loop, names: Names) -> None:
    found = scores(loop, names, good_customer(loop, names, datetime.now(UTC)))
    assert found["risk"]["value"] <= 0.2
    assert found["health"]["value"] > 75


def test_one_bad_ticket_hardly_touches_five_loyal_years(loop: Loop, names: Names) -> None:
    start = ago(days=5 * 365 - 10)
    year = timedelta(days=365)
    subscription = {"subscription": f"{names[0]}-s", "period_end": instant(start + year)}
    loop.event("subscription.started", names, subscription, start, actor="customer")
    for n in range(1, 5):
        renewal = subscription | {"period_end": instant(start + (n + 1) * year)}
        loop.event("subscription.renewed", names, renewal, start + n * year, actor="customer")
    for n in range(2):
        body: Json = {"referral": f"{names[0]}-r{n}", "existing_customer": False}
        loop.event("referral.made", names, body, ago(days=200 + 100 * n), actor="customer")
    before = scores(loop, names, good_customer(loop, names, ago(days=1)))
    interaction = {"interaction": f"{names[0]}-bad"}
    loop.event("ticket.opened", names, interaction | {"priority": "high"}, ago(days=4), actor="customer")
    said: Json = {
        "message": "m",
        "author": "customer",
        "public": True,
        "text": "This is awful and frustrating.",
    }
    loop.event("ticket.message", names, interaction | said, ago(days=1), actor="customer")
    after = scores(loop, names, survey(loop, names, "bad", "csat", 1, ago(hours=1)))
    assert before["health"]["value"] - after["health"]["value"] > 10
    assert before["relationship"]["value"] - after["relationship"]["value"] < 5
    assert after["relationship"]["band"] in ("good", "excellent")


def test_one_survey_is_not_enough_to_know(loop: Loop, names: Names) -> None:
    found = scores(loop, names, survey(loop, names, "n", "nps", 9, ago(days=1)))
    for score in (found["health"], found["relationship"], found["risk"]):
        assert (score["state"], score["value"], score["band"]) == ("unknown", None, None)
        assert score["needs"]


def test_silence_fades_into_unknown(loop: Loop, names: Names) -> None:
    last = good_customer(loop, names, datetime.now(UTC))
    now = scores(loop, names, last)
    customer = now["customer_id"]
    in_a_year = loop.score(customer, as_of=instant(datetime.now(UTC) + timedelta(days=365)))
    assert in_a_year["health"]["evidence"] < now["health"]["evidence"] / 3
    in_five = loop.score(customer, as_of=instant(datetime.now(UTC) + timedelta(days=5 * 365)))
    assert [in_five[name]["state"] for name in ("health", "risk")] == ["unknown", "unknown"]


def test_waiting_makes_it_worse_without_any_event(loop: Loop, names: Names) -> None:
    survey(loop, names, "c", "csat", 4, ago(days=3))
    survey(loop, names, "n", "nps", 8, ago(days=2))
    body = {"interaction": f"{names[0]}-w", "subject": "Still waiting"}
    last = loop.event("ticket.opened", names, body, ago(minutes=5), actor="customer")
    found = [scores(loop, names, last)]
    for days in (7, 14):
        when = instant(datetime.now(UTC) + timedelta(days=days))
        found.append(loop.score(found[0]["customer_id"], as_of=when))
    health = [f["health"]["value"] for f in found]
    risk = [f["risk"]["value"] for f in found]
    assert health == sorted(health, reverse=True)
    assert health[0] > health[2]
    assert risk[0] < risk[1] <= risk[2]
