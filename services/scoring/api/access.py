"""What every route needs: a connection, the engine, whom an id stands for; routes for both kinds."""

from __future__ import annotations

import inspect
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any, NamedTuple, TypeVar

from fastapi import APIRouter, Depends, Path, Request

from services.scoring.engine import Engine
from services.scoring.store import reading
from services.scoring.store.reading import Packed
from services.scoring.store.types import Conn
from shared.db.engine import driver
from shared.runtime.problem import Problem

Handler = TypeVar("Handler", bound=Callable[..., Awaitable[Any]])
Find = Callable[[str], Awaitable["Who"]]


class Who(NamedTuple):
    """An id as given, and of what it has to be."""

    given: str
    organisation: bool

    @property
    def field(self) -> str:
        """What the id is called in answers."""
        return "account_id" if self.organisation else "customer_id"


# Asynchronous, because the framework sends plain functions to a thread: some 60 µs each.
async def _customer(customer_id: Annotated[str, Path(description="Any id the customer ever had.")]) -> Who:
    return Who(customer_id, organisation=False)


async def _account(account_id: Annotated[str, Path(description="Any id the account ever had.")]) -> Who:
    return Who(account_id, organisation=True)


def under_both(router: APIRouter, suffix: str, **options: Any) -> Callable[[Handler], Handler]:  # noqa: ANN401
    """Register a handler under `/v1/customers/{customer_id}` and `/v1/accounts/{account_id}`.

    Its parameter `who` says which of the two was asked for.
    """

    def register(handler: Handler) -> Handler:
        for nouns, find in (("customers", _customer), ("accounts", _account)):
            path = f"/v1/{nouns}/{{{nouns[:-1]}_id}}{suffix}"
            router.add_api_route(path, _bound(handler, find, nouns[:-1]), methods=["GET"], **options)
        return handler

    return register


def _bound(handler: Handler, find: Find, noun: str) -> Callable[..., Awaitable[Any]]:
    signature = inspect.signature(handler, eval_str=True)
    who = inspect.Parameter("who", inspect.Parameter.KEYWORD_ONLY, annotation=Annotated[Who, Depends(find)])
    others = [
        p.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for p in signature.parameters.values()
        if p.name != "who"
    ]

    async def endpoint(**given: Any) -> Any:  # noqa: ANN401
        return await handler(**given)

    endpoint.__signature__ = signature.replace(parameters=[who, *others])  # type: ignore[attr-defined]
    endpoint.__name__ = f"{noun}_{handler.__name__}"
    endpoint.__doc__ = handler.__doc__
    return endpoint


@asynccontextmanager
async def connection(request: Request) -> AsyncIterator[Conn]:
    async with driver(request.app.state.pool) as conn:
        yield conn


def engine(request: Request) -> Engine:
    found: Engine = request.app.state.engine
    return found


async def packed(conn: Conn, who: Who) -> Packed:
    """The survivor's row of an id that was ever handed out. Raises Problem not_found."""
    try:
        rows = await reading.packed(conn, [str(uuid.UUID(who.given))])
    except ValueError:
        rows = []
    if not rows or rows[0].organisation is not who.organisation:
        raise Problem("not_found", f"there is no {'account' if who.organisation else 'customer'} of this id")
    return rows[0]
