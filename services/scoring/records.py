"""From bytes on the topic to events that may take effect, or to the reasons why not. Pure."""

from __future__ import annotations

import hashlib
import uuid
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

from services.scoring.domain.types import TextFeature
from shared.events import Event, EventError, NewerVersionError, decode, encode
from shared.events.rejections import Reason, Rejection
from shared.events.times import EPOCH, format_instant

HORIZON: Final = datetime(2000, 1, 1, tzinfo=UTC)
AHEAD: Final = timedelta(hours=24)
MAX_IDENTIFIERS: Final = 20
_REJECTION: Final = uuid.uuid5(uuid.NAMESPACE_URL, "https://cxloop.example/ids/rejection")


class Code(StrEnum):
    """Why an event did not take effect."""

    MALFORMED = "malformed"
    NEWER_VERSION = "newer_version"
    TOO_OLD = "too_old"
    IN_THE_FUTURE = "in_the_future"
    ID_CONFLICT = "id_conflict"
    REFUSED = "refused"


class Incoming(NamedTuple):
    """A readable event. `digest` is equal for two tellings of the same thing, whenever each was received."""

    event: Event
    raw: bytes
    digest: bytes
    text: TextFeature | None


class Refused(NamedTuple):
    """An event that cannot take effect, as it will be listed for people."""

    rejection: Rejection
    event_id: str | None


def read(raw: bytes, received_at: datetime) -> Event | Refused:
    """Decode and check one message. Never raises: what is wrong with a message is data."""
    try:
        event = decode(raw)
    except NewerVersionError as error:
        return refusal(raw, received_at, Code.NEWER_VERSION, error.where, error.why)
    except EventError as error:
        return refusal(raw, received_at, Code.MALFORMED, error.where, error.why)
    return _checked(event, raw, received_at)


def _checked(event: Event, raw: bytes, received_at: datetime) -> Event | Refused:
    def refuse(code: Code, where: str, why: str) -> Refused:
        return refusal(raw, received_at, code, where, why, event)

    if not _canonical(event.id):
        return refusal(raw, received_at, Code.MALFORMED, "/id", "not a UUID in its canonical form")
    if event.time < HORIZON or event.recorded < HORIZON:
        return refuse(Code.TOO_OLD, "/time", "before the year 2000")
    if event.time > event.recorded + AHEAD:
        return refuse(Code.IN_THE_FUTURE, "/time", "more than 24 hours after its receipt")
    if len(event.identifiers) > MAX_IDENTIFIERS:
        return refuse(Code.MALFORMED, "/data/identifiers", f"more than {MAX_IDENTIFIERS}")
    for text in (event.source, event.account or "", *event.identifiers):
        if "\x00" in text or len(text) > 600:
            return refuse(Code.MALFORMED, "/data/identifiers", "holds a NUL or is longer than 600 characters")
    return event


def digest(event: Event) -> bytes:
    """What the event says, without when we learned of it (nor its time, where that is the receipt)."""
    time = EPOCH if event.time == event.recorded else event.time
    told = msgspec.structs.replace(event, recorded=EPOCH, time=time)
    return hashlib.sha256(encode(told)).digest()[:16]


def refusal(
    raw: bytes, received_at: datetime, code: Code, where: str, why: str, event: Event | None = None
) -> Refused:
    """The same message refused for the same reason has the same id, however often it comes."""
    body = hashlib.sha256(raw).hexdigest()
    rejection = Rejection(
        id=str(uuid.uuid5(_REJECTION, f"{code}:{body}")),
        source=event.source if event else "",
        received_at=format_instant(event.recorded if event else received_at),
        reasons=(Reason(code=code, where=where, why=why),),
        body=raw,
        event_id=event.id if event else None,
    )
    return Refused(rejection, event.id if event else None)


def _canonical(event_id: str) -> bool:
    try:
        return str(uuid.UUID(event_id)) == event_id
    except ValueError:
        return False
