"""Policy files: the shipped ones load, hash and are fresh; mistakes are told where they are."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path

import jsonschema
import pytest
import yaml

from services.scoring import holiday_table, policy_schema
from services.scoring.domain.policy import HEALTH, folded
from services.scoring.domain.types import Signal
from services.scoring.policy_files import HOLIDAYS, SHIPPED, PolicyError, load, micro, shipped
from shared.events.times import HOUR, MINUTE, SECOND


def test_shipped_numbers_of_the_specification() -> None:
    policy = shipped()
    evidence, reading = policy.evidence, policy.reading
    assert (reading.kappa, evidence.loss, evidence.masses.survey, reading.minimum_evidence) == (
        2_000_000,
        2_500_000,
        2_000_000,
        1_500_000,
    )
    assert (reading.m0, reading.relationship.m0) == (650_000, 450_000)
    assert (evidence.slow_h, evidence.fast_h, evidence.relationship_h) == (90 * 24, 14 * 24, 730 * 24)
    assert [reading.weights[s] for s in HEALTH[:-1]] == [
        130_000,
        130_000,
        170_000,
        220_000,
        140_000,
        100_000,
        60_000,
        50_000,
    ]
    assert reading.risk.intercept == -1_000_000
    assert reading.risk.theta[Signal.LOYALTY] == 600_000
    assert [(b.name, b.start) for b in reading.risk_bands] == [
        ("low", 0),
        ("elevated", 300_000),
        ("high", 600_000),
    ]


@pytest.mark.parametrize(
    ("persona", "first", "solution", "phone", "contacts", "handovers", "bots"),
    [
        (None, 8, 24, False, 2, 1, True),
        ("End-User", 8, 24, False, 2, 1, True),
        ("ADMIN", 4, 16, True, 3, 1, True),
        ("decision_maker", 2, 8, True, 2, 0, False),
        ("Decision Maker", 2, 8, True, 2, 0, False),
        ("developer", 8, 40, False, 2, 1, True),
        ("evaluator", 2, 8, True, 2, 1, True),
        ("somebody else", 8, 24, False, 2, 1, True),
    ],
)
def test_personas(
    persona: str | None, first: int, solution: int, phone: bool, contacts: int, handovers: int, bots: bool
) -> None:
    promise = shipped().evidence.promise(persona)
    assert (promise.first_reply, promise.solution) == (first * HOUR, solution * HOUR)
    assert ("phone" not in promise.unwilling) is phone
    assert (promise.contacts, promise.handovers, promise.bots) == (contacts, handovers, bots)


def test_waits_by_channel() -> None:
    evidence = shipped().evidence
    assert evidence.promise("evaluator").first_reply_on["chat"] == 2 * MINUTE
    assert evidence.promise("decision maker").first_reply_on["chat"] == 5 * MINUTE  # the default's
    assert evidence.promise("admin").first_reply_on["phone"] == 60 * SECOND


def _copied(folder: Path, old: str, new: str, file: str = "b2b-saas.yaml") -> Path:
    for name in ("b2b-saas.yaml", "personas.yaml", "regions.yaml"):
        shutil.copy(SHIPPED.parent / name, folder / name)
    text = (folder / file).read_text("utf-8")
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1), "utf-8")
    return folder / "b2b-saas.yaml"


def test_ids_follow_the_content_alone(tmp_path: Path) -> None:
    comment = load(_copied(tmp_path, "# The shipped policy", "# Our policy"))
    assert comment.id == shipped().id
    reading = load(_copied(tmp_path, "kappa: 2 ", "kappa: 3 "))
    assert reading.id != shipped().id
    assert reading.evidence.id == shipped().evidence.id
    evidence = load(_copied(tmp_path, "loss: 2.5", "loss: 2.6"))
    assert evidence.evidence.id != shipped().evidence.id
    assert evidence.reading.id == shipped().reading.id
    persona = load(_copied(tmp_path, "first_reply: 8h", "first_reply: 7h", "personas.yaml"))
    assert persona.evidence.id != shipped().evidence.id


@pytest.mark.parametrize(
    ("old", "new", "file", "where", "why"),
    [
        ("loss: 2.5", "los: 2.5", "b2b-saas.yaml", "b2b-saas.yaml.evidence", "unknown field `los`"),
        ("loss: 2.5", "loss: much", "b2b-saas.yaml", "b2b-saas.yaml.evidence.loss", "Expected `float`"),
        ("loss: 2.5", "loss: 2.1234567", "b2b-saas.yaml", "b2b-saas.yaml", "six decimal places"),
        ("effort: 0.17", "effort: 0.18", "b2b-saas.yaml", "b2b-saas.yaml", "sum to exactly 1"),
        ("m0: 0.65", "m0: 1", "b2b-saas.yaml", "b2b-saas.yaml", "strictly between"),
        ("poor: 0,", "poor: 1,", "b2b-saas.yaml", "b2b-saas.yaml", "starts at 0"),
        ('end: "17:00"', 'end: "08:00"', "b2b-saas.yaml", "b2b-saas.yaml", "end after its start"),
        ("first_reply: 8h", "first_reply: soon", "personas.yaml", "personas.yaml", "regex"),
        ("default:", "usual:", "personas.yaml", "personas.yaml", "no persona `default`"),
        ("Europe/Vienna", "Europe/Nowhere", "regions.yaml", "b2b-saas.yaml", "unknown time zone"),
        ("holidays: AT", "holidays: XX", "regions.yaml", "b2b-saas.yaml", "calendar of holidays for XX"),
        ("name: b2b-saas", "name: [", "b2b-saas.yaml", "b2b-saas.yaml", "no YAML"),
    ],
)
def test_mistakes(tmp_path: Path, old: str, new: str, file: str, where: str, why: str) -> None:
    with pytest.raises(PolicyError) as caught:
        load(_copied(tmp_path, old, new, file))
    assert caught.value.where.startswith(where)
    assert why in caught.value.why


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="No such file"):
        load(tmp_path / "none.yaml")


@pytest.mark.parametrize(("value", "expected"), [(0.1, 100_000), (2, 2_000_000), (-1.0, -1_000_000)])
def test_decimals_as_written(value: float, expected: int) -> None:
    assert micro(value) == expected


@pytest.mark.parametrize("name", ["Decision-Maker", "decision_maker", "  DECISION   maker "])
def test_names_are_compared_folded(name: str) -> None:
    assert folded(name) == "decision maker"


def test_schema_is_fresh_and_holds_for_the_shipped_files() -> None:
    assert policy_schema.SCHEMA.read_text("utf-8") == policy_schema.text()
    schema = json.loads(policy_schema.text())
    for name, kind in (("b2b-saas", "policy"), ("personas", "personas"), ("regions", "regions")):
        content = yaml.safe_load((SHIPPED.parent / f"{name}.yaml").read_text("utf-8"))
        jsonschema.validate(content, {**schema, "$ref": f"#/$defs/{kind}-file"})


def test_kept_holidays_are_those_of_the_pinned_package() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # countries whose calendar begins later or ends earlier
        assert HOLIDAYS.read_text("utf-8") == holiday_table.text()
