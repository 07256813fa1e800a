"""Receivers that speak bytes and misbehave at will, on real sockets."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Self

from tests.integration.alerts.conftest import Service, now, until
from tests.unit.alerts.builders import answer, change, scores

Behave = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
PATIENCE_S = 90.0


class RawReceiver:
    """Reads each request, notes its `webhook-id`, and leaves the answer to `behave`.

    `shown` is what its people see: every id once, however often it came.
    """

    def __init__(
        self, behave: Behave, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        self.behave = behave
        self.connections = 0
        self.ids: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.port = 0
        self._where = (host, port)
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[Any]] = set()

    @property
    def shown(self) -> set[str]:
        return set(self.ids)

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self._where[0]}:{self.port}/hook"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        task.add_done_callback(self._open.discard)
        self.connections += 1
        try:
            while True:
                await self._request(reader)
                await self.behave(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _request(self, reader: asyncio.StreamReader) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")[1:]
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        await reader.readexactly(int(headers.get("content-length", "0")))
        self.headers.append(headers)
        self.ids.append(headers.get("webhook-id", ""))

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, *self._where, ssl=self._tls, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._open:
            task.cancel()
        if self._open:
            await asyncio.wait(self._open, timeout=10)


def answering(raw: bytes) -> Behave:
    """Sends these bytes and waits for the next request."""

    async def behave(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()

    return behave


def status(code: int, *headers: str) -> Behave:
    """An empty answer."""
    lines = [f"HTTP/1.1 {code} Said", "content-length: 0", *headers, "", ""]
    return answering("\r\n".join(lines).encode())


def then_cut(raw: bytes) -> Behave:
    """Sends these bytes and resets the connection."""

    async def behave(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()
        plug: socket.socket = writer.get_extra_info("socket")
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        writer.transport.abort()

    return behave


def trickle(raw: bytes, pause_s: float) -> Behave:
    """A byte at a time, for ever."""

    async def behave(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        position = 0
        while True:
            writer.write(raw[position : position + 1] or b"x")
            await writer.drain()
            position += 1
            await asyncio.sleep(pause_s)

    return behave


def pour(head: bytes, told: Counter[str]) -> Behave:
    """An answer without end, as fast as it is read; `told["bytes"]` counts what was taken."""

    async def behave(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(b"x" * 65_536)
            await writer.drain()
            told["bytes"] += 65_536

    return behave


def hang() -> Behave:
    """Takes the request and never answers; ends when the other side goes away."""

    async def behave(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            await reader.read()
        raise ConnectionResetError

    return behave


async def opened(service: Service, customer: str, region: str) -> str:
    """A new alert of a new customer of the region; its id."""
    given = answer("a-" + customer, 2, when=now())
    await service.tell(change(1, scores(), scores(), customer, events=(given,), region=region))
    return str((await service.alert(customer))["id"])


async def council(service: Service, name: str) -> str:
    """A council of its own region, so that tests do not hear each other."""
    await service.post("/v1/councils", {"id": name, "name": name, "scope": {"region": [name]}}, 201)
    return name


async def endpoint(service: Service, name: str, **body: Any) -> dict[str, Any]:  # noqa: ANN401 - a body
    made: dict[str, Any] = await service.post("/v1/endpoints", {"id": name, "kind": "webhook"} | body, 201)
    return made


async def row_of(service: Service, delivery: str) -> dict[str, Any]:
    row: dict[str, Any] = await service.get(f"/v1/deliveries/{delivery}")
    return row


async def told_to(service: Service, name: str) -> str:
    """A delivery of its own to one endpoint; its id."""
    return str((await service.post(f"/v1/endpoints/{name}/test", {}, 202))["id"])


async def after_attempt(service: Service, delivery: str, count: int = 1) -> dict[str, Any]:
    """The delivery as the list shows it, once it was tried `count` times."""

    async def look() -> dict[str, Any] | None:
        row = await row_of(service, delivery)
        return row if len(row["attempts"]) >= count else None

    row: dict[str, Any] = await until(look, PATIENCE_S)
    return row


async def hasten(service: Service, delivery: str) -> float:
    """The next attempt is due now. Returns how long it would have waited, in seconds."""
    rows = await service.sql(
        "UPDATE alerts.delivery d SET next_at = now() FROM alerts.delivery o WHERE o.id = d.id"
        " AND d.id = $1 RETURNING extract(epoch FROM o.next_at - now())::float AS s",
        delivery,
    )
    return float(rows[0]["s"])
