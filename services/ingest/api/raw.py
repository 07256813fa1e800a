"""What the raw ASGI endpoints share: reading a body within its limits, unpacking it, answering."""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from starlette.types import Receive, Scope, Send

from services.ingest.intake import NotDurableError
from shared.runtime.deadline import Deadline
from shared.runtime.edge import read_body
from shared.runtime.problem import Problem

BODY_DEADLINE_S: Final = 30.0
RETRY_AFTER_S: Final = 10
TOO_LARGE: Final = 413
DISCARD_S: Final = 3.0
DISCARD_BYTES: Final = 16 * 1024 * 1024
_PLAIN: Final = frozenset(("", "identity"))
_JSON: Final = (b"content-type", b"application/json")
_GZIP: Final = frozenset(("gzip", "x-gzip"))


def now() -> datetime:
    """The receipt of a request: read once, at its beginning."""
    return datetime.now(UTC)


def headers_of(scope: Scope) -> dict[str, str]:
    """Lower-case names; repeated headers joined with a comma (RFC 9110, 5.3)."""
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


def path_and_query(scope: Scope) -> str:
    """As it stood in the request line."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode("utf-8", "surrogatepass")
    query: bytes = scope["query_string"]
    return (raw + (b"?" + query if query else b"")).decode("latin-1")


async def body_of(scope: Scope, receive: Receive, limit: int) -> bytes:
    """The body as sent. Raises Problem too_large, or invalid_request when it does not come to its end."""
    try:
        with Deadline(BODY_DEADLINE_S):
            return await read_body(scope, receive, limit)
    except TimeoutError:
        late = {"connection": "close"}
        raise Problem("invalid_request", "the body did not arrive in time", headers=late) from None
    except Problem as problem:
        if problem.status == TOO_LARGE:
            await _let_it_come(receive)
        raise


async def _let_it_come(receive: Receive) -> None:
    """Reads on and keeps nothing, within bounds: a caller that is still sending would otherwise find its
    connection reset, and never see why."""
    size = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DISCARD_S):
            while size < DISCARD_BYTES:
                message = await receive()
                size += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return


def unpacked(body: bytes, headers: Mapping[str, str], limit: int) -> bytes:
    """The body without its Content-Encoding.

    Raises Problem: too_large before more than `limit` bytes are held, whatever was packed into few;
    unsupported_media_type for an encoding that is not read here; invalid_request for broken gzip.
    """
    encoding = headers.get("content-encoding")
    if encoding is None or (encoding := encoding.strip().lower()) in _PLAIN:
        return body
    if encoding not in _GZIP:
        raise Problem(
            "unsupported_media_type", "bodies may be packed with gzip", headers={"accept-encoding": "gzip"}
        )
    reader = zlib.decompressobj(wbits=31)
    try:
        plain = reader.decompress(body, limit + 1)
    except zlib.error:
        raise Problem("invalid_request", "the body is no gzip") from None
    if len(plain) > limit:
        raise Problem("too_large", f"a body may have {limit} bytes at most, unpacked")
    if not reader.eof or reader.unused_data:
        raise Problem("invalid_request", "the body is no whole gzip")
    return plain


def unavailable(detail: str) -> Problem:
    """503 with a Retry-After that even impatient senders honour."""
    return Problem("unavailable", detail, headers={"retry-after": str(RETRY_AFTER_S)})


def not_durable(_error: NotDurableError) -> Problem:
    """The only 503 of a delivery whose source is known."""
    return unavailable("neither the bus nor the spool could take it; send it again")


async def answer_json(send: Send, status: int, document: Any) -> None:  # noqa: ANN401 - any JSON
    body = msgspec.json.encode(document)
    headers = [(b"content-length", b"%d" % len(body)), _JSON]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def answer(
    send: Send, status: int, body: bytes = b"", content_type: str = "", extra: Mapping[str, str] | None = None
) -> None:
    headers = [(b"content-length", b"%d" % len(body))]
    if content_type:
        headers.append((b"content-type", content_type.encode("latin-1")))
    headers += [(k.encode("latin-1"), v.encode("latin-1", "replace")) for k, v in (extra or {}).items()]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
