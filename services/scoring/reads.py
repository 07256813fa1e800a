"""Scores at any time: now from the packed row, else by folding the store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from services.scoring import past
from services.scoring.domain.attributes import Attributes
from services.scoring.domain.customer import episodes_of
from services.scoring.domain.episode import fold
from services.scoring.domain.lens import grid_of
from services.scoring.domain.state import State
from services.scoring.domain.types import Applied, Episode
from services.scoring.effective import FOREVER, effective
from services.scoring.engine import Engine
from services.scoring.past import Past
from services.scoring.store import events, reading
from services.scoring.store.reading import Packed
from services.scoring.store.types import Conn, Stored, episode_id
from services.scoring.view import Told, View
from shared.events.times import MINUTE, Micros

SETTLING: Micros = 2 * MINUTE
"""No batch holds a customer for longer: what is older than this is either committed or undone."""


class Moment(NamedTuple):
    """The times a read stands on, none left open."""

    as_of: Micros
    known_at: Micros


class Subject(NamedTuple):
    """The whole past of a customer (`people` is empty) or of an account."""

    own: Past
    people: list[Past]

    def view(self, engine: Engine, at: Moment) -> View:
        return engine.view(self.own.applied(*at), at.as_of, [one.applied(*at) for one in self.people])

    def rows(self, as_of: Micros = FOREVER, known_at: Micros = FOREVER) -> list[Stored]:
        """Everything that counts, by (time, id)."""
        found = [row for one in (self.own, *self.people) for row in one.at(as_of, known_at)]
        return sorted(found, key=lambda row: (row.event.at, row.id))

    def applied(self, at: Moment) -> list[Applied]:
        return [row.applied for row in self.rows(*at)]


def moment(row: Packed, as_of: Micros | None, known_at: Micros | None) -> Moment:
    """Now is the database's, but never before what was last said of the customer."""
    now = max(row.now, row.scored_at)
    return Moment(now if as_of is None else as_of, now if known_at is None else known_at)


async def view(
    conn: Conn, row: Packed, given: str, engine: Engine, as_of: Micros | None, known_at: Micros | None
) -> tuple[View, Moment]:
    """A customer or account folded at the times asked for; good for scores. `given` is the id asked by."""
    at = moment(row, as_of, known_at)
    ahead = as_of is None or as_of >= max(row.now, row.scored_at)
    if ahead and known_at is None and is_fresh(row, engine):
        rows = await events.of_episodes(conn, row.live) if row.live else []
        return unpacked(row, rows, engine, at.as_of), at
    return (await subject(conn, row, given, known_at)).view(engine, at), at


async def subject(conn: Conn, row: Packed, given: str, known_at: Micros | None) -> Subject:
    """The past of the survivor today, or of whom the id stood for as known then."""
    if known_at is not None and known_at > row.now - SETTLING:
        await reading.settle(conn, row.id)
    leaf = row.id if known_at is None else given
    leaves = [node.id for node in await past.component(conn, leaf, known_at)]
    own = await past.of_leaves(conn, leaves)
    return Subject(own, await past.people(conn, leaves, known_at) if row.organisation else [])


def is_fresh(row: Packed, engine: Engine) -> bool:
    """Whether the packed row answers for now: a person's, and it stands on today's policy."""
    return not row.organisation and row.generation == engine.generation and row.state is not None


def unpacked(row: Packed, rows: Sequence[Stored], engine: Engine, now: Micros) -> View:
    """State and live episodes, whose `rows` are given; the settled ones are in the sum and need no look."""
    return ready(row, rows, engine).view(engine, now)


class Ready(NamedTuple):
    """A packed row unpacked. Whoever reads it leaves it as it is, so it serves any number of readers."""

    state: State
    attributes: Attributes
    live: list[Episode]

    def view(self, engine: Engine, now: Micros) -> View:
        told = [
            Told(one, fold(one, self.attributes, engine.policy, now)._replace(live=True), self.attributes)
            for one in self.live
        ]
        return View(self.state, told, self.attributes, engine.policy, engine.model, now)


def ready(row: Packed, rows: Sequence[Stored], engine: Engine) -> Ready:
    """`rows` are those of its live episodes."""
    assert row.state is not None and row.attributes is not None
    state = State.unpack(row.state, grid_of(engine.policy))
    return Ready(state, Attributes.unpack(row.attributes), _live(effective(rows), row.live))


def _live(rows: Iterable[Stored], ids: Iterable[str]) -> list[Episode]:
    wanted = set(ids)
    found = episodes_of(row.applied for row in rows)
    return [episode for key, episode in found.items() if episode_id(key) in wanted]
