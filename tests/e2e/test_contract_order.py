"""Whatever comes first: messages before openings, undoings before what they undo, repetitions, odd reads."""

from __future__ import annotations

from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from tests.e2e.contract_alerts import council, unhappy
from tests.e2e.contract_kit import accepted, made, pages, problem, state_of, wheres
from tests.e2e.loop import Json, Loop, ago, eventually, instant

Unique = Callable[[str], str]


def test_the_same_event_without_a_time_is_no_conflict(embedded: Loop, unique: Unique) -> None:
    event = made(
        "ticket.opened", [f"user:{unique('u')}"], {"interaction": unique("t")}, source=f"/{unique('s')}"
    )
    del event["time"]
    ids = {accepted(embedded, event)[0] for _ in range(3)}
    assert len(ids) == 1
    first = embedded.applied(ids.pop())["event"]["time"]
    marker = made("ticket.opened", [f"user:{unique('u')}"], {"interaction": unique("t")})
    embedded.applied(accepted(embedded, marker)[0])
    listed = embedded.get(f"{embedded.ingest}/v1/rejected", source=event["source"], limit="5")["items"]
    assert listed == []
    assert first


def test_a_message_may_come_before_its_opening(embedded: Loop, unique: Unique) -> None:
    who, name = f"user:{unique('u')}", unique("t")
    said = {"interaction": name, "message": "m", "author": "agent", "public": True, "text": "Hello"}
    (early,) = accepted(embedded, made("ticket.message", [], said, at=ago(hours=2)))
    (opened,) = accepted(embedded, made("ticket.opened", [who], {"interaction": name}, at=ago(hours=3)))
    embedded.applied(opened)
    customer = embedded.customer(who)
    assert state_of(embedded, early, "applied")["customer_id"] == customer
    told = [one["id"] for one in pages(embedded, f"{embedded.scoring}/v1/customers/{customer}/timeline")]
    assert told == [opened, early]


def test_a_retraction_may_come_before_what_it_undoes(embedded: Loop, unique: Unique) -> None:
    who = f"user:{unique('u')}"
    event = made("survey.answered", [who], {"response": unique("r"), "metric": "nps", "score": 1})
    accepted(embedded, made("event.retracted", None, {"event": event["id"]}))
    (event_id,) = accepted(embedded, event)
    state_of(embedded, event_id, "retracted")


def test_a_removed_ticket_takes_its_evidence_with_it(embedded: Loop, unique: Unique) -> None:
    who, name = f"user:{unique('u')}", unique("t")
    opened = made("ticket.opened", [who], {"interaction": name, "text": "Awful!"}, at=ago(days=20))
    (first,) = accepted(embedded, opened)
    embedded.applied(first)
    url = f"{embedded.scoring}/v1/customers/{embedded.customer(who)}/explanation"

    def named() -> bool:
        told = embedded.get(url)
        return first in str([told[name]["contributions"] for name in ("health", "risk")])

    assert named()
    accepted(embedded, made("ticket.removed", None, {"interaction": name, "reason": "spam"}))
    eventually(lambda: not named(), "its evidence is gone")


def test_merged_tickets_are_one(embedded: Loop, unique: Unique) -> None:
    people, names = [f"user:{unique('u')}" for _ in range(2)], [unique("t") for _ in range(2)]
    opened = [
        made("ticket.opened", [who], {"interaction": name}, at=ago(hours=5))
        for who, name in zip(people, names, strict=True)
    ]
    for one in accepted(embedded, *opened):
        embedded.applied(one)
    merge = made("ticket.merged", [], {"interaction": names[1], "into": names[0]}, at=ago(hours=4))
    embedded.applied(accepted(embedded, merge)[0])
    assert [embedded.customer(who) for who in people]


def test_reads_before_anything_was_known(embedded: Loop, unique: Unique) -> None:
    who = f"user:{unique('u')}"
    body = {"response": unique("r"), "metric": "csat", "score": 5, "scale": [1, 5]}
    embedded.applied(accepted(embedded, made("survey.answered", [who], body))[0])
    customer = embedded.customer(who)
    for params in ({"as_of": "2001-01-01T00:00:00Z"}, {"known_at": instant(ago(days=1))}):
        found = embedded.score(customer, **params)
        for name in ("health", "relationship", "risk"):
            assert (found[name]["state"], found[name]["value"]) == ("unknown", None)
    for step, count in (("P1M", 13), ("P1W", 53), ("PT6H", 1), ("P1Y", 2)):
        span = {"from": "2025-01-01T00:00:00Z", "to": "2026-01-01T00:00:00Z", "step": step}
        if step == "PT6H":
            span["to"] = "2025-01-01T05:00:00Z"
        found = embedded.get(f"{embedded.scoring}/v1/customers/{customer}/history", **span)
        assert len(found["points"]) == count


@pytest.mark.parametrize(("service", "place"), [("ingest", "/v1/sources"), ("alerts", "/v1/councils")])
def test_bodies_that_are_none(embedded: Loop, service: str, place: str) -> None:
    url = getattr(embedded, service) + place
    for content in (b"", b"{", b"[]", b'"x"', b"null", b"\xff", b'{"id": NaN}'):
        answer = embedded.http.post(url, content=content, headers={"content-type": "application/json"})
        problem(answer, 400, "invalid_request")


def test_a_cursor_belongs_to_its_list(embedded: Loop, unique: Unique) -> None:
    region = unique("region")
    for _ in range(2):
        body = {"response": unique("r"), "metric": "csat", "score": 5, "scale": [1, 5]}
        event = made("survey.answered", [f"user:{unique('u')}"], body, data={"region": region})
        embedded.applied(accepted(embedded, event)[0])
    url = f"{embedded.scoring}/v1/customers"
    page = eventually(
        lambda: found if (found := embedded.get(url, region=region, limit="1"))["next"] else None, "two"
    )
    for params in ({"region": "other"}, {"region": region, "sort": "health"}):
        answer = embedded.http.get(url, params={**params, "cursor": page["next"]})
        assert wheres(problem(answer, 400, "invalid_request")) == ["?cursor"]


class Grumpy(BaseHTTPRequestHandler):
    """Answers with what its server's list says, then 204."""

    answers: list[int]
    seen: list[Json]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.seen.append({k.lower(): v for k, v in self.headers.items()})
        self.send_response(self.answers.pop(0) if self.answers else 204)
        self.send_header("retry-after", "1")
        self.send_header("location", "/elsewhere")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


@pytest.mark.parametrize("first", [500, 302, 410])
def test_retries_and_switching_off(embedded: Loop, unique: Unique, first: int) -> None:
    handler = type("Handler", (Grumpy,), {"answers": [first], "seen": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    home, region = council(embedded, unique)
    name = unique("e")
    url = f"http://127.0.0.1:{server.server_address[1]}/"
    body = {"id": name, "kind": "webhook", "url": url, "councils": [home]}
    assert embedded.http.post(f"{embedded.alerts}/v1/endpoints", json=body).status_code == 201
    case = unhappy(embedded, region, unique("p"))

    def log() -> list[Json]:
        found = pages(embedded, f"{embedded.alerts}/v1/deliveries", alert=case.id)
        return [a for one in found if one["endpoint"] == name for a in one["attempts"]]

    seen = handler.seen  # type: ignore[attr-defined]
    if first == 410:
        eventually(
            lambda: not embedded.get(f"{embedded.alerts}/v1/endpoints/{name}")["enabled"], "switched off"
        )
    else:
        eventually(lambda: len(seen) >= 2, "the second attempt", 30)
        assert seen[0]["webhook-id"] == seen[1]["webhook-id"]
        assert int(seen[0]["webhook-timestamp"]) < int(seen[1]["webhook-timestamp"])
        eventually(lambda: len(log()) >= 2, "both in the log")
    assert log()[0]["status"] == first
    embedded.http.delete(f"{embedded.alerts}/v1/endpoints/{name}")
    server.shutdown()
    server.server_close()
