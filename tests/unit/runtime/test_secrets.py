"""Secrets at rest, and keys that name nobody."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest

from shared.events import Event
from shared.events.bodies import InteractionUpdated
from shared.runtime.secrets import KeyHasher, SecretBox, SecretError

OLD, NEW = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))


def event(*identifiers: str, account: str | None = None) -> Event:
    at = datetime(2026, 1, 31, tzinfo=UTC)
    return Event(
        id="1",
        source="desk",
        type="ticket.updated",
        time=at,
        recorded=at,
        body=InteractionUpdated(interaction="1"),
        identifiers=identifiers,
        account=account,
    )


def test_what_was_encrypted_comes_back_and_is_not_to_be_seen() -> None:
    box = SecretBox.from_key(OLD)
    token = box.encrypt(b"whsec_1")
    assert b"whsec" not in token
    assert box.decrypt(token) == b"whsec_1"


def test_keys_are_rotated_by_putting_the_new_one_first() -> None:
    token = SecretBox.from_key(OLD).encrypt(b"s")
    both = SecretBox.from_key(f"{NEW},{OLD}")
    assert both.decrypt(token) == b"s"
    assert SecretBox.from_key(NEW).decrypt(both.encrypt(b"t")) == b"t"
    with pytest.raises(SecretError):
        SecretBox.from_key(NEW).decrypt(token)


@pytest.mark.parametrize("token", [b"", b"x", b"gAAAA", "ä".encode()])
def test_bytes_that_are_no_token(token: bytes) -> None:
    with pytest.raises(SecretError):
        SecretBox.from_key(OLD).decrypt(token)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (event("email:a@b.c", "user:7"), event("user:7")),  # the strongest counts, in any order
        (event("email:a@b.c", "phone:+49301"), event("email:a@b.c")),
        (event("desk.user:1", account="acme"), event("desk.user:1")),  # a person before an organisation
        (event("desk.org:9", account="acme"), event("account:acme")),
        (event(account="acme"), event("account:acme")),
    ],
)
def test_events_about_one_customer_share_a_key(one: Event, other: Event) -> None:
    keys = KeyHasher.from_key(OLD)
    assert keys.kafka_key(one) == keys.kafka_key(other)


def test_the_key_depends_on_the_secret_and_names_nobody() -> None:
    key = KeyHasher.from_key(OLD).kafka_key(event("email:ann@example.com"))
    assert len(key) == 32
    assert b"ann" not in key
    assert key != KeyHasher.from_key(NEW).kafka_key(event("email:ann@example.com"))


def test_an_event_without_anybody_goes_by_its_source() -> None:
    keys = KeyHasher.from_key(OLD)
    assert keys.kafka_key(event()) == keys.kafka_key(event())
    assert keys.kafka_key(event()) != keys.kafka_key(event("user:desk"))


def test_the_same_key_serves_each_purpose_differently() -> None:
    assert KeyHasher.from_key(OLD).digest("a") != KeyHasher.from_key(OLD).digest("b")
