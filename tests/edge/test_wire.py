"""The wire itself, over raw sockets: what no HTTP client sends. Each exchange ends in an answer or a closed
connection, in time, and the service goes on."""

from __future__ import annotations

import asyncio
import os
import random
import re
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.edge import junk
from tests.edge.deliveries import PAYLOADS
from tests.integration.ingest.fixtures import http, ingest, key
from tests.integration.ingest.process import Ingest
from tests.senders_kit import SECRETS, sign

__all__ = ["http", "ingest", "key"]

SOAK: Final = os.environ.get("CXLOOP_SOAK") == "1"
EXCHANGES: Final = 20_000 if SOAK else 600
AT_ONCE: Final = 16
ANSWER_S: Final = 60.0
GROWTH_MIB: Final = 64
ALLOWED: Final = frozenset(
    (100, 200, 202, 400, 401, 404, 405, 408, 411, 413, 414, 415, 417, 426, 431, 501, 505)
)
_STATUS: Final = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
PATH: Final = b"/v1/webhooks/wire"
Exchange = Callable[[random.Random], list[bytes]]


def _request(body: bytes, *lines: bytes, path: bytes = PATH, length: bytes | None = None) -> bytes:
    size = str(len(body)).encode() if length is None else length
    head = [b"POST " + path + b" HTTP/1.1", b"Host: x", b"Content-Type: application/json", *lines]
    return b"\r\n".join([*head, b"Content-Length: " + size, b"", body])


def _payload(rng: random.Random) -> bytes:
    return junk.encoded(rng, rng.choice(PAYLOADS)[1])


def random_bytes(rng: random.Random) -> list[bytes]:
    return [rng.randbytes(rng.choice((1, 40, 4000))) + rng.choice((b"", b"\r\n\r\n"))]


def broken_request(rng: random.Random) -> list[bytes]:
    return [junk.broken(rng, _request(_payload(rng)))]


def lying_length(rng: random.Random) -> list[bytes]:
    length = rng.choice((b"0", b"1", b"-1", b"99999999999999999999", b"1e3", b"0x10", b"", b"+5", b"5, 6"))
    return [_request(_payload(rng), length=length)]


def two_lengths(rng: random.Random) -> list[bytes]:
    other = rng.choice(
        (b"Content-Length: 3", b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip, chunked")
    )
    return [_request(_payload(rng), other)]


def chunked(rng: random.Random) -> list[bytes]:
    head = _request(b"", b"Transfer-Encoding: chunked").replace(b"Content-Length: 0\r\n", b"")
    size = rng.choice((b"5", b"FFFFFFFFFFFFFFFFF", b"-1", b"0", b"g", b"5;a=" + b"x" * 5000, b""))
    return [head, size + b"\r\nhello\r\n", rng.choice((b"0\r\n\r\n", b"0\r\nX: y\r\n\r\n", b"", b"zz"))]


def huge_headers(rng: random.Random) -> list[bytes]:
    if rng.random() < 0.5:
        return [_request(b"{}", b"X: " + b"a" * rng.choice((9_000, 70_000, 300_000, 3_000_000)))]
    return [_request(b"{}", *(b"X-%d: y" % number for number in range(rng.choice((150, 5_000)))))]


def odd_headers(rng: random.Random) -> list[bytes]:
    line = rng.choice(
        (
            b"X: a\x00b",
            b"X : y",
            b" folded: y",
            b"X: a\r\n b",
            b": nameless",
            b"X\xff: y",
            b"X: \xff\xfe",
            b"Host: second",
            b"Expect: 100-continue",
            b"Expect: nonsense",
            b"Connection: Upgrade\r\nUpgrade: websocket",
            b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQC",
            b"X: y\nZ: only a line feed",
        )
    )
    return [_request(_payload(rng), line)]


def odd_line(rng: random.Random) -> list[bytes]:
    line = rng.choice(
        (
            b"POST /v1/webhooks/wire HTTP/9.9",
            b"POST /v1/webhooks/wire HTTP/1.0",
            b"POST /v1/webhooks/wire",
            b"POST  /v1/webhooks/wire  HTTP/1.1",
            b"POST http://elsewhere/v1/webhooks/wire HTTP/1.1",
            b"POST /v1/webhooks/\xff\xfe HTTP/1.1",
            b"POST /v1/webhooks/wire?\x80 HTTP/1.1",
            b"POST " + b"/a" * 50_000 + b" HTTP/1.1",
            b"CONNECT example.com:443 HTTP/1.1",
            b"PRI * HTTP/2.0",
            b"OPTIONS * HTTP/1.1",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        )
    )
    return [line + b"\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"]


def pipelined(rng: random.Random) -> list[bytes]:
    return [b"".join(_request(_payload(rng)) for _ in range(rng.choice((2, 9)))), rng.randbytes(9)]


def in_pieces(rng: random.Random) -> list[bytes]:
    whole = _request(_payload(rng))
    cuts = sorted(rng.sample(range(1, len(whole)), 6))
    return [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]


def never_finished(rng: random.Random) -> list[bytes]:
    whole = _request(_payload(rng))
    return [whole[: rng.randrange(1, len(whole))]]


def packed_bomb(rng: random.Random) -> list[bytes]:
    return [_request(junk.bomb("gzip", 50 * 1024 * 1024), b"Content-Encoding: gzip")]


EXCHANGES_OF: Final[tuple[Exchange, ...]] = (
    random_bytes,
    broken_request,
    lying_length,
    two_lengths,
    chunked,
    huge_headers,
    odd_headers,
    odd_line,
    pipelined,
    in_pieces,
    never_finished,
    packed_bomb,
)


async def exchange(port: int, parts: list[bytes], ends: bool = True) -> bytes:
    """What came back until the service closed the connection, or we had said everything and closed it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    told = b""
    try:
        with suppress(OSError):  # cut off in the middle of what it did not want to hear
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0)
            if ends:
                writer.write_eof()
            async with asyncio.timeout(ANSWER_S):
                while data := await reader.read(65_536):
                    told += data
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
    return told


def resident_mib(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 2**20


@pytest.fixture
async def port(ingest: Ingest, http: httpx.AsyncClient) -> AsyncIterator[int]:
    body = {"id": "wire", "vendor": "zendesk", "secrets": [SECRETS["zendesk"]]}
    assert (await http.post("/v1/sources", json=body)).status_code in (201, 409)
    yield httpx.URL(ingest.url).port or 80


async def test_nothing_on_the_wire_hangs_or_breaks_it(
    ingest: Ingest, http: httpx.AsyncClient, port: int
) -> None:
    seed = secrets.randbelow(1_000_000)
    await _many(port, seed, EXCHANGES // 4)
    warm = resident_mib(ingest.process.pid)
    await _many(port, seed + 1, EXCHANGES)
    assert resident_mib(ingest.process.pid) - warm < GROWTH_MIB
    assert ingest.process.poll() is None
    assert (await http.get("/livez")).status_code == 200
    assert "request failed" not in ingest.log.read_text()


async def _many(port: int, seed: int, count: int) -> None:
    numbers = iter(range(count))

    async def lane() -> None:
        for number in numbers:
            rng = random.Random(f"{seed}:{number}")
            made = rng.choice(EXCHANGES_OF)
            told = await exchange(port, made(rng))
            statuses = {int(found) for found in _STATUS.findall(told)}
            assert statuses <= ALLOWED, f"seed {seed}, {number}, {made.__name__}: {statuses} {told[:500]!r}"

    async with asyncio.TaskGroup() as tasks:
        for _ in range(AT_ONCE):
            tasks.create_task(lane())


@pytest.mark.slow
async def test_what_never_ends_is_answered_and_stops_nobody(http: httpx.AsyncClient, port: int) -> None:
    """Two hundred callers stop in the middle of a body, others in the head; others are served meanwhile."""
    async with AsyncExitStack() as stack:
        for _ in range(200):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            stack.callback(writer.close)
            writer.write(_request(b'{"half":', length=b"5000"))
            await writer.drain()
        request = sign("zendesk", b"{}", "another", at=datetime.now(UTC))
        answer = await http.post("/v1/webhooks/wire", content=request.body, headers=request.headers)
        assert answer.status_code == 401
        begun = [_request(b'{"half":', path=path, length=b"5000") for path in (PATH, b"/v1/sources")]
        begun += [b"", b"POST /v1/web", _request(b"")[:-2]]
        for told in await asyncio.gather(*(exchange(port, [one], ends=False) for one in begun)):
            assert _STATUS.findall(told) == [b"400"], told
