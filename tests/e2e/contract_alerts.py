"""What the checks of alerts share: somebody unhappy in a council of their own."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

import httpx

from tests.e2e.contract_kit import accepted, made
from tests.e2e.loop import Json, Loop, eventually

Unique = Callable[[str], str]
SPONSOR = {"name": "Sam Sponsor", "email": "sam@example.com"}


class Unhappy(NamedTuple):
    """A customer with an open alert."""

    person: str
    customer: str
    region: str
    response: str
    alert: Json

    @property
    def id(self) -> str:
        return str(self.alert["id"])


def council(loop: Loop, unique: Unique) -> tuple[str, str]:
    """A council that has a region of its own: (council, region)."""
    name, region = unique("council"), unique("region")
    body = {
        "id": name,
        "name": "Care",
        "sponsor": SPONSOR,
        "members": [{"name": "Ann", "email": "ann@example.com"}],
    }
    answer = loop.http.post(f"{loop.alerts}/v1/councils", json=body | {"scope": {"region": [region]}})
    assert answer.status_code == 201, answer.text
    return name, region


def answer(
    loop: Loop,
    person: str,
    score: int,
    response: str = "",
    *,
    at: datetime | None = None,
    body: Json | None = None,
    data: Json | None = None,
) -> str:
    """An NPS answer, of now unless told otherwise; its id, once it is in the scores."""
    said = {"response": response or uuid.uuid4().hex, "metric": "nps", "score": score, "scale": [0, 10]}
    whole = {"actor": "customer"} | (data or {})
    event = made("survey.answered", [person], said | (body or {}), at=at or datetime.now(UTC), data=whole)
    (event_id,) = accepted(loop, event)
    loop.applied(event_id)
    return event_id


def alert_of(loop: Loop, customer: str, **params: str) -> Json:
    """The customer's one alert."""

    def look() -> Json | None:
        found = loop.open_alerts(customer, **params)
        assert len(found) <= 1, found
        return found[0] if found else None

    return eventually(look, f"an alert of {customer} {params}")


def unhappy(loop: Loop, region: str, name: str, **about: object) -> Unhappy:
    """A customer of the region who answers 1 to "would you recommend us?" and says why."""
    person, response = f"email:{name}@example.com", f"r-{name}"
    (known,) = accepted(
        loop, made("customer.identified", [person], {"name": f"Name of {name}", "region": region, **about})
    )
    loop.applied(known)
    answer(loop, person, 1, response, body={"comment": "Nobody answers, and I am angry."})
    customer = loop.customer(person)
    return Unhappy(person, customer, region, response, alert_of(loop, customer))


def step(
    loop: Loop, alert: str, verb: str, /, headers: dict[str, str] | None = None, **body: object
) -> httpx.Response:
    """`POST /v1/alerts/{id}/{verb}` by somebody of the council."""
    url = f"{loop.alerts}/v1/alerts/{alert}/{verb}"
    return loop.http.post(url, json={"by": "ann", **body}, headers=headers)


def in_state(loop: Loop, alert: str, state: str) -> Json:
    """The alert, once it is in that state."""

    def look() -> Json | None:
        found = loop.get(f"{loop.alerts}/v1/alerts/{alert}")
        return found if found["state"] == state else None

    return eventually(look, f"alert {alert} {state}")
