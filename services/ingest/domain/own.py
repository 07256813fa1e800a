"""Events that own tools send as CloudEvents, checked against the contract; every reason is told at once."""

from __future__ import annotations

import difflib
import re
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import UNSET

from services.ingest.domain import ownbody
from services.ingest.domain.build import (
    MAX_IDENTIFIERS,
    MAX_TEXT_BYTES,
    cleaned,
    free_text_bytes,
    masked,
    somebody_needed,
    time_reasons,
)
from services.ingest.domain.cloudevents import data_of, is_json
from services.ingest.domain.parsing import Json
from services.ingest.domain.sender import Unreadable
from shared.events import BODIES, Body, Event, EventError, NewerVersionError, full_type, short_type
from shared.events import bodies as b
from shared.events import vocabulary as v
from shared.events.identifiers import IdentifierError, normalise, ordered
from shared.events.ids import own_event_id
from shared.events.rejections import Reason
from shared.events.times import parse_instant

RESERVED: Final = "/sources/"
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*\Z")
_DATA_TYPES: Final[Mapping[str, Any]] = {
    "account": str | None,
    "stage": v.Stage | None,
    "touchpoint": str | None,
    "channel": v.Channel | None,
    "region": str | None,
    "language": str | None,
    "persona": str | None,
    "area": str | None,
    "initiative": v.Initiative | None,
    "actor": v.Actor | None,
    "url": str | None,
    "revision": int | None,
    "native": dict[str, Any] | None,
}


class Read(NamedTuple):
    """An event or all reasons against it; warnings (fields that nobody knows) either way."""

    event: Event | None
    reasons: tuple[Reason, ...] = ()
    warnings: tuple[Reason, ...] = ()


class Identity(NamedTuple):
    """What names an event that came by webhook: the source's URI, our id and the sender's id of it."""

    source: str
    event_id: str
    sender_id: str | None


def read_own(value: Json, received_at: datetime) -> Read:
    """One CloudEvent of an own tool → canonical event, named by its (`source`, `id`)."""
    if not isinstance(value, dict):
        return Read(None, (Reason("bad_event", "", "an event is a JSON object"),))
    reasons: list[Reason] = []
    if value.get("specversion") != "1.0":
        reasons.append(Reason("bad_field", "/specversion", 'must be the text "1.0"'))
    sender_id = _attribute(value, "id", reasons)
    source = _attribute(value, "source", reasons)
    if source.startswith(RESERVED):
        reasons.append(
            Reason("reserved", "/source", "/sources/… is reserved for webhooks: name your tool otherwise")
        )
    media_type = value.get("datacontenttype")
    if media_type is not None and not (isinstance(media_type, str) and is_json(media_type)):
        reasons.append(Reason("bad_field", "/datacontenttype", "the data is read as application/json"))
    identity = Identity(source, own_event_id(source, sender_id), sender_id)
    return read_event(value, identity, received_at, reasons)


def read_event(
    value: Mapping[str, Json], identity: Identity, received_at: datetime, before: list[Reason] | None = None
) -> Read:
    """`type`, `time` and `data` of `value` in the contract's shapes → event under the given identity.

    `before` are reasons that were found already; they are told together with those found here.
    """
    reasons = list(before or ())
    warnings: list[Reason] = []
    event_type = _type(value.get("type"), reasons)
    time = _time(value.get("time"), received_at, reasons)
    fields: dict[str, Any] = {}
    body: Body | None = None
    try:
        data = data_of(value)
    except Unreadable as error:
        reasons += error.reasons
    else:
        fields, body = _data(data, event_type, reasons, warnings)
    if body is not None and event_type is not None:
        unread = any(one.where.startswith("/data/identifiers") for one in reasons)
        reasons += _whole(event_type, body, fields, named=True if unread else None)
    if reasons or body is None or event_type is None:
        return Read(None, tuple(reasons), tuple(warnings))
    if isinstance(body, b.EventRetracted):
        body = msgspec.structs.replace(body, event=_retracted(identity.source, body.event))
    if "native" in fields:
        fields["native"] = masked(fields["native"])
    event = Event(
        id=identity.event_id,
        source=identity.source,
        type=event_type,
        time=time,
        recorded=received_at,
        body=cleaned(body),
        sender_id=identity.sender_id,
        **fields,
    )
    return Read(event, (), tuple(warnings))


def _attribute(value: Mapping[str, Json], name: str, reasons: list[Reason]) -> str:
    found = value.get(name)
    if isinstance(found, str) and found.strip() and len(found) <= 1024:
        return found
    why = "missing" if found is None else "must be a text of 1 to 1024 characters, not blank"
    reasons.append(Reason("missing" if found is None else "bad_field", f"/{name}", why))
    return ""


def _type(found: Json, reasons: list[Reason]) -> str | None:
    if not isinstance(found, str):
        reasons.append(Reason("missing", "/type", "missing, such as cxloop.ticket.opened.v1"))
        return None
    try:
        short = short_type(found)
    except NewerVersionError as error:
        reasons.append(Reason("newer_version", "/type", error.why))
        return None
    except EventError:
        reasons.append(
            Reason("unknown_type", "/type", f"unknown event type; the closest is {closest(found)}")
        )
        return None
    if short == "council.acted":
        reasons.append(Reason("reserved", "/type", "only the alerts service tells of a council's actions"))
        return None
    return short


def closest(unknown: str) -> str:
    """The known event type that is spelled most like `unknown`."""
    known = [full_type(short) for short in BODIES if short != "council.acted"]
    stem = unknown[:200] if unknown.startswith("cxloop.") else f"cxloop.{unknown[:200]}"
    stem = stem if re.search(r"\.v\d+\Z", stem) else f"{stem}.v1"
    return difflib.get_close_matches(stem, known, n=1, cutoff=0.0)[0]


def _time(found: Json, received_at: datetime, reasons: list[Reason]) -> datetime:
    if found is None:
        return received_at
    try:
        time = parse_instant(found)
    except (ValueError, TypeError) as error:
        why = str(error) if isinstance(error, ValueError) and len(str(error)) < 80 else "no RFC 3339 instant"
        reasons.append(Reason("bad_time", "/time", why))
        return received_at
    reasons += time_reasons(time, received_at)
    return time


def _data(
    data: Json, event_type: str | None, reasons: list[Reason], warnings: list[Reason]
) -> tuple[dict[str, Any], Body | None]:
    """The fields of `data` beside the body, and the body; None where it cannot be read."""
    if not isinstance(data, dict):
        why = "missing" if data is None else "must be an object with identifiers and body"
        reasons.append(Reason("missing", "/data", why))
        return {}, None
    fields: dict[str, Any] = {}
    for name, kind in _DATA_TYPES.items():
        if data.get(name) is None:
            continue
        try:
            fields[name] = msgspec.convert(data[name], kind)
        except (msgspec.ValidationError, RecursionError) as error:
            reasons.append(Reason("bad_field", f"/data/{name}", ownbody.why_not(error, kind)))
    reasons += _limits(fields)
    fields["identifiers"] = read_identifiers(data.get("identifiers"), "/data/identifiers", reasons)
    known = {*_DATA_TYPES, "identifiers", "body"}
    warnings += [
        Reason("unknown_field", f"/data/{ownbody.escaped(name)}", "unknown field, not kept")
        for name in data
        if name not in known
    ]
    body = data.get("body")
    if not isinstance(body, dict):
        why = "missing" if body is None else "must be an object"
        reasons.append(Reason("missing", "/data/body", why))
        return fields, None
    return fields, ownbody.read_body(event_type, body, reasons, warnings) if event_type else None


def _limits(fields: Mapping[str, Any]) -> list[Reason]:
    reasons: list[Reason] = []
    if "language" in fields and not _LANGUAGE.match(fields["language"]):
        reasons.append(
            Reason("bad_field", "/data/language", "no language tag of BCP 47, such as en or pt-BR")
        )
    if not 0 <= fields.get("revision", 0) < 2**53:
        reasons.append(Reason("bad_field", "/data/revision", "must be between 0 and 2⁵³"))
    for name, found in fields.items():
        limit = 2048 if name == "url" else 320
        if isinstance(found, str) and (len(found) > limit or not found.strip()):
            reasons.append(
                Reason("bad_field", f"/data/{name}", f"must be 1 to {limit} characters, not blank")
            )
    return reasons


def read_identifiers(found: Json, where: str, reasons: list[Reason]) -> tuple[str, ...]:
    """Normalised identifiers, strongest first; appends a reason for each one that is none."""
    if found is None:
        return ()
    if not isinstance(found, list):
        reasons.append(Reason("bad_field", where, "must be a list of texts such as email:ann@example.com"))
        return ()
    if len(found) > MAX_IDENTIFIERS:
        reasons.append(Reason("too_many", where, f"more than {MAX_IDENTIFIERS} identifiers"))
        return ()
    good: list[str] = []
    for index, one in enumerate(found):
        try:
            good.append(normalise(one) if isinstance(one, str) else "")
        except IdentifierError as error:
            reasons.append(Reason("bad_identifier", f"{where}/{index}", str(error)))
        else:
            if not good[-1]:
                reasons.append(Reason("bad_identifier", f"{where}/{index}", "must be a text"))
    return ordered(good)


def _whole(event_type: str, body: Body, fields: Mapping[str, Any], *, named: bool | None) -> list[Reason]:
    """Rules that concern more than one field. `named`: True where identifiers were given but unreadable."""
    reasons: list[Reason] = []
    identifiers = fields.get("identifiers", ())
    if named is None:
        if not identifiers and not fields.get("account") and _somebody(event_type, body):
            why = "somebody must be named: an identifier or an account"
            reasons.append(Reason("nobody", "/data/identifiers", why))
        elif isinstance(body, b.CustomerLinked) and len(identifiers) < 2:
            reasons.append(Reason("nobody", "/data/identifiers", "a link needs two identifiers or more"))
    if free_text_bytes(body) > MAX_TEXT_BYTES:
        reasons.append(Reason("too_long", "/data/body", f"more than {MAX_TEXT_BYTES // 1024} KiB of text"))
    return reasons


def _somebody(event_type: str, body: Body) -> bool:
    """An opening leads to a known interaction only by what it follows."""
    if isinstance(body, b.InteractionOpened) and not isinstance(body, b.InteractionUpdated):
        return body.follows in (UNSET, None)
    return somebody_needed(event_type, body)


def _retracted(source: str, event: str) -> str:
    """Our id of the event that is undone: given as ours (a UUID of version 5), or as the tool's own."""
    try:
        if str(given := uuid.UUID(event)) == event.lower() and given.version == 5:
            return event.lower()
    except ValueError:
        pass
    return own_event_id(source, event)
