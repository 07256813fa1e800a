"""What no endpoint can digest is refused at the edge, and everything else arrives unchanged."""

from __future__ import annotations

import pytest

from shared.runtime.edge import EdgeMiddleware
from tests.unit.runtime.asgi import call, echo

JSON = {"Content-Type": "application/json"}
app = EdgeMiddleware(echo, raw_paths=("/v1/webhooks/",), max_body=1000)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"a": NaN}',
        b"[Infinity]",
        b'"\\ud800"',
        b'"\\udfff\\ud800"',
        b'"\xff"',
        b"[" * 900,
        b"\x00",
    ],
    ids=lambda b: repr(b[:12]),
)
async def test_what_is_no_json_is_a_400(body: bytes) -> None:
    answer = await call(app, "POST", headers=JSON, body=body)
    assert answer.status == 400
    assert answer.json()["type"] == "/problems/invalid_request"
    assert answer.json()["errors"][0]["where"] == ""


@pytest.mark.parametrize("body", [b'{"a":"\\u0000"}', b'{"\\u0000":1}', b'[[{"a":["x\\u0000"]}]]'])
async def test_nul_has_no_place_in_a_text_column(body: bytes) -> None:
    assert (await call(app, "PUT", headers=JSON, body=body)).status == 400


@pytest.mark.parametrize("body", [b'{"a":"\\\\u0000"}', b'"\\ud83d\\ude00"', b"", b"18446744073709551615"])
async def test_what_only_looks_like_it_passes(body: bytes) -> None:
    answer = await call(app, "POST", headers=JSON, body=body)
    assert (answer.status, answer.body) == (200, body)


async def test_addresses_with_nul() -> None:
    assert (await call(app, path="/v1/x\x00y")).status == 400
    answer = await call(app, query=b"q=a%00b")
    assert (answer.status, answer.json()["errors"][0]["where"]) == (400, "?")


async def test_bodies_that_arrive_in_pieces_are_joined() -> None:
    answer = await call(app, "POST", headers=JSON, pieces=[b'{"a"', b":", b"1}"])
    assert answer.body == b'{"a":1}'


async def test_too_large_is_413_before_it_is_read() -> None:
    declared = await call(app, "POST", headers=JSON | {"Content-Length": "1001"}, body=b"1")
    found = await call(app, "POST", headers=JSON, pieces=[b"1" * 600, b"1" * 600])
    absurd = await call(app, "POST", headers=JSON | {"Content-Length": "9" * 5000}, body=b"1")
    assert {declared.status, found.status, absurd.status} == {413}


async def test_other_kinds_of_bodies_are_415() -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await call(app, "POST", headers=form, body=b"a=1")).status == 415
    assert (await call(app, "POST", headers=form)).status == 200, "nothing was sent, so nothing is wrong"
    vendor = {"Content-Type": "application/cloudevents+json; charset=utf-8"}
    assert (await call(app, "POST", headers=vendor, body=b"{}")).status == 200


async def test_raw_endpoints_get_every_byte() -> None:
    answer = await call(app, "POST", "/v1/webhooks/zendesk", headers=JSON, body=b'\x00{"a": NaN}' * 500)
    assert answer.body == b'\x00{"a": NaN}' * 500
