"""The generated reference in the tree is what the code says now, and its schemas are schemas."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from services.cli.reference import TARGET, stale
from shared.events import BODIES


def test_the_reference_is_fresh() -> None:
    assert stale() == [], "run `make reference`"


@pytest.mark.parametrize("path", sorted(TARGET.glob("schemas/**/*.json")), ids=lambda p: p.stem)
def test_every_schema_is_a_schema(path: Path) -> None:
    Draft202012Validator.check_schema(json.loads(path.read_text("utf-8")))


def test_every_event_type_has_one() -> None:
    assert {p.stem for p in (TARGET / "schemas" / "events").glob("*.json")} == set(BODIES)
