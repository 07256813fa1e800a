"""The codec is exact both ways, and any byte string gives an event or a reason."""

from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.events import (
    BODIES,
    Event,
    EventError,
    NewerVersionError,
    check,
    decode,
    encode,
    full_type,
    short_type,
)
from shared.events import bodies as b

T0 = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


def ticket(**changes: object) -> Event:
    event = Event(
        id="7d5f",
        source="/sources/desk",
        type="ticket.opened",
        time=T0,
        recorded=T0,
        body=b.InteractionOpened(interaction="5158", text="It does not start", priority="high"),
        identifiers=("user:ann",),
        channel="email",
        native={"score": 3, "scale": [1, 5]},
    )
    return msgspec.structs.replace(event, **changes)


def test_an_event_survives_the_wire() -> None:
    assert decode(encode(ticket())) == ticket()


def test_bytes_survive_the_reader() -> None:
    raw = encode(ticket())
    assert encode(decode(raw)) == raw


def test_removed_and_absent_are_told_apart() -> None:
    removed = ticket(body=b.InteractionUpdated(interaction="1", priority=None))
    absent = ticket(body=b.InteractionUpdated(interaction="1"))
    assert b'"priority":null' in encode(removed)
    assert b"priority" not in encode(absent)
    assert decode(encode(ticket(type="ticket.updated", body=removed.body))).body == removed.body


@pytest.mark.parametrize("short", sorted(BODIES))
def test_every_type_has_a_full_name(short: str) -> None:
    assert short_type(full_type(short)) == short


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ((b'"interaction":"5158"', b'"interaction":""'), "/data/body/interaction"),
        ((b'"interaction":"5158"', b'"interaction":7'), "/data/body/interaction"),
        ((b'"channel":"email"', b'"channel":"pigeon"'), "/data/channel"),
        ((b"ticket.opened", b"ticket.ponder"), "/type"),
        ((b"2026-03-01T09:30:00Z", b"yesterday"), "/time"),
    ],
)
def test_what_cannot_be_read_says_where(change: tuple[bytes, bytes], where: str) -> None:
    with pytest.raises(EventError) as caught:
        decode(encode(ticket()).replace(*change))
    assert caught.value.where == where


def test_a_newer_version_is_kept_for_after_the_upgrade() -> None:
    with pytest.raises(NewerVersionError):
        decode(encode(ticket()).replace(b"opened.v1", b"opened.v2"))


@given(st.binary(max_size=400))
def test_no_byte_string_raises_anything_else(raw: bytes) -> None:
    with pytest.raises(EventError):
        decode(raw)


@given(st.integers(0, 600), st.binary(min_size=1, max_size=3))
def test_a_damaged_event_is_an_event_or_a_reason(at: int, junk: bytes) -> None:
    raw = encode(ticket())
    damaged = raw[:at] + junk + raw[at + len(junk) :]
    assert _why(check, damaged) == _why(decode, damaged)


def _why(read: Callable[[bytes], object], raw: bytes) -> tuple[str, str] | None:
    try:
        read(raw)
    except EventError as error:
        assert error.why
        return error.where, error.why
    return None


@pytest.mark.parametrize("instant", [b"2026-03-01T09:30:00", b"0001-01-01T00:00:00+14:00"])
def test_an_instant_that_is_none_is_refused_by_both(instant: bytes) -> None:
    raw = encode(ticket()).replace(b"2026-03-01T09:30:00Z", instant)
    assert _why(check, raw) is not None
    assert _why(check, raw) == _why(decode, raw)
