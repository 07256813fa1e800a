"""A running cxloop as somebody outside sees it: addresses, a key, HTTP. Speaks the contract only."""

from __future__ import annotations

import random
import socket
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import httpx

from services.demo.client import new_secret
from services.demo.post import Post

T = TypeVar("T")
Json = dict[str, Any]


def eventually(look: Callable[[], T | None], what: str, deadline_s: float = 20.0) -> T:
    """What `look` gives once it is neither None nor False; an error that names `what` after the deadline."""
    until = time.monotonic() + deadline_s
    while time.monotonic() < until:
        found = look()
        if found is not None and found is not False:
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {deadline_s:.0f} s: {what}")


def free_ports(count: int) -> list[int]:
    """That many consecutive ports of 127.0.0.1 that nobody listens on."""
    for base in random.sample(range(21_000, 29_000, 10), 100):
        sockets = [socket.socket() for _ in range(count)]
        try:
            for offset, one in enumerate(sockets):
                one.bind(("127.0.0.1", base + offset))
        except OSError:
            continue
        finally:
            for one in sockets:
                one.close()
        return list(range(base, base + count))
    raise AssertionError("no free ports found between 21000 and 29000")


def instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


@dataclass
class Loop:
    """Addresses of the three services, a key with every scope, and secrets of the sources made here.

    `kafka` and `database` as the ready line gives them; empty where the test brought its own.
    """

    ingest: str
    scoring: str
    alerts: str
    api_key: str
    kafka: str = ""
    database: str = ""
    secrets: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.http = httpx.Client(headers={"authorization": f"Bearer {self.api_key}"}, timeout=30)

    def close(self) -> None:
        self.http.close()

    def get(self, url: str, **params: str) -> Json:
        answer = self.http.get(url, params=params)
        assert answer.is_success, (url, answer.status_code, answer.text)
        body: Json = answer.json()
        return body

    def source(self, source: str, vendor: str, **settings: object) -> None:
        """Make a source whose deliveries `deliver` signs."""
        secret = new_secret(
            "crm" if vendor == "standard-webhooks" else "billing" if vendor == "stripe" else ""
        )
        body = {"id": source, "vendor": vendor, "secrets": [secret], **settings}
        answer = self.http.post(f"{self.ingest}/v1/sources", json=body)
        assert answer.status_code == 201, answer.text
        assert secret not in answer.text
        self.secrets[source] = secret

    def deliver(self, post: Post) -> list[str]:
        """One signed webhook; the ids of its events."""
        headers, body = post.signed(self.secrets[post.source], datetime.now(UTC))
        url = f"{self.ingest}/v1/webhooks/{post.source}"
        answer = httpx.post(url, content=body, headers=headers, timeout=30)
        assert answer.status_code == 202, answer.text
        return [str(i) for i in answer.json()["ids"]]

    def event(self, kind: str, identifiers: list[str], body: Json, at: datetime, **data: object) -> str:
        """One CloudEvent of an own tool; its id."""
        event = {
            "specversion": "1.0",
            "id": str(uuid.uuid4()),
            "source": "/tests/tool",
            "type": f"cxloop.{kind}.v1",
            "time": instant(at),
            "data": {"identifiers": identifiers, "body": body, **data},
        }
        headers = {"content-type": "application/cloudevents+json"}
        answer = self.http.post(f"{self.ingest}/v1/events", json=event, headers=headers)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["ids"][0])

    def applied(self, event_id: str) -> Json:
        """Waits until the event is in the scores."""

        def look() -> Json | None:
            answer = self.http.get(f"{self.scoring}/v1/events/{event_id}")
            return answer.json() if answer.is_success else None

        return eventually(look, f"event {event_id} applied")

    def customer(self, identifier: str) -> str:
        def look() -> str | None:
            answer = self.http.get(f"{self.scoring}/v1/lookup", params={"identifier": identifier})
            return str(answer.json()["customer_id"]) if answer.is_success else None

        return eventually(look, f"lookup of {identifier}")

    def score(self, customer: str, **params: str) -> Json:
        return self.get(f"{self.scoring}/v1/customers/{customer}/score", **params)

    def open_alerts(self, customer: str, **params: str) -> list[Json]:
        items: list[Json] = self.get(f"{self.alerts}/v1/alerts", customer_id=customer, **params)["items"]
        return items

    def step(self, alert: str, step: str, **body: str) -> Json:
        answer = self.http.post(f"{self.alerts}/v1/alerts/{alert}/{step}", json={"by": "council", **body})
        assert answer.is_success, (step, answer.status_code, answer.text)
        result: Json = answer.json()
        return result


def ago(**parts: float) -> datetime:
    return datetime.now(UTC) - timedelta(**parts)
