"""Exceptions to problems: one table for a whole app, and what its OpenAPI says about errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import asyncpg
import msgspec
import sqlalchemy.exc
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from shared.runtime.problem import CONTENT_TYPE, Problem, ProblemCode, Where, from_status

UNAVAILABLE = (
    OSError,  # refused, reset, timed out, no such host, no socket file while a server restarts
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.ObjectNotInPrerequisiteStateError,  # the database takes no connections: a restore, a switch
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.IdleSessionTimeoutError,  # our process stood still for too long, and the server let go
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.TooManyConnectionsError,
    asyncpg.QueryCanceledError,
    asyncpg.LockNotAvailableError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.DiskFullError,
    asyncpg.InternalClientError,  # the server said goodbye while a statement was on its way out
    sqlalchemy.exc.TimeoutError,
)
"""What a database raises that is away, starting, full, locked or being switched: worth another try."""


def cause_of(error: BaseException) -> BaseException:
    """The driver's exception below SQLAlchemy's two layers, or the exception itself."""
    if isinstance(error, sqlalchemy.exc.DBAPIError) and error.orig is not None:
        return error.orig.__cause__ or error.orig
    return error


def is_unavailable(error: BaseException) -> bool:
    """True when the database, not the request, is why it failed.

    Drivers and pools wrap what they meet, each in its own way, so every cause down the chain is looked at.
    """
    link: BaseException | None = error
    while link is not None:
        if _is_away(link):
            return True
        link = link.orig if isinstance(link, sqlalchemy.exc.DBAPIError) and link.orig else link.__cause__
    return False


def _is_away(error: BaseException) -> bool:
    if isinstance(error, sqlalchemy.exc.DBAPIError) and error.connection_invalidated:
        return True
    if isinstance(error, sqlalchemy.exc.InvalidRequestError):  # each one the pool opened was closed at once
        return "connection is closed" in str(error)
    if isinstance(error, asyncpg.InterfaceError):
        return not isinstance(error, ValueError)
    return isinstance(error, UNAVAILABLE)


def to_problem(error: Exception) -> Problem:
    """Decision table of every exception that leaves an endpoint.

    1. a problem: itself                            4. the database is away: 503
    2. a validation error: 400 (404 for an id)      5. a value no column can hold: 400
    3. a bare HTTP status: its code, 422 as 400     6. everything else is our fault: 500
    """
    if isinstance(error, Problem):  # 1
        return error
    if isinstance(error, RequestValidationError):  # 2
        return from_validation(error)
    if isinstance(error, HTTPException):  # 3
        return from_status(error.status_code, error.headers)
    if is_unavailable(error):  # 4
        return Problem("unavailable", "the database does not answer; try again")
    cause = cause_of(error)
    if isinstance(cause, asyncpg.DataError) or (
        isinstance(cause, asyncpg.InterfaceError) and isinstance(cause, ValueError)
    ):  # 5
        return Problem("invalid_request", "a value lies outside of what can be kept")
    return Problem("internal", "the error was logged; the request may be tried again")  # 6


def from_validation(error: RequestValidationError) -> Problem:
    """All faults at once, with pointers. A malformed id in the path cannot exist: not found."""
    faults = error.errors()
    if any(fault["loc"][:1] == ("path",) for fault in faults):
        return Problem("not_found", "no such id")
    errors = [_where(fault) for fault in faults]
    return Problem("invalid_request", f"{errors[0].where or 'body'}: {errors[0].why}", errors)


def _where(fault: dict[str, Any]) -> Where:
    place, *path = fault["loc"] or ("body",)
    why = reason(fault)
    if fault["type"] == "json_invalid":
        return Where("", "not valid JSON")
    if place == "query":
        return Where(f"?{path[0]}" if path else "?", why)
    if place in ("header", "cookie"):
        return Where(str(path[0]).title() if path else place.title(), why)
    return Where("".join(f"/{_escape(str(part))}" for part in path), why)


def reason(fault: Mapping[str, Any]) -> str:
    """Why, never with what was sent: the library quotes the tag of a union that it does not know."""
    if fault["type"] == "union_tag_invalid":
        return f"must be one of {fault['ctx']['expected_tags']}"
    return str(fault["msg"]).removeprefix("Value error, ")


def _escape(part: str) -> str:
    """A reference token of a JSON pointer (RFC 6901, 3)."""
    return part.replace("~", "~0").replace("/", "~1")


def respond(problem: Problem) -> Response:
    body = msgspec.json.encode(problem.document())
    response = Response(body, status_code=problem.status)
    response.raw_headers = problem.raw_headers(len(body))
    return response


async def _handle(request: Request, error: Exception) -> Response:
    problem = to_problem(error)
    if problem.code is ProblemCode.method_not_allowed and (allowed := _methods(request)):
        problem.headers["allow"] = allowed
    return respond(problem)


def _methods(request: Request) -> str:
    """Every documented method of the path: the framework names those of one of its routes alone."""
    path = request.scope["path"].split("/")
    found: set[str] = set()
    for template, item in request.app.openapi()["paths"].items():
        steps = template.split("/")
        if len(steps) == len(path) and all(s[:1] == "{" or s == p for s, p in zip(steps, path, strict=True)):
            found |= {name.upper() for name in item if name != "parameters"}
    return ", ".join(sorted(found))


def install_problems(app: FastAPI) -> None:
    """Every error of `app` becomes `application/problem+json`, and its OpenAPI says so.

    What no handler knows is answered by the same table and rises to the outermost middleware
    (`shared.runtime.telemetry`), which logs it, and answers it where the framework was not asked at all.
    """
    for kind in (Problem, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, _handle)
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        fresh = app.openapi_schema is None
        document = generate()
        return document_problems(document) if fresh else document

    app.openapi = openapi  # type: ignore[method-assign]


PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457 problem details.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "enum": [f"/problems/{code.name}" for code in ProblemCode]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["where", "why"],
                "properties": {
                    "where": {"type": "string", "description": "JSON pointer, ?query or header name"},
                    "why": {"type": "string"},
                },
            },
        },
    },
    "example": {
        "type": "/problems/invalid_request",
        "title": ProblemCode.invalid_request.title,
        "status": 400,
        "detail": "?limit: Input should be less than or equal to 200",
        "errors": [{"where": "?limit", "why": "Input should be less than or equal to 200"}],
    },
}


def document_problems(document: dict[str, Any]) -> dict[str, Any]:
    """The OpenAPI document with problems in place of the framework's own 422."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    schemas["Problem"] = PROBLEM_SCHEMA
    for path in document.get("paths", {}).values():
        for operation in path.values():
            if isinstance(operation, dict) and "responses" in operation:
                _document_operation(operation)
    return document


def _document_operation(operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    if responses.pop("422", None) is not None:
        responses.setdefault("400", _response(ProblemCode.invalid_request))
    if operation.get("security"):
        responses.setdefault("401", _response(ProblemCode.unauthorized))
        responses.setdefault("403", _response(ProblemCode.forbidden))
    responses.setdefault("default", {"description": "Problem", "content": _CONTENT})


_CONTENT = {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}


def _response(code: ProblemCode) -> dict[str, Any]:
    return {"description": code.title, "content": _CONTENT}
