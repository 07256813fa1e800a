"""What a batch makes of one customer: its new row, and the message that tells of it. Pure.

Usually it goes on from what is kept. A merge, a split, a retraction, an earlier receipt, a fact that changes
how episodes fold, another policy, or a row of another writer: the whole past is folded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from services.scoring import messages
from services.scoring.domain.attributes import Attributes
from services.scoring.domain.decay import LANDMARK
from services.scoring.domain.folds import pack_fold, unpack_fold
from services.scoring.domain.identity import Mention, mention
from services.scoring.domain.lens import grid_of
from services.scoring.domain.numbers import NANO
from services.scoring.domain.score import Scores
from services.scoring.domain.state import State
from services.scoring.effective import effective
from services.scoring.engine import Engine, Kept
from services.scoring.graph import Graph, Part, moment
from services.scoring.locking import Ground
from services.scoring.placing import Placed
from services.scoring.rows import customer_row
from services.scoring.store.customers import CustomerRow, Held
from services.scoring.store.episodes import EpisodeRow
from services.scoring.store.queues import Dirty, News, pack
from services.scoring.store.types import Stored, episode_id
from services.scoring.view import View
from shared.db.outbox import OutboxRow
from shared.events import scores as published
from shared.events.identifiers import strength
from shared.events.scores import AppliedEvent, CausePart, ScoreChange, ScoreName
from shared.events.times import Micros

SCORES_TOPIC: Final = "cx.scores.v1"
SCORES: Final[tuple[ScoreName, ...]] = ("health", "relationship", "risk")


class Setting(NamedTuple):
    """What all customers of a batch share. `fresh` are the batch's events by customer, `episodes` those that
    are theirs now; `left` are roots of which some node is no more; `earlier` the ids of events that had been
    applied before, with a later receipt."""

    ground: Ground
    graph: Graph
    fresh: Mapping[str, Sequence[Placed]]
    episodes: Mapping[str, Sequence[EpisodeRow]]
    left: frozenset[str]
    earlier: frozenset[str]
    quiet: bool


class Outcome(NamedTuple):
    """`folds` are those of the episodes looked at, packed; None for one that is live."""

    row: CustomerRow
    messages: list[OutboxRow]
    dirty: list[Dirty]
    folds: dict[str, bytes | None]


def outcome(part: Part, setting: Setting, engine: Engine) -> Outcome | None:
    """Fold one customer; None where that takes its whole past, and not all of it is at hand.

    An organisation's own events are folded here; its sum follows in `accounts`.
    """
    ground, fresh = setting.ground, setting.fresh.get(part.root, ())
    held = ground.roots.get(part.root)
    now = moment(ground, part, fresh)
    rows = effective(part.after)
    whole = is_whole(part, ground)
    walked = _walk(part, held, rows, now, engine) if whole else _go_on(part, setting, rows, now, engine)
    if walked is None:
        return None
    view, causes = walked
    applied = messages.applied_events(part, fresh)
    folds = _folds(part, setting, view)
    belongs = None if part.organisation else _belongs(rows, None if whole else held)
    row = customer_row(part.root, view, engine, held, _identifiers(part, ground), belongs)
    if part.organisation:
        news = News(applied, part.merged_from, part.split_from)
        return Outcome(row, [], [Dirty(part.root, part.root, pack(news))], folds)
    change = _change(part, setting, engine, view, row, applied, causes)
    message = OutboxRow(SCORES_TOPIC, part.root.encode(), published.encode(change))
    theirs = tuple(msgspec.structs.replace(event, customer=part.root) for event in applied)
    dirty = [Dirty(a, part.root, pack(News(theirs))) for a in _accounts(part, setting, row.account)]
    return Outcome(row, [message], dirty, folds)


Walked = tuple[View, tuple[CausePart, ...]]


def is_whole(part: Part, ground: Ground) -> bool:
    """Whether the whole past is at hand: it was read, or nobody was ever told of any of its nodes."""
    roots = {node.root for node in part.nodes}
    unheard = not part.organisation and all(r in ground.roots and not ground.roots[r].version for r in roots)
    return unheard or roots <= ground.whole


def _walk(part: Part, held: Held | None, rows: Sequence[Stored], now: Micros, engine: Engine) -> Walked:
    """The customer at `now`, and what moved it since it was last told of."""
    if part.organisation:
        return engine.view(_applied(rows), now), ()
    was_told = held is not None and held.scores is not None
    first = LANDMARK if part.split_from is None else now
    since = held.scored_at if held and was_told else first
    known = effective(part.before) if was_told else []
    return engine.walk(_applied(known), _applied(rows), since, now, part.moved)


def _go_on(
    part: Part, setting: Setting, rows: Sequence[Stored], now: Micros, engine: Engine
) -> Walked | None:
    """The same from what was kept, where only new events came to one that nobody else's events came to."""
    held = setting.ground.roots.get(part.root)
    fresh = setting.fresh.get(part.root, ())
    if held is None or held.state is None or held.attributes is None or part.organisation:
        return None
    if held.kept != held.version or held.generation != engine.generation:
        return None
    if part.merged_from or part.split_from or part.moved or part.root in setting.left:
        return None
    if any(p.row.target or p.event.id in setting.earlier for p in fresh):
        return None
    settled = [
        unpack_fold(row.fold)
        for row in setting.episodes.get(part.root, ())
        if row.fold is not None and row.id not in setting.ground.held
    ]
    state = State.unpack(held.state, grid_of(engine.policy))
    kept = Kept(state, Attributes.unpack(held.attributes), settled, held.scored_at)
    return engine.go_on(kept, _applied(effective(part.before)), _applied(rows), now)


def _folds(part: Part, setting: Setting, view: View) -> dict[str, bytes | None]:
    """Of the episodes whose events are at hand; one that is no more has none."""
    whole, held = is_whole(part, setting.ground), setting.ground.held
    found: dict[str, bytes | None] = {
        row.id: None
        for row in setting.episodes.get(part.root, ())
        if whole or row.fold is None or row.id in held
    }
    for episode, fold, _ in view.told:
        if episode.events:
            found[episode_id(episode.key)] = None if fold.live else pack_fold(fold)
    return found


def _belongs(rows: Sequence[Stored], held: Held | None) -> Mention | None:
    """The latest event that names an organisation; `held` where `rows` are not all."""
    said = [m for m in (mention(row.event) for row in rows) if m.organisation is not None]
    if held and held.account and held.account_at is not None and held.account_event:
        said.append(Mention(held.account_at, held.account_event, None, held.account))
    return max(said, key=lambda m: (m.at, m.event), default=None)


def _accounts(part: Part, setting: Setting, belongs: str | None) -> list[str]:
    """The account of today, and those that lose this person or one who is now this person."""
    roots = setting.ground.roots
    before = {roots[s].account for s in part.sources if s in roots}
    return sorted({a for a in (*before, belongs) if a is not None})


def _identifiers(part: Part, ground: Ground) -> list[str]:
    found = [ground.identifiers[n.id] for n in part.nodes if n.id in ground.identifiers]
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
        account_id=setting.ground.root_of.get(row.account) if row.account else None,
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
