"""Instants need an offset, and are answered in Z."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from shared.runtime.instants import Instant

adapter: TypeAdapter[Instant] = TypeAdapter(Instant)


@pytest.mark.parametrize(
    ("given", "answered"),
    [
        ("2026-01-31T09:30:00Z", "2026-01-31T09:30:00Z"),
        ("2026-01-31T10:30:00+01:00", "2026-01-31T09:30:00Z"),
        ("2026-01-31T10:30:00 01:00", "2026-01-31T09:30:00Z"),  # a plus that a query string has eaten
        ("2026-01-31T09:30:00.5Z", "2026-01-31T09:30:00.500000Z"),
    ],
)
def test_read_and_answered(given: str, answered: str) -> None:
    assert adapter.dump_python(adapter.validate_python(given), mode="json") == answered


@pytest.mark.parametrize(
    "junk",
    [
        "",
        "2026-01-31",
        "2026-01-31T09:30:00",
        "1769850000",
        1769850000,
        None,
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "2026-02-30T00:00:00Z",
        "2026-01-31T09:30:00Z\x00",
        "�" * 30,
    ],
)
def test_what_is_no_instant(junk: object) -> None:
    with pytest.raises(ValidationError):
        adapter.validate_python(junk)
