"""`/v1/webhooks/{source}`, `/v1/sources` and `/v1/rejected` as the contract says, over HTTP."""

from __future__ import annotations

import asyncio
import gzip
import json
import random
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from services.ingest.senders import senders
from tests.integration.ingest.fixtures import http, ingest, key, topic
from tests.integration.ingest.process import Feedback, cloud_event
from tests.senders_bodies import cloudevent, zendesk_event
from tests.senders_kit import SECRETS, Request, sign

__all__ = ["http", "ingest", "key", "topic"]

Unique = Callable[[str], str]
ZENDESK = SECRETS["zendesk"]
STANDARD = SECRETS["standard-webhooks"]


def now() -> datetime:
    return datetime.now(UTC)


async def make(http: httpx.AsyncClient, source: str, vendor: str, **more: object) -> dict[str, Any]:
    secrets = more.pop("secrets", [SECRETS[vendor]])
    answer = await http.post("/v1/sources", json={"id": source, "vendor": vendor, "secrets": secrets, **more})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def deliver(http: httpx.AsyncClient, source: str, request: Request) -> httpx.Response:
    headers = dict(request.headers)
    return await http.post(f"/v1/webhooks/{source}", content=request.body, headers=headers)


def ticket(source: str, at: datetime | None = None, secret: str = ZENDESK) -> Request:
    at = at or now()
    return sign("zendesk", zendesk_event("created", source[-8:], at), secret, at=at)


@pytest.fixture
async def desk(http: httpx.AsyncClient, unique: Unique) -> AsyncIterator[str]:
    """A Zendesk source of this test alone."""
    source = unique("desk")
    await make(http, source, "zendesk", defaults={"region": "emea"})
    yield source


async def test_a_signed_delivery_is_on_the_topic_once_it_is_answered(
    http: httpx.AsyncClient, topic: Feedback, desk: str
) -> None:
    answer = await deliver(http, desk, ticket(desk))
    told = answer.json()
    assert answer.status_code == 202
    assert set(told) == {"accepted", "rejected", "ignored", "ids"}
    assert (told["accepted"], told["rejected"], told["ignored"]) == (1, 0, 0)
    (event,) = await topic.until(told["ids"])
    assert (event.source, event.type, event.region) == (f"/sources/{desk}", "ticket.opened", "emea")


async def test_a_repeated_delivery_has_the_same_ids(http: httpx.AsyncClient, desk: str) -> None:
    request = ticket(desk)
    first, second = await deliver(http, desk, request), await deliver(http, desk, request)
    assert first.json() == second.json()


async def test_signatures(http: httpx.AsyncClient, desk: str) -> None:
    unsigned = ticket(desk)._replace(headers={"content-type": "application/json"})
    forged = ticket(desk)._replace(body=b'{"type":"zen:event-type:ticket.created"}')
    for request in (unsigned, forged, ticket(desk, secret="another")):
        answer = await deliver(http, desk, request)
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"


async def test_an_old_attempt_is_refused_where_the_scheme_has_a_time(
    http: httpx.AsyncClient, unique: Unique
) -> None:
    source = unique("own")
    await make(http, source, "standard-webhooks")
    event = cloudevent("ticket.opened", "1", now(), cloud_event("1")["data"])
    late = sign("standard-webhooks", event, STANDARD, at=now() - timedelta(minutes=6))
    assert (await deliver(http, source, late)).status_code == 401
    assert (
        await deliver(http, source, sign("standard-webhooks", event, STANDARD, at=now()))
    ).status_code == 202


async def test_several_secrets_are_active_until_they_are_replaced(
    http: httpx.AsyncClient, unique: Unique
) -> None:
    source = unique("desk")
    await make(http, source, "zendesk", secrets=["new", "old"])
    assert (await deliver(http, source, ticket(source, secret="old"))).status_code == 202
    changed = await http.patch(f"/v1/sources/{source}", json={"secrets": ["newer", "new"]})
    assert (changed.status_code, changed.json()["secrets_active"]) == (200, 2)
    for secret, status in (("old", 401), ("new", 202), ("newer", 202)):
        assert (await deliver(http, source, ticket(source, secret=secret))).status_code == status


async def test_senders_that_try_the_address_first(http: httpx.AsyncClient, desk: str) -> None:
    for method in ("HEAD", "GET", "OPTIONS"):
        assert (await http.request(method, f"/v1/webhooks/{desk}")).status_code == 200
    headers = {"webhook-request-origin": "eventemitter.example.com"}
    answer = await http.options(f"/v1/webhooks/{desk}", headers=headers)
    assert answer.headers["webhook-allowed-origin"] == "eventemitter.example.com"
    assert "POST" in answer.headers["allow"]


async def test_an_unknown_source_is_404_and_a_slash_at_the_end_is_no_redirect(
    http: httpx.AsyncClient, desk: str, unique: Unique
) -> None:
    assert (await deliver(http, unique("no"), ticket(desk))).status_code == 404
    assert (await deliver(http, f"{desk}/", ticket(desk))).status_code == 202


async def test_an_unknown_event_type_is_ignored(http: httpx.AsyncClient, desk: str) -> None:
    at = now()
    request = sign("zendesk", zendesk_event("sang_a_song", "1", at), ZENDESK, at=at)
    answer = await deliver(http, desk, request)
    assert (answer.status_code, answer.json()["ignored"]) == (202, 1)


async def test_limits(http: httpx.AsyncClient, desk: str) -> None:
    big = sign("zendesk", b" " * (1024 * 1024 + 1), ZENDESK, at=now())
    assert (await deliver(http, desk, big)).status_code == 413

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 65_536

    answer = await http.post(f"/v1/webhooks/{desk}", content=chunks())
    assert answer.status_code == 413
    bomb = gzip.compress(b" " * 5_000_000)
    answer = await http.post(f"/v1/webhooks/{desk}", content=bomb, headers={"content-encoding": "gzip"})
    assert answer.status_code == 413
    answer = await http.post(f"/v1/webhooks/{desk}", content=b"x", headers={"content-encoding": "br"})
    assert answer.status_code == 415


async def test_a_packed_delivery_is_verified_and_read(http: httpx.AsyncClient, desk: str) -> None:
    request = ticket(desk)
    headers = request.headers | {"content-encoding": "gzip"}
    answer = await deliver(http, desk, request._replace(body=gzip.compress(request.body), headers=headers))
    assert answer.status_code == 202


async def test_what_is_verified_but_unreadable_is_kept_with_its_bytes(
    http: httpx.AsyncClient, desk: str
) -> None:
    body = b'{"type":"zen:event-type:ticket.created","detail":\xff\x00'
    request = sign("zendesk", body, ZENDESK, at=now(), delivery_id="the-same")
    for _ in range(2):  # a repeated delivery is listed once
        answer = await deliver(http, desk, request)
        assert (answer.status_code, answer.json()["rejected"]) == (202, 1)
    listed = (await http.get("/v1/rejected", params={"source": desk})).json()
    (item,) = listed["items"]
    assert item["source"] == f"/sources/{desk}"
    assert item["reasons"][0]["why"]
    assert item["encoding"] == "base64"
    replayed = await http.post(f"/v1/rejected/{item['id']}/replay")
    assert replayed.status_code == 202
    assert (replayed.json()["accepted"], replayed.json()["rejected"]) == (0, 1)


async def test_good_elements_are_accepted_beside_bad_ones(
    http: httpx.AsyncClient, topic: Feedback, unique: Unique
) -> None:
    source = unique("own")
    await make(http, source, "cloudevents")
    data = cloud_event("1")["data"]
    batch = [
        cloudevent("ticket.opened", "1", now(), data),
        cloudevent("ticket.opened", "2", now(), {"identifiers": ["nonsense"], "body": {}}),
        cloudevent("ticket.opened", "3", now(), data) | {"type": "com.example.other"},
    ]
    answer = await deliver(http, source, sign("cloudevents", batch, SECRETS["cloudevents"], at=now()))
    told = answer.json()
    assert (told["accepted"], told["rejected"], told["ignored"]) == (1, 1, 1)
    await topic.until(told["ids"])
    (item,) = (await http.get("/v1/rejected", params={"source": source})).json()["items"]
    assert {one["where"] for one in item["reasons"]} == {
        "/1/data/identifiers/0",
        "/1/data/body/interaction",
    }
    assert json.loads(item["body"]) == batch
    assert SECRETS["cloudevents"] not in json.dumps(item)


async def test_tokens_instead_of_signatures(http: httpx.AsyncClient, unique: Unique) -> None:
    body = ticket("desk-12345").body
    token = "a secret token"
    for auth, address, headers in (
        ("header", "{}", {"authorization": f"Bearer {token}"}),
        ("header", "{}", {"x-api-key": token}),
        ("path", "{}/a%20secret%20token", {"authorization": ""}),
        ("path", "{}?token=a%20secret%20token", {"authorization": ""}),
    ):
        source = unique("desk")
        await make(http, source, "zendesk", auth=auth, secrets=[token])
        url = "/v1/webhooks/" + address.format(source)
        assert (await http.post(url, content=body, headers=headers)).status_code == 202, (auth, address)
        wrong = {name: value.replace("token", "tocken") for name, value in headers.items()}
        answer = await http.post(url.replace("token", "tocken", 2), content=body, headers=wrong)
        assert answer.status_code == 401, (auth, address)
    source = unique("desk")
    await make(http, source, "zendesk", auth="basic", secrets=["desk:s3cret"])
    for password, status in (("s3cret", 202), ("other", 401)):
        answer = await http.post(f"/v1/webhooks/{source}", content=body, auth=("desk", password))
        assert answer.status_code == status


async def test_sources_show_no_secret_and_say_what_to_do(http: httpx.AsyncClient, unique: Unique) -> None:
    source = unique("desk")
    made = await make(http, source, "zendesk", secrets=["unguessable"], customers_are="person")
    assert made["url"].endswith(f"/v1/webhooks/{source}")
    assert made["settings"]["url"] == made["url"]
    assert made["settings"]["switch_on"]
    assert made["settings"]["customers_are"] == "person"
    again = await http.post("/v1/sources", json={"id": source, "vendor": "zendesk", "secrets": ["x"]})
    assert again.status_code == 409
    listed = [made]
    cursor: dict[str, str] = {}
    while len(listed) == 1 or cursor:
        page = (await http.get("/v1/sources", params={"limit": "2", **cursor})).json()
        listed += page["items"]
        cursor = {"cursor": page["next"]} if page["next"] else {}
    assert source in {one["id"] for one in listed[1:]}
    assert "unguessable" not in json.dumps(listed)
    assert (await http.delete(f"/v1/sources/{source}")).status_code == 204
    assert (await http.get(f"/v1/sources/{source}")).status_code == 404
    assert (await deliver(http, source, ticket(source))).status_code == 404


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"id": "Desk!"}, "/id"),
        ({"vendor": "zendesc"}, "/vendor"),
        ({"secrets": []}, "/secrets"),
        ({"secrets": [" "]}, "/secrets/0"),
        ({"auth": "trust"}, "/auth"),
        ({"defaults": {"channel": "pigeon"}}, "/defaults/channel"),
        ({"defaults": {"colour": "red"}}, "/defaults"),
        ({"customers_are": "cats"}, "/customers_are"),
        ({"secret": "x"}, "/secret"),
    ],
)
async def test_why_a_source_is_refused(
    http: httpx.AsyncClient, unique: Unique, change: dict[str, Any], where: str
) -> None:
    body = {"id": unique("desk"), "vendor": "zendesk", "secrets": ["x"]} | change
    answer = await http.post("/v1/sources", json=body)
    assert answer.status_code == 400
    assert [one["where"] for one in answer.json()["errors"]] == [where]


async def test_the_reason_against_a_vendor_names_the_known_ones(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/sources", json={"id": "a", "vendor": "zendesc", "secrets": ["x"]})
    why = answer.json()["errors"][0]["why"]
    assert "did you mean zendesk?" in why
    assert all(vendor in why for vendor in senders())


async def test_no_byte_string_causes_a_fault_of_ours(http: httpx.AsyncClient, unique: Unique) -> None:
    """Whatever is signed, by whatever vendor: it is accepted, ignored or kept as rejected."""
    chance = random.Random(11)
    whole = ticket("desk-1").body
    odd = [b"", b"null", b"[]", b"{}", b"1e999", b"[" * 50_000, b'{"detail":' * 3_000, b"\xff", b"\x00" * 9]
    for _ in range(25):
        place = chance.randrange(len(whole))
        odd.append(whole[:place] + chance.randbytes(2) + whole[place + 3 :])
    for vendor in senders():
        source = unique("s")
        await make(http, source, vendor)
        requests = [deliver(http, source, sign(vendor, body, SECRETS[vendor], at=now())) for body in odd]
        for answer in await asyncio.gather(*requests):
            assert answer.status_code in (200, 202), (vendor, answer.text)
        odd_value = b"\xe9,=,v1, ,t=9e99"
        for name in (b"x-zendesk-webhook-signature", b"webhook-signature", b"stripe-signature"):
            headers = [(name, odd_value), (b"webhook-timestamp", b"9" * 400), (b"authorization", odd_value)]
            answer = await http.post(f"/v1/webhooks/{source}", content=b"{}", headers=headers)
            assert answer.status_code == 401, (vendor, name)
