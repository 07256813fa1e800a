"""Councils, endpoints, rules, and what receivers get: signatures, retries, redelivery, references."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator

import pytest
from standardwebhooks import Webhook

from tests.e2e.contract_alerts import SPONSOR, answer, council, step, unhappy
from tests.e2e.contract_kit import accepted, made, pages, problem, wheres
from tests.e2e.loop import Json, Loop, eventually
from tests.e2e.receivers import Hook, http_receiver

Unique = Callable[[str], str]


@pytest.fixture
def receiver() -> Iterator[Hook]:
    with http_receiver() as hook:
        yield hook


def connect(loop: Loop, hook: Hook, name: str, **more: object) -> Json:
    body = {"id": name, "kind": "webhook", "url": hook.url, **more}
    made_ = loop.http.post(f"{loop.alerts}/v1/endpoints", json=body)
    assert made_.status_code == 201, made_.text
    found: Json = made_.json()
    hook.secret = found["secret"]
    return found


def told(hook: Hook, kind: str) -> Json:
    return eventually(lambda: next((e for e in hook.alerts() if e["type"] == kind), None), kind)


def test_councils(embedded: Loop, unique: Unique) -> None:
    url, name = f"{embedded.alerts}/v1/councils", unique("c")
    assert "default" in [one["id"] for one in pages(embedded, url, limit="2")]
    body = {"id": name, "name": "EMEA", "sponsor": SPONSOR, "members": [SPONSOR], "scope": {"region": [name]}}
    assert embedded.http.post(url, json=body).status_code == 201
    found = embedded.get(f"{url}/{name}")
    assert (found["id"], found["name"]) == (name, "EMEA")
    assert found["scope"] == {"region": [name]}
    assert {k: found["sponsor"][k] for k in SPONSOR} == SPONSOR
    assert {k: found["members"][0][k] for k in SPONSOR} == SPONSOR
    problem(embedded.http.post(url, json=body), 409, "conflict")
    assert embedded.http.put(f"{url}/{name}", json=body | {"name": "New"}).status_code == 200
    assert embedded.get(f"{url}/{name}")["name"] == "New"
    other = unique("c")
    assert embedded.http.put(f"{url}/{other}", json={"name": "Put", "scope": {"region": ["x"]}}).is_success
    assert embedded.get(f"{url}/{other}")["id"] == other
    for one in (name, other):
        assert embedded.http.delete(f"{url}/{one}").is_success
    problem(embedded.http.get(f"{url}/{name}"), 404, "not_found")
    problem(embedded.http.delete(f"{url}/default"), 409, "conflict")


def test_rules(embedded: Loop, unique: Unique) -> None:
    url = f"{embedded.alerts}/v1/rules"
    shipped = {one["id"] for one in pages(embedded, url, limit="3")}
    assert {
        "detractor-answer",
        "detractor-risk",
        "sudden-fall",
        "promise-broken",
        "cancel-scheduled",
    } <= shipped
    document = embedded.get(f"{url}/detractor-answer")
    name = unique("rule")
    put = embedded.http.put(f"{url}/{name}", json=document | {"id": name, "enabled": False})
    assert put.is_success, put.text
    assert embedded.http.put(f"{url}/{name}", json=document | {"id": name}).is_success
    problem(embedded.http.post(url, json=document), 409, "conflict")
    assert problem(embedded.http.put(f"{url}/{name}", json={"when": 7}), 400, "invalid_request")["errors"]
    assert embedded.http.delete(f"{url}/{name}").is_success
    problem(embedded.http.get(f"{url}/{name}"), 404, "not_found")


def test_endpoints(embedded: Loop, unique: Unique, receiver: Hook) -> None:
    url, name = f"{embedded.alerts}/v1/endpoints", unique("e")
    found = connect(embedded, receiver, name, councils=[unique("nobody")])
    assert found["secret"].startswith("whsec_")
    assert 24 <= len(base64.b64decode(found["secret"][6:])) <= 64
    assert (found["id"], found["kind"], found["url"]) == (name, "webhook", receiver.url)
    for text in (embedded.http.get(url).text, embedded.http.get(f"{url}/{name}").text):
        assert found["secret"] not in text and found["secret"][6:] not in text
    assert name in [one["id"] for one in pages(embedded, url, limit="2")]
    body = {"id": name, "kind": "webhook", "url": receiver.url}
    problem(embedded.http.post(url, json=body), 409, "conflict")
    put = embedded.http.put(f"{url}/{name}", json=body | {"detail": "reference", "councils": [unique("n")]})
    assert (put.status_code, put.json()["detail"]) == (200, "reference")
    own = "whsec_" + base64.b64encode(b"x" * 32).decode()
    given = {
        "id": unique("e"),
        "kind": "webhook",
        "url": receiver.url,
        "secret": own,
        "councils": [unique("n")],
    }
    assert embedded.http.post(url, json=given).status_code == 201
    mail = {"id": unique("e"), "kind": "email", "to": "a@example.com", "councils": [unique("n")]}
    assert embedded.http.post(url, json=mail).status_code == 201
    for one in (given["id"], mail["id"], name):
        assert embedded.http.delete(f"{url}/{one}").is_success
    for wrong, where in (({"kind": "fax"}, "/kind"), ({"detail": "some"}, "/detail"), ({"id": "Ü"}, "/id")):
        assert wheres(problem(embedded.http.post(url, json=body | wrong), 400, "invalid_request")) == [where]


def test_test_and_rotate(embedded: Loop, unique: Unique, receiver: Hook) -> None:
    name = unique("e")
    url = f"{embedded.alerts}/v1/endpoints/{name}"
    first = connect(embedded, receiver, name, councils=[unique("nobody")])["secret"]
    assert embedded.http.post(f"{url}/test").is_success
    event = told(receiver, "cxloop.endpoint.test.v1")
    assert event["specversion"] == "1.0"
    rotated = embedded.http.post(f"{url}/rotate")
    assert rotated.is_success
    second = rotated.json()["secret"]
    assert second.startswith("whsec_") and second != first
    receiver.taken.clear()
    assert embedded.http.post(f"{url}/test").is_success
    eventually(lambda: receiver.taken or None, "the second test")
    headers, body = receiver.taken[0]
    for secret in (first, second):
        Webhook(secret).verify(body, headers)
    problem(embedded.http.post(f"{embedded.alerts}/v1/endpoints/{unique('no')}/test"), 404, "not_found")
    embedded.http.delete(url)


def test_what_a_receiver_gets(embedded: Loop, unique: Unique, receiver: Hook) -> None:
    home, region = council(embedded, unique)
    name = unique("e")
    connect(embedded, receiver, name, councils=[home])
    case = unhappy(embedded, region, unique("p"))
    opened = told(receiver, "cxloop.alert.opened.v1")
    assert {"specversion", "id", "source", "type", "time", "data"} <= set(opened)
    assert (opened["data"]["id"], opened["data"]["state"]) == (case.id, "open")
    assert {"reason", "scores", "customer", "history", "version", "suggestion"} <= set(opened["data"])
    headers, body = receiver.taken[0]
    assert {"webhook-id", "webhook-timestamp", "webhook-signature"} <= set(headers)
    assert headers["content-type"].startswith("application/cloudevents+json")
    assert len(body) < 20_000
    for verb, what in (
        ("acknowledge", "acknowledged"),
        ("assign", "assigned"),
        ("act", "acted"),
        ("dismiss", "dismissed"),
        ("reopen", "reopened"),
        ("snooze", "snoozed"),
    ):
        found = step(embedded, case.id, verb, to="mira", reason="known", until="2031-01-01T00:00:00Z")
        assert found.is_success, found.text
        told(receiver, f"cxloop.alert.{what}.v1")
    versions = [one["data"]["version"] for one in receiver.alerts()]
    assert len(set(versions)) == len(versions)
    ids = [h["webhook-id"] for h, _ in receiver.taken]
    assert len(set(ids)) == len(ids)
    embedded.http.delete(f"{embedded.alerts}/v1/endpoints/{name}")


def test_log_and_redelivery(embedded: Loop, unique: Unique, receiver: Hook) -> None:
    home, region = council(embedded, unique)
    name = unique("e")
    connect(embedded, receiver, name, councils=[home])
    case = unhappy(embedded, region, unique("p"))
    told(receiver, "cxloop.alert.opened.v1")
    url = f"{embedded.alerts}/v1/deliveries"

    def done() -> Json | None:
        found = [one for one in pages(embedded, url, alert=case.id) if one["endpoint"] == name]
        return found[0] if found and found[0]["attempts"] else None

    log = eventually(done, "the log of the delivery")
    assert {"id", "endpoint", "attempts", "state"} <= set(log)
    assert {"at", "outcome"} <= set(log["attempts"][0])
    assert log["attempts"][0]["status"] == 204
    before = receiver.taken[0][0]["webhook-id"]
    receiver.taken.clear()
    assert embedded.http.post(f"{url}/{log['id']}/redeliver").is_success
    eventually(lambda: receiver.taken or None, "the redelivery")
    assert receiver.taken[0][0]["webhook-id"] == before
    problem(embedded.http.post(f"{url}/{unique('no')}/redeliver"), 404, "not_found")
    embedded.http.delete(f"{embedded.alerts}/v1/endpoints/{name}")


def test_a_reference_leaves_out_names_and_words(embedded: Loop, unique: Unique, receiver: Hook) -> None:
    home, region = council(embedded, unique)
    name, endpoint = unique("zoe"), unique("e")
    connect(embedded, receiver, endpoint, councils=[home], detail="reference")
    case = unhappy(embedded, region, name)
    step(embedded, case.id, "act", note=f"Called {name}", action=f"called {name}")
    told(receiver, "cxloop.alert.acted.v1")
    receiver.alerts()
    for _, body in receiver.taken:
        assert name.encode() not in body
        assert b"angry" not in body
        data = json.loads(body)["data"]
        assert (data["id"], data["customer_id"]) == (case.id, case.customer)
    embedded.http.delete(f"{embedded.alerts}/v1/endpoints/{endpoint}")


def test_an_alert_of_many_words_stays_small(embedded: Loop, unique: Unique, receiver: Hook) -> None:
    home, region = council(embedded, unique)
    name, endpoint = unique("p"), unique("e")
    connect(embedded, receiver, endpoint, councils=[home])
    person = f"email:{name}@example.com"
    words = "Ärger 😡 " * 4000
    about = made("customer.identified", [person], {"region": region, "name": "N" * 300})
    embedded.applied(accepted(embedded, about)[0])
    for n in range(6):
        answer(embedded, person, n % 3, body={"comment": words})
    told(receiver, "cxloop.alert.opened.v1")
    receiver.alerts()
    assert max(len(body) for _, body in receiver.taken) < 20_000
    customer = embedded.customer(person)
    (alert,) = embedded.open_alerts(customer)
    assert len(alert["reason"]["events"]) <= 5
    embedded.http.delete(f"{embedded.alerts}/v1/endpoints/{endpoint}")
