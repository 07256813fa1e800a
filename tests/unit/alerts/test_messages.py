"""What is sent: webhooks, letters, rows."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import pytest
from standardwebhooks import Webhook

from services.alerts.domain.alert import Alert, entry, noted
from services.alerts.domain.councils import Council, Person
from services.alerts.domain.lifecycle import Told
from services.alerts.domain.message import delivery_id, told
from services.alerts.sending.letters import letter
from services.alerts.sending.mail import Mailer
from services.alerts.sending.notify import BadTarget, parse
from services.alerts.sending.webhook import headers
from services.alerts.store.setup import Route
from services.alerts.telling import Teller, acted, to_json
from shared.events import alerts as wire
from shared.events import decode
from shared.events.scores import Contribution, EventPoints
from shared.runtime.secrets import KeyHasher, SecretBox
from tests.unit.alerts.builders import NOW, at
from tests.unit.alerts.test_lifecycle import alert

KEY = bytes(32)
AT = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)


def teller(mail: bool = True) -> Teller:
    return Teller(SecretBox.from_key(KEY), KeyHasher.from_key(KEY), mail=mail)


def wordy(size: int = 500) -> Alert:
    """An alert with as much text as there can be."""
    text = "<b>ä" * size
    rows = tuple(EventPoints(f"e{i}", at(NOW), "ticket.opened", 0.5) for i in range(3))
    reason = wire.Reason(
        text,
        tuple(Contribution(f"signal{i}", text, 1.0, 0.5, rows) for i in range(5)),
        tuple(wire.ReasonEvent(f"e{i}", at(NOW), "ticket.message", text, text, text, 0.5) for i in range(5)),
    )
    made = replace(alert(), reason=reason, title=text, suggestion=text, owner="Bob")
    customer = wire.AlertCustomer(tuple(f"email:{i}{'x' * 300}@example.com" for i in range(20)), "Ann")
    made = replace(made, customer=customer)
    for _ in range(200):
        made = noted(made, entry(NOW, "Bob", "assigned", text))
    return made


@pytest.mark.parametrize("detail", ["full", "reference"])
@pytest.mark.parametrize("size", [1, 50, 500])
def test_a_body_stays_below_20_kb(detail: str, size: int) -> None:
    body = told(wordy(size), "opened", NOW, detail, to_json)
    assert len(body) < 20_000
    event = json.loads(body)
    assert event["type"] == "cxloop.alert.opened.v1"
    assert event["specversion"] == "1.0"
    assert event["data"]["version"] == 201
    msgspec.convert(event["data"], wire.Alert)


def test_a_reference_holds_no_names_and_no_words() -> None:
    made = wordy(1)
    body = told(made, "opened", NOW, "reference", to_json).decode()
    for word in ("Ann", "Bob", "@example.com", "<b>"):
        assert word not in body.replace(made.suggestion, "")
    assert made.id in body


def test_webhook_ids_are_constant_and_their_own() -> None:
    assert delivery_id("a", "e") == delivery_id("a", "e")
    assert len({delivery_id("a", "e"), delivery_id("b", "e"), delivery_id("a", "f")}) == 3


def test_signature_of_the_published_vector_and_of_two_secrets() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    when = datetime.fromtimestamp(1614265330, UTC)
    sent = headers("msg_p5jXN8AQM9LWM0D4loKWxJek", (secret,), b'{"test": 2432232314}', when)
    assert sent["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    other = "whsec_" + base64.b64encode(bytes(32)).decode()
    now = datetime.now(UTC)
    both = headers("msg_1", (other, secret), b"{}", now)
    for one in (secret, other):
        Webhook(one).verify(b"{}", both)


def test_who_is_told() -> None:
    council = Council(
        "default",
        sponsor=Person("Sue", "sue@example.com"),
        members=(Person("Bob", "bob@example.com"), Person("Lea", "lea@example.com", "lead")),
    )
    routes = [
        Route("all", (), "full"),
        Route("mine", ("default",), "reference"),
        Route("other", ("eu",), "full"),
    ]
    item = Told(alert(), "escalated", tell="sponsor")
    rows = teller().deliveries([item], routes, {"default": council}, NOW)
    assert [row.lane for row in rows] == ["all", "mine", "direct"]
    assert SecretBox.from_key(KEY).decrypt(rows[2].recipient or b"") == b"sue@example.com"
    assert [row.lane for row in teller(mail=False).deliveries([item], routes, {}, NOW)] == ["all", "mine"]
    owned = replace(alert(), owner="Bob")
    for tell, who in (("owner", b"bob@example.com"), ("lead", b"lea@example.com")):
        (row,) = teller().deliveries([Told(owned, "updated", tell=tell)], [], {"default": council}, NOW)  # type: ignore[arg-type]
        assert SecretBox.from_key(KEY).decrypt(row.recipient or b"") == who


def test_the_default_council_hears_of_alerts_whose_council_is_no_more() -> None:
    routes = [Route("mine", ("default",), "full"), Route("other", ("eu",), "full")]
    lead = Council("default", members=(Person("Lea", "lea@example.com", "lead"),))
    item = Told(replace(alert(), council="eu"), "escalated", tell="lead")
    rows = teller().deliveries([item], routes, {"default": lead, "eu": Council("eu")}, NOW)
    assert [row.lane for row in rows] == ["other"]
    rows = teller().deliveries([item], routes, {"default": lead}, NOW)
    assert [row.lane for row in rows] == ["mine", "direct"]


def test_an_action_is_an_event_of_the_customer() -> None:
    item = Told(alert(version=4), "acted", "bob", "called", "spoke for an hour", outcome=True)
    alerts_row, feedback_row = teller().messages([item], NOW)
    assert alerts_row.topic == "cx.alerts.v1"
    assert feedback_row.topic == "cx.feedback.v1"
    event = decode(feedback_row.body)
    assert (event.type, event.source, event.actor) == ("council.acted", "/alerts", "agent")
    assert event.identifiers == ("email:ann@example.com",)
    assert acted(item, NOW) == event
    nobody = replace(alert(), customer=wire.AlertCustomer())
    assert acted(Told(nobody, "acted", outcome=True), NOW) is None


def test_a_letter_quotes_and_escapes() -> None:
    made = replace(
        alert(),
        title="Bad answer: Ann\r\nBcc: x@example.com",
        reason=wire.Reason("why", (), (wire.ReasonEvent("e", at(NOW), "x", "said", "<script>", None, 1.0),)),
    )
    written = letter(told(made, "opened", NOW, "full", to_json), "opened")
    assert "\n" not in written.subject
    assert "“<script>”" in written.text
    assert "<script>" not in written.html
    mailer = Mailer("smtp://localhost", "cx@example.com")
    message = mailer.compose(written, "msg_1", ["a@example.com"], AT)
    assert message["Message-ID"] == "<msg_1@alerts.cxloop>"
    assert message["Bcc"] is None
    assert message["References"] == "<al-1@alerts.cxloop>"
    again = mailer.compose(written, "msg_1", ["a@example.com"], AT)
    assert again["Message-ID"] == message["Message-ID"]


def test_a_test_letter() -> None:
    assert letter(b'{"data":{"text":"hello"}}', "test").text == "hello"


@pytest.mark.parametrize("url", ["syslog://", "dbus://", "nonsense", "nope://x", "file:///etc/passwd", ""])
def test_notification_urls_that_are_none(url: str) -> None:
    with pytest.raises(BadTarget):
        parse(url)


def test_notification_urls_that_are() -> None:
    service = parse("json://127.0.0.1:1/x?redirect=yes")
    assert service.redirects is False


@pytest.mark.parametrize("url", ["http://x", "smtp://", "localhost:25"])
def test_mail_urls_that_are_none(url: str) -> None:
    with pytest.raises(ValueError, match="CXLOOP_SMTP_URL"):
        Mailer(url, "a@example.com")
