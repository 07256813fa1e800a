"""Lists of customers, filtered and sorted by what stands beside their packed rows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any, Final, NamedTuple

from services.scoring.store.types import Conn
from shared.events.times import Micros

PIN_LIVES: Final = timedelta(hours=1)
"""How long a cursor goes on with what the first page saw."""


class Listed(NamedTuple):
    """A root's row as lists show it; `scores` are those last told."""

    id: str
    organisation: bool
    account_id: str | None
    name: str | None
    identifiers: list[str]
    owner: str | None
    persona: str | None
    region: str | None
    value: int | None
    currency: str | None
    value_at_risk: int | None
    renewal_at: str | None
    scores: bytes | None
    scored_at: Micros
    version: int
    attributes: bytes | None


class Filters(NamedTuple):
    """None does not filter. `accounts` are leaves, `risk_min` in 10⁻⁹."""

    organisation: bool = False
    band: str | None = None
    region: str | None = None
    persona: str | None = None
    accounts: Collection[str] | None = None
    owner: str | None = None
    risk_min: int | None = None
    q: str | None = None


SORTS: Final = {
    "-risk": ("coalesce(c.risk, -1)", "DESC"),
    "health": ("coalesce(c.health, 9000000000000)", "ASC"),
    "-value_at_risk": ("coalesce(c.value_at_risk, -1)", "DESC"),
}
_LISTED: Final = """
SELECT c.id::text, c.organisation, coalesce(a.merged_into, a.id)::text, c.name, c.identifiers, c.owner,
  c.persona, c.region, c.value, c.currency, c.value_at_risk, c.renewal_at, c.scores, c.scored_at, c.version,
  c.attributes
FROM scoring.customer AS c LEFT JOIN scoring.customer AS a ON a.id = c.account
WHERE c.merged_into IS NULL AND {}
"""
_CONDITIONS: Final = {
    "organisation": "c.organisation = {}",
    "band": "{} = ANY(c.bands)",
    "region": "c.region = {}",
    "persona": "c.persona = {}",
    "accounts": "c.account = ANY({}::uuid[])",
    "owner": "c.owner = {}",
    "risk_min": "c.risk >= {}",
    "q": "(c.name ILIKE {0} OR EXISTS (SELECT FROM unnest(c.identifiers) AS i WHERE i ILIKE {0}))",
}
_SUMMARY: Final = """
SELECT count(*), count(*) FILTER (WHERE health IS NULL) FROM scoring.customer
WHERE merged_into IS NULL AND version > 0 AND NOT organisation
"""
_BANDS: Final = """
SELECT b, count(*) FROM scoring.customer AS c CROSS JOIN LATERAL unnest(c.bands) AS b
WHERE merged_into IS NULL AND version > 0 AND NOT organisation GROUP BY b ORDER BY b
"""
_AT_RISK: Final = """
SELECT currency, sum(value_at_risk)::bigint FROM scoring.customer
WHERE merged_into IS NULL AND version > 0 AND NOT organisation AND value_at_risk IS NOT NULL
GROUP BY currency ORDER BY count(*) DESC, currency LIMIT 1
"""


async def ranked(
    conn: Conn, filters: Filters, sort: str, after: tuple[int, str] | None, limit: int
) -> list[tuple[str, int]]:
    """Ids and keys of the rows after a position, in order; `limit` of them at most."""
    key, direction = SORTS[sort]
    arguments: list[Any] = []
    conditions = ["c.merged_into IS NULL AND c.version > 0"]
    for name, condition in _CONDITIONS.items():
        value = getattr(filters, name)
        if value is not None:
            arguments.append(_argument(name, value))
            conditions.append(condition.format(f"${len(arguments)}"))
    if after is not None:
        arguments += after
        sign = "<" if direction == "DESC" else ">"
        place = len(arguments)
        conditions.append(f"({key}, c.id) {sign} (${place - 1}::bigint, ${place}::uuid)")
    arguments.append(limit)
    query = f"SELECT c.id::text, {key} FROM scoring.customer AS c WHERE {' AND '.join(conditions)}"  # noqa: S608
    query += f" ORDER BY {key} {direction}, c.id {direction} LIMIT ${len(arguments)}"
    return [(row[0], row[1]) for row in await conn.fetch(query, *arguments)]


async def rows(conn: Conn, ids: Sequence[str]) -> list[Listed]:
    """These rows as they are now, in this order; without those that were merged into others meanwhile."""
    these = _LISTED.format("c.version > 0 AND c.id = ANY($1::uuid[])")
    found = {row[0]: Listed(*row) for row in await conn.fetch(these, ids)}
    return [found[one] for one in ids if one in found]


async def pin(conn: Conn, ids: Sequence[str], last_key: int) -> str:
    """Keeps what a list saw, for PIN_LIVES; the id of that. Sweeps what is older."""
    await conn.execute("DELETE FROM scoring.list_pin WHERE made_at < now() - $1::interval", PIN_LIVES)
    made = "INSERT INTO scoring.list_pin (ids, last_key) VALUES ($1::uuid[], $2) RETURNING id::text"
    return str(await conn.fetchval(made, ids, last_key))


class Pinned(NamedTuple):
    """A stretch of what a list saw, how long the whole is, and its end: key and id."""

    ids: list[str]
    total: int
    last: tuple[int, str]


async def pinned(conn: Conn, pin_id: str, skip: int, limit: int) -> Pinned | None:
    """None once it is too old."""
    query = (
        "SELECT ids[$2 + 1:$2 + $3]::text[], cardinality(ids), last_key, ids[cardinality(ids)]::text"
        " FROM scoring.list_pin WHERE id = $1::uuid AND made_at >= now() - $4::interval"
    )
    row = await conn.fetchrow(query, pin_id, skip, limit, PIN_LIVES)
    return Pinned(row[0], row[1], (row[2], row[3])) if row else None


async def one(conn: Conn, root: str) -> Listed | None:
    """A root's row as lists show it; without scores while it was named only, and not yet scored."""
    row = await conn.fetchrow(_LISTED.format("c.id = $1::uuid"), root)
    return Listed(*row) if row else None


async def counts(conn: Conn) -> tuple[int, int, dict[str, int], str | None, int]:
    """Customers, of them unknown, customers by band, and the value at risk in the most common currency."""
    total = await conn.fetchrow(_SUMMARY)
    assert total is not None
    found = {row[0]: row[1] for row in await conn.fetch(_BANDS)}
    at_risk = await conn.fetchrow(_AT_RISK)
    currency, value = at_risk or (None, 0)
    return total[0], total[1], found, currency, value


def _argument(name: str, value: Any) -> Any:  # noqa: ANN401 - as asyncpg takes them
    if name == "q":
        escaped = str(value).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        return f"%{escaped}%"
    return list(value) if name == "accounts" else value
