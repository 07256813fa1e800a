"""`python -m tests.bench.contenders.receiver PORT`: a receiver of webhooks that answers at once.

`/hang…` never answers. `GET /count` says how many others came; `GET /seen` gives when (seconds since the
epoch) each address in the alerts' bodies was first told, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time

import uvloop

_EMAIL = re.compile(rb'"email:([^"]+)"')
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
HOSTS = ["127.0.0.1", *(f"127.0.1.{n}" for n in range(1, 201))]
"""Many receivers are many hosts."""
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


class Receiver:
    """Counts what comes."""

    def __init__(self) -> None:
        self.count = 0
        self.seen: dict[str, float] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = _LENGTH.search(head)
                body = await reader.readexactly(int(length[1])) if length else b""
                await self.answer(head.split(b" ", 2)[1], body, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def answer(self, path: bytes, body: bytes, writer: asyncio.StreamWriter) -> None:
        if path.startswith(b"/hang"):
            await asyncio.sleep(3600)
        if path in (b"/count", b"/seen", b"/readyz"):
            text = json.dumps(self.count if path == b"/count" else self.seen).encode()
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(text), text))
            return
        self.count += 1
        for email in _EMAIL.findall(body):
            self.seen.setdefault(email.decode(), time.time())
        writer.write(OK)


async def main() -> None:
    server = await asyncio.start_server(Receiver().serve, HOSTS, int(sys.argv[1]))
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
