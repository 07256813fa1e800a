"""Logs: machine-readable, and never a person in them."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest
import structlog

from shared.runtime.logging import configure_logging


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    """A stream the process logs to, and everything as it was afterwards."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level, structlog.get_config())
    levels = {
        name: logging.getLogger(name).level for name in ("asyncio", "aiokafka", "sqlalchemy", "alembic")
    }
    stream = io.StringIO()
    yield stream
    root.handlers[:], root.level = before[0], before[1]
    structlog.configure(**before[2])
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_one_object_per_line_from_us_and_from_libraries(out: io.StringIO) -> None:
    configure_logging("ingest", "info", "json", out)
    structlog.get_logger("x").info("hello", count=1)
    structlog.get_logger("x").debug("not at this level")
    logging.getLogger("some.library").warning("careful %s", "now")
    ours, theirs = lines(out)
    assert ours["event"] == "hello"
    assert (ours["count"], ours["service"], ours["level"]) == (1, "ingest", "info")
    assert ours["at"].endswith("Z")
    assert (theirs["event"], theirs["level"], theirs["logger"]) == ("careful now", "warning", "some.library")


@pytest.mark.parametrize("fmt", ["json", "text"])
def test_exceptions_tell_the_place_and_never_the_data(out: io.StringIO, fmt: Any) -> None:  # noqa: ANN401
    configure_logging("ingest", "info", fmt, out)
    error = asyncpg.UniqueViolationError("duplicate key: ann@example.com")
    try:
        try:
            raise ValueError("ann@example.com is no number")
        except ValueError as cause:
            raise error from cause
    except asyncpg.UniqueViolationError:
        structlog.get_logger("x").exception("it failed")
        logging.getLogger("library").exception("it failed here, too")
    text = out.getvalue()
    assert "ann@example.com" not in text
    assert text.count("UniqueViolationError") == 2
    assert text.count("23505") == 2
    assert "test_logging.py" in text
    assert "ValueError" in text


def test_the_systems_own_words_are_kept(out: io.StringIO) -> None:
    configure_logging("ingest", "info", "json", out)
    structlog.get_logger("x").warning("away", exc_info=ConnectionRefusedError(111, "Connection refused"))
    assert lines(out)[0]["why"] == "Connection refused"
