"""A delivery, element by element, whatever the adapter does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from services.ingest.domain.build import make_event
from services.ingest.domain.pipeline import MAX_ELEMENTS, sort_delivery, verdict_of
from services.ingest.domain.sender import (
    Bad,
    BadElement,
    Delivery,
    Element,
    Ignored,
    Outcome,
    Sender,
    Setup,
    SourceConfig,
    Unreadable,
    Verdict,
    Verified,
)
from shared.events import bodies as b
from shared.events.rejections import Reason

SOURCE = SourceConfig("desk", "toy", ("secret",))
DELIVERY = Delivery("POST", "/v1/webhooks/desk", {}, b"{}", datetime(2026, 3, 1, tzinfo=UTC))
Act = Callable[[], Outcome]


def normalise(element: Element, delivery: Delivery, source: SourceConfig) -> Outcome:
    match element.value:
        case "ignore":
            return Ignored("of no interest")
        case "nothing":
            return []
        case "bad":
            return BadElement((Reason("bad", "/x", "is bad"),))
        case "raise":
            raise Unreadable("/y", "is missing")
        case "break":
            raise KeyError("detail")
        case "empty":
            body = b.InteractionOpened(interaction="")
        case "wrong":
            body = b.InteractionOpened(interaction="1", text=7)  # type: ignore[arg-type]
        case _:
            body = b.InteractionOpened(interaction="1")
    return [make_event(source, delivery, element, "ticket.opened", body, identifiers=["user:1"])]


def toy(*values: str, verify: Callable[..., Verdict] | None = None) -> Sender:
    return Sender(
        vendor="toy",
        verify=verify or (lambda *_: Verified()),
        explode=lambda *_: [Element(value, f"{n}") for n, value in enumerate(values)],
        normalise=normalise,
        setup=Setup("", (), ""),
    )


def test_every_element_by_itself() -> None:
    found = sort_delivery(toy("good", "ignore", "bad", "raise", "break", "nothing", "good"), DELIVERY, SOURCE)
    assert len(found.sealed) == 2
    assert found.ignored == ("of no interest", "nothing to tell")
    assert (found.rejected, found.faults) == (3, 1)
    assert [one.where for one in found.reasons] == ["/2/x", "/3/y", "/4"]


def test_what_no_reader_downstream_would_take_is_rejected() -> None:
    found = sort_delivery(toy("empty", "wrong"), DELIVERY, SOURCE)
    assert (found.rejected, found.faults, found.sealed) == (2, 0, ())
    assert [one.where for one in found.reasons] == ["/0/data/body/interaction", "/1/data/body/text"]


def test_a_single_element_needs_no_index() -> None:
    assert [one.where for one in sort_delivery(toy("raise"), DELIVERY, SOURCE).reasons] == ["/y"]


def test_a_delivery_that_cannot_be_taken_apart() -> None:
    def refuse(*_: object) -> list[Element]:
        raise Unreadable("", "not JSON", "not_json")

    def stumble(*_: object) -> list[Element]:
        raise RecursionError

    for explode, faults in ((refuse, 0), (stumble, 1)):
        found = sort_delivery(toy()._replace(explode=explode), DELIVERY, SOURCE)
        assert (found.rejected, found.faults, found.sealed) == (1, faults, ())


def test_too_many_elements_are_one_reason() -> None:
    found = sort_delivery(toy(*["good"] * (MAX_ELEMENTS + 1)), DELIVERY, SOURCE)
    assert (found.rejected, len(found.reasons), found.sealed) == (MAX_ELEMENTS + 1, 1, ())


def test_a_packed_body_may_be_signed_either_way() -> None:
    def verify(delivery: Delivery, *_: object) -> Verdict:
        return Verified() if delivery.body == b"packed" else Bad("no")

    assert verdict_of(toy(verify=verify), DELIVERY, SOURCE, b"packed") == Verified()
    assert verdict_of(toy(verify=verify), DELIVERY, SOURCE, DELIVERY.body) == Bad("no")


@pytest.mark.parametrize("error", [ValueError, KeyError, AttributeError, RecursionError])
def test_a_verifier_that_breaks_refuses(error: type[Exception]) -> None:
    def verify(*_: object) -> Verdict:
        raise error

    assert isinstance(verdict_of(toy(verify=verify), DELIVERY, SOURCE, b""), Bad)
