"""`POST /v1/events`: CloudEvents of own tools, binary, structured or batch. A raw ASGI endpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import msgspec
from starlette.types import Receive, Scope, Send

from services.ingest import metrics
from services.ingest.api import raw
from services.ingest.domain.cloudevents import Mode, UnsupportedFormat, read_request
from services.ingest.domain.own import read_own
from services.ingest.domain.parsing import Json
from services.ingest.domain.pipeline import Sealed, seal
from services.ingest.domain.sender import Unreadable
from services.ingest.intake import Intake, NotDurableError
from services.ingest.limits import Limits
from shared.events.rejections import Reason
from shared.runtime.auth import ApiKeys, check_scope
from shared.runtime.auth import Scope as KeyScope
from shared.runtime.problem import Problem, Where

OWN = "own"
_TRUE = frozenset(("1", "true", "yes", ""))


class Found(NamedTuple):
    """What became of a request: one entry of `sealed` per event, None where it was rejected."""

    sealed: Sequence[Sealed | None]
    errors: Sequence[dict[str, Any]]
    warnings: Sequence[dict[str, Any]]

    @property
    def good(self) -> list[Sealed]:
        return [one for one in self.sealed if one is not None]

    def counts(self) -> dict[str, Any]:
        """The counts of the contract."""
        return {
            "accepted": len(self.good),
            "rejected": len(self.sealed) - len(self.good),
            "ignored": 0,
            "ids": [None if one is None else one.event.id for one in self.sealed],
            "errors": self.errors,
            "warnings": self.warnings,
        }


class Events:
    """The ASGI application behind `/v1/events`."""

    def __init__(self, intake: Intake, limit: int, limits: Limits) -> None:
        self._intake = intake
        self._limit = limit
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            raise Problem("method_not_allowed", "events are taken by POST", headers={"allow": "POST"})
        received_at = raw.now()
        headers = raw.headers_of(scope)
        keys: ApiKeys = scope["app"].state.api_keys
        who = await keys.authenticate(headers.get("authorization"))
        check_scope(who, KeyScope.ingest)
        self._limits.charge_key(who.key_id)
        dry_run = _dry_run(scope)
        packed = await raw.body_of(scope, receive, self._limit)
        found = read_events(headers, raw.unpacked(packed, headers, self._limit), received_at)
        if found.sealed and not found.good:
            metrics.rejected.labels(OWN).inc(len(found.sealed))
            raise _none_good(found)
        if dry_run:
            shown = [msgspec.Raw(one.value) for one in found.good]
            await raw.answer_json(send, 200, found.counts() | {"dry_run": True, "events": shown})
            return
        await self._keep(found)
        await raw.answer_json(send, 202, found.counts())

    async def _keep(self, found: Found) -> None:
        # The same event twice in a batch is published once; both get its id.
        unique = {one.event.id: one for one in reversed(found.good)}
        try:
            await self._intake.keep(list(reversed(unique.values())))
        except NotDurableError as error:
            raise raw.not_durable(error) from error
        metrics.accepted.labels(OWN).inc(len(found.good))
        if len(found.good) < len(found.sealed):
            metrics.rejected.labels(OWN).inc(len(found.sealed) - len(found.good))


def read_events(headers: Mapping[str, str], body: bytes, received_at: datetime) -> Found:
    """Every event of a request, checked. Raises Problem where the request as a whole cannot be read."""
    try:
        mode, values = read_request(headers, body)
    except UnsupportedFormat as error:
        raise Problem("unsupported_media_type", str(error)) from None
    except Unreadable as error:
        errors = [Where(one.where, one.why) for one in error.reasons]
        raise Problem("invalid_request", f"{error}", errors, extra=_NOTHING) from None
    sealed: list[Sealed | None] = []
    errors_told: list[dict[str, Any]] = []
    warnings: list[dict[str, Any]] = []
    for index, value in enumerate(values):
        one, reasons, warned = _read(value, received_at)
        sealed.append(one)
        errors_told += [_told(index, reason, mode) for reason in reasons]
        warnings += [_told(index, reason, mode) for reason in warned]
    return Found(sealed, errors_told, warnings)


_NOTHING: dict[str, Any] = {"accepted": 0, "rejected": 0, "ignored": 0, "ids": []}


def _read(value: Json, received_at: datetime) -> tuple[Sealed | None, Sequence[Reason], Sequence[Reason]]:
    try:
        read = read_own(value, received_at)
        return (seal(read.event) if read.event else None), read.reasons, read.warnings
    except Unreadable as error:
        return None, error.reasons, ()
    except RecursionError:
        return None, (Reason("bad_event", "", "nested too deeply"),), ()


def _told(index: int, reason: Reason, mode: Mode) -> dict[str, Any]:
    """An attribute that came in a header is named by its header."""
    where = reason.where
    if mode == "binary" and where.startswith("/") and not where.startswith("/data"):
        where = f"ce-{where[1:]}"
    return {"index": index, "where": where, "why": reason.why}


def _dry_run(scope: Scope) -> bool:
    query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    if "dry_run" not in query:
        return False
    value = query["dry_run"].lower()
    if value not in _TRUE | {"0", "false", "no"}:
        raise Problem("invalid_request", "dry_run is 0 or 1", [Where("?dry_run", "must be 0 or 1")])
    return value in _TRUE


def _none_good(found: Found) -> Problem:
    first = found.errors[0]
    detail = f"no event could be accepted; {first['where'] or '/'}: {first['why']}"
    return Problem("invalid_request", detail, extra=found.counts())
