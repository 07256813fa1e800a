"""`/v1/customers`, `/v1/accounts`: lists, and all that is known of one besides what happened."""

from __future__ import annotations

import hashlib
import uuid
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Query, Request

from services.scoring.api.access import Who, connection, engine, packed, under_both
from services.scoring.api.models import CustomerItem, CustomerOut
from services.scoring.api.scores import current, instant, shown
from services.scoring.domain.attributes import Attributes
from services.scoring.domain.numbers import NANO
from services.scoring.store import identities, lists
from services.scoring.store.lists import Filters, Listed
from services.scoring.store.types import Conn
from shared.events.identifiers import is_organisation
from shared.events.scores import Scores
from shared.runtime.auth import Scope, require
from shared.runtime.pagination import (
    MAX_LIMIT,
    Cursor,
    Limit,
    Page,
    bad_cursor,
    decode_cursor,
    encode_cursor,
)
from shared.runtime.problem import Problem, Where

router = APIRouter(tags=["customers"], dependencies=[require(Scope.read)])

Sort = Literal["-risk", "health", "-value_at_risk"]
Text = Annotated[str | None, Query(max_length=600)]
Band = Literal["poor", "fair", "good", "excellent", "low", "elevated", "high", "unknown"]
PINNED = 10_000
"""As many of a list are kept in the order in which its first page saw them."""
_scores = msgspec.json.Decoder(Scores)


@router.get("/v1/customers", response_model_exclude_unset=True)
async def list_customers(
    request: Request,
    band: Annotated[Band | None, Query(description="Band of health or of risk.")] = None,
    region: Text = None,
    persona: Text = None,
    account: Annotated[
        str | None, Query(max_length=600, description="Id of the account, or the company's own id for it.")
    ] = None,
    owner: Text = None,
    risk_min: Annotated[float | None, Query(ge=0, le=1)] = None,
    q: Annotated[str | None, Query(max_length=200, description="Part of a name or an identifier.")] = None,
    sort: Sort = "-risk",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[CustomerItem]:
    """Customers, those at risk first."""
    least = None if risk_min is None else round(risk_min * NANO)
    filters = Filters(band=band, region=region, persona=persona, owner=owner, risk_min=least, q=q)
    async with connection(request) as conn:
        accounts = None if account is None else await _leaves(conn, account)
        return await _page(conn, filters._replace(accounts=accounts), sort, limit, cursor)


@router.get("/v1/accounts", response_model_exclude_unset=True)
async def list_accounts(
    request: Request,
    band: Annotated[Band | None, Query(description="Band of health or of risk.")] = None,
    region: Text = None,
    owner: Text = None,
    risk_min: Annotated[float | None, Query(ge=0, le=1)] = None,
    q: Annotated[str | None, Query(max_length=200, description="Part of a name or an identifier.")] = None,
    sort: Sort = "-risk",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[CustomerItem]:
    """Accounts, those at risk first."""
    least = None if risk_min is None else round(risk_min * NANO)
    filters = Filters(organisation=True, band=band, region=region, owner=owner, risk_min=least, q=q)
    async with connection(request) as conn:
        return await _page(conn, filters, sort, limit, cursor)


@router.get("/v1/accounts/{account_id}/customers", response_model_exclude_unset=True)
async def account_customers(
    account_id: str, request: Request, sort: Sort = "-risk", limit: Limit = 50, cursor: Cursor = None
) -> Page[CustomerItem]:
    """The people of an account."""
    async with connection(request) as conn:
        row = await packed(conn, Who(account_id, organisation=True))
        leaves = [node.id for node in await identities.nodes(conn, [row.id])]
        return await _page(conn, Filters(accounts=leaves), sort, limit, cursor)


@under_both(router, "", response_model=CustomerOut, response_model_exclude_unset=True)
async def get(who: Who, request: Request) -> dict[str, Any]:
    """One customer (or account): names, attributes, and the scores as last told."""
    async with connection(request) as conn:
        row = await packed(conn, who)
        found = await lists.one(conn, row.id)
        nodes = await identities.nodes(conn, [row.id])
        told: dict[str, Any] = {}
        if found is not None and found.scores is None:  # an account's first scores follow its first event
            told = await current(conn, who, engine(request))
    if found is None:
        raise Problem("not_found", "it was merged just now; ask again")
    latest = Attributes.unpack(found.attributes).latest() if found.attributes else {}
    more = ("segment", "language", "time_zone", "role", "since", "left_at", "stage")
    return item(found) | {
        **told,
        **{name: latest[name] for name in more if name in latest},
        "leaves": sorted(node.id for node in nodes),
        "version": found.version,
    }


async def _page(
    conn: Conn, filters: Filters, sort: Sort, limit: int, cursor: str | None
) -> Page[CustomerItem]:
    """Scores move while somebody turns pages, so the first page keeps who follows it, and in which order."""
    about = f"{sort} {hash_of(filters)}"
    after = None
    if cursor is not None:
        pin, skip = _position(about, cursor)
        found = await lists.pinned(conn, pin, skip, limit)
        if found is None:
            why = "older than an hour: begin again"
            raise Problem("invalid_request", f"the cursor is {why}", [Where("?cursor", why)])
        if found.ids:
            return await _shown(conn, about, pin, skip + limit, found.ids, found.total)
        after = found.last
    ranked = await lists.ranked(conn, filters, sort, after, PINNED)
    ids = [one for one, _ in ranked]
    new = await lists.pin(conn, ids, ranked[-1][1]) if len(ids) > limit or len(ids) == PINNED else ""
    return await _shown(conn, about, new, limit, ids[:limit], len(ids))


async def _shown(
    conn: Conn, about: str, pin: str, skip: int, ids: list[str], count: int
) -> Page[CustomerItem]:
    """Behind a full pin the list goes on as it is by then."""
    more = encode_cursor({"of": about, "pin": pin, "skip": skip}) if skip < count or count == PINNED else None
    items = [CustomerItem.model_validate(item(row)) for row in await lists.rows(conn, ids)]
    return Page(items=items, next=more)


def _position(about: str, cursor: str) -> tuple[str, int]:
    position = decode_cursor(cursor)
    pin, skip = position.get("pin"), position.get("skip")
    if position.get("of") != about or not _is_uuid(pin):
        raise bad_cursor()
    if not isinstance(skip, int) or not 0 <= skip <= PINNED + MAX_LIMIT:
        raise bad_cursor()
    return str(pin), skip


def hash_of(filters: Filters) -> str:
    """The same filters, the same text: a cursor belongs to the list it came from."""
    plain = filters._replace(accounts=sorted(filters.accounts) if filters.accounts is not None else None)
    return hashlib.sha256(msgspec.json.encode(plain)).hexdigest()[:16]


def item(row: Listed) -> dict[str, Any]:
    """A row as lists show it."""
    scores = _scores.decode(row.scores) if row.scores else None
    told = {n: shown(getattr(scores, n)) if scores else None for n in ("health", "relationship", "risk")}
    named = (
        {"account_id": row.id} if row.organisation else {"customer_id": row.id, "account_id": row.account_id}
    )
    fields = "name identifiers owner persona region value currency value_at_risk renewal_at".split()
    return named | {f: getattr(row, f) for f in fields} | told | {"scored_at": instant(row.scored_at)}


async def _leaves(conn: Conn, account: str) -> list[str]:
    """Leaves of an account given by id, by identifier or by the company's own id."""
    root: str | None = account
    if not _is_uuid(account):
        wanted = account if ":" in account and is_organisation(account) else f"account:{account}"
        found = await identities.lookup(conn, wanted)
        root = found[1] if found and found[0] else None
    if root is None:
        return []
    survivor = (await identities.roots(conn, [root])).get(root)
    return [node.id for node in await identities.nodes(conn, [survivor])] if survivor else []


def _is_uuid(text: object) -> bool:
    try:
        uuid.UUID(str(text))
    except ValueError:
        return False
    return True
