"""A small HTTP load generator: keep-alive connections, a bounded time, one process of its own."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection


@dataclass(frozen=True)
class Load:
    """One request, repeated over `connections` for `seconds`."""

    port: int
    request: bytes
    connections: int
    seconds: float


@dataclass(frozen=True)
class Outcome:
    """Requests answered 2xx, others, per second, and the 99th percentile of their time in seconds."""

    good: int
    bad: int
    rate: float
    p99_s: float


def http_request(path: str, headers: dict[str, str], body: bytes, method: str = "POST") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "host: localhost", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def generate(load: Load) -> Outcome:
    """Runs the load in a process of its own, so that it shares no interpreter with what is measured."""
    here, there = multiprocessing.Pipe()
    child = multiprocessing.get_context("spawn").Process(target=_child, args=(load, there), daemon=True)
    child.start()
    if not here.poll(load.seconds + 60):
        child.kill()
        raise TimeoutError("the load generator did not end")
    outcome: Outcome = here.recv()
    child.join(10)
    return outcome


def _child(load: Load, pipe: Connection) -> None:
    import uvloop

    pipe.send(uvloop.run(_generate(load)))


async def _generate(load: Load) -> Outcome:
    times: list[float] = []
    bad = [0]
    started = time.perf_counter()
    until = started + load.seconds
    await asyncio.gather(*(_connection(load, until, times, bad) for _ in range(load.connections)))
    took = time.perf_counter() - started
    times.sort()
    p99 = times[int(len(times) * 0.99)] if times else 0.0
    return Outcome(len(times), bad[0], len(times) / took, p99)


async def _connection(load: Load, until: float, times: list[float], bad: list[int]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", load.port)
    while (start := time.perf_counter()) < until:
        writer.write(load.request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if length:
            await reader.readexactly(length)
        if head[9:10] == b"2":
            times.append(time.perf_counter() - start)
        else:
            bad[0] += 1
    writer.close()
