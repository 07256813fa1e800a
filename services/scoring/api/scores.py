"""`…/score` and the bulk read: the three scores of a customer or an account, at any time."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response

from services.scoring import reads
from services.scoring.api.access import Who, connection, engine, packed, under_both
from services.scoring.api.lookup import normalised
from services.scoring.api.models import BulkIn, BulkOut, ScoresOut
from services.scoring.api.times import AtTimes, Times, micros
from services.scoring.domain.score import Scores
from services.scoring.engine import Engine
from services.scoring.reads import Moment
from services.scoring.store import identities
from services.scoring.store.types import Conn
from shared.events.scores import Score
from shared.events.times import Micros, instant_text
from shared.runtime.auth import Scope, require
from shared.runtime.problem import Problem

router = APIRouter(tags=["scores"], dependencies=[require(Scope.read)])


@under_both(router, "/score", response_model=ScoresOut)
async def score(who: Who, times: AtTimes, request: Request) -> Response:
    """Health, relationship and risk, now or at any other time."""
    async with connection(request) as conn:
        row = await packed(conn, who)
        view, at = await reads.view(conn, row, who.given, engine(request), *times)
    return pinned(request, times, {who.field: row.id} | document(view.scores, at), row.now)


@router.post("/v1/scores", response_model=BulkOut)
async def many_scores(body: BulkIn, request: Request) -> Response:
    """Scores of up to 200 customers; what cannot be read has an `error` in its place."""
    as_of = micros("/as_of", body.as_of)
    asked = [{"customer_id": given} for given in body.customer_ids]
    asked += [{"identifier": identifier} for identifier in body.identifiers]
    async with connection(request) as conn:
        items = [await _item(conn, one, engine(request), as_of) for one in asked]
    return Response(msgspec.json.encode({"items": items}), media_type="application/json")


async def _item(conn: Conn, asked: dict[str, str], with_: Engine, as_of: Micros | None) -> dict[str, Any]:
    try:
        who = Who(asked["customer_id"], organisation=False) if "customer_id" in asked else None
        if who is None:
            found = await identities.lookup(conn, normalised(asked["identifier"], "/identifiers"))
            if found is None:
                raise Problem("not_found", "nobody was ever named so")
            who = Who(found[1], organisation=found[0])
        row = await packed(conn, who)
        view, at = await reads.view(conn, row, who.given, with_, as_of, None)
        return asked | {who.field: row.id} | document(view.scores, at)
    except Problem as problem:
        return asked | {"error": problem.document()}


async def current(conn: Conn, who: Who, with_: Engine) -> dict[str, Any]:
    """The three scores of now, as lists show them."""
    view, at = await reads.view(conn, await packed(conn, who), who.given, with_, None, None)
    found = document(view.scores, at)
    return {name: found[name] for name in ("health", "relationship", "risk")} | {"scored_at": found["as_of"]}


def document(found: Scores, at: Moment) -> dict[str, Any]:
    """The scores as the contract writes them."""
    told = found.published()
    return {
        "as_of": instant(at.as_of),
        "known_at": instant(at.known_at),
        "health": shown(told.health),
        "relationship": shown(told.relationship),
        "risk": shown(told.risk),
        "policy": found.policy,
        "model": found.model,
    }


def instant(at: Micros) -> str:
    return instant_text(at)


def shown(score: Score) -> dict[str, Any]:
    """`needs` only while something is missing, `horizon_days` only of the risk."""
    fields: dict[str, Any] = msgspec.to_builtins(score)
    if score.state == "known":
        del fields["needs"]
    if score.horizon_days is None:
        del fields["horizon_days"]
    return fields


def pinned(request: Request, times: Times, content: dict[str, Any], now: Micros) -> Response:
    """JSON; with both times given it never changes, so it has an ETag and may be a 304.

    Unless more may become known before `known_at`.
    """
    body = msgspec.json.encode(content)
    if not times.pinned or (times.known_at or 0) > now:
        return Response(body, media_type="application/json")
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    asked = {part.strip().removeprefix("W/") for part in request.headers.get("if-none-match", "").split(",")}
    if tag in asked or "*" in asked:
        return Response(status_code=304, headers={"ETag": tag})
    return Response(body, media_type="application/json", headers={"ETag": tag})
