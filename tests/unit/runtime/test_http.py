"""An answer's head and body leave in one write, in order; a request's head has a time and a size."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn import Config
from uvicorn.server import ServerState

from shared.runtime import http
from shared.runtime.http import BESIDE, TOGETHER, EdgeProtocol

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


def serving(app: App) -> tuple[EdgeProtocol, Wire]:
    protocol = EdgeProtocol(Config(app, lifespan="off"), ServerState(), {})
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


HEAD = REQUEST[:-2]


@pytest.mark.parametrize("begun", [b"", b"G", HEAD])
async def test_a_head_that_never_ends_is_refused_in_time(
    monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr(http, "HEAD_S", 0.05)
    protocol, wire = serving(answering(b"hello"))
    if begun:
        protocol.data_received(begun)
    await asyncio.sleep(0.1)
    assert b"".join(wire.written).startswith(b"HTTP/1.1 400")
    assert b"in time" in b"".join(wire.written) and wire.closed


async def test_a_second_head_has_a_time_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "HEAD_S", 0.1)
    protocol, wire = serving(answering(b"hello"))
    protocol.data_received(REQUEST)
    await asyncio.sleep(0.15)
    assert not wire.closed, "nothing was begun"
    protocol.data_received(HEAD)
    await asyncio.sleep(0.05)
    protocol.data_received(b"a: b\r\n")
    assert len(wire.written) == 1
    await asyncio.sleep(0.1)
    assert b"in time" in wire.written[-1]


async def test_a_head_in_pieces_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "HEAD_S", 0.2)
    protocol, wire = serving(answering(b"hello"))
    for byte in REQUEST:
        protocol.data_received(bytes([byte]))
    await asyncio.sleep(0.3)
    assert b"".join(wire.written).startswith(b"HTTP/1.1 200") and not wire.closed


ENDLESS = {
    "address": (b"GET /", b"a" * 1000),
    "one header": (HEAD + b"a: ", b"b" * 1000),
    "headers": (HEAD, b"name: " + b"b" * 992 + b"\r\n"),
    "trailers": (
        b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n",
        b"name: " + b"b" * 992 + b"\r\n",
    ),
}


@pytest.mark.parametrize("what", ENDLESS)
async def test_what_comes_beside_a_body_has_an_end(what: str) -> None:
    protocol, wire = serving(reading)
    start, more = ENDLESS[what]
    protocol.data_received(start)
    sent = 0
    while not wire.closed and sent < 4 * BESIDE:
        protocol.data_received(more)
        sent += len(more)
        await asyncio.sleep(0)
    assert wire.closed and sent < BESIDE + 2 * len(more)
    assert b"".join(wire.written).startswith(b"HTTP/1.1 400")
    protocol.connection_lost(None)
    await steps()


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_is_no_head(chunked: bool) -> None:
    protocol, wire = serving(reading)
    size, count = 50_000, 40
    if chunked:
        protocol.data_received(b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n")
        pieces = [b"c350\r\n" + b"x" * size + b"\r\n"] * count + [b"0\r\n\r\n"]
    else:
        protocol.data_received(b"POST / HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % (size * count))
        pieces = [b"x" * size] * count
    for piece in pieces:
        protocol.data_received(piece)
        await steps()
    assert b"".join(wire.written).endswith(b"%d" % (size * count)) and not wire.closed


async def reading(scope: Scope, receive: Receive, send: Send) -> None:
    """Says how long the body was."""
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size += len(message["body"])
        more = message["more_body"]
    await answering(b"%d" % size)(scope, receive, send)
