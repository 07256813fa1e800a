"""What every route needs: a connection, the engine, the customer an id stands for."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Request

from services.scoring.engine import Engine
from services.scoring.store import reading
from services.scoring.store.reading import Packed
from services.scoring.store.types import Conn
from shared.db.engine import driver
from shared.runtime.problem import Problem


@asynccontextmanager
async def connection(request: Request) -> AsyncIterator[Conn]:
    async with driver(request.app.state.pool) as conn:
        yield conn


def engine(request: Request) -> Engine:
    found: Engine = request.app.state.engine
    return found


async def packed(conn: Conn, given: str, *, organisation: bool) -> Packed:
    """The survivor's row of an id that was ever handed out. Raises Problem not_found."""
    what = "account" if organisation else "customer"
    try:
        rows = await reading.packed(conn, [str(uuid.UUID(given))])
    except ValueError:
        rows = []
    if not rows or rows[0].organisation is not organisation:
        raise Problem("not_found", f"there is no {what} of this id")
    return rows[0]
