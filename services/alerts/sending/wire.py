"""A connection as the HTTP library wants it: bytes in, bytes out, closed. Time limits are the caller's."""

from __future__ import annotations

import asyncio
from typing import Any, Final, cast

import httpcore

MOST_BYTES: Final = 65_536
"""What a receiver sends beyond this waits in its own buffers until somebody reads."""


class Wire(asyncio.Protocol, httpcore.AsyncNetworkStream):
    """One reader and one writer at a time. What is written waits in the transport: a request is in memory
    as it is, so there is nothing to hold back."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._taken = bytearray()
        self._ended = False
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's does not derive from it

    def data_received(self, data: bytes) -> None:
        self._taken += data
        if self._transport is not None and len(self._taken) > MOST_BYTES:
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        self._ended = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended, self._error = True, exc
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002, ASYNC109 - the library's interface
        """What came, empty at the end. Raises httpcore.ReadError where the connection was cut."""
        while not self._taken and not self._ended:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        if self._taken:
            found = bytes(self._taken[:max_bytes])
            del self._taken[:max_bytes]
            if self._transport is not None and not self._transport.is_reading():
                self._transport.resume_reading()
            return found
        if self._error is not None:
            raise httpcore.ReadError(str(self._error)) from self._error
        return b""

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002, ASYNC109 - the library's interface
        """Raises httpcore.WriteError where the connection is closed."""
        if self._transport is None or self._transport.is_closing():
            raise httpcore.WriteError("the connection is closed")
        self._transport.write(buffer)

    async def aclose(self) -> None:
        """At once: nothing that was not sent yet is worth waiting for."""
        if self._transport is not None:
            self._transport.close()  # says goodbye where TLS has a word for it
            self._transport.abort()

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - the library's interface
        """`is_readable`: something came, or the end did; on an idle connection both mean that it is over."""
        if info == "is_readable":
            return bool(self._taken) or self._ended
        return None
