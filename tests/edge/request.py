"""A request as a stranger makes it, and how an ASGI application answers it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

from starlette.types import ASGIApp, Message

from shared.runtime.problem import CONTENT_TYPE, ProblemCode

DEADLINE_S: Final = 60.0
"""Nothing waits so long: the longest deadline of a request is that for its body."""
Headers = Iterable[tuple[bytes, bytes]]
_TYPES: Final = frozenset(f"/problems/{code.name}" for code in ProblemCode)


class Hostile(NamedTuple):
    """`target`: path and query as in the request line. `whole`: False when the caller goes away."""

    method: str
    target: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""
    pieces: int = 1
    whole: bool = True

    def shown(self) -> str:
        """Enough to make the request again."""
        heads = "\n".join(f"  {name!r}: {value[:300]!r}" for name, value in self.headers)
        body = f"  body {len(self.body)} bytes: {self.body[:900]!r}"
        return f"{self.method} {self.target[:600]!r}\n{heads}\n{body}"


class Answer(NamedTuple):
    """Status, headers by lower-case name, body."""

    status: int
    headers: dict[str, str]
    body: bytes

    def faults(self, method: str) -> list[str]:
        """What breaks the promises that hold for every answer."""
        if self.status >= 500:
            return [f"status {self.status}: {self.body[:300]!r}"]
        kind = self.headers.get("content-type", "")
        found = []
        if self.status >= 400 and method != "HEAD":
            if kind != CONTENT_TYPE:
                return [f"{self.status} as {kind!r}"]
            document = json.loads(self.body)
            if document["type"] not in _TYPES or document["status"] != self.status or not document["detail"]:
                found.append(f"no problem: {self.body[:300]!r}")
        elif kind == "application/json":
            json.loads(self.body)
        if (
            self.headers.get("content-length", str(len(self.body))) != str(len(self.body))
            and method != "HEAD"
        ):
            found.append("a content-length that lies")
        return found


async def call(app: ASGIApp, request: Hostile) -> Answer:
    """The answer of `app`, called the way its server calls it. Raises TimeoutError when it hangs."""
    raw_path, _, query = request.target.partition(b"?")
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": unquote(raw_path.decode("ascii")),
        "raw_path": raw_path,
        "query_string": query,
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in request.headers],
        "client": ("127.0.0.1", 5),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
    sent: list[Message] = []
    pieces = _pieces(request)
    gone = asyncio.Event()

    async def receive() -> Message:
        if pieces:
            return pieces.pop(0)
        if request.whole:
            await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    async with asyncio.timeout(DEADLINE_S):
        await app(scope, receive, send)
    assert sent, "no answer at all"
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent[1:]))


def _pieces(request: Hostile) -> list[Message]:
    size = max(1, -(-len(request.body) // request.pieces))
    parts = [request.body[at : at + size] for at in range(0, len(request.body), size)] or [b""]
    found: list[Message] = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    if request.whole:
        found[-1]["more_body"] = False
    return found
