"""`/v1/rejected`: look at what was not understood, and replay it once the reader was mended."""

from __future__ import annotations

import base64
import uuid
from datetime import datetime
from typing import Literal

from fastapi import APIRouter, Request
from sqlalchemy.ext.asyncio import AsyncEngine

from services.ingest.api import raw
from services.ingest.api.models import ReasonOut, RejectedOut, ReplayOut
from services.ingest.domain import pipeline
from services.ingest.domain.sender import Delivery
from services.ingest.intake import Intake, NotDurableError
from services.ingest.senders import senders
from services.ingest.sources import SourceBook, SourcesUnavailableError
from services.ingest.store import rejected as store
from services.ingest.store.reach import connection
from shared.events import EventError, decode
from shared.events.rejections import Reason
from shared.runtime.auth import Scope, require
from shared.runtime.pagination import Cursor, Limit, Page, bad_cursor, decode_cursor, encode_cursor
from shared.runtime.problem import Problem

router = APIRouter(tags=["rejected"])
DEADLINE_S = 5.0


@router.get("/v1/rejected", dependencies=[require(Scope.admin)])
async def list_rejected(
    request: Request,
    limit: Limit = 50,
    cursor: Cursor = None,
    source: str | None = None,
    state: Literal["pending", "replayed", "all"] = "pending",
) -> Page[RejectedOut]:
    """What waits for a mend, the latest first. Original bodies may hold personal data."""
    name = source if source is None or source.startswith("/") else f"/sources/{source}"
    wanted = None if state == "all" else state
    async with connection(_engine(request), DEADLINE_S) as conn:
        rows = await store.page(conn, limit + 1, _position(cursor), name, wanted)
    last = rows[limit - 1] if len(rows) > limit else None
    more = encode_cursor({"at": last.received_at.isoformat(), "id": str(last.id)}) if last else None
    return Page(items=[_shown(row) for row in rows[:limit]], next=more)


@router.get("/v1/rejected/{rejected_id}", dependencies=[require(Scope.admin)])
async def get_rejected(rejected_id: uuid.UUID, request: Request) -> RejectedOut:
    """One of them."""
    return _shown(await _row(rejected_id, request))


@router.post("/v1/rejected/{rejected_id}/replay", status_code=202, dependencies=[require(Scope.admin)])
async def replay_rejected(rejected_id: uuid.UUID, request: Request) -> ReplayOut:
    """Reads the original bytes again, with today's code; their signature was checked at receipt.

    What is understood now is published under the ids that it would have had. What still is not stays
    pending, with today's reasons.
    """
    row = await _row(rejected_id, request)
    found = _refused_event(row) if row.by == "scoring" else await _read_again(row, request)
    intake: Intake = request.app.state.intake
    try:
        await intake.keep(found.sealed)
    except NotDurableError as error:
        raise raw.not_durable(error) from error
    async with connection(_engine(request), DEADLINE_S) as conn:
        if found.rejected:
            await store.renew_reasons(conn, row.id, found.reasons)
        else:
            await store.mark_replayed(conn, row.id, raw.now())
    return ReplayOut(
        accepted=len(found.sealed),
        rejected=found.rejected,
        ignored=len(found.ignored),
        ids=[one.event.id for one in found.sealed],
        reasons=[_reason(one) for one in found.reasons],
        state="pending" if found.rejected else "replayed",
    )


def _refused_event(row: store.Rejected) -> pipeline.Sorted:
    """An event that scoring refused goes out again as it was."""
    try:
        return pipeline.Sorted(sealed=(pipeline.Sealed(decode(row.body), row.body),))
    except EventError as error:
        return pipeline.Sorted(rejected=1, reasons=(Reason("bad_event", error.where, error.why),))


async def _read_again(row: store.Rejected, request: Request) -> pipeline.Sorted:
    book: SourceBook = request.app.state.sources
    try:
        source = await book.find(row.source.rpartition("/")[2])
    except SourcesUnavailableError:
        raise raw.unavailable("the list of sources cannot be read now") from None
    sender = senders().get(source.vendor) if source else None
    if source is None or sender is None or row.request is None:
        raise Problem("conflict", "its source is gone, so nothing knows how to read it")
    delivery = Delivery(
        row.request.method, row.request.path_and_query, row.request.headers, row.body, row.received_at
    )
    return pipeline.sort_delivery(sender, delivery, source)


async def _row(rejected_id: uuid.UUID, request: Request) -> store.Rejected:
    async with connection(_engine(request), DEADLINE_S) as conn:
        row = await store.get(conn, rejected_id)
    if row is None:
        raise Problem("not_found", "nothing rejected has this id")
    return row


def _position(cursor: str | None) -> tuple[datetime, uuid.UUID] | None:
    if cursor is None:
        return None
    position = decode_cursor(cursor)
    try:
        return datetime.fromisoformat(str(position["at"])), uuid.UUID(str(position["id"]))
    except (KeyError, ValueError):
        raise bad_cursor() from None


def _shown(row: store.Rejected) -> RejectedOut:
    body, encoding = _body(row.body)
    return RejectedOut(
        id=str(row.id),
        source=row.source,
        received_at=row.received_at,
        reasons=[_reason(one) for one in row.reasons],
        body=body,
        encoding=encoding,
        by=row.by,
        state=row.state,
        event_id=row.event_id,
        replayed_at=row.replayed_at,
    )


def _body(body: bytes) -> tuple[str, Literal["utf-8", "base64"]]:
    try:
        return body.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return base64.b64encode(body).decode(), "base64"


def _reason(one: Reason) -> ReasonOut:
    return ReasonOut(code=one.code, where=one.where, why=one.why)


def _engine(request: Request) -> AsyncEngine:
    engine: AsyncEngine = request.app.state.engine
    return engine
