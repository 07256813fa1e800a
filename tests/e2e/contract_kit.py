"""What the checks of the outer contract share: raw requests, own tools' events, problems looked at."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any

import httpx

from tests.e2e.loop import Json, Loop, ago, eventually, instant

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
CODES = frozenset(
    "invalid_request beyond_horizon unauthorized forbidden not_found method_not_allowed conflict gone stale"
    " too_large unsupported_media_type rate_limited internal unavailable".split()
)


def made(kind: str, identifiers: list[str] | None, body: Json, /, **over: Any) -> Json:  # noqa: ANN401 - any JSON
    """A CloudEvent of an own tool. `at`: its time; `data`: more fields of data; the rest: attributes."""
    at = over.pop("at", None) or ago(hours=1)
    data: Json = {"body": body, **over.pop("data", {})}
    if identifiers is not None:
        data["identifiers"] = identifiers
    event: Json = {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": "/tools/contract",
        "type": f"cxloop.{kind}.v1",
        "time": instant(at),
        "data": data,
    }
    return event | over


def post(
    loop: Loop, content: object, mime: str = STRUCTURED, *, query: str = "", **headers: str
) -> httpx.Response:
    """`POST /v1/events` with the key; bytes as they are, anything else as JSON."""
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    named = {"content-type": mime} | {k.replace("_", "-"): v for k, v in headers.items()}
    return loop.http.post(f"{loop.ingest}/v1/events{query}", content=raw, headers=named)


def accepted(loop: Loop, *events: Json) -> list[str]:
    """Ids of events that were all taken, in one batch."""
    answer = post(loop, list(events), BATCH)
    assert answer.status_code == 202, answer.text
    found = answer.json()
    assert (found["accepted"], found["rejected"]) == (len(events), 0), found
    return [str(one) for one in found["ids"]]


def problem(answer: httpx.Response, status: int, code: str) -> Json:
    """The problem document of an answer, checked for its whole shape."""
    assert answer.status_code == status, (answer.status_code, answer.text)
    assert answer.headers["content-type"].split(";")[0] == "application/problem+json"
    found: Json = answer.json()
    assert found["type"] == f"/problems/{code}"
    assert code in CODES
    assert found["status"] == status
    assert isinstance(found["title"], str) and found["title"]
    assert isinstance(found["detail"], str) and found["detail"]
    return found


def wheres(found: Json) -> list[str]:
    """Where each fault of the input lies; each is told with a reason."""
    assert all(one["why"] for one in found["errors"])
    return [one["where"] for one in found["errors"]]


def state_of(loop: Loop, event_id: str, wanted: str) -> Json:
    """The event, once it is in that state."""

    def look() -> Json | None:
        answer = loop.http.get(f"{loop.scoring}/v1/events/{event_id}")
        found: Json = answer.json()
        return found if answer.is_success and found["state"] == wanted else None

    return eventually(look, f"event {event_id} {wanted}")


def pages(loop: Loop, url: str, **params: str) -> list[Json]:
    """All items of a list, page by page; every page has the shape of the contract."""
    items: list[Json] = []
    cursor: str | None = None
    while True:
        page = loop.get(url, **params, **({"cursor": cursor} if cursor else {}))
        assert set(page) == {"items", "next"}
        assert len(page["items"]) <= int(params.get("limit", "200"))
        items += page["items"]
        cursor = page["next"]
        if cursor is None:
            return items


def is_zulu(text: str) -> bool:
    """An instant as answers write it."""
    return text.endswith("Z") and datetime.fromisoformat(text).tzinfo == UTC
