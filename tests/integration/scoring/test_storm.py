"""Several replicas, everything at once: the database ends where a linear fold of the set of events ends."""

from __future__ import annotations

import random
from typing import Any

import pytest

from services.scoring.domain.customer import fold_all
from services.scoring.domain.types import Applied
from shared.events import Event
from tests.integration.scoring.kit import Room, event, retraction, together
from tests.linear import linear

PEOPLE = [f"user:p{i}" for i in range(6)] + [f"email:p{i}@example.com" for i in range(6)]
FIRMS = ["account:a", "account:b", "desk.org:1"]


def history(dice: random.Random, size: int) -> list[Event]:
    """Tickets that change hands, answers with and without a name, links, attributes, and what undoes them."""
    kinds = ["open", "both", "nobody", "answer", "led", "link", "known", "firm", "undo"]
    chosen = dice.choices(kinds, weights=[4, 1, 4, 5, 4, 1, 1, 1, 3], k=size)
    return [_event(kind, i, size, dice) for i, kind in enumerate(chosen)]


def _event(kind: str, i: int, size: int, dice: random.Random) -> Event:
    name, who, other, at = f"e{i}", dice.choice(PEOPLE), dice.choice(PEOPLE), dice.randint(0, 400)
    thing = str(dice.randint(0, 7))
    match kind:
        case "open":
            return event("ticket.opened", name, who, at=at, interaction=thing)
        case "both":
            return event("ticket.updated", name, who, other, at=at, interaction=thing)
        case "nobody":
            return event("ticket.status", name, at=at, interaction=thing, status="solved")
        case "answer":
            answer: dict[str, Any] = {
                "response": str(i % 9),
                "metric": "nps",
                "score": i % 11,
                "about": thing,
            }
            return event("survey.answered", name, who, at=at, **answer)
        case "led":
            answer = {"response": f"l{i % 5}", "metric": "csat", "score": i % 5 + 1, "about": thing}
            return event("survey.answered", name, at=at, **answer)
        case "link":
            return event("customer.linked", name, who, other, at=at, reason="storm")
        case "known":
            return event("customer.identified", name, who, at=at, persona=dice.choice(["admin", "developer"]))
        case "firm":
            return event("subscription.started", name, *dice.sample(FIRMS, 2), at=at, subscription=thing)
    return retraction(name, f"e{dice.randint(0, size)}", at=at)


@pytest.mark.parametrize("seed", range(5))
async def test_replicas_in_a_storm(scoring: Room, seed: int) -> None:
    dice = random.Random(seed)
    told = history(dice, 120)
    jobs = []
    for replica in range(4):
        share = told if replica == 0 else dice.sample(told, 60)
        share = dice.sample(share, len(share))
        jobs.append(feed(scoring, replica, share, dice.randint(1, 25)))
    await together(*jobs)
    assert not await scoring.query("SELECT FROM scoring.outbox WHERE topic = 'cx.rejected.v1'")
    part_of, events = linear(Applied(e) for e in told)
    rows = await scoring.query(
        "SELECT c.id::text, r.id::text, r.state, r.attributes, r.scored_at"
        " FROM scoring.customer AS c JOIN scoring.customer AS r ON r.id = coalesce(c.merged_into, c.id)"
    )
    assert {row[0] for row in rows} == part_of.keys()
    roots: dict[str, set[str]] = {}
    for leaf, root, state, attributes, scored_at in rows:
        roots.setdefault(part_of[leaf], set()).add(root)
        whole = fold_all(events[part_of[leaf]], scoring.engine.policy, scored_at)
        assert (state, attributes) == (whole.state.pack(), whole.attributes.pack()), leaf
    assert all(len(found) == 1 for found in roots.values()), "one root for one component"
    assert len({root for found in roots.values() for root in found}) == len(roots)


async def feed(scoring: Room, replica: int, share: list[Event], size: int) -> None:
    for start in range(0, len(share), size):
        await scoring.fold(*share[start : start + size], partition=replica, first=start)
