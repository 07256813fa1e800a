"""API keys: random, stored as a hash, with scopes that are listed one by one."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final, TypeVar

import msgspec
from fastapi import Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import Request

from shared.db.engine import driver
from shared.runtime.errors import is_unavailable
from shared.runtime.problem import Problem

PREFIX: Final = "cxk_"
KEY_BYTES: Final = 32
CACHE_S: Final = 5.0
"""A revoked key goes on working for so long, at most, in a process that has just seen it."""
STALE_S: Final = 300.0
"""A key seen within this time is believed while the database is away."""
CACHE_SIZE: Final = 1024
MISSES: Final = 2
"""Whoever tries keys never holds more than this many database connections."""

T = TypeVar("T")


class Scope(StrEnum):
    """What a key may do; none implies another."""

    ingest = "ingest"
    read = "read"
    act = "act"
    admin = "admin"
    erase = "erase"


class Principal(msgspec.Struct, frozen=True):
    """Who asks."""

    key_id: str
    name: str
    scopes: frozenset[Scope]


class KeyInfo(msgspec.Struct, frozen=True):
    """A key as it may be shown: never the key."""

    id: str
    name: str
    scopes: tuple[Scope, ...]
    created_at: datetime
    revoked_at: datetime | None


class ApiKeys:
    """Keys in `cxloop.api_key`.

    A key has 256 random bits, so a plain SHA-256 keeps it: there is nothing to guess that a slow hash
    would protect. The row is found by the hash and compared again in constant time.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._known: OrderedDict[bytes, tuple[float, Principal]] = OrderedDict()
        self._unknown: OrderedDict[bytes, float] = OrderedDict()
        self._misses = asyncio.Semaphore(MISSES)

    async def create(self, name: str, scopes: Iterable[Scope]) -> str:
        """A new key in plain text: the only time it is seen."""
        plain = PREFIX + secrets.token_urlsafe(KEY_BYTES)
        await self.ensure(plain, name, scopes)
        return plain

    async def ensure(self, plain: str, name: str, scopes: Iterable[Scope]) -> None:
        """Makes a given key exist with these scopes, not revoked."""
        if not plain.startswith(PREFIX) or len(plain) < len(PREFIX) + KEY_BYTES:
            raise ValueError(f"an API key starts with {PREFIX} and has at least {KEY_BYTES} characters more")
        listed = sorted(set(scopes))
        async with driver(self._engine) as connection:
            await connection.execute(
                "INSERT INTO cxloop.api_key (id, digest, name, scopes) VALUES ($1, $2, $3, $4)"
                " ON CONFLICT (digest) DO UPDATE SET name = $3, scopes = $4, revoked_at = NULL",
                f"key_{secrets.token_hex(8)}",
                _digest(plain),
                name,
                [scope.value for scope in listed],
            )
        self._known.clear()
        self._unknown.clear()

    async def list(self) -> list[KeyInfo]:
        async with driver(self._engine) as connection:
            rows = await connection.fetch(
                "SELECT id, name, scopes, created_at, revoked_at FROM cxloop.api_key ORDER BY created_at, id"
            )
        return [
            KeyInfo(r["id"], r["name"], tuple(map(Scope, r["scopes"])), r["created_at"], r["revoked_at"])
            for r in rows
        ]

    async def revoke(self, key_id: str) -> bool:
        """False when there is no such key in use."""
        async with driver(self._engine) as connection:
            found = await connection.fetchval(
                "UPDATE cxloop.api_key SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL"
                " RETURNING id",
                key_id,
            )
        self._known.clear()
        self._unknown.clear()
        return found is not None

    async def authenticate(self, header: str | None) -> Principal:
        """Who the `Authorization` header names. Raises Problem: unauthorized, or unavailable when the
        database is away and the key was not seen lately."""
        plain = _plain(header)
        if plain is None:
            raise Problem("unauthorized", "send Authorization: Bearer cxk_…")
        principal = await self._look_up(_digest(plain))
        if principal is None:
            raise Problem("unauthorized", "the API key is unknown or revoked")
        return principal

    def seen(self, header: str | None) -> Principal | None:
        """Whom `authenticate` would name without asking the database; None: ask `authenticate`."""
        plain = _plain(header)
        if plain is None:
            return None
        seen, principal = self._known.get(_digest(plain), (float("-inf"), None))
        return principal if time.monotonic() - seen < CACHE_S else None

    async def _look_up(self, digest: bytes) -> Principal | None:
        now = time.monotonic()
        seen, principal = self._known.get(digest, (float("-inf"), None))
        if now - seen < CACHE_S:
            return principal
        if principal is None and now - self._unknown.get(digest, float("-inf")) < CACHE_S:
            return None
        try:
            if principal is not None:
                principal = await self._read(digest)
            else:
                async with self._misses:
                    principal = await self._read(digest)
        except Exception as error:
            if principal is not None and now - seen < STALE_S and is_unavailable(error):
                return principal
            raise
        self._remember(digest, now, principal)
        return principal

    def _remember(self, digest: bytes, now: float, principal: Principal | None) -> None:
        """Apart, so that whoever tries keys pushes none of the known ones out."""
        if principal is None:
            self._known.pop(digest, None)
            _keep(self._unknown, digest, now)
        else:
            _keep(self._known, digest, (now, principal))

    async def _read(self, digest: bytes) -> Principal | None:
        async with driver(self._engine) as connection:
            row = await connection.fetchrow(
                "SELECT id, digest, name, scopes FROM cxloop.api_key"
                " WHERE digest = $1 AND revoked_at IS NULL",
                digest,
            )
        if row is None or not hmac.compare_digest(row["digest"], digest):
            return None
        return Principal(row["id"], row["name"], frozenset(map(Scope, row["scopes"])))


def _keep(cache: OrderedDict[bytes, T], digest: bytes, value: T) -> None:
    cache[digest] = value
    cache.move_to_end(digest)
    while len(cache) > CACHE_SIZE:
        cache.popitem(last=False)


def _plain(header: str | None) -> str | None:
    """The key of a bearer header; None for anything else."""
    scheme, _, plain = (header or "").partition(" ")
    return plain.strip() if scheme.lower() == "bearer" and plain.startswith(PREFIX) else None


def _digest(plain: str) -> bytes:
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).digest()


_bearer = HTTPBearer(auto_error=False, scheme_name="apiKey", description="API key, cxk_…")
_Bearer = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]


def require(scope: Scope) -> Any:  # noqa: ANN401 - what FastAPI's Depends is typed as
    """Dependency that gives the Principal; 401 without a key, 403 when the key lacks `scope`.

    Needs `app.state.api_keys`. Use as `dependencies=[require(Scope.read)]` or
    `principal: Annotated[Principal, require(Scope.read)]`.
    """

    async def principal(request: Request, _: _Bearer) -> Principal:
        keys: ApiKeys = request.app.state.api_keys
        who = await keys.authenticate(request.headers.get("authorization"))
        check_scope(who, scope)
        return who

    return Security(principal, scopes=[scope.value])  # the scope's name stands in the OpenAPI document


def check_scope(principal: Principal, scope: Scope) -> None:
    """For raw endpoints. Raises Problem forbidden."""
    if scope not in principal.scopes:
        raise Problem("forbidden", f"the API key lacks the scope {scope.value}")
