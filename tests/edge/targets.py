"""What tests of outgoing calls share: a server that must not be reached, a resolver that is told."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

import pytest

from services.alerts.domain.retry import Result
from services.alerts.sending import webhook
from services.alerts.sending.guard import Guard
from services.alerts.sending.transport import GuardedTransport

SECRET: Final = "whsec_" + "QUJD" * 8


class Listener(NamedTuple):
    """A server on this machine that must not be reached, and how often it was."""

    port: int
    reached: list[bytes]


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    reached: list[bytes] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.append(await reader.read(100))
        writer.write(b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    made = socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True) if _has_ipv6() else None
    made = made or socket.create_server(("127.0.0.1", 0))
    async with await asyncio.start_server(take, sock=made) as server:
        yield Listener(server.sockets[0].getsockname()[1], reached)


def _has_ipv6() -> bool:
    return socket.has_dualstack_ipv6()


async def deliver(url: str, guard: Guard, resolve: object = None) -> Result:
    transport = GuardedTransport(guard, resolve)  # type: ignore[arg-type]
    try:
        return await webhook.send(transport, url, "msg_1", (SECRET,), b"{}", datetime.now(UTC), 10.0)
    finally:
        await transport.aclose()


def answers(*found: Sequence[str]) -> object:
    """A resolver that says one thing after another, the last for ever."""
    told = list(found)

    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return told.pop(0) if len(told) > 1 else told[0]

    return resolve
