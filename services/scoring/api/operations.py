"""Single events, the policies, and all customers in a few numbers."""

from __future__ import annotations

import uuid
from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response

from services.scoring import past
from services.scoring.api.access import connection, engine
from services.scoring.api.models import EventOut, PolicyItem, PolicyOut, SummaryOut
from services.scoring.api.scores import instant
from services.scoring.domain.revisions import superseded
from services.scoring.effective import effective, retracted
from services.scoring.store import events, lists, policies
from services.scoring.store.policies import Adopted
from services.scoring.store.types import Conn, Stored
from shared.events import encode
from shared.runtime.auth import Scope, require
from shared.runtime.pagination import Page
from shared.runtime.problem import Problem

router = APIRouter(dependencies=[require(Scope.read)])


@router.get("/v1/events/{event_id}", tags=["events"], response_model=EventOut)
async def get_event(event_id: str, request: Request) -> Response:
    """An event, whose it is today, and whether it counts."""
    try:
        wanted = str(uuid.UUID(event_id))
    except ValueError:
        raise Problem("not_found", "no event of this id was applied") from None
    async with connection(request) as conn:
        tellings = await events.by_id(conn, [wanted])
        if not tellings:
            raise Problem("not_found", "no event of this id was applied")
        row = min(tellings, key=lambda r: (r.event.at, r.event.recorded))
        owner = await _owner(conn, row)
        state = await _state(conn, row)
    body: dict[str, Any] = {"id": row.id, "customer_id": None, "account_id": None}
    body |= owner | {"state": state, "applied_at": instant(row.applied_at)}
    body["event"] = msgspec.Raw(encode(row.event))
    return Response(msgspec.json.encode(body), media_type="application/json")


async def _owner(conn: Conn, row: Stored) -> dict[str, str]:
    leaf = row.leaf
    if row.episode is not None:
        leaf = await events.episode_owner(conn, row.episode)
    if leaf is None:
        return {}
    nodes = await past.component(conn, leaf, None)
    node = next(node for node in nodes if node.id == leaf)
    return {"account_id" if node.organisation else "customer_id": node.root}


async def _state(conn: Conn, row: Stored) -> str:
    around = await events.of_episodes(conn, [row.episode]) if row.episode else []
    around += await events.loose(conn, [row.leaf]) if row.leaf else []
    if row.id in retracted({r.id: r for r in around}.values()):
        return "retracted"
    counting = [r.applied for r in effective(around) if r.episode == row.episode and r.episode]
    return "superseded" if row.id in superseded(counting) else "applied"


@router.get("/v1/policies", tags=["policies"])
async def list_policies(request: Request) -> Page[PolicyItem]:
    """Every policy and model that was ever in force here, the newest first."""
    async with connection(request) as conn:
        found = await policies.all_generations(conn)
    number = engine(request).generation
    return Page(items=[PolicyItem(**_policy(one, number)) for one in reversed(found)], next=None)


@router.get("/v1/policies/{policy_id}", tags=["policies"])
async def get_policy(policy_id: str, request: Request) -> PolicyOut:
    """A policy with its files, as they were adopted."""
    async with connection(request) as conn:
        found = [one for one in await policies.all_generations(conn) if one.policy == policy_id]
    if not found:
        raise Problem("not_found", "no policy of this id was ever in force")
    files: dict[str, str] = msgspec.json.decode(found[-1].document)
    return PolicyOut(**_policy(found[-1], engine(request).generation), files=files)


def _policy(one: Adopted, in_force: int) -> dict[str, Any]:
    return {
        "id": one.policy,
        "model": one.model,
        "name": one.name,
        "adopted_at": one.adopted_at,
        "in_force": one.number == in_force,
    }


@router.get("/v1/summary", tags=["customers"])
async def summary(request: Request) -> SummaryOut:
    """All customers in a few numbers."""
    async with connection(request) as conn:
        customers, unknown, bands, currency, at_risk = await lists.counts(conn)
    health = {band: bands.get(band, 0) for band in ("poor", "fair", "good", "excellent")}
    risk = {band: bands.get(band, 0) for band in ("low", "elevated", "high")}
    return SummaryOut(
        customers=customers,
        unknown=unknown,
        bands={"health": health, "risk": risk},
        value_at_risk=at_risk,
        currency=currency,
    )
