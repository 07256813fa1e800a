"""The server's HTTP protocol: heads have a time and a size, an answer leaves in one system call.

The server writes the head when the answer begins and the body when it comes, at once each; for the small
answers of an API that is two system calls, two segments and two wake-ups of the caller.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_S: Final = 30.0
BESIDE: Final = 256 * 1024
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


class EdgeProtocol(HttpToolsProtocol):
    """What `uvicorn.Config(http=…)` is given: one write per answer, and limits the server itself lacks.

    A request whose head is not there HEAD_S after the connection or its first byte, or that has more than
    BESIDE bytes beside its body (head, trailers, marks of chunks), is answered with 400 and the connection
    closed. Bodies have limits of their own (`shared.runtime.edge`).
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(_Gathered(transport, self.loop))  # type: ignore[arg-type]
        self._in_head = True
        self._beside = 0
        self._late: asyncio.TimerHandle | None = self.loop.call_later(HEAD_S, self._head_is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        self._in_time()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._beside += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._beside > BESIDE:
            self._refuse("The request's head is too large.")
        elif not self._in_head:
            self._in_time()
        elif self._late is None:
            self._late = self.loop.call_later(HEAD_S, self._head_is_late)

    def on_message_begin(self) -> None:
        self._in_head = True
        self._beside = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._beside -= len(body)
        super().on_body(body)

    def _in_time(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _head_is_late(self) -> None:
        self._late = None
        if not self.transport.is_closing():
            self._refuse("The request's head did not arrive in time.")

    def _refuse(self, why: str) -> None:
        """Whatever answer is being made goes nowhere: the connection is closed."""
        self._in_time()
        self.send_400_response(why)
