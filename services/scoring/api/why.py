"""Why a score is what it is, why it moved, and when it will by itself."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Query, Request, Response

from services.scoring import changes, reads
from services.scoring.api.access import Who, connection, engine, packed, under_both
from services.scoring.api.models import ChangeOut, ExplanationOut, ForecastOut
from services.scoring.api.scores import instant, pinned
from services.scoring.api.times import AtTimes
from services.scoring.domain.forecast import Change
from services.scoring.engine import Engine
from services.scoring.reads import Moment, Subject
from shared.runtime.auth import Scope, require
from shared.runtime.pagination import Cursor, Limit, Page, bad_cursor, decode_cursor, encode_cursor

router = APIRouter(tags=["explanations"], dependencies=[require(Scope.read)])


@under_both(router, "/explanation", response_model=ExplanationOut)
async def explanation(who: Who, times: AtTimes, request: Request) -> Response:
    """Each score down to the event: rows sum exactly to the signal, signals to value − baseline."""
    with_ = engine(request)
    async with connection(request) as conn:
        row = await packed(conn, who)
        subject = await reads.subject(conn, row, who.given, times.known_at)
    at = reads.moment(row, times.as_of, times.known_at)
    told = await asyncio.to_thread(_explained, subject, with_, at)
    named = {who.field: row.id, "as_of": instant(at.as_of), "known_at": instant(at.known_at)}
    return pinned(
        request, times, named | told | {"policy": with_.policy.id, "model": with_.model.id}, row.now
    )


def _explained(subject: Subject, with_: Engine, at: Moment) -> dict[str, object]:
    return subject.view(with_, at).explanation.published()


@under_both(router, "/forecast", response_model=ForecastOut)
async def forecast(who: Who, request: Request) -> Response:
    """The next change of each score's band if nothing happens."""
    with_ = engine(request)
    async with connection(request) as conn:
        row = await packed(conn, who)
        view, at = await reads.view(conn, row, who.given, with_, None, None)
    found = await asyncio.to_thread(view.forecast)
    told = {name: _band_change(change) for name, change in found.items()}
    body = msgspec.json.encode({who.field: row.id, "as_of": instant(at.as_of)} | told)
    return Response(body, media_type="application/json")


def _band_change(change: Change | None) -> dict[str, Any] | None:
    return change and {"at": instant(change.at), "before": change.before, "after": change.after}


@under_both(router, "/changes", response_model=Page[ChangeOut])
async def list_changes(
    who: Who,
    request: Request,
    score: Annotated[Literal["health", "relationship", "risk"] | None, Query()] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """What moved the scores, as it became known, the newest first; each step split by cause."""
    with_ = engine(request)
    position = decode_cursor(cursor) if cursor else {}
    before, skip = position.get("at"), position.get("skip", 0)
    if cursor and not (isinstance(before, int) and isinstance(skip, int)):
        raise bad_cursor()
    async with connection(request) as conn:
        row = await packed(conn, who)
        subject = await reads.subject(conn, row, who.given, None)
    now = reads.moment(row, None, None).as_of
    until = before if isinstance(before, int) else now
    steps = changes.steps(subject, with_, until, score)
    items: list[dict[str, Any]] = []
    more = None
    dropped = int(skip or 0)
    while len(items) < limit:
        step = await asyncio.to_thread(next, steps, None)
        if step is None:
            break
        told = [{"at": instant(step.at), **change} for change in step.changes[dropped:]]
        room = limit - len(items)
        items += told[:room]
        if len(told) > room or len(items) == limit:
            # Either this step goes on, or the next one begins.
            more = {"at": step.at, "skip": dropped + min(room, len(told))}
        dropped = 0
    body = {"items": items, "next": encode_cursor(more) if more else None}
    return Response(msgspec.json.encode(body), media_type="application/json")
