"""`…/score`: the three scores of a customer or an account, at any time."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response

from services.scoring import reads
from services.scoring.api.access import connection, engine, packed
from services.scoring.api.models import ScoresOut
from services.scoring.api.times import AtTimes, Times
from services.scoring.domain.score import Scores
from services.scoring.reads import Moment
from shared.events.scores import Score
from shared.events.times import format_instant, from_micros
from shared.runtime.auth import Scope, require

router = APIRouter(tags=["scores"], dependencies=[require(Scope.read)])


@router.get("/v1/customers/{customer_id}/score", response_model=ScoresOut)
async def customer_score(customer_id: str, times: AtTimes, request: Request) -> Response:
    """Health, relationship and risk of a customer."""
    return await _answer(request, customer_id, times, organisation=False)


@router.get("/v1/accounts/{account_id}/score", response_model=ScoresOut)
async def account_score(account_id: str, times: AtTimes, request: Request) -> Response:
    """Health, relationship and risk of an account."""
    return await _answer(request, account_id, times, organisation=True)


async def _answer(request: Request, given: str, times: Times, *, organisation: bool) -> Response:
    async with connection(request) as conn:
        row = await packed(conn, given, organisation=organisation)
        view, at = await reads.view(conn, row, given, engine(request), *times)
    named = {"account_id" if organisation else "customer_id": row.id}
    return pinned(request, times, msgspec.json.encode(named | document(view.scores, at)))


def document(found: Scores, at: Moment) -> dict[str, Any]:
    """The scores as the contract writes them."""
    told = found.published()
    return {
        "as_of": format_instant(from_micros(at.as_of)),
        "known_at": format_instant(from_micros(at.known_at)),
        "health": shown(told.health),
        "relationship": shown(told.relationship),
        "risk": shown(told.risk),
        "policy": found.policy,
        "model": found.model,
    }


def shown(score: Score) -> dict[str, Any]:
    """`needs` only while something is missing, `horizon_days` only of the risk."""
    fields: dict[str, Any] = msgspec.to_builtins(score)
    if score.state == "known":
        del fields["needs"]
    if score.horizon_days is None:
        del fields["horizon_days"]
    return fields


def pinned(request: Request, times: Times, body: bytes) -> Response:
    """JSON; with both times given it never changes, so it has an ETag and may be a 304."""
    if not times.pinned:
        return Response(body, media_type="application/json")
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    asked = {part.strip().removeprefix("W/") for part in request.headers.get("if-none-match", "").split(",")}
    if tag in asked or "*" in asked:
        return Response(status_code=304, headers={"ETag": tag})
    return Response(body, media_type="application/json", headers={"ETag": tag})
