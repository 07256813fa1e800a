"""What a batch makes of one customer: its new row, and the message that tells of it. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from services.scoring import messages
from services.scoring.domain.decay import LANDMARK
from services.scoring.domain.identity import account, mention
from services.scoring.domain.numbers import NANO
from services.scoring.domain.score import Scores
from services.scoring.effective import effective
from services.scoring.engine import Engine
from services.scoring.graph import Graph, Part, moment
from services.scoring.locking import Ground
from services.scoring.placing import Placed
from services.scoring.rows import customer_row
from services.scoring.store.customers import CustomerRow, Held
from services.scoring.store.queues import Dirty, News, pack
from services.scoring.store.types import Stored
from services.scoring.view import View
from shared.db.outbox import OutboxRow
from shared.events import scores as published
from shared.events.identifiers import strength
from shared.events.scores import AppliedEvent, CausePart, ScoreChange, ScoreName
from shared.events.times import Micros

SCORES_TOPIC: Final = "cx.scores.v1"
SCORES: Final[tuple[ScoreName, ...]] = ("health", "relationship", "risk")


class Setting(NamedTuple):
    """What all customers of a batch share. `fresh` are the batch's events by customer."""

    ground: Ground
    graph: Graph
    identifiers: Mapping[str, str]
    accounts: Mapping[str, str]
    fresh: Mapping[str, Sequence[Placed]]
    quiet: bool = False


class Outcome(NamedTuple):
    row: CustomerRow
    messages: list[OutboxRow]
    dirty: list[Dirty]


def outcome(part: Part, setting: Setting, engine: Engine) -> Outcome:
    """Fold one customer. An organisation's own events are folded here; its sum follows in `accounts`."""
    fresh = setting.fresh.get(part.root, ())
    held = setting.ground.roots.get(part.root)
    now = moment(setting.ground, part, fresh)
    rows = effective(part.after)
    view, causes = _walk(part, held, rows, now, engine)
    applied = messages.applied_events(part, fresh)
    identifiers = _identifiers(part, setting)
    if part.organisation:
        row = customer_row(part.root, view, engine, held, identifiers, None)
        news = News(applied, part.merged_from, part.split_from)
        return Outcome(row, [], [Dirty(part.root, part.root, pack(news))])
    belongs = account([mention(row.event) for row in rows])
    row = customer_row(part.root, view, engine, held, identifiers, belongs)
    change = _change(part, setting, engine, view, row, applied, causes)
    message = OutboxRow(SCORES_TOPIC, part.root.encode(), published.encode(change))
    theirs = tuple(msgspec.structs.replace(event, customer=part.root) for event in applied)
    dirty = [Dirty(a, part.root, pack(News(theirs))) for a in _accounts(part, setting, belongs)]
    return Outcome(row, [message], dirty)


def _walk(
    part: Part, held: Held | None, rows: Sequence[Stored], now: Micros, engine: Engine
) -> tuple[View, tuple[CausePart, ...]]:
    """The customer at `now`, and what moved it since it was last told of."""
    if part.organisation:
        return engine.view(_applied(rows), now), ()
    was_told = held is not None and held.scores is not None
    first = LANDMARK if part.split_from is None else now
    since = held.scored_at if held and was_told else first
    known = effective(part.before) if was_told else []
    return engine.walk(_applied(known), _applied(rows), since, now, part.moved)


def _accounts(part: Part, setting: Setting, belongs: str | None) -> list[str]:
    """The account of today, and those that lose this person or one who is now this person."""
    roots = setting.ground.roots
    before = {roots[s].account for s in part.sources if s in roots}
    return sorted({a for a in (*before, belongs) if a is not None})


def _identifiers(part: Part, setting: Setting) -> list[str]:
    found = [setting.identifiers[n.id] for n in part.nodes if n.id in setting.identifiers]
    return sorted(found, key=lambda i: (strength(i), i))


def _change(
    part: Part,
    setting: Setting,
    engine: Engine,
    view: View,
    row: CustomerRow,
    applied: tuple[AppliedEvent, ...],
    parts: tuple[CausePart, ...],
) -> ScoreChange:
    held = setting.ground.roots.get(part.root)
    before = published_scores(held)
    if held and before and held.generation != engine.generation:
        parts = (*parts, *by_policy(before, view.scores, parts))
    return ScoreChange(
        customer_id=part.root,
        account_id=setting.accounts.get(row.account) if row.account else None,
        before=before or published.NOTHING_KNOWN,
        causes=parts,
        events=applied,
        merged_from=part.merged_from,
        split_from=part.split_from,
        quiet=setting.quiet,
        leaves=messages.leaves(n.id for n in part.nodes),
        **messages.common(view, row),
    )


def by_policy(before: published.Scores, after: Scores, parts: Sequence[CausePart]) -> list[CausePart]:
    """What the other causes leave of a change, where the policy changed. Unknown values have none."""
    risk = before.risk.value
    was = {
        "health": before.health.value,
        "relationship": before.relationship.value,
        "risk": math.log(risk / (1 - risk)) if risk and risk < 1 else None,
    }
    now = {"health": after.health.raw, "relationship": after.relationship.raw, "risk": after.log_odds}
    found = []
    for name in SCORES:
        value = was[name]
        if value is not None:
            rest = now[name] / NANO - value - sum(part.points for part in parts if part.score == name)
            found.append(CausePart(name, "policy", round(rest, 9)))
    return [part for part in found if part.points]


def published_scores(held: Held | None) -> published.Scores | None:
    """What the last message said; None if there was none."""
    if held is None or held.scores is None:
        return None
    return _scores.decode(held.scores)


def _applied(rows: Sequence[Stored]) -> list[messages.Applied]:
    return [row.applied for row in rows]


_scores: Final = msgspec.json.Decoder(published.Scores)
