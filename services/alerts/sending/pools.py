"""Connections that are kept for the next request, by receiver."""

from __future__ import annotations

import importlib.util
import sys
import time
from types import TracebackType
from typing import Final, Self

import httpcore
import httpx

KEPT_S: Final = 30.0
KEPT: Final = 8
"""Idle connections to one receiver."""
SWEEP_S: Final = 10.0

if importlib.util.find_spec("sniffio") is None:
    # The client looks for this optional module three times for each request. A module that is known to be
    # missing costs nothing; one that has to be looked for on disk costs half a millisecond.
    sys.modules["sniffio"] = None  # type: ignore[assignment]


class Pools:
    """A pool for each origin: a pool looks at all of its connections at each request, so with one for all
    a receiver that hangs would cost every other one time. What nobody used for a while is closed."""

    def __init__(self, backend: httpcore.AsyncNetworkBackend) -> None:
        self._backend = backend
        self._tls = httpx.create_ssl_context()
        self._pools: dict[tuple[bytes, bytes, int | None], httpcore.AsyncConnectionPool] = {}
        self._used: dict[tuple[bytes, bytes, int | None], float] = {}
        self._swept = 0.0

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        now = time.monotonic()
        key = request.url.scheme, request.url.host, request.url.port
        self._used[key] = now
        if key not in self._pools:
            self._pools[key] = httpcore.AsyncConnectionPool(
                ssl_context=self._tls,
                max_connections=None,
                max_keepalive_connections=KEPT,
                keepalive_expiry=KEPT_S,
                network_backend=self._backend,
            )
        if now - self._swept > SWEEP_S:
            self._swept = now
            await self._sweep(now - KEPT_S)
        return await self._pools[key].handle_async_request(request)

    async def _sweep(self, before: float) -> None:
        """Closes what was not used since, and is not in use."""
        for key, used in list(self._used.items()):
            if used < before and all(one.is_idle() for one in self._pools[key].connections):
                del self._used[key]
                await self._pools.pop(key).aclose()

    async def aclose(self) -> None:
        for pool in self._pools.values():
            await pool.aclose()
        self._pools.clear()
        self._used.clear()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.aclose()
