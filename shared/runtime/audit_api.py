"""`GET /v1/audit`: the audit log, to read."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from shared.runtime.audit import AuditLog, Filter
from shared.runtime.auth import Scope, require
from shared.runtime.instants import Instant
from shared.runtime.pagination import (
    DEFAULT_LIMIT,
    Cursor,
    Limit,
    Page,
    bad_cursor,
    decode_cursor,
    encode_cursor,
)

router = APIRouter(tags=["audit"])


class AuditOut(BaseModel):
    """One management call."""

    id: str
    at: Instant = Field(description="When it began.")
    service: str
    key_id: str | None = Field(description="Null: without a valid key, or by the command line.")
    key_name: str | None = Field(description="The key's name at the time.")
    method: str
    route: str = Field(description="The template of the address.")
    object: str | None = Field(description="The id it named, or that of what it made.")
    status: int | None = Field(description="Of the answer; null: it began, and its outcome was never told.")
    trace: str | None = Field(description="Trace id, as in the logs.")


@router.get("/v1/audit", dependencies=[require(Scope.admin)])
async def list_audit(
    request: Request,
    since: Annotated[Instant | None, Query(description="From this instant on.")] = None,
    until: Annotated[Instant | None, Query(description="Before this instant.")] = None,
    key: Annotated[str | None, Query(max_length=200, description="Id of a key.")] = None,
    route: Annotated[str | None, Query(max_length=200, description="Beginning of a route.")] = None,
    service: Annotated[str | None, Query(max_length=200, description="ingest, scoring or alerts.")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[AuditOut]:
    """Who changed what, the newest first: every call that manages something, refused ones too."""
    log: AuditLog = request.app.state.audit
    wanted = Filter(since, until, key, route, service)
    rows = await log.page(wanted, _before(cursor), limit + 1)
    more = encode_cursor({"id": rows[limit - 1]["id"]}) if len(rows) > limit else None
    return Page(items=[_shown(row) for row in rows[:limit]], next=more)


def _before(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    position = decode_cursor(cursor).get("id")
    if not isinstance(position, int) or isinstance(position, bool):
        raise bad_cursor()
    return position


def _shown(row: Any) -> AuditOut:  # noqa: ANN401 - a record of the driver
    return AuditOut(**dict(row) | {"id": str(row["id"])})
