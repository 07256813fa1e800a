"""`…/history` and `…/timeline`: the scores over time, and what happened."""

from __future__ import annotations

import asyncio
from datetime import UTC, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from fastapi import APIRouter, Query, Request, Response

from services.scoring import messages, reads
from services.scoring.api import steps
from services.scoring.api.access import Who, connection, engine, packed, under_both
from services.scoring.api.models import HistoryOut, TimelineItem
from services.scoring.api.scores import instant
from services.scoring.api.times import micros
from services.scoring.domain.numbers import NANO
from services.scoring.domain.summaries import summary
from services.scoring.engine import Engine
from services.scoring.reads import Moment, Subject
from services.scoring.store import policies
from services.scoring.store.types import Stored
from shared.events import full_type
from shared.events.times import Micros, format_instant, from_micros
from shared.runtime.auth import Scope, require
from shared.runtime.instants import Instant
from shared.runtime.pagination import Cursor, Limit, Page, bad_cursor, decode_cursor, encode_cursor
from shared.runtime.problem import Problem, Where

router = APIRouter(tags=["history"], dependencies=[require(Scope.read)])

DEFAULT_SPAN = timedelta(days=90)
ScoreName = Literal["health", "relationship", "risk"]


@under_both(router, "/history", response_model=HistoryOut)
async def history(
    who: Who,
    request: Request,
    score: ScoreName = "health",
    from_: Annotated[Instant | None, Query(alias="from", description="Absent: 90 days before `to`.")] = None,
    to: Annotated[Instant | None, Query(description="Absent: now. The future is read, too.")] = None,
    step: Annotated[str, Query(max_length=40, description="ISO 8601 duration.", examples=["P1D"])] = "P1D",
    tz: Annotated[str, Query(max_length=64, description="Time zone whose days are stepped.")] = "UTC",
    known_at: Annotated[Instant | None, Query(description="What was known by then; absent: now.")] = None,
) -> Response:
    """One score at equal steps, as known now (or then), exact at each of them."""
    with_ = engine(request)
    known = micros("?known_at", known_at)
    stride, zone = _stride(step), _zone(tz)
    async with connection(request) as conn:
        row = await packed(conn, who)
        subject = await reads.subject(conn, row, who.given, known)
        generations = await policies.all_generations(conn)
    end = to or from_micros(reads.moment(row, None, None).as_of)
    micros("?to", end)
    begin = from_ or end - DEFAULT_SPAN
    micros("?from", begin)
    if begin > end:
        raise Problem("invalid_request", "from lies after to", [Where("?from", "after ?to")])
    try:
        times = steps.instants(begin, end, stride, zone)
    except steps.TooManyError:
        why = f"more than {steps.MOST} points"
        raise Problem("invalid_request", why, [Where("?step", why)]) from None
    at_most = reads.moment(row, None, known).known_at
    points = await asyncio.to_thread(_points, subject, with_, score, times, at_most)
    markers = [
        {"at": format_instant(g.adopted_at), "kind": "policy", "policy": g.policy, "model": g.model}
        for g in generations
        if begin <= g.adopted_at <= end
    ]
    body = {who.field: row.id, "score": score, "points": points, "markers": markers}
    return Response(msgspec.json.encode(body), media_type="application/json")


def _points(
    subject: Subject, with_: Engine, score: ScoreName, times: list[Micros], known_at: Micros
) -> list[dict[str, Any]]:
    points = []
    for at in times:
        one = getattr(subject.view(with_, Moment(at, known_at)).scores, score)
        value = None if one.value is None else one.value / NANO
        band, state = (one.band, "known") if one.known else (None, "unknown")
        points.append({"at": instant(at), "value": value, "band": band, "state": state})
    return points


def _stride(step: str) -> steps.Stride:
    try:
        return steps.parse(step)
    except ValueError as error:
        raise Problem("invalid_request", str(error), [Where("?step", str(error))]) from error


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        why = "no time zone of that name, such as Europe/Berlin"
        raise Problem("invalid_request", why, [Where("?tz", why)]) from error


@under_both(router, "/timeline", response_model=Page[TimelineItem])
async def timeline(
    who: Who,
    request: Request,
    order: Literal["asc", "desc"] = "asc",
    type_: Annotated[
        str | None, Query(alias="type", max_length=100, description="ticket.opened, cxloop.ticket.opened.v1")
    ] = None,
    from_: Annotated[Instant | None, Query(alias="from")] = None,
    to: Annotated[Instant | None, Query()] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """What happened, in order of time. A cursor goes on with what was known at the first page."""
    async with connection(request) as conn:
        row = await packed(conn, who)
        subject = await reads.subject(conn, row, who.given, None)
    position = decode_cursor(cursor) if cursor else {}
    known = position.get("known", reads.moment(row, None, None).known_at)
    after = (position.get("at"), position.get("id"))
    if cursor and not (isinstance(known, int) and isinstance(after[0], int) and isinstance(after[1], str)):
        raise bad_cursor()
    rows = [
        r
        for r in subject.rows(known_at=int(known or 0))
        if (type_ is None or type_ in (r.event.type, full_type(r.event.type)))
        and (from_ is None or r.event.time >= from_)
        and (to is None or r.event.time < to)
    ]
    if order == "desc":
        rows.reverse()
    if cursor:
        rows = [r for r in rows if (_place(r) < after if order == "desc" else _place(r) > after)]
    more = None
    if len(rows) > limit:
        final = rows[limit - 1]
        more = encode_cursor({"at": final.event.at, "id": final.id, "known": known})
    body = {"items": [_item(r) for r in rows[:limit]], "next": more}
    return Response(msgspec.json.encode(body), media_type="application/json")


def _place(row: Stored) -> tuple[Micros, str]:
    return row.event.at, row.id


def _item(row: Stored) -> dict[str, Any]:
    event = row.event
    told = {"text": messages.text_of(event), "url": event.url}
    return {
        "id": event.id,
        "type": full_type(event.type),
        "time": format_instant(event.time.astimezone(UTC)),
        "recorded": format_instant(event.recorded),
        "source": event.source,
        "summary": summary(event),
        **{name: value for name, value in told.items() if value is not None},
    }
