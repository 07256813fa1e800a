"""The outer edge of the management API: what no endpoint behind it can digest is a 400 here.

PostgreSQL has no NUL in text, UTF-8 no lone surrogates, JSON no NaN; Python's parsers let all of them
through, and each would be a 500 that a stranger can cause.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.runtime.problem import Problem, Where

MAX_BODY = 1024 * 1024
BODY_DEADLINE_S = 30.0
_WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_decode = msgspec.json.Decoder().decode


class EdgeMiddleware:
    """Pure ASGI. Bodies under `raw_paths` (prefixes) are left alone: endpoints there read bytes."""

    def __init__(self, app: ASGIApp, raw_paths: tuple[str, ...] = (), max_body: int = MAX_BODY) -> None:
        self._app = app
        self._raw_paths = raw_paths
        self._max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if "\x00" in scope["path"] or b"%00" in scope["query_string"]:
            where = [] if "\x00" in scope["path"] else [Where("?", "holds a NUL character")]
            await Problem("invalid_request", "the address holds a NUL character", where)(scope, receive, send)
            return
        if scope["method"] not in _WITH_BODY or (
            self._raw_paths and scope["path"].startswith(self._raw_paths)
        ):
            await self._app(scope, receive, send)
            return
        try:
            body = await timely_body(scope, receive, self._max_body)
            if body:
                if b"json" not in header(scope, b"content-type", b"json"):
                    raise Problem("unsupported_media_type", "send Content-Type: application/json")
                check_json(body)
        except Problem as problem:
            await problem(scope, receive, send)
            return
        await self._app(scope, replay(body, receive), send)


def header(scope: Scope, name: bytes, default: bytes = b"") -> bytes:
    """The last header of that (lower-case) name."""
    found = default
    for given, value in scope["headers"]:
        if given == name:
            found = value
    return found


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """The whole body. Raises Problem too_large before more than `limit` bytes are held."""
    length = header(scope, b"content-length")
    if length.isdigit() and int(length[:20]) > limit:
        raise _too_large(limit)
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Problem("invalid_request", "the caller went away")
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def timely_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """`read_body`, given up after a while: callers that stop in the middle would be waited for for ever."""
    try:
        async with asyncio.timeout(BODY_DEADLINE_S):
            return await read_body(scope, receive, limit)
    except TimeoutError:
        raise Problem(
            "invalid_request", "the body did not arrive in time", headers={"connection": "close"}
        ) from None


def _too_large(limit: int) -> Problem:
    return Problem("too_large", f"a body may have {limit} bytes at most", headers={"connection": "close"})


def replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives `body` once more, then whatever comes."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def check_json(body: bytes) -> None:
    """Raises Problem unless the body is JSON whose texts can be kept."""
    try:
        value = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as error:
        why = str(error) if isinstance(error, msgspec.MsgspecError) else "not valid JSON"
        raise Problem("invalid_request", "the body is not valid JSON", [Where("", why)]) from None
    if b"\\u0000" in body and _holds_nul(value):
        raise Problem("invalid_request", "a text holds a NUL character", [Where("", "holds a NUL character")])


def _holds_nul(value: object) -> bool:
    stack: list[Any] = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            if "\x00" in item:
                return True
        elif isinstance(item, dict):
            stack += item.keys()
            stack += item.values()
        elif isinstance(item, list):
            stack += item
    return False
