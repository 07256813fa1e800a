"""Real receivers: an HTTP server that verifies signatures, and a mail server."""

# ruff: noqa: ARG002 - names and arguments are those the library calls

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, Self

import uvicorn
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from standardwebhooks import Webhook
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

Answer = Callable[[Request], Response]


class WebhookReceiver:
    """Keeps what comes and answers with what `answers` holds next, else 204."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[Response] = []
        self.hang = asyncio.Event()
        self.hang.set()
        config = uvicorn.Config(
            self._app,
            host="127.0.0.1",
            port=0,
            interface="asgi3",
            lifespan="off",
            log_level="critical",
            ws="none",
        )
        self._server = uvicorn.Server(config)
        self._task: asyncio.Task[None] | None = None

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = await request.body()
        self.requests.append((dict(request.headers), body))
        await self.hang.wait()
        answer = self.answers.pop(0) if self.answers else Response(status_code=204)
        await answer(scope, receive, send)

    async def __aenter__(self) -> Self:
        self._task = asyncio.get_running_loop().create_task(self._server.serve())
        async with asyncio.timeout(10):
            while not self._server.started:
                await asyncio.sleep(0.01)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.hang.set()
        self._server.should_exit = True
        self._server.force_exit = True
        assert self._task is not None
        await asyncio.wait_for(self._task, 10)

    @property
    def url(self) -> str:
        port = self._server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}/hook"

    def verified(self, secret: str) -> list[tuple[str, dict[str, Any]]]:
        """What came with a good signature: (webhook-id, CloudEvent)."""
        found = []
        for headers, body in self.requests:
            Webhook(secret).verify(body, headers)
            found.append((headers["webhook-id"], json.loads(body)))
        return found

    def of(self, alert: str) -> list[dict[str, Any]]:
        """CloudEvents about one alert, in the order they came."""
        events = [json.loads(body) for _, body in self.requests]
        return [event for event in events if event.get("subject") == alert]


class MailBox:
    """A mail server on loopback. `refuse`: answer to the receiver's name, for failures."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.refuse: str | None = None
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)

    async def handle_RCPT(  # noqa: N802 - the name the library asks for
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.refuse is not None:
            return self.refuse
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.mails.append(message)
        return "250 OK"

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"
