"""What routers take from the app, typed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, TypeVar

import asyncpg
from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import Request

from services.alerts.sending.guard import Guard
from services.alerts.writing import Writer
from shared.db.engine import driver
from shared.runtime.pagination import Page, bad_cursor, decode_cursor, encode_cursor
from shared.runtime.secrets import SecretBox

T = TypeVar("T")


class State:
    """Engine, secret box, writer and guard of the running app."""

    def __init__(self, engine: AsyncEngine, box: SecretBox, writer: Writer, guard: Guard) -> None:
        self.engine = engine
        self.box = box
        self.writer = writer
        self.guard = guard

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[asyncpg.Connection]:
        async with driver(self.engine) as connection:
            yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[asyncpg.Connection]:
        """One transaction, committed when the block ends without an exception."""
        async with driver(self.engine) as connection, connection.transaction():
            yield connection


def _state(request: Request) -> State:
    state: State = request.app.state.alerts
    return state


AppState = Annotated[State, Depends(_state)]


def page_by_id(items: list[tuple[str, T]], limit: int, cursor: str | None) -> Page[T]:
    """A page of a short list that is kept in the order of its ids."""
    after = ""
    if cursor is not None:
        position = decode_cursor(cursor).get("after")
        if not isinstance(position, str):
            raise bad_cursor()
        after = position
    rest = [item for item in sorted(items, key=lambda item: item[0]) if item[0] > after]
    shown = rest[:limit]
    following = encode_cursor({"after": shown[-1][0]}) if len(rest) > limit else None
    return Page(items=[item for _, item in shown], next=following)
