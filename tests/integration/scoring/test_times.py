"""Any past score can be read: what was told then is what is read now for then, to the last bit."""

from __future__ import annotations

import random
from typing import NamedTuple

from services.scoring.domain.score import Scores
from services.scoring.store.reading import Packed
from shared.events import Event
from shared.events.ids import leaf_id
from shared.events.times import DAY, HOUR, Micros, to_micros
from tests.integration.scoring.kit import START, Room, event, retraction

ANN, ANN_ID, BOB = "email:ann@example.com", "user:ann", "user:bob"


class Seen(NamedTuple):
    """What a reader saw at one moment of knowledge."""

    known_at: Micros
    as_of: Micros
    scores: Scores


def told() -> list[list[Event]]:
    """Batches in order of arrival, with late events, revisions, retractions, a merge and a split."""
    return [
        [event("ticket.opened", "t1", ANN, at=0, interaction="1", text="It broke")],
        [event("survey.answered", "a1", ANN, at=2, response="1", metric="csat", score=2, scale=[1, 5])],
        [event("ticket.status", "s1", at=5, interaction="1", status="solved")],
        [event("survey.answered", "a2", ANN_ID, at=30, response="2", metric="nps", score=3)],
        [event("customer.linked", "l1", ANN, ANN_ID, at=40, reason="same")],
        [event("ticket.message", "m1", at=1, interaction="1", message="1", author="agent", public=True)],
        [event("survey.answered", "a3", ANN_ID, at=41, response="2", metric="nps", score=9, revision=1)],
        [event("customer.identified", "i1", ANN_ID, at=20, persona="admin")],
        [retraction("x1", "a1", at=50)],
        [event("ticket.opened", "t2", BOB, at=51, interaction="2")],
        [event("ticket.updated", "u2", ANN, at=52, interaction="2", priority="high")],
        [retraction("xl", "l1", at=53)],
        [event("survey.answered", "a4", ANN, at=54, response="4", metric="nps", score=1)],
    ]


async def _seen(scoring: Room, identifier: str, row: Packed) -> list[Seen]:
    """Read now, and at some times of the past, all at one state of knowledge."""
    known_at = (await scoring.row(identifier)).now
    times = [row.now, to_micros(START) + 3 * HOUR, to_micros(START) + 2 * DAY + 7, row.now + 90 * DAY]
    return [Seen(known_at, t, await scoring.score(identifier, t, known_at)) for t in times]


async def test_what_was_known_then_can_be_read_for_ever(scoring: Room) -> None:
    seen: dict[str, list[Seen]] = {ANN: [], BOB: [], ANN_ID: []}
    for batch in told():
        await scoring.fold(*batch)
        for identifier, found in seen.items():
            if await scoring.query("SELECT FROM scoring.identifier WHERE identifier = $1", identifier):
                found += await _seen(scoring, identifier, await scoring.row(identifier))
    for identifier, found in seen.items():
        for one in random.Random(1).sample(found, len(found)):
            assert await scoring.score_of(leaf_id(identifier), one.as_of, one.known_at) == one.scores


async def test_a_read_of_now_is_the_read_of_the_store(scoring: Room) -> None:
    for batch in told():
        await scoring.fold(*batch)
        row = await scoring.row(ANN)
        now = max(row.now, row.scored_at)
        for ahead in (0, HOUR, 40 * DAY, 400 * DAY):
            packed = await scoring.score(ANN, now + ahead)
            assert packed == await scoring.score(ANN, now + ahead, now + ahead)
