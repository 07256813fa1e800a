"""The audit log: who changed what, and with which outcome. Never bodies, secrets, or whom it was about.

The invariant: nothing is changed through the management API without a row.
 1. The row is written, and committed, before the request runs; if that fails, the request does not run.
 2. Its outcome is filled in once, before the answer leaves. A process that dies in between leaves a row
    without outcome, which is the truth: nobody knows whether the change was made.
 3. A call without a valid key changes nothing, so its row is written afterwards, and so many a second
    only: a stranger must not be able to fill a table. What was left out is counted.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db.engine import driver
from shared.runtime.auth import Principal
from shared.runtime.errors import is_unavailable
from shared.runtime.metrics import counter
from shared.runtime.rate import Rate, take
from shared.runtime.tracing import current_traceparent

log = structlog.get_logger()

UNKNOWN_CALLERS: Final = Rate.of(per_s=1.0, burst=100.0)
SWEEP_EVERY: Final = 256
"""Old rows are removed at every so-manieth new one: no timer, no growth."""
_OBJECT: Final = re.compile(r"[A-Za-z0-9_.-]{1,80}(/[A-Za-z0-9_.-]{1,80})*\Z")
"""Ids as this product makes them or lets an operator choose them; anything else is not repeated."""
_BEGIN: Final = """
    INSERT INTO cxloop.audit (service, key_id, key_name, method, route, object, status, trace)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id
"""
_SWEEP: Final = "DELETE FROM cxloop.audit WHERE service IN ($1, 'cli') AND at < now() - $2::interval"
_FINISH: Final = "UPDATE cxloop.audit SET status = $2, object = coalesce(object, $3) WHERE id = $1"
_PAGE: Final = """
    SELECT id, at, service, key_id, key_name, method, route, object, status, trace FROM cxloop.audit
    WHERE ($1::bigint IS NULL OR id < $1)
      AND ($2::timestamptz IS NULL OR at >= $2)
      AND ($3::timestamptz IS NULL OR at < $3)
      AND ($4::text IS NULL OR key_id = $4)
      AND ($5::text IS NULL OR starts_with(route, $5))
      AND ($6::text IS NULL OR service = $6)
    ORDER BY id DESC LIMIT $7
"""
COMMAND_LINE: Final = Principal("", "command line", frozenset())
"""Who makes and revokes keys: whoever can reach the database itself."""
unwritten = counter(
    "audit_unwritten",
    "Refused calls of unknown callers beyond what the audit log takes, or while it could not.",
)


class Call(msgspec.Struct, frozen=True):
    """A management call. `route` is the template; `object_id` what it names, if anything."""

    method: str
    route: str
    object_id: str | None = None


class Filter(msgspec.Struct, frozen=True):
    """What to read. `route`: the beginning of a template; `until` is exclusive."""

    since: datetime | None = None
    until: datetime | None = None
    key_id: str | None = None
    route: str | None = None
    service: str | None = None


def storable(object_id: str | None) -> str | None:
    """The id, or None for what does not look like one: a path can hold anything that somebody typed."""
    return object_id if object_id and _OBJECT.match(object_id) else None


class AuditLog:
    """Rows of `cxloop.audit`, written each in a transaction of its own."""

    def __init__(self, engine: AsyncEngine, service: str, days: int | None) -> None:
        """`days`: how long rows are kept; None for whoever removes none."""
        self._engine = engine
        self._service = service
        self._kept = timedelta(days=days) if days else None
        self._written = 0
        self._unknown_full_at = float("-inf")

    async def begin(self, call: Call, who: Principal) -> int:
        """The row of a call that is about to run. Raises what the database raises (case 1)."""
        return await self._insert(call, who.key_id or None, who.name, None)

    async def finish(
        self, row: int, call: Call, who: Principal, status: int, made: str | None = None
    ) -> None:
        """Fills in the outcome, and the id of what was made. A database that is away changes nothing: the
        row stays without outcome, and the line is in the log."""
        made = storable(made)
        _tell(call, who.key_id or None, status, call.object_id or made)
        try:
            async with driver(self._engine) as connection:
                await connection.execute(_FINISH, row, status, made)
        except Exception as error:
            if not is_unavailable(error):
                raise
            log.error("outcome of a management call not recorded", audit=row, exc_info=error)

    async def refuse(self, call: Call, status: int) -> None:
        """A call without a valid key (case 3). What it names is a stranger's text and is left out."""
        call = Call(call.method, call.route)
        self._unknown_full_at, wait_s = take(self._unknown_full_at, time.monotonic(), UNKNOWN_CALLERS)
        if wait_s:
            unwritten.inc()
            return
        _tell(call, None, status, None)
        try:
            await self._insert(call, None, None, status)
        except Exception as error:
            if not is_unavailable(error):
                raise
            unwritten.inc()
            log.warning("a refused call was not recorded", exc_info=error)

    async def page(self, wanted: Filter, before: int | None, limit: int) -> Sequence[Any]:
        """Rows, the newest first, older than the row `before`."""
        async with driver(self._engine) as connection:
            rows: Sequence[Any] = await connection.fetch(
                _PAGE,
                before,
                wanted.since,
                wanted.until,
                wanted.key_id,
                wanted.route,
                wanted.service,
                limit,
            )
        return rows

    async def _insert(self, call: Call, key_id: str | None, name: str | None, status: int | None) -> int:
        traceparent = current_traceparent()
        trace = traceparent.split("-")[1] if traceparent else None
        object_id = storable(call.object_id)
        self._written += 1
        sweep = self._kept is not None and self._written % SWEEP_EVERY == 1
        async with driver(self._engine) as connection:
            row: int = await connection.fetchval(
                _BEGIN, self._service, key_id, name, call.method, call.route, object_id, status, trace
            )
            if sweep:
                await connection.execute(_SWEEP, self._service, self._kept)
        return row


def _tell(call: Call, key_id: str | None, status: int, object_id: str | None) -> None:
    log.info(
        "management call",
        method=call.method,
        route=call.route,
        object=storable(object_id),
        key=key_id,
        status=status,
    )
