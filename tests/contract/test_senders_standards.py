"""Standard Webhooks and CloudEvents by webhook: the standards' own vectors, modes, strictness."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from standardwebhooks import Webhook

from services.ingest.domain.sender import Bad, Delivery, Verified
from services.ingest.senders import senders
from shared.events.ids import own_event_id
from tests.contract.senders_table import NOW, config, deliver, events, fixture, told
from tests.senders_kit import SECRETS

# The vector that the reference libraries test themselves with.
VECTOR_SECRET = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
VECTOR_AT = datetime.fromtimestamp(1614265330, tz=UTC)
VECTOR_HEADERS = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
VECTOR_BODY = b'{"test": 2432232314}'
VERIFY = senders()["standard-webhooks"].verify


def vector(**headers: str) -> Delivery:
    given = VECTOR_HEADERS | {name.replace("_", "-"): value for name, value in headers.items()}
    return Delivery("POST", "/v1/webhooks/own", given, VECTOR_BODY, VECTOR_AT)


@pytest.mark.parametrize("secret", [VECTOR_SECRET, f"whsec_{VECTOR_SECRET}"])
def test_verified_vector(secret: str) -> None:
    assert VERIFY(vector(), config("standard-webhooks", secrets=(secret,)), VECTOR_AT) == Verified()


@pytest.mark.parametrize(
    ("signature", "good"),
    [
        ("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OA=", False),
        (f"v1,AAAA v2,xyz {VECTOR_HEADERS['webhook-signature']}", True),
        (f"{VECTOR_HEADERS['webhook-signature']} v1", True),
        (f"v1,a,b,c {VECTOR_HEADERS['webhook-signature']}", True),
        ("v1", False),
        ("v1,", False),
        (",", False),
        ("v0,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", False),
        ("v1a,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", False),
    ],
)
def test_list_of_signatures(signature: str, good: bool) -> None:
    source = config("standard-webhooks", secrets=(VECTOR_SECRET,))
    verdict = VERIFY(vector(webhook_signature=signature), source, VECTOR_AT)
    assert isinstance(verdict, Verified if good else Bad)


@pytest.mark.parametrize("stamp", ["16142653.5", "1e9", "-1614265330", "१२३", "999999999999999999999", "x"])
def test_time_that_is_no_count_of_seconds(stamp: str) -> None:
    source = config("standard-webhooks", secrets=(VECTOR_SECRET,))
    assert isinstance(VERIFY(vector(webhook_timestamp=stamp), source, VECTOR_AT), Bad)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_%%%", "whpk_AAAA", "whpk_!"])
def test_secret_that_is_none_verifies_nothing(secret: str) -> None:
    assert isinstance(VERIFY(vector(), config("standard-webhooks", secrets=(secret,)), VECTOR_AT), Bad)


def test_asymmetric_signature() -> None:
    private = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    signed = f"{VECTOR_HEADERS['webhook-id']}.1614265330.".encode() + VECTOR_BODY
    public = base64.b64encode(private.public_key().public_bytes_raw()).decode()
    source = config("standard-webhooks", secrets=(VECTOR_SECRET[::-1], f"whpk_{public}"))
    good = f"v1,AAAA v1a,{base64.b64encode(private.sign(signed)).decode()}"
    assert VERIFY(vector(webhook_signature=good), source, VECTOR_AT) == Verified()
    other = f"v1a,{base64.b64encode(private.sign(b'x' + signed)).decode()}"
    assert isinstance(VERIFY(vector(webhook_signature=other), source, VECTOR_AT), Bad)


def test_signature_of_the_reference_library() -> None:
    secret, body = SECRETS["standard-webhooks"], b'{"type":"x"}'
    signature = Webhook(secret).sign("msg_1", NOW, body.decode())
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(NOW.timestamp())),
        "webhook-signature": signature,
    }
    delivery = Delivery("POST", "/v1/webhooks/own", headers, body, NOW)
    assert VERIFY(delivery, config("standard-webhooks"), NOW + timedelta(seconds=200)) == Verified()


OPENED = {
    "type": "ticket.opened",
    "time": "2026-03-01T09:30:00Z",
    "identifiers": ("email:robin@example.com",),
    "channel": "email",
    "body": {"interaction": "T-9", "subject": "Export broken", "text": "Nothing can be exported."},
}
TOLD: dict[tuple[str, str], list[dict[str, Any]]] = {
    ("standard-webhooks", "cloudevent"): [OPENED],
    ("cloudevents", "structured"): [OPENED],
    ("standard-webhooks", "envelope"): [
        {
            "type": "survey.answered",
            "time": "2026-03-01T09:30:00.250000Z",
            "identifiers": ("user:c-77",),
            "body": {
                "response": "r-1",
                "question": "q-1",
                "metric": "nps",
                "score": 9,
                "scale": (0, 10),
                "comment": "Good.",
            },
        }
    ],
    ("standard-webhooks", "short_type"): [
        {
            "type": "subscription.renewed",
            "time": "2026-03-01T09:30:00Z",
            "identifiers": ("account:acme",),
            "body": {
                "subscription": "s-1",
                "amount": 120000,
                "currency": "EUR",
                "period_end": "2027-03-01T00:00:00Z",
            },
        }
    ],
    ("standard-webhooks", "foreign"): [],
    ("cloudevents", "foreign"): [],
    ("cloudevents", "batch_empty"): [],
}


@pytest.mark.parametrize(("vendor", "name"), TOLD)
def test_event_as_the_contract_says(vendor: str, name: str) -> None:
    assert told(vendor, name) == TOLD[vendor, name]


def test_same_id_of_two_tools_is_two_events() -> None:
    ids = [event.id for event in events(deliver("cloudevents", fixture("cloudevents", "batch")))]
    assert len(set(ids)) == 3
    assert ids[0] == own_event_id("/sources/desk", "/tools/crm ev-1")


def test_retraction_names_the_event_by_the_tools_own_id() -> None:
    linked, undone = events(deliver("cloudevents", fixture("cloudevents", "retraction")))
    assert getattr(undone.body, "event", None) == linked.id


def test_bad_element_of_a_batch_keeps_no_other_from_being_taken() -> None:
    batch = fixture("cloudevents", "batch")
    batch[1] = {"specversion": "0.3", "type": "cxloop.ticket.opend.v1", "time": 5}
    result = deliver("cloudevents", batch)
    assert (len(result.sealed), result.rejected) == (2, 1)
    where = [reason.where for reason in result.reasons]
    assert where == ["/1/id", "/1/source", "/1/specversion", "/1/type", "/1/time", "/1/data"]


def test_binary_mode() -> None:
    event = fixture("cloudevents", "structured")
    names = ("specversion", "id", "source", "type", "time")
    headers = {f"ce-{name}": event[name] for name in names} | {"Content-Type": "application/json"}
    (found,) = events(deliver("cloudevents", event["data"], headers=headers))
    (structured,) = events(deliver("cloudevents", event))
    assert found == structured


def test_source_cannot_be_forged() -> None:
    event = fixture("cloudevents", "structured") | {"source": "/sources/zendesk"}
    (found,) = events(deliver("cloudevents", event))
    assert found.source == "/sources/desk"


def test_defaults_fill_what_is_absent() -> None:
    source = config("standard-webhooks", defaults={"region": "APAC", "channel": "phone"})
    (event,) = events(deliver("standard-webhooks", fixture("standard-webhooks", "cloudevent"), source))
    assert (event.region, event.channel) == ("APAC", "email")


def test_envelope_is_named_by_the_deliverys_id() -> None:
    body = fixture("standard-webhooks", "envelope")
    ids = {
        events(deliver("standard-webhooks", json.dumps(body).encode(), delivery_id=given))[0].id
        for given in ("msg_1", "msg_1", "msg_2")
    }
    assert ids == {own_event_id("/sources/desk", "msg_1"), own_event_id("/sources/desk", "msg_2")}


def test_unknown_type_of_ours_names_the_closest() -> None:
    result = deliver("standard-webhooks", {"type": "cxloop.ticket.openned.v1", "data": {}})
    assert (result.rejected, result.reasons[0].code) == (1, "unknown_type")
    assert "cxloop.ticket.opened.v1" in result.reasons[0].why
