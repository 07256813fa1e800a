"""Identifiers are compared after normalising; what is none says why."""

import pytest

from shared.events.identifiers import IdentifierError, is_organisation, normalise, ordered
from shared.events.ids import leaf_id, own_event_id, webhook_event_id


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        ("email: Ann@Example.COM ", "email:ann@example.com"),
        ("phone:+49 30 123456", "phone:+4930123456"),
        ("user:A-17", "user:A-17"),
        ("account:Acme", "account:Acme"),
        ("zendesk-eu.user:844", "zendesk-eu.user:844"),
        ("billing.org:cus_1", "billing.org:cus_1"),
        ("desk.contact:9", "desk.contact:9"),
    ],
)
def test_normal_form(given: str, normal: str) -> None:
    assert normalise(given) == normal
    assert normalise(normal) == normal


@pytest.mark.parametrize(
    "given",
    [
        "",
        "ann",
        "email:",
        "email:ann",
        "phone:030 12",
        "phone:abc",
        "fax:1",
        "A.user:1",
        "user:a\x00b",
        "user:\ud800",
    ],
)
def test_what_is_no_identifier_says_why(given: str) -> None:
    with pytest.raises(IdentifierError, match=r"\w+ \w+"):
        normalise(given)


def test_the_strongest_comes_first_and_once() -> None:
    given = ["account:x", "desk.user:1", "email:a@b", "user:1", "email:a@b"]
    assert ordered(given) == ("user:1", "email:a@b", "desk.user:1", "account:x")


def test_organisations_are_no_persons() -> None:
    assert is_organisation("account:x")
    assert is_organisation("billing.org:cus_1")
    assert not is_organisation("billing.user:cus_1")


def test_ids_are_stable_and_do_not_run_together() -> None:
    assert own_event_id("/crm", "1") == own_event_id("/crm", "1")
    assert own_event_id("/crm", "1") != own_event_id("/crm2", "1")
    assert webhook_event_id("/s", "d", "a", ("bc", "d")) != webhook_event_id("/s", "d", "a", ("b", "cd"))
    assert leaf_id("user:1") != leaf_id("user:2")
