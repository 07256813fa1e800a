"""References for the HTTP edge, each the shortest honest program.

`python -m tests.bench.references ceiling|idiomatic PORT`
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from aiokafka import AIOKafkaProducer
from fastapi import FastAPI, HTTPException, Request, Response
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

TOPIC = "cx.feedback.v1"
SECRET = b"bench"
VALUE_BYTES = int(os.environ.get("BENCH_VALUE_BYTES", "0"))
TRACE = [("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")]


def producer(**settings: Any) -> AIOKafkaProducer:  # noqa: ANN401
    return AIOKafkaProducer(
        bootstrap_servers=os.environ["KAFKA_BOOTSTRAP_SERVERS"],
        acks="all",
        enable_idempotence=True,
        **settings,
    )


class Ceiling:
    """Raw ASGI and the client, nothing else: what one process can do at most.

    The path is the record's key; the value has the size of ingest's, which is a little less than the body.
    """

    def __init__(self) -> None:
        self.slots = asyncio.Semaphore(256)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.lifespan(receive, send)
            return
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        async with self.slots:
            value, key = body[:VALUE_BYTES], scope["path"][1:].encode()
            await (await self.client.send(TOPIC, value, key, headers=TRACE))
        headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 202, "headers": headers})
        await send({"type": "http.response.body", "body": b"{}"})

    async def lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        self.client = producer(linger_ms=2, max_batch_size=1 << 20)
        await self.client.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.client.stop()
        await send({"type": "lifespan.shutdown.complete"})


class Ticket(BaseModel):
    """What an idiomatic service declares of a help desk's event."""

    id: str
    type: str
    time: str
    subject: str
    account_id: int
    detail: dict[str, Any]
    event: dict[str, Any]


def idiomatic() -> FastAPI:
    """FastAPI, a pydantic body, one `@app.middleware`, `send_and_wait`: as tutorials show it."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> Any:  # noqa: ANN401
        app.state.producer = producer()
        await app.state.producer.start()
        yield
        await app.state.producer.stop()

    app = FastAPI(lifespan=lifespan)

    @app.middleware("http")
    async def count(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await call_next(request)
        response.headers["x-served-by"] = "idiomatic"
        return response

    @app.post("/hook", status_code=202)
    async def hook(ticket: Ticket, request: Request) -> dict[str, str]:
        given = request.headers.get("x-signature", "")
        if not hmac.compare_digest(hmac.new(SECRET, await request.body(), hashlib.sha256).hexdigest(), given):
            raise HTTPException(401)
        value, key = ticket.model_dump_json().encode(), ticket.detail["requester_id"].encode()
        await request.app.state.producer.send_and_wait(TOPIC, value, key)
        return {"id": ticket.id}

    return app


def main() -> None:
    name, port = sys.argv[1:]
    app: Any = Ceiling() if name == "ceiling" else idiomatic()
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(port),
        loop="uvloop",
        http="httptools",
        log_level="warning",
        access_log=False,
    )


if __name__ == "__main__":
    main()
