"""Requests to receivers over kept connections, on both event loops: the product's own is not asyncio's."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpcore
import pytest
import uvloop

from services.alerts.sending.guard import Guard
from services.alerts.sending.transport import LET_GO_BYTES, Answer, GuardedTransport
from tests.faults.certificates import Authority

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nRetry-After: 7\r\n\r\nok"
Post = Callable[[], Awaitable[Answer]]


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Awaitable[None]], None]:
    def on_loop(work: Awaitable[None]) -> None:
        async def limited() -> None:
            async with asyncio.timeout(20):
                await work

        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(limited())

    return on_loop


class Receiver:
    """Says `answer` to each request, and `after` a moment later; counts connections."""

    def __init__(self, answer: bytes, after: bytes = b"") -> None:
        self.answer, self.after = answer, after
        self.requests: list[bytes] = []
        self.connections = 0
        self.closed = 0
        self.said = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.requests.append(head + await reader.readexactly(4))
                writer.write(self.answer)
                if self.after:
                    await asyncio.sleep(0.05)
                    writer.write(self.after)
                    self.after = b""
                    await writer.drain()
                    self.said.set()
        except (asyncio.IncompleteReadError, ConnectionError):
            self.closed += 1
        finally:
            writer.close()


@asynccontextmanager
async def told(
    receiver: Receiver, timeout_s: float = 10.0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Post]:
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=tls)
    url = f"http{'s' if tls else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}/a%20b?c=d"
    transport = GuardedTransport(Guard(["127.0.0.1"]))
    try:
        yield lambda: transport.post(url, {"webhook-id": "m"}, b"body", timeout_s)
    finally:
        await transport.aclose()
        server.close()


def test_connections_are_kept(run: Callable[[Awaitable[None]], None]) -> None:
    async def work() -> None:
        receiver = Receiver(OK)
        async with told(receiver) as post:
            answers = [await post() for _ in range(3)]
        assert [(one.status, one.header(b"retry-after")) for one in answers] == [(200, "7")] * 3
        assert receiver.connections == 1
        assert receiver.requests[0].startswith(b"POST /a%20b?c=d HTTP/1.1\r\n")
        assert b"host: 127.0.0.1:" in receiver.requests[0].lower()
        assert receiver.requests[0].endswith(b"content-length: 4\r\n\r\nbody")

    run(work())


def test_what_an_idle_connection_says_answers_nothing(run: Callable[[Awaitable[None]], None]) -> None:
    async def work() -> None:
        receiver = Receiver(OK, after=b"HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n")
        async with told(receiver) as post:
            assert (await post()).status == 200
            await receiver.said.wait()
            await asyncio.sleep(0.05)
            assert (await post()).status == 200
        assert receiver.connections == 2

    run(work())


@pytest.mark.parametrize("body", [b"x" * 4 * LET_GO_BYTES, b"x"], ids=["long", "unfinished"])
def test_an_answer_without_end_is_cut_off(run: Callable[[Awaitable[None]], None], body: bytes) -> None:
    async def work() -> None:
        receiver = Receiver(b"HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n" + body)
        async with told(receiver) as post:
            assert (await post()).status == 200
            assert (await post()).status == 200
            while receiver.closed < 2:
                await asyncio.sleep(0.01)
        assert receiver.connections == 2

    run(work())


def test_a_head_that_trickles_does_not_prolong_the_wait(run: Callable[[Awaitable[None]], None]) -> None:
    async def work() -> None:
        receiver = Receiver(b"HTTP/1.1 200 OK\r\n", after=b"x-more: 1\r\n")
        async with told(receiver, timeout_s=0.2) as post:
            with pytest.raises(TimeoutError):
                await post()
            while not receiver.closed:
                await asyncio.sleep(0.01)

    run(work())


def test_no_http_and_no_word(run: Callable[[Awaitable[None]], None]) -> None:
    async def work() -> None:
        async with told(Receiver(b"SSH-2.0-OpenSSH_9\r\n\r\n")) as post:
            with pytest.raises(httpcore.RemoteProtocolError):
                await post()

    run(work())


def test_tls_is_kept_too_and_proves_who_answers(
    run: Callable[[Awaitable[None]], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path / "trusted")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))

    def served_with(files: tuple[Path, Path]) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*files)
        return context

    async def work() -> None:
        good, other, unknown = Receiver(OK), Receiver(OK), Receiver(OK)
        async with told(good, tls=served_with(authority.issue("127.0.0.1"))) as post:
            assert [(await post()).status for _ in range(3)] == [200] * 3
        assert good.connections == 1
        async with told(other, tls=served_with(authority.issue("127.0.0.2"))) as post:
            with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
                await post()
        async with told(unknown, tls=served_with(authority.self_signed("127.0.0.1"))) as post:
            with pytest.raises(ssl.SSLCertVerificationError):
                await post()
        assert other.requests == unknown.requests == []

    run(work())
