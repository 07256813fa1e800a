"""A service as small as can be, for tests of what all of them share; run as a module it is a process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import APIRouter, FastAPI
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import Request

from shared.db.engine import create_engine, driver
from shared.runtime.audit_calls import install_audit
from shared.runtime.auth import ApiKeys, Principal, Scope, require
from shared.runtime.idempotency import install_idempotency
from shared.runtime.pagination import Limit
from shared.runtime.problem import Problem
from shared.runtime.service import create_app, run
from shared.runtime.settings import ServiceSettings

router = APIRouter(prefix="/v1", tags=["things"])


class Thing(BaseModel):
    name: str
    size: int = 1


class Made(BaseModel):
    secret: str
    number: int


@router.post("/things", status_code=201, dependencies=[require(Scope.admin)])
async def make_thing(thing: Thing, request: Request) -> Made:
    """Shows a secret once, counts its calls, fails or hangs by name."""
    if thing.name == "fail":
        raise RuntimeError("ann@example.com")
    if thing.name == "refuse":
        raise Problem("conflict", "not now")
    if thing.name == "hang":
        await asyncio.Event().wait()
    request.app.state.made += 1
    await asyncio.sleep(0.05)
    return Made(secret="whsec_shown_once", number=request.app.state.made)


@router.get("/things/{number}")
async def thing_of(
    number: int, principal: Annotated[Principal, require(Scope.read)], limit: Limit = 50
) -> dict[str, str]:
    return {"name": principal.name, "number": str(number), "limit": str(limit)}


@router.get("/big", dependencies=[require(Scope.read)])
async def big(request: Request, n: int) -> int:
    engine: AsyncEngine = request.app.state.engine
    async with driver(engine) as connection:
        found: int = await connection.fetchval("SELECT $1::bigint", n)
    return found


@router.post("/die", status_code=202)
async def die(request: Request) -> None:
    """A background task of the service ends with an error."""

    async def fail() -> None:
        raise KeyError("a bug")

    request.app.state.tasks.start("fragile", fail())


@router.get("/slow")
async def slow() -> str:
    await asyncio.sleep(0.5)
    return "done"


def make_app(settings: ServiceSettings) -> FastAPI:
    engine = create_engine(settings.database_url, 4, "small")

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await engine.dispose()

    app = create_app("small", "A small service.", settings, lifespan, [router])
    app.state.engine = engine
    app.state.api_keys = ApiKeys(engine)
    app.state.made = 0
    install_idempotency(app, engine)
    install_audit(app, engine)
    return app


if __name__ == "__main__":
    loaded = ServiceSettings.load()
    run(lambda: make_app(loaded), loaded, "small")
