"""Step 1 of a batch: which of its events are new, which are told again, which contradict themselves."""

from __future__ import annotations

from collections import Counter as Tally
from typing import NamedTuple

from services.scoring.intake import Intake, conflict
from services.scoring.placing import target
from services.scoring.records import Incoming, Refused
from services.scoring.store import claims
from services.scoring.store.claims import Claim, Outcome
from services.scoring.store.types import Conn
from shared.events.times import EPOCH, Micros, to_micros


class Taken(NamedTuple):
    """`applied` are the events that take effect in this batch: new ones, and earlier receipts of old ones,
    whose ids are `earlier`. `now` is the database's time."""

    applied: dict[str, Incoming]
    refused: list[Refused]
    tally: Tally[str]
    earlier: frozenset[str]
    now: Micros


async def take(conn: Conn, intake: Intake, generation: int) -> Taken:
    """Claim what nobody claimed. A target of a retraction is claimed, too, so that both halves meet.

    Raises SupersededError where another policy than that of `generation` is in force.
    """
    wanted = {i: _claim(incoming) for i, incoming in intake.events.items()}
    for incoming in intake.events.values():
        undone = target(incoming.event)
        if undone is not None:
            wanted.setdefault(undone, Claim(undone, 0, 0, Outcome.AWAITED, None))
    for one in intake.refused:
        if one.event_id is not None:
            wanted.setdefault(one.event_id, Claim(one.event_id, 0, 0, Outcome.REJECTED, None))
    now, ours = await claims.claim(conn, generation, wanted.values())
    others = [i for i in intake.events if i not in ours]
    known = await claims.read(conn, others) if others else {}
    applied = {i: incoming for i, incoming in intake.events.items() if i in ours}
    refused = list(intake.refused)
    tally = Tally(applied=len(applied), doubled=intake.doubled)
    earlier = []
    for i in others:
        incoming, claim = intake.events[i], known[i]
        if claim.digest != incoming.digest:
            refused.append(conflict(incoming, EPOCH))
        elif _receipt(_claim(incoming)) < _receipt(claim):
            applied[i] = incoming
            earlier.append(_claim(incoming))
            tally["earlier_receipt"] += 1
        else:
            tally["doubled"] += 1
    if earlier:
        await claims.move_earlier(conn, earlier)
    tally["rejected"] = len(refused)
    return Taken(applied, refused, tally, frozenset(claim.event_id for claim in earlier), now)


def _claim(incoming: Incoming) -> Claim:
    event = incoming.event
    return Claim(event.id, to_micros(event.recorded), event.at, Outcome.APPLIED, incoming.digest)


def _receipt(claim: Claim) -> tuple[int, int]:
    return claim.at, claim.recorded
