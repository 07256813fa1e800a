"""The server's HTTP protocol, with an answer's head and body in one system call.

The server writes the head when the answer begins and the body when it comes, at once each; for the small
answers of an API that is two system calls, two segments and two wake-ups of the caller.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

TOGETHER: Final = 64 * 1024
"""Bytes up to which copying costs less than a system call."""


class _Gathered:
    """A transport that holds what is written until something follows in the same step of the loop, or the
    step is over. Nothing is held longer, so an answer that comes in pieces is not slowed down."""

    __slots__ = ("_held", "_loop", "_transport", "_waiting")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held = b""
        self._waiting = False

    def write(self, data: bytes) -> None:
        if self._held:
            held, self._held = self._held, b""
            if len(data) <= TOGETHER:
                self._transport.write(held + data)
                return
            self._transport.write(held)
            self._transport.write(data)
            return
        self._held = data
        if not self._waiting:
            self._waiting = True
            self._loop.call_soon(self._step_is_over)

    def _step_is_over(self) -> None:
        self._waiting = False
        self._flush()

    def _flush(self) -> None:
        if self._held:
            held, self._held = self._held, b""
            self._transport.write(held)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a transport has
        self._flush()
        return getattr(self._transport, name)


class OneWriteProtocol(HttpToolsProtocol):
    """What `uvicorn.Config(http=…)` is given."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(_Gathered(transport, self.loop))  # type: ignore[arg-type]
