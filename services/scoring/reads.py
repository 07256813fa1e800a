"""Scores at any time: now from the packed row, else by folding the store."""

from __future__ import annotations

from typing import NamedTuple

from services.scoring import accounts, past
from services.scoring.domain.attributes import Attributes
from services.scoring.domain.customer import Customer, episodes_of
from services.scoring.domain.lens import grid_of
from services.scoring.domain.score import Scores
from services.scoring.domain.state import State
from services.scoring.effective import effective
from services.scoring.engine import Engine
from services.scoring.store import events
from services.scoring.store.reading import Packed
from services.scoring.store.types import Conn, episode_id
from shared.events.times import Micros


class Moment(NamedTuple):
    """The times a read stands on, none left open."""

    as_of: Micros
    known_at: Micros


def moment(row: Packed, as_of: Micros | None, known_at: Micros | None) -> Moment:
    """Now is the database's, but never before what was last said of the customer."""
    now = max(row.now, row.scored_at)
    return Moment(now if as_of is None else as_of, now if known_at is None else known_at)


def is_fresh(row: Packed, engine: Engine, as_of: Micros | None, known_at: Micros | None) -> bool:
    """Whether the packed row answers: nothing of the future is unknown to it, nothing of the past asked."""
    ahead = as_of is None or as_of >= max(row.now, row.scored_at)
    return ahead and known_at is None and row.generation == engine.generation and row.state is not None


async def scores(
    conn: Conn, row: Packed, given: str, engine: Engine, as_of: Micros | None, known_at: Micros | None
) -> tuple[Scores, Moment]:
    """The three scores of a customer (or account) at the times asked for. `given` is the id asked by."""
    at = moment(row, as_of, known_at)
    if row.organisation:
        return await accounts.scores(conn, row, given, engine, at, known_at), at
    if is_fresh(row, engine, as_of, known_at):
        return engine.score(await _unpacked(conn, row, engine), at.as_of), at
    return engine.assess((await customer_past(conn, row, given, known_at)).applied(*at), at.as_of).scores, at


async def customer_past(conn: Conn, row: Packed, given: str, known_at: Micros | None) -> past.Past:
    """Past of the survivor today, or of the customer that the id stood for as known then."""
    leaf = row.id if known_at is None else given
    return await past.of_leaves(conn, [node.id for node in await past.component(conn, leaf, known_at)])


async def _unpacked(conn: Conn, row: Packed, engine: Engine) -> Customer:
    """State and live episodes; the settled ones are in the sum and need no look."""
    assert row.state is not None and row.attributes is not None
    rows = effective(await events.of_episodes(conn, row.live)) if row.live else []
    live = set(row.live)
    episodes = {
        key: episode
        for key, episode in episodes_of(r.applied for r in rows).items()
        if episode_id(key) in live
    }
    return Customer(
        State.unpack(row.state, grid_of(engine.policy)),
        tuple(episodes.values()),
        Attributes.unpack(row.attributes),
        episodes,
        {},
    )
