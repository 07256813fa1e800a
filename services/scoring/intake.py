"""One batch as read: every event once, what is refused, and how far the offsets reach. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Protocol

from services.scoring.domain.types import TextFeature
from services.scoring.records import Code, Incoming, Refused, digest, read, refusal
from services.scoring.store.progress import Partition
from shared.events import Event
from shared.events.times import EPOCH

Sense = Callable[[Event], TextFeature | None]
"""How the text of an event sounds; None where it has none."""


class Message(Protocol):
    """What is needed of a record of the bus."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def value(self) -> bytes | None: ...


class Intake(NamedTuple):
    """`events` in order of arrival; `offsets` are the next ones to read after this batch."""

    events: dict[str, Incoming]
    refused: list[Refused]
    doubled: int
    offsets: dict[Partition, int]


def gather(messages: Iterable[Message], sense: Sense) -> Intake:
    """Read a batch. The first telling of an id is kept; one that says something else is refused."""
    intake = Intake({}, [], 0, {})
    doubled = 0
    for message in messages:
        place = (message.topic, message.partition)
        intake.offsets[place] = max(intake.offsets.get(place, 0), message.offset + 1)
        raw = message.value or b""
        received_at = _instant(message.timestamp)
        event = read(raw, received_at)
        if isinstance(event, Refused):
            intake.refused.append(event)
            continue
        incoming = Incoming(event, raw, digest(event), sense(event))
        doubled += _keep(intake, incoming, received_at)
    return intake._replace(doubled=doubled)


def _keep(intake: Intake, incoming: Incoming, received_at: datetime) -> int:
    event = incoming.event
    other = intake.events.get(event.id)
    if other is None:
        intake.events[event.id] = incoming
        return 0
    if other.digest != incoming.digest:
        intake.refused.append(conflict(incoming, received_at))
        return 0
    if (event.at, event.recorded) < (other.event.at, other.event.recorded):
        intake.events[event.id] = incoming
    return 1


def conflict(incoming: Incoming, received_at: datetime) -> Refused:
    """The same (`source`, `id`) with other content: the first is kept, this one is listed."""
    why = "another event with this source and id, and other content, was there first"
    return refusal(incoming.raw, received_at, Code.ID_CONFLICT, "/id", why, incoming.event)


def _instant(timestamp_ms: int) -> datetime:
    """A record's time; 1970 where the broker gave none."""
    if timestamp_ms <= 0:
        return EPOCH
    try:
        return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=timestamp_ms)
    except OverflowError:
        return EPOCH
