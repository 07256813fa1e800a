"""What senders read alike."""

from __future__ import annotations

import pytest

from services.ingest.domain.sender import SourceConfig, Unreadable
from services.ingest.senders._reading import (
    both,
    customer_of,
    guessed,
    prefixed,
    priority,
    scoped,
    unix_header,
    web_url,
    word_of,
)


def refuse(where: str) -> str:
    raise Unreadable(where, "not good")


def test_both_values() -> None:
    assert both(lambda: 1, lambda: "two") == (1, "two")


@pytest.mark.parametrize(
    ("first", "second", "where"),
    [("/a", None, ["/a"]), (None, "/b", ["/b"]), ("/a", "/b", ["/a", "/b"])],
)
def test_both_refusals_are_told(first: str | None, second: str | None, where: list[str]) -> None:
    with pytest.raises(Unreadable) as refusal:
        both(lambda: refuse(first) if first else "", lambda: refuse(second) if second else "")
    assert [reason.where for reason in refusal.value.reasons] == where


@pytest.mark.parametrize(
    ("said", "meant"),
    [("URGENT", "urgent"), ("Medium", "normal"), ("low", "low"), ("P1", None), ("", None), (3, None)],
)
def test_priority(said: object, meant: str | None) -> None:
    assert priority({"priority": said}, "priority") == meant


@pytest.mark.parametrize(
    ("said", "url"),
    [
        ("https://a.example.com/1", "https://a.example.com/1"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("acme.zendesk.com/agent/tickets/1", "https://acme.zendesk.com/agent/tickets/1"),
        ("javascript:alert(1)", None),
        ("javascript:alert(1).com/", None),
        ("ticket 5", None),
        ("", None),
        (None, None),
    ],
)
def test_web_url(said: str | None, url: str | None) -> None:
    assert web_url(said) == url


@pytest.mark.parametrize("stamp", ["", " 1", "1.5", "-1", "1e9", "٣", "9" * 30, "9" * 5000])
def test_header_that_counts_no_seconds(stamp: str) -> None:
    assert unix_header(stamp) is None


def test_identifiers_of_nobody() -> None:
    source = SourceConfig("desk", "zendesk")
    assert scoped(source.user, "0", ("0", "-1")) is None
    assert scoped(source.user, None) is None
    assert scoped(source.user, "17") == "desk.user:17"
    assert prefixed("email", None) is None


def test_billing_customer() -> None:
    assert customer_of(SourceConfig("pay", "stripe"), "cus_1") == "pay.org:cus_1"
    person = SourceConfig("pay", "stripe", settings={"customers_are": "person"})
    assert customer_of(person, "cus_1") == "pay.contact:cus_1"


def test_guess_gives_way_to_a_default() -> None:
    assert guessed(SourceConfig("desk", "zendesk"), "stage", "support") == "support"
    assert guessed(SourceConfig("desk", "zendesk", defaults={"stage": "use"}), "stage", "support") is None


def test_word_of_a_closed_list() -> None:
    assert word_of(("email", "chat"), "EMAIL") == "email"
    assert word_of(("email", "chat"), "pigeon") is None
    assert word_of(("email", "chat"), None) is None
