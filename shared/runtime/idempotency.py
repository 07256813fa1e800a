"""`Idempotency-Key` on POST: for a day the same answer, whatever happened to the first one.

States of a key, and what a request with it gets:
 1. unknown: runs, its answer is kept before it is sent;
 2. known with another body: 400;
 3. answered: the same answer again, with `Idempotency-Replayed: true`;
 4. running: 409, and Retry-After; after LEASE the runner is taken for dead and the request runs again.

Answers 5xx, 401, 403, 409 and 429 are not kept: a retry is meant to have another outcome. Kept answers are
encrypted, because an answer can hold a secret that is shown once.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Final

import msgspec
import structlog
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.db.engine import driver
from shared.runtime.auth import ApiKeys
from shared.runtime.edge import MAX_BODY, header, replay, timely_body
from shared.runtime.errors import is_unavailable
from shared.runtime.problem import Problem, Where
from shared.runtime.secrets import SecretBox, SecretError

log = structlog.get_logger()

KEPT: Final = timedelta(hours=24)
LEASE: Final = timedelta(seconds=60)
MAX_KEY: Final = 255
SWEEP_EVERY: Final = 256
"""Old rows are removed at every so-manieth new key: no timer, no growth."""
_SWEEP: Final = "DELETE FROM cxloop.idempotency WHERE started_at < now() - $1::interval"
_CLAIM: Final = """
    INSERT INTO cxloop.idempotency AS i (id, request) VALUES ($1, $2)
    ON CONFLICT (id) DO UPDATE SET started_at = now(), request = $2, answer = NULL
    WHERE i.started_at < now() - $3::interval
       OR i.answer IS NULL AND i.request = $2 AND i.started_at < now() - $4::interval
    RETURNING true
"""
_RETRYABLE: Final = frozenset({401, 403, 409, 429})


class _Answer(msgspec.Struct, array_like=True, frozen=True):
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


_decode = msgspec.msgpack.Decoder(_Answer).decode


def install_idempotency(app: FastAPI, engine: AsyncEngine) -> None:
    """Before the app starts. Needs `app.state.api_keys` and `app.state.settings.secret_key`."""
    app.add_middleware(IdempotencyMiddleware, engine=engine)


class IdempotencyMiddleware:
    """Pure ASGI; does nothing for requests without the header or without a valid API key."""

    def __init__(self, app: ASGIApp, engine: AsyncEngine) -> None:
        self._app = app
        self._engine = engine
        self._box: SecretBox | None = None
        self._seen = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = header(scope, b"idempotency-key") if scope.get("method") == "POST" else b""
        if not key or not await self._is_known_caller(scope):
            await self._app(scope, receive, send)
            return
        if len(key) > MAX_KEY:
            raise Problem(
                "invalid_request",
                "the key is too long",
                [Where("Idempotency-Key", f"at most {MAX_KEY} bytes")],
            )
        body = await timely_body(scope, receive, MAX_BODY)
        row, request = _row_id(scope, key), hashlib.sha256(scope["query_string"] + b"\n" + body).digest()
        kept = await self._claim(row, request, scope)
        if kept is not None:
            await _send(kept, send, replayed=True)
            return
        await self._run(row, scope, replay(body, receive), send)

    async def _is_known_caller(self, scope: Scope) -> bool:
        keys: ApiKeys = scope["app"].state.api_keys
        try:
            await keys.authenticate(header(scope, b"authorization").decode("latin-1"))
        except Problem as problem:
            if problem.status != 401:
                raise
            return False
        return True

    def _secret_box(self, scope: Scope) -> SecretBox:
        if self._box is None:
            self._box = SecretBox.from_key(scope["app"].state.settings.secret_key)
        return self._box

    async def _claim(self, row: bytes, request: bytes, scope: Scope) -> _Answer | None:
        """None when this request is to run; the kept answer otherwise. Raises Problem in cases 2 and 4."""
        self._seen += 1
        async with driver(self._engine) as connection:
            if self._seen % SWEEP_EVERY == 1:
                await connection.execute(_SWEEP, KEPT)
            mine = await connection.fetchval(_CLAIM, row, request, KEPT, LEASE)
            if mine:  # 1, or 4 after the lease
                return None
            found = await connection.fetchrow(
                "SELECT request, answer FROM cxloop.idempotency WHERE id = $1", row
            )
        if found is not None and found["request"] != request:  # 2
            raise Problem(
                "invalid_request",
                "this key was used with another request",
                [Where("Idempotency-Key", "used within 24 hours with another body")],
            )
        if found is None or found["answer"] is None:  # 4
            raise Problem(
                "conflict", "the first request with this key is still running", headers={"Retry-After": "1"}
            )
        try:
            return _decode(self._secret_box(scope).decrypt(found["answer"]))  # 3
        except SecretError:
            raise Problem("conflict", "the answer was kept under another secret key") from None

    async def _run(self, row: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        start: Message = {}
        chunks: list[bytes] = []

        async def record(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                chunks.append(message.get("body", b""))

        try:
            await self._app(scope, receive, record)
        except BaseException:
            await self._settle(row, None)
            raise
        answer = _Answer(start["status"], [tuple(h) for h in start["headers"]], b"".join(chunks))
        keep = answer.status < 500 and answer.status not in _RETRYABLE
        await self._settle(
            row, self._secret_box(scope).encrypt(msgspec.msgpack.encode(answer)) if keep else None
        )
        await _send(answer, send, replayed=False)

    async def _settle(self, row: bytes, answer: bytes | None) -> None:
        """Keeps the answer, or forgets the key. A database that is away changes nothing: the lease ends."""
        statement = (
            "UPDATE cxloop.idempotency SET answer = $2 WHERE id = $1"
            if answer is not None
            else "DELETE FROM cxloop.idempotency WHERE id = $1 AND $2::bytea IS NULL"
        )
        try:
            async with driver(self._engine) as connection:
                await connection.execute(statement, row, answer)
        except Exception as error:
            if not is_unavailable(error):
                raise
            log.warning("idempotent answer not kept", exc_info=error)


def _row_id(scope: Scope, key: bytes) -> bytes:
    """One caller's key for one resource; other callers' equal keys are others."""
    parts = (header(scope, b"authorization"), scope["path"].encode("utf-8", "surrogatepass"), key)
    return hashlib.sha256(b"".join(len(part).to_bytes(4) + part for part in parts)).digest()


async def _send(answer: _Answer, send: Send, replayed: bool) -> None:
    extra = [(b"idempotency-replayed", b"true")] if replayed else []
    await send({"type": "http.response.start", "status": answer.status, "headers": [*answer.headers, *extra]})
    await send({"type": "http.response.body", "body": answer.body})
