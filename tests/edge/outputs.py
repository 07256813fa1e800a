"""What comes out of the services, gathered and searched; and the failures that make it interesting."""

from __future__ import annotations

import re
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from shared.bus.topics import REJECTED, TOPICS, ensure_topics
from tests.edge import canaries as c


class Output:
    """Everything that came out: where, and what."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.shown: list[tuple[str, str]] = []

    def answer(self, response: httpx.Response) -> httpx.Response:
        """An error may tell neither secrets nor persons; any other answer no secrets."""
        text = f"{response.headers} {response.text}"
        where = f"{response.request.method} {response.request.url.path} {response.status_code}"
        (self.told if response.status_code >= 400 else self.shown).append((where, text))
        return response

    def findings(self) -> list[str]:
        found = [(place, text, c.NOT_ANYWHERE) for place, text in self.told + self.shown]
        found += [(place, text, c.NOT_TOLD) for place, text in self.told]
        return [f"{place}: …{_around(match, text)}…" for place, text, p in found if (match := p.search(text))]


def _around(match: re.Match[str], text: str) -> str:
    return text[max(0, match.start() - 200) : match.end() + 60]


@contextmanager
def failing_receiver() -> Iterator[str]:
    """Says 500, with more in its answer than anybody should repeat."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", "0")))
            body = f"{c.SECRET} {c.PERSON}".encode()
            self.send_response(500)
            self.send_header("content-length", str(len(body)))
            self.send_header("x-told", c.SECRET)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def with_password(url: str) -> str:
    """The same address with a password in it, unless it has one."""
    parts = urlsplit(url)
    if parts.password is not None:
        return url
    user, at, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user}:{c.DATABASE_PASSWORD}@{host}" if at else parts.netloc))


@asynccontextmanager
async def database_away(url: str) -> AsyncIterator[None]:
    """Nobody can connect, and everybody who was is cut off."""
    name = urlsplit(url).path.lstrip("/")
    connection = await asyncpg.connect(url.replace(f"/{name}", "/postgres", 1), timeout=10)
    try:
        await connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name
        )
        yield
    finally:
        await connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        await connection.close()


@asynccontextmanager
async def records_since_now(kafka: str) -> AsyncIterator[Callable[[], AsyncIterator[ConsumerRecord]]]:
    """A reader of everything on the product's topics that comes after this moment."""
    async with AsyncExitStack() as stack:
        await ensure_topics(kafka, TOPICS)
        consumer = AIOKafkaConsumer(bootstrap_servers=kafka, enable_auto_commit=False)
        await consumer.start()
        stack.push_async_callback(consumer.stop)
        places = [TopicPartition(spec.name, number) for spec in TOPICS for number in range(spec.partitions)]
        consumer.assign(places)
        for place, offset in (await consumer.end_offsets(places)).items():
            consumer.seek(place, offset)

        async def read() -> AsyncIterator[ConsumerRecord]:
            for place, end in (await consumer.end_offsets(places)).items():
                while await consumer.position(place) < end:
                    for found in (await consumer.getmany(place, timeout_ms=500)).values():
                        for record in found:
                            yield record

        yield read


def search_record(record: ConsumerRecord, out: Output) -> None:
    """Keys and headers are for everybody who runs the bus; values have persons in them, but no cards."""
    if record.key == b"poison":
        return
    out.told.append((f"{record.topic} headers", f"{record.key!r} {record.headers!r}"))
    value = (record.value or b"").decode("utf-8", "replace")
    out.shown.append((f"{record.topic} value", value))
    if record.topic != REJECTED and c.PERSON in value and c.NO_CARD.search(value):
        out.told.append((f"{record.topic} value with a card", value))
