"""Councils: who looks after which customers."""

from __future__ import annotations

from fastapi import APIRouter, Response

from services.alerts.api.models import CouncilBody, CouncilModel, Id, NewCouncil
from services.alerts.api.state import AppState, page_by_id
from services.alerts.domain.councils import DEFAULT, Council
from services.alerts.store import setup
from shared.runtime.auth import Scope, require
from shared.runtime.pagination import DEFAULT_LIMIT, Cursor, Limit, Page
from shared.runtime.problem import Problem

router = APIRouter(prefix="/v1/councils", tags=["councils"])


@router.get("", summary="List councils", dependencies=[require(Scope.read)])
async def list_councils(
    state: AppState, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[CouncilModel]:
    """`default` is always among them."""
    async with state.reading() as connection:
        found = await setup.councils(connection)
    return page_by_id([(council.id, CouncilModel.of(council)) for council in found], limit, cursor)


@router.get("/{council_id}", summary="Read a council", dependencies=[require(Scope.read)])
async def read_council(state: AppState, council_id: Id) -> CouncilModel:
    async with state.reading() as connection:
        return CouncilModel.of(_found(await setup.councils(connection), council_id))


def _found(councils: list[Council], council_id: str) -> Council:
    council = next((c for c in councils if c.id == council_id), None)
    if council is None:
        raise Problem("not_found", "no such council")
    return council


@router.post("", summary="Create a council", status_code=201, dependencies=[require(Scope.admin)])
async def create_council(state: AppState, body: NewCouncil) -> CouncilModel:
    async with state.reading() as connection:
        if any(c.id == body.id for c in await setup.councils(connection)):
            raise Problem("conflict", "there is a council of that id; PUT replaces it")
    return await _put(state, body.id, body)


@router.put(
    "/{council_id}",
    summary="Create or replace a council",
    responses={201: {"model": CouncilModel, "description": "Created"}},
    dependencies=[require(Scope.admin)],
)
async def put_council(state: AppState, council_id: Id, body: CouncilBody, response: Response) -> CouncilModel:
    """Its alerts stay its own; the scope counts for alerts that open from now on."""
    async with state.reading() as connection:
        known = any(c.id == council_id for c in await setup.councils(connection))
    response.status_code = 200 if known else 201
    return await _put(state, council_id, body)


async def _put(state: AppState, council_id: str, body: CouncilBody) -> CouncilModel:
    document = {
        "name": body.name or council_id,
        "sponsor": body.sponsor.model_dump() if body.sponsor else None,
        "members": [member.model_dump() for member in body.members],
        "scope": {} if council_id == DEFAULT else body.scope,
    }
    async with state.writing() as connection:
        await setup.put_council(connection, council_id, document)
        return CouncilModel.of(_found(await setup.councils(connection), council_id))


@router.delete(
    "/{council_id}",
    summary="Delete a council",
    status_code=204,
    response_class=Response,
    dependencies=[require(Scope.admin)],
)
async def delete_council(state: AppState, council_id: Id) -> None:
    """Its customers fall to another council, or to `default`; its alerts keep their history, and
    whoever `default` tells hears what becomes of them."""
    if council_id == DEFAULT:
        raise Problem("conflict", "the default council has every customer that no other has; it stays")
    async with state.writing() as connection:
        if not await setup.delete_council(connection, council_id):
            raise Problem("not_found", "no such council")
