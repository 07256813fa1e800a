"""The type of instants in requests and answers: an offset is needed, answers are UTC with Z."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from shared.events.times import format_instant, parse_instant


def _parse(value: object) -> object:
    """Texts only: a bare number could be seconds or milliseconds."""
    if isinstance(value, datetime):
        return parse_instant(value.isoformat())
    if not isinstance(value, str) or not value.isascii() or not value.isprintable():
        raise ValueError("not an RFC 3339 instant such as 2026-01-31T09:30:00Z")
    # A plus sign that was not escaped in a query string arrives as a space.
    text = value[:-6] + "+" + value[-5:] if value[-6:-5] == " " else value
    return parse_instant(text)


Instant = Annotated[
    datetime,
    BeforeValidator(_parse),
    PlainSerializer(format_instant, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "example": "2026-01-31T09:30:00Z"}),
]
