"""What is wrong is told by place and reason; the value that was sent never comes back in an error or log."""

from __future__ import annotations

import io
import logging
from datetime import UTC, datetime

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from services.alerts.api.endpoints import shown
from services.alerts.rule_files import RuleDocument
from services.alerts.store.setup import Endpoint
from shared.events.times import parse_instant
from shared.runtime.errors import reason
from shared.runtime.instants import Instant
from shared.runtime.logging import configure_logging

CANARY = "cnrysecret"


@pytest.mark.parametrize("text", [CANARY * 3, f"2026-01-31T{CANARY}00:00", f"2026-01-31T09:30:00+{CANARY}"])
def test_an_instant_that_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="instant") as caught:
        parse_instant(text)
    assert CANARY not in str(caught.value)
    with pytest.raises(ValidationError) as invalid:
        TypeAdapter(Instant).validate_python(text)
    assert all(CANARY not in reason(dict(fault)) for fault in invalid.value.errors())


@pytest.mark.parametrize(
    "document",
    [
        {
            "id": CANARY + "!",
            "when": {"kind": CANARY},
            "severity": CANARY,
            "cooldown": CANARY,
            "driver": [CANARY],
        },
        {"id": "r", "when": {"kind": "happened", "types": CANARY}, "subjects": [CANARY], "enabled": CANARY},
        {"id": "r", "when": {"kind": "fall", "points": CANARY, "exit_points": CANARY, "within": CANARY}},
    ],
)
def test_a_rule_that_is_none(document: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as caught:
        RuleDocument.model_validate(document)
    assert all(CANARY not in reason(dict(fault)) for fault in caught.value.errors())


class Body(BaseModel):
    number: int
    flag: bool
    texts: list[str]


def test_a_body_of_other_types() -> None:
    with pytest.raises(ValidationError) as caught:
        Body.model_validate({"number": CANARY, "flag": CANARY, "texts": CANARY})
    assert all(CANARY not in reason(dict(fault)) for fault in caught.value.errors())


@pytest.mark.parametrize(
    "name", ["apprise", "httpcore.http11", "httpx", "requests", "urllib3.connectionpool"]
)
def test_libraries_that_write_addresses_are_quiet_even_when_debugging(name: str) -> None:
    stream, root = io.StringIO(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        configure_logging("edge", "debug", stream=stream)
        logging.getLogger(name).debug("POST https://example.com/?token=%s", CANARY)
        logging.getLogger("apprise").error("Unparseable URL json://%s", CANARY)
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    assert CANARY not in stream.getvalue()


@pytest.mark.parametrize(
    ("kind", "target", "told"),
    [
        ("webhook", f"https://example.com/hook?token={CANARY}", "https://example.com/hook?…"),
        ("webhook", "https://example.com/hook", "https://example.com/hook"),
        ("notify", f"json://user:{CANARY}@example.com/{CANARY}", "json://…"),
    ],
)
def test_an_endpoint_is_shown_without_its_tokens(kind: str, target: str, told: str) -> None:
    now = datetime(2026, 3, 2, tzinfo=UTC)
    endpoint = Endpoint("e", kind, target, (), "full", True, None, now, (f"whsec_{CANARY}",))
    document = shown(endpoint)
    assert document.url == told
    assert CANARY not in document.model_dump_json()
