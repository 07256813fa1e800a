"""A small HTTP load generator: keep-alive connections, a bounded time, one process of its own."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

from tests.bench.report import percentile

WARM_S = 0.4
"""What the first connections cost, and the first batch sizes, belongs to nobody's rate."""


@dataclass(frozen=True)
class Load:
    """Requests, each connection beginning at another one, over `connections` for `seconds`."""

    port: int
    requests: tuple[bytes, ...]
    connections: int
    seconds: float


@dataclass
class Outcome:
    """Answers by status after the warm-up, 2xx per second, the middle and 99th percentile of their time
    in seconds. `answered` counts the warm-up's, too, as CPU time does."""

    answered: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    rate: float = 0.0
    p50_s: float = 0.0
    p99_s: float = 0.0


def http_request(path: str, headers: dict[str, str], body: bytes = b"", method: str = "POST") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "host: localhost", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def generate(load: Load) -> Outcome:
    """Runs the load in a process of its own, so that it shares no interpreter with what is measured."""
    here, there = multiprocessing.Pipe()
    child = multiprocessing.get_context("spawn").Process(target=_child, args=(load, there), daemon=True)
    child.start()
    there.close()
    try:
        if not here.poll(load.seconds + 60):
            raise TimeoutError("the load generator did not end")
        outcome: Outcome = here.recv()
    finally:
        child.kill()
        child.join(10)
    return outcome


def _child(load: Load, pipe: Connection) -> None:
    import uvloop

    pipe.send(uvloop.run(_generate(load)))


async def _generate(load: Load) -> Outcome:
    outcome, times = Outcome(), list[float]()
    began = time.perf_counter() + WARM_S
    until = began + load.seconds
    await asyncio.gather(
        *(_connection(load, n, (began, until), outcome, times) for n in range(load.connections))
    )
    took = time.perf_counter() - began
    times.sort()
    outcome.rate = len(times) / took
    outcome.p50_s, outcome.p99_s = percentile(times, 0.5), percentile(times, 0.99)
    return outcome


async def _connection(
    load: Load, number: int, span: tuple[float, float], outcome: Outcome, times: list[float]
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", load.port)
    while (start := time.perf_counter()) < span[1]:
        number += 1
        writer.write(load.requests[number % len(load.requests)])
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if length:
            await reader.readexactly(length)
        ended = time.perf_counter()
        outcome.answered += 1
        if ended > span[0]:
            status = int(head[9:12])
            outcome.statuses[status] += 1
            if 200 <= status < 300:
                times.append(ended - start)
    writer.close()
