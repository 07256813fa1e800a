"""Connections: one pool per process, for SQLAlchemy and for raw asyncpg alike."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, cast

import asyncpg

from shared.db.urls import asyncpg_url

if TYPE_CHECKING:  # imported where it is used: who needs one connection only can do without
    from sqlalchemy import AdaptedConnection
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.ext.asyncio import AsyncEngine

CONNECT_TIMEOUT_S: Final = 5.0
STATEMENT_TIMEOUT_S: Final = 30.0
LOCK_TIMEOUT_S: Final = 10.0
IDLE_IN_TRANSACTION_S: Final = 30.0
POOL_TIMEOUT_S: Final = 5.0
CLIENT_GRACE_S: Final = 5.0
"""The client gives up this much after the server should have: only a dead server or network gets so far."""


async def connect(
    database_url: str,
    application_name: str,
    *,
    statement_timeout_s: float = STATEMENT_TIMEOUT_S,
    lock_timeout_s: float = LOCK_TIMEOUT_S,
    idle_in_transaction_s: float = IDLE_IN_TRANSACTION_S,
) -> asyncpg.Connection:
    """One connection outside any pool, with the server-side limits every connection of ours has."""
    return await asyncpg.connect(
        asyncpg_url(database_url),
        timeout=CONNECT_TIMEOUT_S,
        command_timeout=statement_timeout_s + CLIENT_GRACE_S if statement_timeout_s else None,
        server_settings={
            "application_name": application_name,
            "timezone": "UTC",
            "statement_timeout": f"{int(statement_timeout_s * 1000)}",
            "lock_timeout": f"{int(lock_timeout_s * 1000)}",
            "idle_in_transaction_session_timeout": f"{int(idle_in_transaction_s * 1000)}",
            # Whoever waited for a lock must see what the other wrote, whatever the server's default is.
            "default_transaction_isolation": "read committed",
            "jit": "off",  # every statement is short; compiling one costs more than running it
            # Plans are kept, those made while a table was empty too: by index they stay right when it fills.
            "enable_seqscan": "off",
        },
    )


def create_engine(
    database_url: str,
    pool_size: int = 10,
    application_name: str = "cxloop",
    **limits: float,
) -> AsyncEngine:
    """A pool of exactly `pool_size` connections, opened as needed; a wait for one ends after 5 s.

    Connections that the server has closed are thrown away at checkout, without a ping: asyncpg sees the
    end of the socket by itself. `limits` are those of `connect`.
    """
    from sqlalchemy import event
    from sqlalchemy.ext.asyncio import create_async_engine

    async def creator(*_: object, **__: object) -> asyncpg.Connection:
        return await connect(database_url, application_name, **limits)

    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=creator,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_S,
        hide_parameters=True,
    )
    event.listen(engine.sync_engine, "checkout", _throw_away_closed)
    return engine


def _throw_away_closed(dbapi_connection: DBAPIConnection, _record: object, _proxy: object) -> None:
    if cast("AdaptedConnection", dbapi_connection).driver_connection.is_closed():
        from sqlalchemy import exc

        raise exc.InvalidatePoolError("closed by the server")


@asynccontextmanager
async def driver(engine: AsyncEngine) -> AsyncIterator[asyncpg.Connection]:
    """A raw asyncpg connection out of the pool, for hot paths.

    `json` and `jsonb` are read as Python objects and written as JSON text. A connection that comes back
    inside a transaction is closed: whoever left it so cannot be trusted with the rest.
    """
    # A third of the price of an AsyncConnection around it, which would only be opened to be reached through.
    pooled = await engine.raw_connection()
    connection = cast(asyncpg.Connection, pooled.driver_connection)
    try:
        yield connection
    finally:
        if connection.is_closed() or connection.is_in_transaction():
            pooled.invalidate()
        else:
            pooled.close()
