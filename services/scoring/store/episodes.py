"""Episodes: found by natural key, locked in order, owned by a leaf."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

from services.scoring.store import events
from services.scoring.store.types import Conn, Stored
from services.scoring.store.writing import Write


class EpisodeRow(NamedTuple):
    """`owner` is a leaf; `about` the episode whose owner counts while this one names nobody.

    `fold` is what it adds to its owner's customer while it is settled; None: it is live, or has to be folded.
    """

    id: str
    owner: str | None
    about: str | None
    fold: bytes | None = None


AROUND: Final = """
SELECT id::text FROM scoring.episode WHERE about = ANY({0}::uuid[])
UNION
SELECT about::text FROM scoring.event WHERE episode = ANY({0}::uuid[]) AND about IS NOT NULL
"""
"""Episodes that any event of these is or was about, and those that are about these."""

_LOCK = """
SELECT id::text, owner::text, about::text, fold FROM scoring.episode
WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE
"""
# The case keeps the log from being looked into for an episode that has its fold.
_OWNED = events.within(
    f"own.id::text, own.owner::text, own.about::text, own.fold, {events.COLUMNS}",
    "coalesce(octet_length(e.body), octet_length(own.fold), 0)",
    """scoring.episode AS own
LEFT JOIN scoring.event AS e ON e.episode = CASE WHEN own.fold IS NULL THEN own.id END
WHERE own.owner = ANY($1::uuid[]) AND own.id <> ALL($3::uuid[])""",
)
_FOLDS = """
SELECT id::text, owner::text, fold FROM scoring.episode WHERE owner = ANY($1::uuid[]) AND fold IS NOT NULL
"""
_WRITE = """
UPDATE scoring.episode AS e SET owner = new.owner, about = new.about, fold = new.fold
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bytea[]) AS new(id, owner, about, fold)
WHERE e.id = new.id
"""


async def lock(conn: Conn, ids: Collection[str]) -> dict[str, EpisodeRow]:
    """Lock rows by id, in order."""
    return {row[0]: EpisodeRow(*row) for row in await conn.fetch(_LOCK, list(ids))}


async def folds(conn: Conn, holders: Mapping[str, str]) -> dict[str, dict[str, bytes]]:
    """Kept folds of these leaves' episodes: by who holds the leaf, then by episode."""
    found: dict[str, dict[str, bytes]] = {}
    for episode, owner, fold in await conn.fetch(_FOLDS, list(holders)):
        found.setdefault(holders[owner], {})[episode] = fold
    return found


async def owned(
    conn: Conn, leaves: Collection[str], held: Collection[str], most: int | None = None
) -> tuple[dict[str, EpisodeRow], list[Stored]]:
    """Episodes of these leaves but those held, and all events of those that have no fold.

    Stable while their customers are locked. Raises TooMuchError beyond `most` bytes.
    """
    found: dict[str, EpisodeRow] = {}
    rows = []
    for row in events.fitting(await conn.fetch(_OWNED, list(leaves), most, list(held)), most):
        found[row[0]] = EpisodeRow(*row[:4])
        if row[4] is not None:
            rows.append(events.stored(*row[4:-2]))
    return found, rows


def writing(rows: Sequence[EpisodeRow]) -> Write | None:
    columns = tuple(list(column) for column in zip(*rows, strict=True))
    return Write(_WRITE, columns) if columns else None
