"""Events to structured CloudEvents JSON and back, exact both ways."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, cast

import msgspec

from shared.events import vocabulary as v
from shared.events.bodies import BODIES, Body
from shared.events.event import Event

PREFIX: Final = "cxloop."
SUFFIX: Final = ".v1"


class EventError(ValueError):
    """The bytes are no event of this version. `where` is a JSON pointer, `why` a reason without data."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where or '/'}: {why}")
        self.where = where
        self.why = why


class NewerVersionError(EventError):
    """The type carries a version that this reader does not know yet: keep it for after the upgrade."""


class _Data(msgspec.Struct, frozen=True, omit_defaults=True):
    body: msgspec.Raw
    identifiers: tuple[str, ...] = ()
    account: str | None = None
    stage: v.Stage | None = None
    touchpoint: str | None = None
    channel: v.Channel | None = None
    region: str | None = None
    language: str | None = None
    persona: str | None = None
    area: str | None = None
    initiative: v.Initiative | None = None
    actor: v.Actor | None = None
    url: str | None = None
    revision: int = 0
    native: dict[str, Any] | None = None


class _Envelope(msgspec.Struct, frozen=True, omit_defaults=True):
    id: str
    source: str
    type: str
    time: datetime
    recordedtime: datetime
    data: _Data
    specversion: str = ""
    datacontenttype: str = ""
    senderid: str | None = None


_encoder: Final = msgspec.json.Encoder()
_envelope: Final = msgspec.json.Decoder(_Envelope)
_bodies: Final = {name: msgspec.json.Decoder(body) for name, body in BODIES.items()}
_full_types: Final = {name: f"{PREFIX}{name}{SUFFIX}" for name in BODIES}
_short_types: Final = {full: short for short, full in _full_types.items()}


def full_type(short: str) -> str:
    """`ticket.opened` → `cxloop.ticket.opened.v1`."""
    return f"{PREFIX}{short}{SUFFIX}"


def short_type(full: str) -> str:
    """The inverse of `full_type`. Raises EventError (unknown type) or NewerVersionError (later version)."""
    stem, _, version = full.rpartition(".v")
    short = stem.removeprefix(PREFIX)
    if not stem.startswith(PREFIX) or not version.isdecimal() or short not in BODIES:
        raise EventError("/type", "unknown event type")
    if version != "1":
        raise NewerVersionError(
            "/type", f"version {version[:4]} is newer than this reader, which knows version 1"
        )
    return short


def encode(event: Event) -> bytes:
    """The event as a structured CloudEvent, UTF-8 JSON."""
    # By position and field by field: every event of every service passes here, and a dictionary in between
    # costs as much as the encoder.
    data = _Data(
        cast("msgspec.Raw", event.body),  # encoded as what it is; raw only when read
        event.identifiers,
        event.account,
        event.stage,
        event.touchpoint,
        event.channel,
        event.region,
        event.language,
        event.persona,
        event.area,
        event.initiative,
        event.actor,
        event.url,
        event.revision,
        event.native,
    )
    full = _full_types.get(event.type) or full_type(event.type)
    return _encoder.encode(
        _Envelope(
            event.id,
            event.source,
            full,
            event.time,
            event.recorded,
            data,
            "1.0",
            "application/json",
            event.sender_id,
        )
    )


def decode(raw: bytes) -> Event:
    """The inverse of `encode`. Raises EventError; never anything else for any byte string."""
    envelope, short, body = _read(raw)
    data = envelope.data
    return Event(
        id=envelope.id,
        source=envelope.source,
        type=short,
        time=_utc(envelope.time),
        recorded=_utc(envelope.recordedtime),
        sender_id=envelope.senderid,
        body=body,
        identifiers=data.identifiers,
        account=data.account,
        stage=data.stage,
        touchpoint=data.touchpoint,
        channel=data.channel,
        region=data.region,
        language=data.language,
        persona=data.persona,
        area=data.area,
        initiative=data.initiative,
        actor=data.actor,
        url=data.url,
        revision=data.revision,
        native=data.native,
    )


def check(raw: bytes) -> None:
    """Raises what `decode` would raise."""
    envelope, _, _ = _read(raw)
    _utc(envelope.time)
    _utc(envelope.recordedtime)


def _read(raw: bytes) -> tuple[_Envelope, str, Body]:
    try:
        envelope = _envelope.decode(raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise EventError(_pointer(error), _reason(error)) from None
    short = _short_types.get(envelope.type) or short_type(envelope.type)
    try:
        return envelope, short, _bodies[short].decode(envelope.data.body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise EventError("/data/body" + _pointer(error), _reason(error)) from None


def _utc(instant: datetime) -> datetime:
    if instant.tzinfo is UTC:
        return instant
    if instant.tzinfo is None:
        raise EventError("/time", "an instant carries an offset")
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise EventError("/time", "outside the years 1 to 9999") from None


def _pointer(error: BaseException) -> str:
    """msgspec's `$.a.b[0]` as a JSON pointer."""
    _, _, path = str(error).partition(" - at `$")
    path = path.rstrip("`").replace("[", ".").replace("]", "")
    return path.replace(".", "/") if path else ""


def _reason(error: BaseException) -> str:
    return str(error).partition(" - at `")[0] if isinstance(error, msgspec.MsgspecError) else "not readable"
