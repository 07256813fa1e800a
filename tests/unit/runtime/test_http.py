"""An answer's head and body leave in one write, in order, and nothing is held beyond its step."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn import Config
from uvicorn.server import ServerState

from shared.runtime.http import TOGETHER, OneWriteProtocol

REQUEST = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Wire(asyncio.Transport):
    """What reaches the socket."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closed
        self.written.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


def serving(app: App) -> tuple[OneWriteProtocol, Wire]:
    protocol = OneWriteProtocol(Config(app, lifespan="off"), ServerState(), {})
    wire = Wire()
    protocol.connection_made(wire)
    return protocol, wire


def answering(*pieces: bytes, close: bool = False) -> App:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        size = str(sum(map(len, pieces))).encode()
        headers = [(b"content-length", size)] + ([(b"connection", b"close")] if close else [])
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for number, piece in enumerate(pieces, 1):
            await send({"type": "http.response.body", "body": piece, "more_body": number < len(pieces)})

    return app


async def steps(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.mark.parametrize("close", [False, True])
async def test_a_small_answer_is_one_write(close: bool) -> None:
    protocol, wire = serving(answering(b"hello", close=close))
    protocol.data_received(REQUEST)
    await steps()
    (written,) = wire.written
    assert written.startswith(b"HTTP/1.1 200 OK\r\n")
    assert written.endswith(b"\r\n\r\nhello")
    assert wire.closed is close


async def test_an_answer_without_a_body_leaves() -> None:
    protocol, wire = serving(answering(b""))
    protocol.data_received(REQUEST)
    await steps()
    assert b"".join(wire.written).endswith(b"\r\n\r\n")


@pytest.mark.parametrize("size", [0, 1, TOGETHER, TOGETHER + 1, 10 * TOGETHER])
async def test_pieces_keep_their_order(size: int) -> None:
    pieces = [b"a" * 10, b"b" * size, b"c" * 10, b"d"]
    protocol, wire = serving(answering(*pieces))
    protocol.data_received(REQUEST)
    await steps()
    assert b"".join(wire.written).partition(b"\r\n\r\n")[2] == b"".join(pieces)


async def test_a_head_does_not_wait_for_a_body_that_is_late() -> None:
    go = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})
        await go.wait()
        await send({"type": "http.response.body", "body": b"x"})

    protocol, wire = serving(app)
    protocol.data_received(REQUEST)
    await steps()
    assert len(wire.written) == 1
    go.set()
    await steps()
    assert wire.written[1] == b"x"


async def test_several_requests_at_once_are_answered_in_order() -> None:
    protocol, wire = serving(answering(b"hello"))
    protocol.data_received(REQUEST * 3)
    await steps(30)
    assert b"".join(wire.written).count(b"HTTP/1.1 200 OK") == 3
    assert b"".join(wire.written).endswith(b"hello")


async def test_a_request_that_is_none_is_told_so() -> None:
    protocol, wire = serving(answering(b"hello"))
    protocol.data_received(b"\x00\x01 nonsense\r\n\r\n")
    await steps()
    assert b"".join(wire.written).startswith(b"HTTP/1.1 400")
    assert wire.closed
