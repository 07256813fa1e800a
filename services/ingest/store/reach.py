"""A connection within a deadline; a database that is away is one exception, whatever the driver says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db.engine import driver
from shared.runtime.errors import is_unavailable


class DatabaseAwayError(ConnectionError):
    """PostgreSQL did not answer within the deadline, or cannot take anything now: 503 where it rises."""


@asynccontextmanager
async def connection(engine: AsyncEngine, deadline_s: float) -> AsyncIterator[asyncpg.Connection]:
    """Raises DatabaseAwayError when the checkout or the work inside meets an absent database."""
    try:
        async with asyncio.timeout(deadline_s), driver(engine) as conn:
            yield conn
    except Exception as error:
        if is_unavailable(error):
            raise DatabaseAwayError(type(error).__name__) from error
        raise
