"""Rule documents, scopes and bodies of requests."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from pydantic import ValidationError

from services.alerts.api.models import AlertModel, CouncilBody, NewEndpoint
from services.alerts.api.rules import checked
from services.alerts.consumer import Unreadable, read
from services.alerts.domain.councils import Council, council_of
from services.alerts.domain.rules import Happened, Level
from services.alerts.rule_files import SHIPPED, RuleDocument, duration, schema, shipped, written_schema
from shared.bus.batches import Record
from shared.events import alerts as wire
from shared.events import scores as messages
from shared.events.times import DAY, HOUR, MINUTE, SECOND
from shared.runtime.problem import Problem
from tests.unit.alerts.builders import change, event

ON = ["cancel-scheduled", "detractor-risk", "sudden-fall", "promise-broken", "detractor-answer"]


def test_shipped_rules_have_the_figures_of_the_specification() -> None:
    rules = {d.id: d.build() for d in shipped()}
    assert [d.id for d in shipped() if d.enabled] == ON
    assert rules["detractor-risk"].when == Level("risk", 0.6, 0.45, 2.0, 2 * HOUR)
    assert rules["detractor-risk"].cooldown == 14 * DAY
    assert {r: rules[r].severity for r in ON} == {
        "cancel-scheduled": "urgent",
        "detractor-risk": "high",
        "sudden-fall": "high",
        "promise-broken": "high",
        "detractor-answer": "medium",
    }


def test_the_schema_takes_the_shipped_rules() -> None:
    import jsonschema

    validator = jsonschema.Draft202012Validator(schema())
    for document in shipped():
        validator.validate(document.model_dump())


def test_the_schema_in_the_tree_is_fresh() -> None:
    kept = (SHIPPED / "rule.schema.json").read_text("utf-8")
    assert kept == written_schema(), "write it anew: python -m services.alerts.rule_files"


@pytest.mark.parametrize(
    ("text", "expected"), [("90s", 90 * SECOND), ("30m", 30 * MINUTE), ("2h", 2 * HOUR), (" 14d ", 14 * DAY)]
)
def test_duration(text: str, expected: int) -> None:
    assert duration(text) == expected


@pytest.mark.parametrize("text", ["", "2", "h", "-2h", "2.5h", "2w", "1d2h"])
def test_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="2h or 14d"):
        duration(text)


def rule(**when: object) -> dict[str, Any]:
    return {"id": "own", "title": "Own", "suggestion": "Do it", "severity": "low", "when": when}


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (rule(kind="level", score="risk", entry=0.5, exit=0.6), "/when"),
        (rule(kind="level", score="health", entry=50, exit=40), "/when"),
        (rule(kind="level", score="mood", entry=50, exit=40), "/when/score"),
        (rule(kind="level", score="risk", entry=0.5, exit=0.4, dwell="long"), "/when/dwell"),
        (rule(kind="never"), "/when"),
        (rule(kind="answer", limits={"nps": 2}), "/when/limits/nps"),
        (rule(kind="fall", points=5, exit_points=2, within="8d"), "/when"),
        (rule(kind="happened", types=[]), "/when/types"),
        (rule(kind="happened", types=["x.y"]) | {"severity": "huge"}, "/severity"),
        (rule(kind="happened", types=["x.y"]) | {"colour": "red"}, "/colour"),
        (rule(kind="happened", types=["x.y"]) | {"id": "Not An Id"}, "/id"),
    ],
)
def test_faults_say_where(body: dict[str, Any], where: str) -> None:
    with pytest.raises(Problem) as caught:
        checked(body)
    assert where in [fault.where for fault in caught.value.errors]


def test_every_kind_builds() -> None:
    kinds = {type(document.build().when).__name__ for document in shipped()}
    assert len(kinds) == 7
    assert RuleDocument.model_validate(rule(kind="happened", types=["x.y"])).build().id == "own"


@pytest.mark.parametrize(
    ("scope", "belongs"),
    [
        ({}, True),
        ({"region": ("eu",)}, True),
        ({"region": ("US", "EU")}, True),
        ({"region": ("US",)}, False),
        ({"region": ("EU",), "persona": ("admin",)}, True),
        ({"region": ("EU",), "persona": ("developer",)}, False),
        ({"account": ("acc-1",)}, True),
        ({"account": ("acme",)}, True),
        ({"segment": ("smb",)}, False),
    ],
)
def test_scope(scope: dict[str, tuple[str, ...]], belongs: bool) -> None:
    given = change(identifiers=("user:7", "account:acme"))
    assert council_of(given, [Council("default"), Council("one", scope=scope)]) == (
        "one" if belongs else "default"
    )


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "webhook"},
        {"kind": "webhook", "url": "ftp://x"},
        {"kind": "webhook", "url": "https://user:pw@example.com"},
        {"kind": "webhook", "url": "https://"},
        {"kind": "webhook", "url": "https://example.com:99999"},
        {"kind": "webhook", "url": "https://example.com", "secret": "short"},
        {"kind": "webhook", "url": "https://example.com", "secret": "whsec_c2hvcnQ="},
        {"kind": "email"},
        {"kind": "email", "to": "not an address"},
        {"kind": "email", "to": ["a@example.com,b@example.com"]},
        {"kind": "email", "to": "a@example.com", "secret": "whsec_" + "A" * 44},
        {"kind": "notify"},
        {"kind": "pigeon", "url": "x"},
    ],
)
def test_endpoints_that_are_none(body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        NewEndpoint.model_validate({"id": "e"} | body)


def test_scope_keys_are_checked_and_single_values_taken() -> None:
    body = CouncilBody.model_validate({"scope": {"region": "EU"}, "members": ["ann@example.com"]})
    assert body.scope == {"region": ["EU"]}
    assert body.members[0].email == "ann@example.com"
    with pytest.raises(ValidationError, match="scope knows"):
        CouncilBody.model_validate({"scope": {"planet": ["earth"]}})


def test_the_documented_alert_is_the_one_that_is_sent() -> None:
    assert tuple(AlertModel.model_fields) == wire.Alert.__struct_fields__


def record(value: bytes) -> Record:
    return Record("cx.scores.v1", 0, 7, 0, b"k", value)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"junk",
        b"{}",
        messages.encode(change()).replace(b'"version":1', b'"version":"one"'),
        messages.encode(change(customer=None, account_id=None)),
        messages.encode(change(events=(msgspec.structs.replace(event(), time="yesterday"),))),
        messages.encode(change(renewal_at="2026")),
        messages.encode(change(name="X")).replace(b'"X"', b'"\\ud800"'),
    ],
)
def test_unreadable_messages_say_why(value: bytes) -> None:
    with pytest.raises(Unreadable):
        read(record(value))


def test_readable_messages() -> None:
    assert read(record(messages.encode(change()))) == change()


def test_types_come_in_either_form() -> None:
    whole = change(events=(event("e", "cxloop.survey.answered.v1"),))
    assert read(record(messages.encode(whole))).events[0].type == "survey.answered"
    built = checked(rule(kind="happened", types=["cxloop.review.posted.v1"])).build()
    assert built.when == Happened(("review.posted",))
