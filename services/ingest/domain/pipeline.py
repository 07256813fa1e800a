"""A verified delivery, element by element: what is published, what is kept as rejected, what is ignored."""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from services.ingest.domain.sender import (
    Bad,
    BadElement,
    Delivery,
    Element,
    Ignored,
    Outcome,
    Reply,
    Sender,
    SourceConfig,
    Unreadable,
    Verdict,
)
from services.ingest.domain.tokens import check_token
from shared.events import Event, EventError, check, encode
from shared.events.rejections import Reason

MAX_ELEMENTS: Final = 1000
MAX_EVENT_BYTES: Final = 1_800_000
"""Below what the bus takes in one record, so that nothing waits in the spool for ever."""

# What code that reads foreign shapes can run into. It is kept as rejected and can be replayed after the
# mend, because a 5xx would make the sender repeat for hours what cannot succeed.
_FAULTS: Final = (
    LookupError,
    TypeError,
    AttributeError,
    ValueError,
    ArithmeticError,
    RecursionError,
    AssertionError,
    msgspec.MsgspecError,
)


class Sealed(NamedTuple):
    """An event and its bytes, which were read back: what is published can be read downstream."""

    event: Event
    value: bytes


class Sorted(NamedTuple):
    """What became of a delivery. `reasons` of the elements that were rejected point into the delivery."""

    sealed: tuple[Sealed, ...] = ()
    rejected: int = 0
    reasons: tuple[Reason, ...] = ()
    ignored: tuple[str, ...] = ()
    """Why, one per ignored element."""
    faults: int = 0
    """Elements at which the sender's adapter broke; an error of ours, worth an alarm."""


def verdict_of(sender: Sender, delivery: Delivery, source: SourceConfig, packed: bytes) -> Verdict:
    """By the source's mode. A packed body may have been signed before or after it was packed."""
    if source.auth != "signature":
        return check_token(delivery, source)
    try:
        verdict = sender.verify(delivery, source, delivery.received_at)
        if isinstance(verdict, Bad) and packed is not delivery.body:
            return sender.verify(delivery._replace(body=packed), source, delivery.received_at)
    except (Unreadable, *_FAULTS):
        return Bad("the signature cannot be read")
    return verdict


def handshake_of(sender: Sender, delivery: Delivery, source: SourceConfig) -> Reply | None:
    """The answer that the sender wants instead of the counts."""
    try:
        return sender.handshake(delivery, source)
    except (Unreadable, *_FAULTS):
        return None


def sort_delivery(sender: Sender, delivery: Delivery, source: SourceConfig) -> Sorted:
    """Every element by itself: a bad one never keeps a good one from being accepted."""
    try:
        elements = sender.explode(delivery, source)
    except Unreadable as error:
        return Sorted(rejected=1, reasons=error.reasons)
    except _FAULTS as error:
        return Sorted(rejected=1, reasons=(_fault(error),), faults=1)
    if len(elements) > MAX_ELEMENTS:
        reason = Reason("too_many", "", f"more than {MAX_ELEMENTS} elements in one delivery")
        return Sorted(rejected=len(elements), reasons=(reason,))
    sealed: dict[str, Sealed] = {}
    reasons: list[Reason] = []
    ignored: list[str] = []
    rejected = faults = 0
    for index, element in enumerate(elements):
        outcome, broke = _outcome(sender, element, delivery, source)
        faults += broke
        if isinstance(outcome, BadElement):
            rejected += 1
            step = f"/{index}" if len(elements) > 1 else ""
            reasons += [Reason(one.code, step + one.where, one.why) for one in outcome.reasons]
        elif isinstance(outcome, Ignored):
            ignored.append(outcome.why)
        else:
            for one in outcome:
                sealed[one.event.id] = one
    return Sorted(tuple(sealed.values()), rejected, tuple(reasons), tuple(ignored), faults)


def seal(event: Event) -> Sealed:
    """Encodes and reads back. Raises Unreadable for what no reader downstream would take."""
    try:
        value = encode(event)
        check(value)
    except EventError as error:
        raise Unreadable(error.where, error.why, "bad_field") from None
    except (UnicodeEncodeError, RecursionError, OverflowError, msgspec.MsgspecError):
        raise Unreadable("", "holds a text or number that JSON cannot carry", "bad_field") from None
    if len(value) > MAX_EVENT_BYTES:
        raise Unreadable("", f"more than {MAX_EVENT_BYTES} bytes as an event", "too_large")
    return Sealed(event, value)


def _outcome(
    sender: Sender, element: Element, delivery: Delivery, source: SourceConfig
) -> tuple[list[Sealed] | Ignored | BadElement, bool]:
    """The sealed events, or why there are none; and whether the adapter broke."""
    try:
        outcome: Outcome = sender.normalise(element, delivery, source)
        if isinstance(outcome, list):
            return ([seal(event) for event in outcome] or Ignored("nothing to tell")), False
        return outcome, False
    except Unreadable as error:
        return BadElement(error.reasons), False
    except _FAULTS as error:
        return BadElement((_fault(error),)), True


def _fault(error: BaseException) -> Reason:
    return Reason(
        "adapter", "", f"the reader of this vendor does not know this shape ({type(error).__name__})"
    )
