"""Real receivers: an HTTP endpoint that verifies what it gets, and a real SMTP server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from standardwebhooks import Webhook, WebhookVerificationError

from tests.e2e.loop import free_ports


@dataclass
class Hook:
    """What arrived, verified with the secret as soon as it is known."""

    url: str = ""
    secret: str = ""
    taken: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    forged: list[str] = field(default_factory=list)
    """Why a signature was wrong when it arrived; a verifier refuses what is older than five minutes."""

    def take(self, headers: dict[str, str], body: bytes) -> None:
        self.taken.append((headers, body))
        if self.secret:
            try:
                Webhook(self.secret).verify(body, headers)
            except WebhookVerificationError as error:
                self.forged.append(str(error))

    def alerts(self) -> list[dict[str, Any]]:
        """Verified CloudEvents, in order of arrival. Raises if a signature is wrong."""
        for headers, body in self.taken:
            Webhook(self.secret).verify(body, headers)
        return [json.loads(body) for _, body in self.taken]


@contextmanager
def http_receiver() -> Iterator[Hook]:
    hook = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            hook.take({k.lower(): v for k, v in self.headers.items()}, body)
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hook.url = f"http://127.0.0.1:{server.server_address[1]}/alerts"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield hook
    server.shutdown()
    server.server_close()
    thread.join(5)


@dataclass
class Mailbox:
    url: str = ""
    mails: list[str] = field(default_factory=list)


@contextmanager
def smtp_server() -> Iterator[Mailbox]:
    box = Mailbox()

    class Handler:
        async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
            content = envelope.content or b""
            box.mails.append(content.decode() if isinstance(content, bytes) else content)
            return "250 taken"

    (port,) = free_ports(1)  # the controller calls itself at the port it was given, so 0 will not do
    controller = Controller(Handler(), hostname="127.0.0.1", port=port)
    controller.start()
    box.url = f"smtp://127.0.0.1:{port}"
    yield box
    controller.stop()
