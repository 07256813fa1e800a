"""The log of deliveries."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from services.alerts.api.models import AttemptModel, DeliveryModel
from services.alerts.api.state import AppState
from services.alerts.store import deliveries
from services.alerts.store.deliveries import DeliveryRow
from shared.runtime.auth import Scope, require
from shared.runtime.pagination import (
    DEFAULT_LIMIT,
    Cursor,
    Limit,
    Page,
    bad_cursor,
    decode_cursor,
    encode_cursor,
)
from shared.runtime.problem import Problem

router = APIRouter(prefix="/v1/deliveries", tags=["deliveries"])
_Text = Annotated[str | None, Query(max_length=200)]


def shown(row: DeliveryRow) -> DeliveryModel:
    return DeliveryModel(
        id=row.id,
        endpoint=row.endpoint,
        alert=row.alert,
        version=row.version,
        what=row.what,
        attempts=[AttemptModel(**attempt) for attempt in row.attempts],
        state=row.state,
        next_at=row.next_at,
        created_at=row.created_at,
    )


@router.get("", summary="List deliveries", dependencies=[require(Scope.read)])
async def list_deliveries(
    state: AppState,
    alert: _Text = None,
    endpoint: _Text = None,
    delivery_state: Annotated[str | None, Query(alias="state", max_length=20)] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[DeliveryModel]:
    """Newest first, with every attempt."""
    below = None
    if cursor is not None:
        position = decode_cursor(cursor).get("below")
        if not isinstance(position, int):
            raise bad_cursor()
        below = position
    async with state.reading() as connection:
        rows = await deliveries.listed(
            connection, alert=alert, endpoint=endpoint, state=delivery_state, below=below, limit=limit + 1
        )
    shown_rows = rows[:limit]
    following = encode_cursor({"below": shown_rows[-1].number}) if len(rows) > limit else None
    return Page(items=[shown(row) for row in shown_rows], next=following)


@router.get("/{delivery_id}", summary="Read a delivery", dependencies=[require(Scope.read)])
async def read_delivery(state: AppState, delivery_id: str) -> DeliveryModel:
    async with state.reading() as connection:
        row = await deliveries.one(connection, delivery_id)
    if row is None:
        raise Problem("not_found", "no such delivery")
    return shown(row)


@router.post(
    "/{delivery_id}/redeliver", summary="Send once more", status_code=202, dependencies=[require(Scope.act)]
)
async def redeliver(state: AppState, delivery_id: str) -> DeliveryModel:
    """Under the same `webhook-id`, from the start of the schedule."""
    async with state.writing() as connection:
        if not await deliveries.again(connection, delivery_id):
            raise Problem("not_found", "no such delivery")
        row = await deliveries.one(connection, delivery_id)
    state.writer.wake()
    assert row is not None
    return shown(row)
