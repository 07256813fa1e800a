"""`/v1/sources`, `/v1/webhooks/{source}`, `/v1/rejected`: real signatures of every vendor."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pytest

from tests import senders_bodies as bodies
from tests import senders_chat as chat
from tests.e2e.contract_kit import is_zulu, made, pages, problem
from tests.e2e.loop import Json, Loop, ago
from tests.senders_kit import SECRETS, Request, sign

Unique = Callable[[str], str]


def make(loop: Loop, source: str, vendor: str, **more: object) -> Json:
    body = {"id": source, "vendor": vendor, "secrets": [SECRETS[vendor]], **more}
    answer = loop.http.post(f"{loop.ingest}/v1/sources", json=body)
    assert answer.status_code == 201, answer.text
    found: Json = answer.json()
    return found


def deliver(loop: Loop, source: str, request: Request) -> httpx.Response:
    url = f"{loop.ingest}/v1/webhooks/{source}"
    return httpx.post(url, content=request.body, headers=request.headers, timeout=30)


def body_of(vendor: str, name: str, at: datetime) -> Json:
    """Something that this vendor tells of the customer `name`."""
    own = made("ticket.opened", [f"user:{name}"], {"interaction": name})
    match vendor:
        case "zendesk":
            return bodies.zendesk_event("created", name, at, requester=name)
        case "intercom":
            opened = chat.intercom_conversation(name, "<p>Hello</p>", at)
            return chat.intercom_notification("conversation.user.created", opened, at)
        case "chatwoot":
            number = int.from_bytes(name.encode()[-6:])
            return chat.chatwoot_event("conversation_created", chat.chatwoot_conversation(number, at))
        case "typeform":
            return bodies.typeform_nps(name, at, 9, "Good", hidden={"email": f"{name}@example.com"})
        case "stripe":
            invoice = bodies.stripe_invoice(name, f"cus_{name}", 990, at)
            return bodies.stripe_event("invoice.payment_failed", invoice, at)
        case "standard-webhooks":
            data = own["data"]
            return {"type": own["type"], "timestamp": own["time"], "data": data}
        case _:
            return own


VENDORS = ("zendesk", "intercom", "chatwoot", "typeform", "stripe", "standard-webhooks", "cloudevents")


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_signed_delivery_is_taken_and_applied(embedded: Loop, unique: Unique, vendor: str) -> None:
    source, at = unique(vendor[:8]), ago(minutes=2)
    auth = {"auth": "header"} if vendor == "cloudevents" else {}
    told = make(embedded, source, vendor, **auth)
    assert {"id", "vendor", "url", "settings"} <= set(told)
    assert (told["id"], told["vendor"]) == (source, vendor)
    assert told["url"].endswith(f"/v1/webhooks/{source}")
    assert SECRETS[vendor] not in json.dumps(told)
    request = sign(vendor, body_of(vendor, unique("c"), at), SECRETS[vendor], at=datetime.now(UTC))
    answer = deliver(embedded, source, request)
    assert answer.status_code == 202, answer.text
    found = answer.json()
    assert set(found) == {"accepted", "rejected", "ignored", "ids"}
    assert found["accepted"] == len(found["ids"]) >= 1
    assert (found["rejected"], found["ignored"]) == (0, 0)
    event = embedded.applied(found["ids"][0])["event"]
    assert event["source"] == f"/sources/{source}"
    assert deliver(embedded, source, request).json() == found
    forged = request._replace(headers={k: v.replace("=", "=0") + "0" for k, v in request.headers.items()})
    problem(deliver(embedded, source, forged), 401, "unauthorized")
    bare = request._replace(headers={"content-type": request.headers["Content-Type"]})
    problem(deliver(embedded, source, bare), 401, "unauthorized")


def test_standard_webhooks_take_a_cloudevent_too(embedded: Loop, unique: Unique) -> None:
    source = unique("own")
    make(embedded, source, "standard-webhooks")
    event = made("ticket.opened", [f"user:{unique('u')}"], {"interaction": unique("t")})
    secret = SECRETS["standard-webhooks"]
    request = sign("standard-webhooks", event, secret, at=datetime.now(UTC))
    answer = deliver(embedded, source, request)
    assert (answer.status_code, answer.json()["accepted"]) == (202, 1)
    old = sign("standard-webhooks", event, secret, at=ago(minutes=10))
    problem(deliver(embedded, source, old), 401, "unauthorized")


def test_life_of_a_source(embedded: Loop, unique: Unique) -> None:
    source = unique("desk")
    url = f"{embedded.ingest}/v1/sources"
    make(embedded, source, "zendesk", defaults={"region": "emea", "stage": "use", "channel": "chat"})
    twice = {"id": source, "vendor": "zendesk", "secrets": ["another secret"]}
    problem(embedded.http.post(url, json=twice), 409, "conflict")
    assert source in [one["id"] for one in pages(embedded, url, limit="200")]
    at, now = ago(minutes=3), datetime.now(UTC)
    request = sign("zendesk", bodies.zendesk_event("created", source, at), SECRETS["zendesk"], at=now)
    (event_id,) = deliver(embedded, source, request).json()["ids"]
    assert embedded.applied(event_id)["event"]["data"]["region"] == "emea"
    changed = embedded.http.patch(f"{url}/{source}", json={"secrets": ["second", "third"]})
    assert changed.is_success and "second" not in changed.text and "third" not in changed.text
    assert "second" not in embedded.http.get(f"{url}/{source}").text
    for secret, status in ((SECRETS["zendesk"], 401), ("second", 202), ("third", 202)):
        again = sign("zendesk", bodies.zendesk_event("created", source, at), secret, at=datetime.now(UTC))
        assert deliver(embedded, source, again).status_code == status
    assert embedded.http.delete(f"{url}/{source}").is_success
    problem(embedded.http.get(f"{url}/{source}"), 404, "not_found")
    problem(deliver(embedded, source, request), 404, "not_found")


@pytest.mark.parametrize("auth", ["header", "basic", "path"])
def test_other_ways_to_authenticate(embedded: Loop, unique: Unique, auth: str) -> None:
    source = unique("tool")
    told = make(embedded, source, "zendesk", auth=auth, secrets=["a-long-secret-1", "b-long-secret-2"])
    body = bodies.zendesk_event("created", source, ago(minutes=3))

    def send(secret: str) -> int:
        url, headers, login = told["url"], {}, None
        if auth == "path":
            url = url.replace("{secret}", secret)
        elif auth == "header":
            headers = {"authorization": f"Bearer {secret}"}
        else:
            login = ("cxloop", secret)
        return httpx.post(url, json=body, headers=headers, auth=login).status_code

    assert [send(s) for s in ("a-long-secret-1", "b-long-secret-2", "wrong")] == [202, 202, 401]


def test_handshakes_and_unknown_sources(embedded: Loop, unique: Unique) -> None:
    source = unique("desk")
    make(embedded, source, "zendesk")
    url = f"{embedded.ingest}/v1/webhooks"
    for method in ("HEAD", "GET", "OPTIONS"):
        assert httpx.request(method, f"{url}/{source}").is_success
    asked = {"WebHook-Request-Origin": "tool.example.com"}
    greeted = httpx.options(f"{url}/{source}", headers=asked)
    assert greeted.is_success
    assert greeted.headers["webhook-allowed-origin"] in ("tool.example.com", "*")
    problem(httpx.post(f"{url}/{unique('no')}", json={}), 404, "not_found")
    huge = sign("zendesk", b" " * (2**20 + 1), SECRETS["zendesk"], at=datetime.now(UTC))
    problem(deliver(embedded, source, huge), 413, "too_large")


def test_the_unreadable_is_kept_with_its_reasons_and_replayed(embedded: Loop, unique: Unique) -> None:
    source = unique("desk")
    make(embedded, source, "zendesk")
    broken = b'{"type":"zen:event-type:ticket.created","detail":"' + source.encode() + b'", oops'
    answer = deliver(embedded, source, sign("zendesk", broken, SECRETS["zendesk"], at=datetime.now(UTC)))
    assert answer.status_code == 202
    assert answer.json() == {"accepted": 0, "rejected": 1, "ignored": 0, "ids": []}
    items = pages(embedded, f"{embedded.ingest}/v1/rejected", limit="200")
    (item,) = [one for one in items if one["source"] in (source, f"/sources/{source}")]
    assert {"id", "source", "received_at", "reasons", "body"} <= set(item)
    assert item["body"].encode() == broken
    assert item["reasons"]
    assert is_zulu(item["received_at"])
    replayed = embedded.http.post(f"{embedded.ingest}/v1/rejected/{item['id']}/replay")
    assert replayed.is_success
    assert (replayed.json()["accepted"], replayed.json()["rejected"]) == (0, 1)
    missing = embedded.http.post(f"{embedded.ingest}/v1/rejected/{item['id'][:-4]}0000/replay")
    problem(missing, 404, "not_found")


def test_an_unknown_event_is_counted_as_ignored(embedded: Loop, unique: Unique) -> None:
    source = unique("desk")
    make(embedded, source, "zendesk")
    body = bodies.zendesk_event("sang_a_song", source, ago(minutes=1))
    answer = deliver(embedded, source, sign("zendesk", body, SECRETS["zendesk"], at=datetime.now(UTC)))
    assert answer.status_code == 202
    assert answer.json() == {"accepted": 0, "rejected": 0, "ignored": 1, "ids": []}


def test_a_partly_good_batch_is_taken_element_by_element(embedded: Loop, unique: Unique) -> None:
    source = unique("own")
    make(embedded, source, "cloudevents", auth="header")
    good = made("ticket.opened", [f"user:{unique('u')}"], {"interaction": unique("t")})
    bad = made("ticket.opened", ["nonsense"], {})
    request = sign("cloudevents", [bad, good], SECRETS["cloudevents"], at=datetime.now(UTC))
    answer = deliver(embedded, source, request)
    assert answer.status_code == 202, answer.text
    assert (answer.json()["accepted"], answer.json()["rejected"]) == (1, 1)


@pytest.mark.parametrize(
    ("settings", "kind"), [({}, "account_id"), ({"customers_are": "person"}, "customer_id")]
)
def test_whom_a_billing_customer_is(embedded: Loop, unique: Unique, settings: Json, kind: str) -> None:
    source, name = unique("bill"), unique("c")
    make(embedded, source, "stripe", **settings)
    at = ago(minutes=2)
    invoice = bodies.stripe_invoice(name, f"cus_{name}", 990, at)
    event = bodies.stripe_event("invoice.payment_failed", invoice, at)
    request = sign("stripe", event, SECRETS["stripe"], at=datetime.now(UTC))
    embedded.applied(deliver(embedded, source, request).json()["ids"][0])
    schemes = ("org",) if kind == "account_id" else ("user", "contact")
    found = [
        answer.json()
        for scheme in schemes
        if (
            answer := embedded.http.get(
                f"{embedded.scoring}/v1/lookup", params={"identifier": f"{source}.{scheme}:cus_{name}"}
            )
        ).is_success
    ]
    assert [set(one) for one in found] == [{kind}]
