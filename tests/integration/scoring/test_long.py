"""A customer whose fold takes longer than the server lets a transaction sleep."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import fields

from services.scoring.apart import LONG
from services.scoring.batch import Context, absorb
from services.scoring.domain.types import Applied
from services.scoring.engine import Engine, Kept
from services.scoring.view import View
from shared.db.engine import driver
from shared.events import Event
from shared.events.scores import CausePart
from shared.events.times import Micros
from tests.integration.scoring.kit import Room, event, records
from tests.integration.scoring.test_batch import check_linear

WHO = "user:long"
ASLEEP_S = 4
FOLD_S = 6.0


class SlowEngine(Engine):
    """Holds its thread for as long as a history some hundred times longer would."""

    def go_on(
        self, kept: Kept, before: Sequence[Applied], after: Sequence[Applied], now: Micros
    ) -> tuple[View, tuple[CausePart, ...]] | None:
        time.sleep(FOLD_S)
        return super().go_on(kept, before, after, now)


class BrokenEngine(Engine):
    def go_on(self, *_: object) -> tuple[View, tuple[CausePart, ...]] | None:
        raise ValueError("it cannot be folded")


def answer(i: int, who: str = WHO) -> Event:
    return event("survey.answered", f"a{i}", who, at=i / 100, response=str(i), metric="nps", score=i % 11)


async def longer_than_most(scoring: Room) -> None:
    for start in range(0, LONG, 500):
        await scoring.fold(*(answer(i) for i in range(start, start + 500)))


async def fold_with(scoring: Room, kind: type[Engine], one: Event) -> dict[str, int]:
    engine = kind(**{f.name: getattr(scoring.engine, f.name) for f in fields(Engine)})
    async with driver(scoring.pool) as conn:
        await conn.execute(f"SET idle_in_transaction_session_timeout = '{ASLEEP_S}s'")
        return dict(await absorb(conn, records([one]), Context(engine, lambda _: None)))


async def test_a_long_fold_keeps_its_transaction_and_the_loop_awake(scoring: Room) -> None:
    await longer_than_most(scoring)
    folding = asyncio.ensure_future(fold_with(scoring, SlowEngine, answer(LONG)))
    turns = 0
    while not folding.done():
        await asyncio.sleep(0.1)
        turns += 1
    assert (await folding)["applied"] == 1
    assert turns > 10, "others had their turns"
    await check_linear(scoring, WHO)


async def test_poison_in_a_long_history_is_listed(scoring: Room) -> None:
    await longer_than_most(scoring)
    assert (await fold_with(scoring, BrokenEngine, answer(LONG)))["rejected"] == 1
    await check_linear(scoring, WHO)
    assert (await scoring.fold(answer(LONG + 1)))["applied"] == 1
