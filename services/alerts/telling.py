"""Who is told of a change: deliveries to endpoints and people, the alert topic, the feedback topic."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from services.alerts.domain.alert import Alert
from services.alerts.domain.councils import DEFAULT, Council, Person, lead, person
from services.alerts.domain.levels import ToldTo
from services.alerts.domain.lifecycle import Told
from services.alerts.domain.message import SOURCE, delivery_id, envelope, event_id, told
from services.alerts.store.deliveries import DIRECT, NewDelivery
from services.alerts.store.setup import Route
from shared.bus.topics import ALERTS, FEEDBACK
from shared.db.outbox import OutboxRow
from shared.events import Event, encode
from shared.events import alerts as wire
from shared.events.bodies import CouncilActed
from shared.events.identifiers import IdentifierError, normalise, ordered
from shared.events.ids import own_event_id
from shared.events.times import Micros, from_micros
from shared.runtime.secrets import KeyHasher, SecretBox

BY_MACHINE: Final = "cxloop"


class Teller:
    """Turns changes into rows. `mail`: is there a mail server, so that people can be told by name?"""

    def __init__(self, box: SecretBox, hasher: KeyHasher, *, mail: bool) -> None:
        self._box = box
        self._hasher = hasher
        self._mail = mail

    def deliveries(
        self, news: Sequence[Told], routes: Iterable[Route], councils: Mapping[str, Council], now: Micros
    ) -> list[NewDelivery]:
        """One row per change and receiver, in the order of the changes.

        Where the council that an alert was opened for is no more, `default` hears what becomes of it.
        """
        routes = list(routes)
        rows: list[NewDelivery] = []
        for item in news:
            bodies: dict[str, bytes] = {}
            event = event_id(item.alert, item.what)
            council = item.alert.council if item.alert.council in councils else DEFAULT
            for route in routes:
                if route.councils and council not in route.councils:
                    continue
                if route.detail not in bodies:
                    bodies[route.detail] = told(item.alert, item.what, now, route.detail, to_json)
                rows.append(_row(delivery_id(route.id, event), route.id, item, bodies[route.detail]))
            rows += self._direct(item, councils.get(council), event, now)
        return rows

    def _direct(self, item: Told, council: Council | None, event: str, now: Micros) -> list[NewDelivery]:
        """Mail to the owner, lead or sponsor when the service level runs out."""
        who = whom(item.tell, item.alert, council)
        if not self._mail or who is None or not who.email:
            return []
        body = told(item.alert, item.what, now, "full", to_json)
        sealed = self._box.encrypt(who.email.encode())
        return [_row(delivery_id(f"{DIRECT}/{item.tell}", event), DIRECT, item, body, sealed)]

    def messages(self, news: Sequence[Told], now: Micros) -> list[OutboxRow]:
        """`cx.alerts.v1` hears every change, `cx.feedback.v1` what was done and what came of it."""
        rows = []
        for item in news:
            body = told(item.alert, item.what, now, "full", to_json)
            rows.append(OutboxRow(ALERTS, item.alert.id.encode(), body))
            event = acted(item, now) if item.outcome else None
            if event is not None:
                rows.append(OutboxRow(FEEDBACK, self._hasher.kafka_key(event), encode(event)))
        return rows


def _row(name: str, lane: str, item: Told, body: bytes, recipient: bytes | None = None) -> NewDelivery:
    return NewDelivery(name, lane, item.alert.id, item.alert.version, item.what, body, recipient)


def to_json(alert: wire.Alert) -> dict[str, Any]:
    """The alert as JSON values."""
    document: dict[str, Any] = msgspec.to_builtins(alert)
    return document


def whom(tell: ToldTo | None, alert: Alert, council: Council | None) -> Person | None:
    match tell:
        case "owner":
            return person(council, alert.owner) if alert.owner else lead(council)
        case "lead":
            return lead(council)
        case "sponsor":
            return council.sponsor if council is not None else None
        case None:
            return None


def acted(item: Told, now: Micros) -> Event | None:
    """The action or outcome as an event of the customer's story; None for a customer without identifiers."""
    identifiers = _identifiers(item.alert.customer.identifiers)
    if not identifiers:
        return None
    at = from_micros(now)
    sender_id = f"{item.alert.id}:{item.alert.version}"
    return Event(
        id=own_event_id(SOURCE, sender_id),
        sender_id=sender_id,
        source=SOURCE,
        type="council.acted",
        time=at,
        recorded=at,
        identifiers=identifiers,
        actor="agent" if item.by != BY_MACHINE else "system",
        url=item.alert.url,
        body=CouncilActed(
            alert=item.alert.id,
            action=item.action or item.what,
            by=item.by,
            note=item.note if item.note is not None else msgspec.UNSET,
        ),
    )


def _identifiers(given: Iterable[str]) -> tuple[str, ...]:
    good = []
    for identifier in given:
        try:
            good.append(normalise(identifier))
        except IdentifierError:
            continue
    return ordered(good)[:20]


def test_message(endpoint: str, at: Micros) -> NewDelivery:
    """What `test` sends: a new id each time."""
    event = str(uuid.uuid4())
    data = {"endpoint": endpoint, "text": "A test of this endpoint. Nothing happened to any customer."}
    body = envelope("cxloop.endpoint.test.v1", event, at, None, data)
    return NewDelivery(delivery_id(endpoint, event), endpoint, None, 0, "test", body)
