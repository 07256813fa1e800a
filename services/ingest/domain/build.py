"""From what a sender read to a canonical event: deterministic id, identifiers, defaults, limits, masking."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final, TypedDict, Unpack

import msgspec

from services.ingest.domain.masking import mask
from services.ingest.domain.sender import Delivery, Element, SourceConfig, Unreadable
from shared.events import Body, Event, natural_key
from shared.events import bodies as b
from shared.events import vocabulary as v
from shared.events.identifiers import IdentifierError, normalise, ordered
from shared.events.ids import webhook_event_id
from shared.events.rejections import Reason

MAX_IDENTIFIERS: Final = 20
MAX_TEXT_BYTES: Final = 64 * 1024
EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
MAX_AHEAD: Final = timedelta(hours=24)
NOBODY_NEEDED: Final = frozenset(("survey", "review", "mention", "usage"))
"""Nouns whose events may name nobody: they then count in reports only."""

_FREE_TEXT: Final = ("name", "subject", "text", "comment", "reason", "title", "note", "query", "wording")
_FREE_LISTS: Final = ("choices", "tags")
"""An answer of one's own words stands among the choices that were given."""
_DEFAULTED: Final = frozenset(
    "account stage touchpoint channel region language persona area initiative".split()
)
_canonical: Final = msgspec.json.Encoder(order="sorted")


class Context(TypedDict, total=False):
    """What an event says besides its body. Absent, None and blank mean that the sender did not say."""

    account: str | None
    stage: v.Stage | None
    touchpoint: str | None
    channel: v.Channel | None
    region: str | None
    language: str | None
    persona: str | None
    area: str | None
    initiative: v.Initiative | None
    actor: v.Actor | None
    url: str | None
    revision: int
    native: dict[str, Any] | None


def make_event(
    source: SourceConfig,
    delivery: Delivery,
    element: Element,
    event_type: str,
    body: Body,
    *,
    identifiers: Iterable[str | None] = (),
    time: datetime | None = None,
    **context: Unpack[Context],
) -> Event:
    """The canonical event of type `event_type` (short form, `ticket.opened`).

    The id comes from the source, the sender's stable delivery id (`element.dedupe`, else a hash of the
    element), the type and the natural key, so a resent delivery has the same id. `time` None: receipt.
    Identifiers are normalised, broken ones dropped; None among them is allowed. The source's `defaults`
    fill what `context` leaves open. Free text is masked and cut to 64 KiB. Raises Unreadable with all
    reasons for a time out of range and for nobody named where somebody must be. The types of the body's
    fields are verified when the event is sealed (`pipeline.seal`).
    """
    named, dropped = read_identifiers(one for one in identifiers if one)
    happened = time or delivery.received_at
    reasons = list(time_reasons(happened, delivery.received_at))
    if not named and not context.get("account") and somebody_needed(event_type, body):
        reasons += dropped or [Reason("nobody", "/identifiers", "no identifier says who this is about")]
    if reasons:
        raise Unreadable.of(tuple(reasons))
    # A status without the sender's time has the receipt in its natural key; the id must not.
    key = natural_key(event_type, body, time or EARLIEST, "")
    return Event(
        id=webhook_event_id(source.uri, element.dedupe or fingerprint(element.value), event_type, key),
        source=source.uri,
        type=event_type,
        time=happened,
        recorded=delivery.received_at,
        body=cleaned(body),
        identifiers=named,
        sender_id=element.dedupe,
        **_fields(source, context),
    )


def _fields(source: SourceConfig, context: Context) -> dict[str, Any]:
    """What the sender said, masked, and the source's defaults where it said nothing."""
    fields: dict[str, Any] = {k: value for k, value in context.items() if value not in (None, "")}
    if "native" in fields:
        fields["native"] = masked(fields["native"])
    for name, value in source.defaults.items():
        if name in _DEFAULTED and value:
            fields.setdefault(name, value)
    return fields


def fingerprint(value: object) -> str:
    """Hash of an element in canonical form (sorted keys), the same for a resent one."""
    return hashlib.sha256(_canonical.encode(value)).hexdigest()


def read_identifiers(given: Iterable[str]) -> tuple[tuple[str, ...], list[Reason]]:
    """Normalised, strongest first, at most 20; and why the others were dropped (never the value)."""
    good: list[str] = []
    reasons: list[Reason] = []
    for index, identifier in enumerate(given):
        try:
            good.append(normalise(identifier))
        except IdentifierError as error:
            reasons.append(Reason("bad_identifier", f"/identifiers/{index}", str(error)))
    return ordered(good)[:MAX_IDENTIFIERS], reasons


def time_reasons(time: datetime, received_at: datetime) -> list[Reason]:
    """Why a time cannot be meant: more than 24 h ahead of the receipt, or before the year 2000."""
    if time > received_at + MAX_AHEAD:
        return [Reason("bad_time", "/time", "more than 24 hours ahead")]
    if time < EARLIEST:
        return [Reason("bad_time", "/time", "before the year 2000")]
    return []


def somebody_needed(event_type: str, body: Body) -> bool:
    """False where an event may name nobody: reports, retractions, and what leads to a known interaction."""
    noun = event_type.partition(".")[0]
    if noun in NOBODY_NEEDED or isinstance(body, b.EventRetracted | b.CouncilActed):
        return False
    return not (getattr(body, "interaction", None) or getattr(body, "about", None))


def cleaned(body: Body) -> Body:
    """The body with free texts masked and cut; the same object where nothing changed."""
    changes: dict[str, str | tuple[str, ...]] = {}
    for name in _free_text_of(type(body)):
        found = getattr(body, name)
        if isinstance(found, str) and (clean := clip(mask(found))) != found:
            changes[name] = clean
        elif isinstance(found, tuple) and (cleans := tuple(clip(mask(one)) for one in found)) != found:
            changes[name] = cleans
    return msgspec.structs.replace(body, **changes) if changes else body


@cache
def _free_text_of(kind: type[Body]) -> tuple[str, ...]:
    return tuple(name for name in (*_FREE_TEXT, *_FREE_LISTS) if name in kind.__struct_fields__)


def masked(native: Any) -> Any:  # noqa: ANN401 - any JSON
    """The sender's own words beside the event, with every text masked and cut."""
    if isinstance(native, str):
        return clip(mask(native))
    if isinstance(native, dict):
        return {name: masked(value) for name, value in native.items()}
    return [masked(value) for value in native] if isinstance(native, list) else native


def free_text_bytes(body: Body) -> int:
    """UTF-8 bytes of all free text together."""
    found = (getattr(body, name) for name in _free_text_of(type(body)))
    return sum(len(one.encode("utf-8", "replace")) for one in found if isinstance(one, str))


def clip(text: str, limit: int = MAX_TEXT_BYTES) -> str:
    """At most `limit` bytes of UTF-8, cut between characters."""
    if len(text) * 4 <= limit:
        return text
    return text.encode("utf-8", "replace")[:limit].decode("utf-8", "ignore")
