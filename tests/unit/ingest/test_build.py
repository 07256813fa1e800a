"""From what a sender read to a canonical event."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.ingest.domain.build import clip, make_event
from services.ingest.domain.sender import Delivery, Element, SourceConfig, Unreadable
from shared.events import Body, Event
from shared.events import bodies as b

T = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
SOURCE = SourceConfig("desk", "zendesk", defaults={"region": "emea", "channel": "email"})
OPENED = b.InteractionOpened(interaction="1", text="It does not start")


def made(
    body: Body = OPENED,
    *,
    kind: str = "ticket.opened",
    dedupe: str | None = "d1",
    value: object = None,
    received: datetime = T,
    time: datetime | None = None,
    who: tuple[str | None, ...] = ("email:Ann@Example.com", None),
) -> Event:
    delivery = Delivery("POST", "/v1/webhooks/desk", {}, b"", received)
    return make_event(
        SOURCE, delivery, Element(value or {"a": 1, "b": 2}, dedupe), kind, body, time=time, identifiers=who
    )


def test_defaults_fill_what_the_sender_left_open() -> None:
    event = made()
    assert (event.region, event.channel, event.stage) == ("emea", "email", None)
    assert event.identifiers == ("email:ann@example.com",)


def test_a_resent_delivery_has_the_same_id_whenever_it_comes() -> None:
    assert made().id == made(received=T + timedelta(hours=1)).id


def test_without_a_delivery_id_the_element_names_the_event() -> None:
    plain = made(dedupe=None)
    assert plain.id == made(dedupe=None, value={"b": 2, "a": 1}).id
    assert plain.id != made(dedupe=None, value={"a": 1, "b": 3}).id


def test_a_status_without_time_has_the_same_id_when_resent() -> None:
    status = b.InteractionStatusChanged(interaction="1", status="solved")
    one = made(status, kind="ticket.status")
    assert one.id == made(status, kind="ticket.status", received=T + timedelta(hours=1)).id
    assert one.id != made(status, kind="ticket.status", time=T - timedelta(hours=1)).id


def test_two_events_out_of_one_delivery_differ() -> None:
    message = b.InteractionMessage(interaction="1", message="m1", author="customer", public=True)
    assert len({made().id, made(kind="ticket.updated").id, made(message, kind="ticket.message").id}) == 3


def test_broken_identifiers_are_dropped_while_somebody_is_left() -> None:
    assert made(who=("email:nonsense", "user:7")).identifiers == ("user:7",)


def test_the_interaction_may_lead_to_the_customer() -> None:
    assert made(who=()).identifiers == ()


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"time": T + timedelta(hours=25)}, "/time"),
        ({"time": datetime(1999, 1, 1, tzinfo=UTC)}, "/time"),
        ({"body": b.PurchaseMade(order="1"), "kind": "purchase.made", "who": ()}, "/identifiers"),
        ({"body": b.PurchaseMade(order="1"), "kind": "purchase.made", "who": ("email:x",)}, "/identifiers/0"),
    ],
)
def test_why_there_is_no_event(change: dict[str, object], where: str) -> None:
    with pytest.raises(Unreadable) as caught:
        made(**change)  # type: ignore[arg-type]
    assert caught.value.reasons[0].where == where


def test_free_text_is_masked_and_cut() -> None:
    event = made(b.InteractionOpened(interaction="1", text="4111111111111111 " + "é" * 70_000))
    assert isinstance(event.body, b.InteractionOpened)
    assert isinstance(event.body.text, str)
    assert event.body.text.startswith("[card …1111] é")
    assert len(event.body.text.encode()) <= 64 * 1024


def test_chosen_texts_are_masked_too() -> None:
    body = b.SurveyAnswered(
        response="1", question="q", metric="choice", choices=("other", "4111 1111 1111 1111")
    )
    event = made(body, kind="survey.answered")
    assert isinstance(event.body, b.SurveyAnswered)
    assert event.body.choices == ("other", "[card …1111]")


def test_a_cut_falls_between_characters() -> None:
    assert clip("é" * 10, 5) == "éé"
