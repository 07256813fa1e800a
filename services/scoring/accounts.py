"""Accounts: plain addition of their people's evidence, each under that person's promise, and their own."""

from __future__ import annotations

from collections.abc import Sequence

from services.scoring import past
from services.scoring.domain.customer import Customer, fold_all
from services.scoring.domain.lens import grid_of
from services.scoring.domain.score import Scores, score_folds
from services.scoring.domain.state import State
from services.scoring.engine import Engine
from services.scoring.store.reading import Packed
from services.scoring.store.types import Conn
from shared.events.times import Micros


def together(own: Customer, people: Sequence[Customer], engine: Engine, now: Micros) -> Scores:
    """The scores of an account at one now. All are folded at that now."""
    state = State(grid_of(engine.policy))
    live = []
    for one in (own, *people):
        state.merge(one.state)
        live += [fold for fold in one.folds.values() if fold.live]
    return score_folds(state, live, own.attributes, engine.policy, engine.model, now)


async def parts(
    conn: Conn, row: Packed, given: str, known_at: Micros | None
) -> tuple[past.Past, list[past.Past]]:
    """Pasts of the account's own events and of its people."""
    leaf = row.id if known_at is None else given
    leaves = [node.id for node in await past.component(conn, leaf, known_at)]
    return await past.of_leaves(conn, leaves), await past.people(conn, leaves, known_at)


async def scores(
    conn: Conn,
    row: Packed,
    given: str,
    engine: Engine,
    at: tuple[Micros, Micros],
    known_at: Micros | None,
) -> Scores:
    """Scores of an account at (as_of, known_at), by folding the store."""
    own, people = await parts(conn, row, given, known_at)
    folded = [fold_all(one.applied(*at), engine.policy, at[0]) for one in (own, *people)]
    return together(folded[0], folded[1:], engine, at[0])
