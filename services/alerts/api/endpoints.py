"""Endpoints: where alerts go."""

from __future__ import annotations

import asyncio
import base64
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import APIRouter, Response

from services.alerts.api.deliveries import shown as shown_delivery
from services.alerts.api.models import (
    DeliveryModel,
    EndpointBody,
    EndpointModel,
    Id,
    NewEndpoint,
    SecretModel,
)
from services.alerts.api.state import AppState, page_by_id
from services.alerts.sending.guard import Guard, Refused
from services.alerts.sending.notify import BadTarget, parse
from services.alerts.sending.targets import host_of
from services.alerts.store import deliveries, setup
from services.alerts.store.setup import Endpoint
from services.alerts.telling import test_message
from services.alerts.writing import clock
from shared.runtime.auth import Scope, require
from shared.runtime.pagination import DEFAULT_LIMIT, Cursor, Limit, Page
from shared.runtime.problem import Problem, Where

router = APIRouter(prefix="/v1/endpoints", tags=["endpoints"])

SECRET_BYTES = 32
OVERLAP = timedelta(hours=24)


def new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def shown(endpoint: Endpoint, secret: str | None = None) -> EndpointModel:
    """Without secrets. The query of a webhook's URL is where tokens stand, so only that there is one is
    told; a notification URL is mostly token, so its service alone is shown."""
    place, query, _ = endpoint.target.partition("?")
    address: dict[str, Any] = {"url": place + ("?…" if query else "")}
    if endpoint.kind == "email":
        address = {"to": endpoint.target.split(",")}
    elif endpoint.kind == "notify":
        address = {"url": endpoint.target.partition("://")[0] + "://…"}
    return EndpointModel(
        id=endpoint.id,
        kind=endpoint.kind,
        councils=list(endpoint.councils),
        detail=endpoint.detail,
        enabled=endpoint.enabled,
        disabled_reason=endpoint.disabled_reason,
        created_at=endpoint.created_at,
        secret=secret,
        **address,
    )


@router.get("", summary="List endpoints", dependencies=[require(Scope.read)])
async def list_endpoints(
    state: AppState, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[EndpointModel]:
    async with state.reading() as connection:
        found = await setup.endpoints(connection, state.box)
    return page_by_id([(endpoint.id, shown(endpoint)) for endpoint in found], limit, cursor)


@router.get("/{endpoint_id}", summary="Read an endpoint", dependencies=[require(Scope.read)])
async def read_endpoint(state: AppState, endpoint_id: Id) -> EndpointModel:
    return shown(await _found(state, endpoint_id))


async def _found(state: AppState, endpoint_id: str) -> Endpoint:
    async with state.reading() as connection:
        endpoint = await setup.endpoint(connection, endpoint_id, state.box)
    if endpoint is None:
        raise _missing()
    return endpoint


def _missing() -> Problem:
    return Problem("not_found", "no such endpoint")


@router.post("", summary="Create an endpoint", status_code=201, dependencies=[require(Scope.admin)])
async def create_endpoint(state: AppState, body: NewEndpoint) -> EndpointModel:
    """A webhook's secret is in this answer and never again."""
    async with state.reading() as connection:
        if await setup.endpoint(connection, body.id, state.box) is not None:
            raise Problem("conflict", "there is an endpoint of that id; PUT replaces it")
    return await _put(state, body.id, body, new=True)


@router.put(
    "/{endpoint_id}",
    summary="Create or replace an endpoint",
    responses={201: {"model": EndpointModel, "description": "Created"}},
    dependencies=[require(Scope.admin)],
)
async def put_endpoint(
    state: AppState, endpoint_id: Id, body: EndpointBody, response: Response
) -> EndpointModel:
    """Switches a disabled endpoint on again. A secret that is not given stays as it is."""
    async with state.reading() as connection:
        present = await setup.endpoint(connection, endpoint_id, state.box)
    response.status_code = 201 if present is None else 200
    return await _put(state, endpoint_id, body, new=present is None or not present.secrets)


async def _put(state: AppState, endpoint_id: str, body: EndpointBody, *, new: bool) -> EndpointModel:
    if body.kind == "notify":
        await asyncio.to_thread(_check_notify, body.url or "")
    if body.kind == "webhook":
        _check_webhook(state.guard, body.url or "")
    secret = body.secret
    if body.kind == "webhook" and secret is None and new:
        secret = new_secret()
    async with state.writing() as connection:
        await setup.put_endpoint(
            connection, state.box, endpoint_id, body.kind, body.target, body.councils, body.detail, secret
        )
    return shown(await _found(state, endpoint_id), secret if new else None)


def _check_webhook(guard: Guard, url: str) -> None:
    """An internal address is told at once, not by the first delivery; names are checked when used."""
    try:
        guard.check_literal(host_of(url))
    except Refused as refusal:
        raise Problem("invalid_request", f"/url: {refusal}", [Where("/url", str(refusal))]) from None


def _check_notify(url: str) -> None:
    try:
        parse(url)
    except BadTarget as error:
        raise Problem("invalid_request", f"/url: {error}", [Where("/url", str(error))]) from None


@router.delete(
    "/{endpoint_id}",
    summary="Delete an endpoint",
    status_code=204,
    response_class=Response,
    dependencies=[require(Scope.admin)],
)
async def delete_endpoint(state: AppState, endpoint_id: Id) -> None:
    """What still waited to be sent there is cancelled."""
    async with state.writing() as connection:
        if not await setup.delete_endpoint(connection, endpoint_id):
            raise _missing()


@router.post(
    "/{endpoint_id}/test", summary="Send a test", status_code=202, dependencies=[require(Scope.admin)]
)
async def test_endpoint(state: AppState, endpoint_id: Id) -> DeliveryModel:
    """What becomes of it is in `GET /v1/deliveries`."""
    await _found(state, endpoint_id)
    async with state.writing() as connection:
        message = test_message(endpoint_id, await clock(connection))
        await deliveries.add(connection, [message])
        row = await deliveries.one(connection, message.id)
    state.writer.wake()
    assert row is not None
    return shown_delivery(row)


@router.post("/{endpoint_id}/rotate", summary="Make a new secret", dependencies=[require(Scope.admin)])
async def rotate_secret(state: AppState, endpoint_id: Id) -> SecretModel:
    """Both secrets sign for 24 hours, so that the receiver can change over without losing anything."""
    await _found(state, endpoint_id)
    secret = new_secret()
    async with state.writing() as connection:
        if not await setup.rotate(connection, state.box, endpoint_id, secret):
            raise Problem("conflict", "only webhooks have a secret")
    return SecretModel(id=endpoint_id, secret=secret, old_until=datetime.now(UTC) + OVERLAP)
