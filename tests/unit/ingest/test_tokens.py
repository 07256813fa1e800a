"""Senders that sign nothing: tokens in headers, in basic authentication, in the URL."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest

from services.ingest.domain.sender import Auth, Bad, Delivery, SourceConfig, Unsigned, Verified
from services.ingest.domain.tokens import check_token, storable_headers, without_token

T = datetime(2026, 3, 1, tzinfo=UTC)
BASIC = "Basic " + base64.b64encode(b"desk:s3cret").decode()


def delivery(path: str = "/v1/webhooks/desk", **headers: str) -> Delivery:
    return Delivery("POST", path, {k.replace("_", "-"): v for k, v in headers.items()}, b"", T)


@pytest.mark.parametrize(
    ("auth", "secret", "sent", "verdict"),
    [
        ("header", "t0ken", delivery(authorization="Bearer t0ken"), Verified),
        ("header", "t0ken", delivery(authorization="t0ken"), Verified),
        ("header", "t0ken", delivery(x_api_key="t0ken"), Verified),
        ("header", "t0ken", delivery(x_api_key="other"), Bad),
        ("header", "t0ken", delivery(), Unsigned),
        ("basic", "desk:s3cret", delivery(authorization=BASIC), Verified),
        ("basic", "s3cret", delivery(authorization=BASIC), Verified),
        ("basic", "desk:other", delivery(authorization=BASIC), Bad),
        ("basic", "s3cret", delivery(authorization="Basic §§§"), Unsigned),
        ("path", "t0ken", delivery("/v1/webhooks/desk/t0ken"), Verified),
        ("path", "t0ken", delivery("/v1/webhooks/desk?a=b&token=t0ken"), Verified),
        ("path", "t0ken", delivery("/v1/webhooks/desk?access_token=other"), Bad),
        ("path", "t0ken", delivery("/v1/webhooks/desk"), Unsigned),
    ],
)
def test_by_mode(auth: Auth, secret: str, sent: Delivery, verdict: type) -> None:
    source = SourceConfig("desk", "zendesk", ("newer", secret), auth)
    assert isinstance(check_token(sent, source), verdict)


def test_a_source_may_name_its_own_header() -> None:
    source = SourceConfig("desk", "zendesk", ("t0ken",), "header", settings={"header": "X-My-Token"})
    assert check_token(delivery(x_my_token="t0ken"), source) == Verified()
    assert check_token(delivery(authorization="Bearer t0ken"), source) == Unsigned("X-My-Token")


def test_what_authenticates_is_never_stored() -> None:
    sent = delivery(
        authorization="Bearer x",
        x_hub_signature="x",
        x_api_key="x",
        cookie="x",
        x_forwarded_for="192.0.2.1",
        content_type="application/json",
        x_helpscout_event="convo.created",
    )
    assert set(storable_headers(sent)) == {"content-type", "x-helpscout-event"}
    assert without_token("/v1/webhooks/desk/t0ken?token=x&a=b") == "/v1/webhooks/desk?a=b"
    assert without_token("/v1/webhooks/desk?Access_Token=x") == "/v1/webhooks/desk"
