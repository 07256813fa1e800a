"""Requests to receivers, over guarded connections that are kept for the next one.

No proxy, no redirects, no cookies, no retries. The library's layer for one connection is used without the
pool above it: that asks each of its connections at each request, and costs more than the request does.
"""

from __future__ import annotations

import asyncio
import importlib.util
import ssl
import sys
import time
from contextlib import suppress
from typing import Final, NamedTuple

import httpcore
import httpx

from services.alerts.sending.guard import Guard, Resolve
from services.alerts.sending.wire import Wire

KEPT_S: Final = 30.0
KEPT: Final = 8
"""Idle connections to one receiver."""
SWEEP_S: Final = 10.0
LET_GO_BYTES: Final = 16_384
LET_GO_S: Final = 0.5
"""As much of an answer's body is read, so that its connection can be used again; a longer or slower one is
cut off. What it says does not matter."""
FAULTS: Final = (httpcore.NetworkError, httpcore.ProtocolError, OSError)

if importlib.util.find_spec("sniffio") is None:
    # The library looks for this optional module whenever it makes a lock. A module that is known to be
    # missing costs nothing; one that has to be looked for on disk costs half a millisecond.
    sys.modules["sniffio"] = None  # type: ignore[assignment]


class Answer(NamedTuple):
    """Head of an answer; names of headers as they came."""

    status: int
    headers: list[tuple[bytes, bytes]]

    def header(self, name: bytes) -> str | None:
        return next((value.decode("latin-1") for key, value in self.headers if key.lower() == name), None)


class _Receiver:
    """What is known of a URL, and its idle connections, the last used last."""

    def __init__(self, url: str) -> None:
        read = httpx.URL(url)
        if read.scheme not in ("http", "https") or not read.host:
            raise httpx.InvalidURL("no http or https URL")
        scheme, host = read.raw_scheme, read.raw_host
        self.url = httpcore.URL(scheme=scheme, host=host, port=read.port, target=read.raw_path)
        self.netloc = read.netloc
        self.idle: list[httpcore.AsyncHTTP11Connection] = []
        self.used = 0.0


class GuardedTransport:
    """How many connections there are is the caller's to bound: a bound here would let receivers that hang
    take the place of all others. `SSL_CERT_FILE` and `SSL_CERT_DIR` name other authorities to be trusted.
    """

    def __init__(self, guard: Guard, resolve: Resolve | None = None) -> None:
        self._guard = guard
        self._resolve = resolve
        self._tls = httpx.create_ssl_context()
        self._tls.set_alpn_protocols(["http/1.1"])
        self._receivers: dict[str, _Receiver] = {}
        self._swept = 0.0

    async def post(self, url: str, headers: dict[str, str], body: bytes, timeout_s: float) -> Answer:
        """The head of the answer, which has to come within `timeout_s`, whatever comes in the meantime.

        Raises Refused, TimeoutError, httpx.InvalidURL or UnicodeError, and FAULTS.
        """
        receiver = await self._receiver(url)
        request = httpcore.Request(
            b"POST",
            receiver.url,
            headers=[
                (b"host", receiver.netloc),
                *((name.encode(), value.encode()) for name, value in headers.items()),
                (b"content-length", b"%d" % len(body)),
            ],
            content=body,
        )
        async with asyncio.timeout(timeout_s):
            connection = await _idle(receiver) or await self._connect(receiver)
            response = await connection.handle_async_request(request)
        await _let_go(response)
        known = self._receivers.get(url) is receiver  # and was not swept away in the meantime
        if known and connection.is_idle() and len(receiver.idle) < KEPT:
            receiver.idle.append(connection)
        else:
            await connection.aclose()
        return Answer(response.status, response.headers)

    async def _receiver(self, url: str) -> _Receiver:
        receiver = self._receivers.get(url) or self._receivers.setdefault(url, _Receiver(url))
        receiver.used = now = time.monotonic()
        if now - self._swept > SWEEP_S:
            self._swept = now
            await self._sweep(now - KEPT_S)
        return receiver

    async def _connect(self, receiver: _Receiver) -> httpcore.AsyncHTTP11Connection:
        """To the first address that answers, of those that were checked; TLS still speaks to the name."""
        origin = receiver.url.origin
        tls, host = origin.scheme == b"https", origin.host.decode()
        failure: OSError | None = None
        for address in await self._guard.check(host, origin.port, self._resolve):
            try:
                _, wire = await asyncio.get_running_loop().create_connection(
                    Wire,
                    address,
                    origin.port,
                    ssl=self._tls if tls else None,
                    server_hostname=host if tls else None,
                )
                return httpcore.AsyncHTTP11Connection(origin, wire, KEPT_S)
            except ssl.SSLError:
                raise
            except OSError as error:
                failure = error
        raise failure or OSError("no address")

    async def _sweep(self, before: float) -> None:
        """Closes what was not used for long, and forgets receivers nobody wrote to."""
        for url, receiver in list(self._receivers.items()):
            expired = [one for one in receiver.idle if one.has_expired()]
            receiver.idle = [one for one in receiver.idle if one not in expired]
            if not receiver.idle and receiver.used < before:
                del self._receivers[url]
            for one in expired:
                await one.aclose()

    async def aclose(self) -> None:
        for receiver in self._receivers.values():
            while receiver.idle:
                await receiver.idle.pop().aclose()
        self._receivers.clear()


async def _idle(receiver: _Receiver) -> httpcore.AsyncHTTP11Connection | None:
    """One that can still be used, or None."""
    while receiver.idle:
        connection = receiver.idle.pop()
        if not connection.has_expired():
            return connection
        await connection.aclose()
    return None


async def _let_go(response: httpcore.Response) -> None:
    """The answer is known; its body is only in the way of the next one."""
    try:
        with suppress(*FAULTS):
            async with asyncio.timeout(LET_GO_S):
                taken = 0
                async for chunk in response.aiter_stream():
                    taken += len(chunk)
                    if taken > LET_GO_BYTES:
                        break
    finally:
        with suppress(*FAULTS):
            await response.aclose()
