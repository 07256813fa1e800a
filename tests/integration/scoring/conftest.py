"""A room per test: its own database, migrated."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from services.scoring.accounts import roll_up
from services.scoring.app import create_app
from services.scoring.settings import Settings
from shared.db.engine import driver
from shared.runtime.auth import ApiKeys, Scope
from tests.integration.scoring.caller import Api, Json
from tests.integration.scoring.kit import Room, event, retraction, room

KEY_OF_32_BYTES = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
VALUE: Json = {"value": 120_000, "currency": "EUR", "owner": "olga", "account": "acme"}


@pytest.fixture
async def scoring(own_database_url: str) -> AsyncIterator[Room]:
    async with room(own_database_url) as made:
        yield made


@pytest.fixture
async def app(own_database_url: str, scoring: Room) -> AsyncIterator[FastAPI]:
    """The service without its loops."""
    settings = Settings.load(
        database_url=own_database_url, kafka_bootstrap_servers="127.0.0.1:1", secret_key=KEY_OF_32_BYTES
    )
    made = create_app(settings)
    made.state.engine = scoring.engine
    yield made
    await made.state.pool.dispose()


@pytest.fixture
async def api(app: FastAPI, scoring: Room) -> AsyncIterator[Api]:
    key = await ApiKeys(app.state.pool).create("test", [Scope.read])
    transport = httpx.ASGITransport(app)
    headers = {"authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://scoring", headers=headers) as client:
        yield Api(client, scoring)


@pytest.fixture
async def ann(api: Api) -> str:
    """A customer of an account, with a ticket, answers of which one is revised and one taken back."""
    who = ("user:ann", "email:ann@example.com")
    await api.room.fold(
        event(
            "customer.identified",
            "i",
            *who,
            at=0,
            name="Ann",
            region="emea",
            persona="admin",
            value=120_000,
            currency="EUR",
            owner="olga",
            account="acme",
        ),
        event("ticket.opened", "t", *who, at=1, interaction="1", text="It broke"),
        event("ticket.message", "m", at=2, interaction="1", message="1", author="agent", public=True),
        event("ticket.status", "s", at=3, interaction="1", status="solved"),
        event("survey.answered", "a", *who, at=4, response="1", metric="csat", score=2, scale=[1, 5]),
    )
    await api.room.fold(
        event("survey.answered", "b", *who, at=5, response="2", metric="nps", score=2),
        event("survey.answered", "c", *who, at=6, response="2", metric="nps", score=3, revision=1),
        event("survey.answered", "d", *who, at=7, response="3", metric="nps", score=9),
        retraction("x", "d", at=8),
    )
    async with driver(api.room.pool) as conn:
        await roll_up(conn, api.room.engine)
    return str((await api.get("/v1/lookup", identifier="email:Ann@Example.com"))["customer_id"])
