"""Problem details: the closed list, and the table from exceptions to it."""

from __future__ import annotations

import asyncpg
import pytest
import sqlalchemy.exc
from asyncpg.exceptions import _base as driver_errors
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from shared.runtime.errors import is_unavailable, to_problem
from shared.runtime.problem import Problem, ProblemCode, Where, from_status
from tests.unit.runtime.asgi import call


def test_codes_and_statuses_are_closed() -> None:
    assert {code.name: code.status for code in ProblemCode} == {
        "invalid_request": 400,
        "beyond_horizon": 400,
        "unauthorized": 401,
        "forbidden": 403,
        "not_found": 404,
        "method_not_allowed": 405,
        "conflict": 409,
        "gone": 410,
        "stale": 412,
        "too_large": 413,
        "unsupported_media_type": 415,
        "rate_limited": 429,
        "internal": 500,
        "unavailable": 503,
    }


def test_an_unknown_code_is_a_mistake_of_the_programmer() -> None:
    with pytest.raises(KeyError):
        Problem("no_such_code", "x")


async def test_the_answer() -> None:
    problem = Problem("stale", "version 3 now", [Where("If-Match", "not the version")], {"ETag": '"3"'})
    answer = await call(problem)
    assert answer.status == 412
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["etag"] == '"3"'
    assert answer.headers["content-length"] == str(len(answer.body))
    assert answer.json() == {
        "type": "/problems/stale",
        "title": ProblemCode.stale.title,
        "status": 412,
        "detail": "version 3 now",
        "errors": [{"where": "If-Match", "why": "not the version"}],
    }


async def test_headers_every_answer_of_its_kind_needs() -> None:
    assert (await call(Problem("unauthorized", "x"))).headers["www-authenticate"] == "Bearer"
    assert (await call(Problem("unavailable", "x"))).headers["retry-after"] == "5"
    assert (await call(Problem("unavailable", "x", headers={"Retry-After": "30"}))).headers[
        "retry-after"
    ] == "30"
    assert (await call(Problem("not_found", "x"), "HEAD")).body == b""


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "invalid_request"),
        (404, "not_found"),
        (405, "method_not_allowed"),
        (409, "conflict"),
        (413, "too_large"),
        (418, "invalid_request"),
        (422, "invalid_request"),
        (500, "internal"),
        (502, "internal"),
        (503, "unavailable"),
    ],
)
def test_bare_statuses(status: int, code: str) -> None:
    assert from_status(status).code.name == code


def _invalid(*loc: str | int, kind: str = "missing") -> RequestValidationError:
    return RequestValidationError([{"loc": loc, "type": kind, "msg": "Field required", "input": "secret"}])


@pytest.mark.parametrize(
    ("error", "where"),
    [
        (_invalid("body", "a", 0, "b/c~d"), "/a/0/b~1c~0d"),
        (_invalid("body"), ""),
        (_invalid("query", "limit"), "?limit"),
        (_invalid("header", "if-match"), "If-Match"),
        (_invalid("body", 17, kind="json_invalid"), ""),
    ],
)
def test_where_the_input_is_wrong(error: RequestValidationError, where: str) -> None:
    problem = to_problem(error)
    assert problem.status == 400
    assert [e.where for e in problem.errors] == [where]
    assert "secret" not in str(problem.document())


def test_a_malformed_id_in_the_path_does_not_exist() -> None:
    assert to_problem(_invalid("path", "id")).code is ProblemCode.not_found


def _through_sqlalchemy(cause: Exception) -> sqlalchemy.exc.DBAPIError:
    adapted = Exception("translated")
    adapted.__cause__ = cause
    return sqlalchemy.exc.DBAPIError("SELECT", None, adapted)


def _raw_of_the_pool(cause: Exception) -> Exception:
    """What a pool raises that cannot connect: the adapter's own error, wrapped by nothing."""
    adapted = Exception("translated")
    adapted.__cause__ = cause
    return adapted


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Problem("gone", "x"), "gone"),
        (HTTPException(404), "not_found"),
        (ConnectionRefusedError(), "unavailable"),
        (TimeoutError(), "unavailable"),
        (FileNotFoundError("no socket yet"), "unavailable"),
        (_raw_of_the_pool(asyncpg.CannotConnectNowError()), "unavailable"),
        (asyncpg.CannotConnectNowError(), "unavailable"),
        (asyncpg.ObjectNotInPrerequisiteStateError(), "unavailable"),
        (asyncpg.AdminShutdownError(), "unavailable"),
        (asyncpg.QueryCanceledError(), "unavailable"),
        (asyncpg.LockNotAvailableError(), "unavailable"),
        (asyncpg.DiskFullError(), "unavailable"),
        (asyncpg.TooManyConnectionsError(), "unavailable"),
        (asyncpg.InterfaceError("connection is closed"), "unavailable"),
        (asyncpg.InternalClientError("got result for unknown protocol state 3"), "unavailable"),
        (sqlalchemy.exc.TimeoutError(), "unavailable"),
        (sqlalchemy.exc.InvalidRequestError("This connection is closed"), "unavailable"),
        (sqlalchemy.exc.InvalidRequestError("no such column"), "internal"),
        (_through_sqlalchemy(asyncpg.ConnectionDoesNotExistError()), "unavailable"),
        (asyncpg.NumericValueOutOfRangeError(), "invalid_request"),
        (asyncpg.UntranslatableCharacterError(), "invalid_request"),
        (asyncpg.CharacterNotInRepertoireError(), "invalid_request"),
        (driver_errors.DataError("value out of int64 range"), "invalid_request"),
        (_through_sqlalchemy(asyncpg.NumericValueOutOfRangeError()), "invalid_request"),
        (asyncpg.UniqueViolationError(), "internal"),
        (asyncpg.UndefinedTableError(), "internal"),
        (RuntimeError("x"), "internal"),
        (KeyError("x"), "internal"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_every_exception_that_leaves_an_endpoint(error: Exception, code: str) -> None:
    assert to_problem(error).code.name == code
    if code == "internal":
        assert not is_unavailable(error)
