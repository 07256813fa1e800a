"""`/v1/webhooks/{source}`: what senders push. A raw ASGI endpoint: verified on the bytes as they came."""

from __future__ import annotations

import hashlib
import uuid
from functools import cache
from typing import Final

import structlog
from starlette.types import Receive, Scope, Send

from services.ingest import metrics
from services.ingest.api import raw
from services.ingest.domain import pipeline
from services.ingest.domain.sender import Bad, Delivery, Sender, SourceConfig, Unsigned, Verdict
from services.ingest.domain.tokens import storable_headers, without_token
from services.ingest.intake import Intake, NotDurableError
from services.ingest.limits import Limits
from services.ingest.rejections import RejectedBook
from services.ingest.senders import senders
from services.ingest.sources import SourceBook, SourcesUnavailableError
from services.ingest.store.reach import DatabaseAwayError
from services.ingest.store.rejected import Rejected, Request
from shared.runtime.problem import Problem

log = structlog.get_logger()

ALLOWED: Final = "GET, HEAD, OPTIONS, POST, PUT, PATCH"
_VARYING: Final = ("timestamp", "attempt", "retry", "trace", "length", "date", "agent")
_DELIVERING: Final = frozenset(("POST", "PUT", "PATCH"))
_accepted_of: Final = cache(metrics.accepted.labels)  # one per vendor: the look-up costs more than the count
_REJECTED_IDS: Final = uuid.uuid5(uuid.NAMESPACE_URL, "https://cxloop.example/ids/rejected")


class Webhooks:
    """The ASGI application behind `/v1/webhooks/{source}`."""

    def __init__(
        self, book: SourceBook, intake: Intake, rejected: RejectedBook, limit: int, limits: Limits
    ) -> None:
        self._book = book
        self._intake = intake
        self._limits = limits
        self._rejected = rejected
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope["method"]
        if method in ("GET", "HEAD", "OPTIONS"):
            await _greet(scope, send)
            return
        if method not in _DELIVERING:
            raise Problem("method_not_allowed", f"send one of {ALLOWED}", headers={"allow": ALLOWED})
        await self._deliver(scope, receive, send)

    async def _deliver(self, scope: Scope, receive: Receive, send: Send) -> None:
        received_at = raw.now()
        source, sender = await self._source(scope["path_params"]["source"])
        packed = await raw.body_of(scope, receive, self._limit)
        headers = raw.headers_of(scope)
        delivery = Delivery(
            scope["method"],
            raw.path_and_query(scope),
            headers,
            raw.unpacked(packed, headers, self._limit),
            received_at,
        )
        _admit(pipeline.verdict_of(sender, delivery, source, packed), source, self._limits)
        self._limits.charge(source)
        reply = pipeline.handshake_of(sender, delivery, source)
        if reply is not None:
            await raw.answer(send, reply.status, reply.body, reply.content_type)
            return
        counts = await self.take(sender, delivery, source)
        await raw.answer_json(send, 202, counts)

    async def _source(self, source_id: str) -> tuple[SourceConfig, Sender]:
        try:
            source = await self._book.find(source_id)
        except SourcesUnavailableError:
            # Some senders switch a webhook off at the first 404, so it must be true.
            raise raw.unavailable("the list of sources cannot be read now; send it again") from None
        sender = senders().get(source.vendor) if source else None
        if source is None or sender is None:
            raise Problem("not_found", "there is no such source")
        return source, sender

    async def take(self, sender: Sender, delivery: Delivery, source: SourceConfig) -> dict[str, object]:
        """Publishes, keeps what was not understood, counts. Raises Problem unavailable."""
        found = pipeline.sort_delivery(sender, delivery, source)
        _count(found, source)
        try:
            await self._intake.keep(found.sealed)
            if found.rejected:
                await self._rejected.keep(_to_keep(found, delivery, source))
        except NotDurableError as error:
            raise raw.not_durable(error) from error
        except DatabaseAwayError as error:
            raise raw.unavailable("what was not understood could not be kept; send it again") from error
        return {
            "accepted": len(found.sealed),
            "rejected": found.rejected,
            "ignored": len(found.ignored),
            "ids": [one.event.id for one in found.sealed],
        }


def _admit(verdict: Verdict, source: SourceConfig, limits: Limits) -> None:
    """Raises Problem unauthorized with a reason that helps the operator and not the stranger."""
    match verdict:
        case Unsigned(header):
            metrics.refused.labels(source.vendor, "unsigned").inc()
            raise Problem("unauthorized", f"nothing authenticates this delivery: {header} is missing")
        case Bad(reason):
            metrics.refused.labels(source.vendor, "bad_signature").inc()
            raise limits.bad_signature(source, reason)


def _count(found: pipeline.Sorted, source: SourceConfig) -> None:
    if found.sealed:
        _accepted_of(source.vendor).inc(len(found.sealed))
    if found.ignored:
        metrics.ignored.labels(source.vendor).inc(len(found.ignored))
    if found.rejected:
        metrics.rejected.labels(source.vendor).inc(found.rejected)
        if found.faults:
            metrics.faults.labels(source.vendor).inc(found.faults)
        codes = sorted({one.code for one in found.reasons})
        log.warning("delivery not understood", source=source.id, vendor=source.vendor, codes=codes)


def _to_keep(found: pipeline.Sorted, delivery: Delivery, source: SourceConfig) -> Rejected:
    request = Request(delivery.method, without_token(delivery.path_and_query), storable_headers(delivery))
    return Rejected(
        id=_rejected_id(source, request, delivery.body),
        source=source.uri,
        received_at=delivery.received_at,
        reasons=found.reasons,
        body=delivery.body,
        request=request,
    )


def _rejected_id(source: SourceConfig, request: Request, body: bytes) -> uuid.UUID:
    """The same for a repeated delivery. Headers count, because some vendors tell the event only there."""
    digest = hashlib.sha256(body)
    for name, value in sorted(request.headers.items()):
        if not any(word in name for word in _VARYING):
            digest.update(f"\n{name}: {value}".encode("utf-8", "surrogatepass"))
    return uuid.uuid5(_REJECTED_IDS, f"{source.id}:{request.path_and_query}:{digest.hexdigest()}")


async def _greet(scope: Scope, send: Send) -> None:
    """GET, HEAD and OPTIONS of senders that try an address first; CloudEvents' abuse protection."""
    extra = {"allow": ALLOWED}
    headers = raw.headers_of(scope)
    origin = headers.get("webhook-request-origin")
    if origin is not None:
        extra |= {"webhook-allowed-origin": origin, "webhook-allowed-rate": "*"}
    body = b"" if scope["method"] in ("HEAD", "OPTIONS") else b"Webhooks are taken here by POST.\n"
    await raw.answer(send, 200, body, "text/plain; charset=utf-8", extra)
