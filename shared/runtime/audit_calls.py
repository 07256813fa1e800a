"""Every management call passes here: pure ASGI, around the framework and inside of traces and telemetry."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.runtime import audit_api
from shared.runtime.audit import AuditLog, Call
from shared.runtime.auth import ApiKeys, Principal
from shared.runtime.auth import Scope as KeyScope
from shared.runtime.edge import header
from shared.runtime.errors import to_problem
from shared.runtime.problem import Problem

UNAUTHORIZED: Final = 401
CREATED: Final = 201
MAX_ANSWER: Final = 256 * 1024
_CHANGING: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_DATA: Final = frozenset({KeyScope.read, KeyScope.ingest})
"""Scopes that manage nothing: a POST that only reads, and events, which are their own record."""


def install_audit(app: FastAPI, engine: AsyncEngine) -> None:
    """Before the app starts, after every other middleware. Needs `app.state.api_keys` and
    `app.state.settings.audit_days`; adds `GET /v1/audit`."""
    service = app.title.removeprefix("cxloop ")
    app.state.audit = AuditLog(engine, service, app.state.settings.audit_days)
    app.include_router(audit_api.router)
    app.add_middleware(AuditMiddleware, audit=app.state.audit)


class _Made(msgspec.Struct):
    """The part of an answer that names what was made."""

    id: str | None = None


_decode = msgspec.json.Decoder(_Made).decode


class AuditMiddleware:
    """Which calls are recorded is read from the OpenAPI document: those that change something and whose
    scope is not `read` or `ingest`. What has no route or no such method changes nothing."""

    def __init__(self, app: ASGIApp, audit: AuditLog) -> None:
        self._app = app
        self._audit = audit
        self._routes: list[tuple[re.Pattern[str], str, frozenset[str]]] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = self._call(scope) if scope["type"] == "http" and scope["method"] in _CHANGING else None
        if call is None:
            await self._app(scope, receive, send)
            return
        who = await _caller(scope)
        if who is None:
            await self._refused(call, scope, receive, send)
        else:
            await self._recorded(call, who, scope, receive, send)

    def _call(self, scope: Scope) -> Call | None:
        if self._routes is None:
            self._routes = managed(scope["app"].openapi())
        for pattern, template, methods in self._routes:
            found = pattern.match(scope["path"])
            if found and scope["method"] in methods:
                return Call(scope["method"], template, "/".join(found.groupdict().values()) or None)
        return None

    async def _recorded(self, call: Call, who: Principal, scope: Scope, receive: Receive, send: Send) -> None:
        row = await self._audit.begin(call, who)
        start: Message | None = None
        told = False

        async def hold(message: Message) -> None:
            """The beginning waits for the first of the body: the outcome is recorded before either leaves."""
            nonlocal start, told
            if message["type"] == "http.response.start":
                start = message
                return
            if start is not None:
                began, start, told = start, None, True
                made = _made(message) if began["status"] == CREATED and not call.object_id else None
                await self._audit.finish(row, call, who, began["status"], made)
                await send(began)
            await send(message)

        try:
            await self._app(scope, receive, hold)
        except Exception as error:
            if not told:
                await self._audit.finish(row, call, who, to_problem(error).status)
            raise

    async def _refused(self, call: Call, scope: Scope, receive: Receive, send: Send) -> None:
        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start":
                await self._audit.refuse(call, message["status"])
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except Problem as problem:  # by a middleware further in
            await self._audit.refuse(call, problem.status)
            raise


def managed(document: Mapping[str, Any]) -> list[tuple[re.Pattern[str], str, frozenset[str]]]:
    """Pattern, template and methods of every path under which something is changed."""
    found = []
    for template, path in document["paths"].items():
        methods = frozenset(
            method.upper()
            for method, operation in path.items()
            if method.upper() in _CHANGING and _manages(operation)
        )
        if methods:
            found.append((compile_path(template)[0], template, methods))
    return found


def _manages(operation: Mapping[str, Any]) -> bool:
    scopes = {scope for one in operation.get("security", ()) for named in one.values() for scope in named}
    return bool(scopes - _DATA)


async def _caller(scope: Scope) -> Principal | None:
    """None without a valid key. Raises Problem when nobody can tell."""
    keys: ApiKeys = scope["app"].state.api_keys
    try:
        return await keys.authenticate(header(scope, b"authorization").decode("latin-1"))
    except Problem as problem:
        if problem.status != UNAUTHORIZED:
            raise
        return None


def _made(message: Message) -> str | None:
    """The id in the answer's first and only piece."""
    body: bytes = message.get("body", b"")
    if message.get("more_body", False) or len(body) > MAX_ANSWER:
        return None
    try:
        return _decode(body).id
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
