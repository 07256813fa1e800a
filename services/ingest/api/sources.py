"""`/v1/sources`: who may deliver, and what the operator switches on at the vendor's."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request, Response
from sqlalchemy.ext.asyncio import AsyncEngine

from services.ingest.api import raw
from services.ingest.api.models import SourceChange, SourceIn, SourceOut
from services.ingest.domain import sourcecheck as check
from services.ingest.domain.sender import Sender
from services.ingest.senders import senders
from services.ingest.sources import SourceBook
from services.ingest.store import sources as store
from services.ingest.store.reach import connection
from shared.events.rejections import Reason
from shared.runtime.auth import Scope, require
from shared.runtime.pagination import Cursor, Limit, Page, decode_cursor, encode_cursor
from shared.runtime.problem import Problem, Where

router = APIRouter(tags=["sources"])
DEADLINE_S = 5.0


@router.post("/v1/sources", status_code=201, dependencies=[require(Scope.admin)])
async def create_source(body: SourceIn, request: Request) -> SourceOut:
    """Makes a source; its address works on return. The answer says what to do at the vendor's."""
    known = senders()
    reasons = check.id_reasons(body.id) + check.vendor_reasons(body.vendor, known)
    sender = known.get(body.vendor)
    auth = body.auth or (sender.auth[0] if sender else "signature")
    if sender:
        reasons += check.auth_reasons(auth, sender)
    settings = body.settings | ({"customers_are": body.customers_are} if body.customers_are else {})
    reasons += check.secret_reasons(body.secrets)
    reasons += check.default_reasons(body.defaults) + check.setting_reasons(settings)
    _refuse(reasons)
    book, engine, now = _book(request), _engine(request), raw.now()
    row = store.SourceRow(
        body.id, body.vendor, auth, book.sealed(tuple(body.secrets)), body.defaults, settings, now, now
    )
    async with connection(engine, DEADLINE_S) as conn:
        if not await store.insert(conn, row):
            raise Problem("conflict", "there is a source of this id already; PATCH changes it")
    await book.refresh()
    return _shown(row, request)


@router.get("/v1/sources", dependencies=[require(Scope.read)])
async def list_sources(request: Request, limit: Limit = 50, cursor: Cursor = None) -> Page[SourceOut]:
    """All sources, by id."""
    after = str(decode_cursor(cursor).get("id", "")) if cursor else ""
    async with connection(_engine(request), DEADLINE_S) as conn:
        _, rows = await store.read_all(conn)
    later = [row for row in rows if row.id > after]
    more = encode_cursor({"id": later[limit - 1].id}) if len(later) > limit else None
    return Page(items=[_shown(row, request) for row in later[:limit]], next=more)


@router.get("/v1/sources/{source_id}", dependencies=[require(Scope.read)])
async def get_source(source_id: str, request: Request) -> SourceOut:
    """One source and what to do at the vendor's."""
    return _shown(await _row(source_id, request), request)


@router.patch("/v1/sources/{source_id}", dependencies=[require(Scope.admin)])
async def change_source(source_id: str, body: SourceChange, request: Request) -> SourceOut:
    """Replaces secrets, defaults, settings or the way to authenticate; other replicas follow in a second."""
    row = await _row(source_id, request)
    sender = senders().get(row.vendor)
    settings = dict(row.settings if body.settings is None else body.settings)
    if body.customers_are:
        settings["customers_are"] = body.customers_are
    reasons = check.default_reasons(body.defaults or {}) + check.setting_reasons(settings)
    if body.secrets is not None:
        reasons += check.secret_reasons(body.secrets)
    if body.auth is not None and sender:
        reasons += check.auth_reasons(body.auth, sender)
    _refuse(reasons)
    changed = row._replace(
        auth=body.auth or row.auth,
        secrets=row.secrets if body.secrets is None else _book(request).sealed(tuple(body.secrets)),
        defaults=row.defaults if body.defaults is None else body.defaults,
        settings=settings,
        updated_at=_later(row.updated_at),
    )
    async with connection(_engine(request), DEADLINE_S) as conn:
        if not await store.update(conn, changed):
            raise Problem("not_found", "there is no such source")
    await _book(request).refresh()
    return _shown(changed, request)


@router.delete("/v1/sources/{source_id}", status_code=204, dependencies=[require(Scope.admin)])
async def delete_source(source_id: str, request: Request) -> Response:
    """Its deliveries are answered 404 from now on; what it told stays."""
    async with connection(_engine(request), DEADLINE_S) as conn:
        if not await store.delete(conn, source_id):
            raise Problem("not_found", "there is no such source")
    await _book(request).refresh()
    return Response(status_code=204)


async def _row(source_id: str, request: Request) -> store.SourceRow:
    async with connection(_engine(request), DEADLINE_S) as conn:
        row = await store.get(conn, source_id)
    if row is None:
        raise Problem("not_found", "there is no such source")
    return row


def _refuse(reasons: list[Reason]) -> None:
    if reasons:
        errors = [Where(one.where, one.why) for one in reasons]
        raise Problem("invalid_request", f"{errors[0].where}: {errors[0].why}", errors)


def _shown(row: store.SourceRow, request: Request) -> SourceOut:
    base = (request.app.state.settings.public_url or str(request.base_url)).rstrip("/")
    url = f"{base}/v1/webhooks/{row.id}" + ("/{secret}" if row.auth == "path" else "")
    sender = senders().get(row.vendor)
    return SourceOut(
        id=row.id,
        vendor=row.vendor,
        url=url,
        auth=row.auth,
        secrets_active=len(row.secrets),
        defaults=row.defaults,
        settings=dict(row.settings) | (_setup(sender, url) if sender else {}),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _setup(sender: Sender, url: str) -> dict[str, Any]:
    return {
        "url": url,
        "where": sender.setup.where,
        "switch_on": list(sender.setup.switch_on),
        "secret": sender.setup.secret,
        "notes": list(sender.setup.notes),
    }


def _later(before: datetime) -> datetime:
    """Now, but never before the last change, whatever the clock does."""
    return max(before, raw.now())


def _book(request: Request) -> SourceBook:
    book: SourceBook = request.app.state.sources
    return book


def _engine(request: Request) -> AsyncEngine:
    engine: AsyncEngine = request.app.state.engine
    return engine
