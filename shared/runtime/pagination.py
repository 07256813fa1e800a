"""Lists: pages with an opaque cursor that pins what it saw."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Annotated, Generic, TypeVar

import msgspec
from fastapi import Query
from pydantic import BaseModel, Field

from shared.runtime.problem import Problem, Where

T = TypeVar("T")
MAX_LIMIT = 200
DEFAULT_LIMIT = 50
MAX_CURSOR = 2048

CursorValue = str | int | float | bool | None
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Items per page.")]
Cursor = Annotated[str | None, Query(max_length=MAX_CURSOR, description="`next` of the page before; opaque.")]
_decoder = msgspec.json.Decoder(dict[str, CursorValue])


class Page(BaseModel, Generic[T]):
    """One page of a list."""

    items: list[T]
    next: str | None = Field(None, description="Cursor of the next page, null on the last one.")


def encode_cursor(position: Mapping[str, CursorValue]) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(position)).rstrip(b"=").decode()


def decode_cursor(cursor: str) -> dict[str, CursorValue]:
    """The inverse. Raises Problem invalid_request for anything else than an encoded cursor."""
    try:
        if len(cursor) > MAX_CURSOR:
            raise ValueError("too long")
        padded = cursor + "=" * (-len(cursor) % 4)
        position = _decoder.decode(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, msgspec.MsgspecError, RecursionError):
        raise bad_cursor() from None
    if any(_unstorable(value) for value in position.values()):
        raise bad_cursor()
    return position


def bad_cursor() -> Problem:
    """For a cursor that decodes but does not belong to this list, too."""
    return Problem("invalid_request", "not a cursor of this list", [Where("?cursor", "not a cursor")])


def _unstorable(value: CursorValue) -> bool:
    if isinstance(value, str):
        return "\x00" in value
    return isinstance(value, int) and not -(2**63) <= value < 2**63
