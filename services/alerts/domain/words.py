"""What an alert says: a title, and the reason in the customer's own events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.alerts.domain.conditions import wait_key
from services.alerts.domain.outcomes import Fired, Firing
from services.alerts.domain.rules import Fall, Level, Rule
from services.alerts.domain.track import fall as fall_of
from services.alerts.domain.view import View, micros, value_of, worse
from shared.events import alerts as wire
from shared.events.codec import PREFIX, full_type
from shared.events.scores import (
    AppliedEvent,
    Contribution,
    Contributions,
    EventPoints,
    ScoreChange,
    ScoreName,
    Scores,
)
from shared.events.times import HOUR, Micros

MAX_EVENTS: Final = 5
MAX_TEXT: Final = 500
MAX_ROWS: Final = 3
"""Events shown per contribution; their points are those rows' alone, the signal's stay whole."""


def leading_score(rule: Rule) -> ScoreName:
    """Whose contributions explain the rule best."""
    match rule.when:
        case Level() | Fall() as condition:
            return condition.score
        case _:
            return "risk"


def reason(rule: Rule, firing: Firing, view: View, now: Micros) -> wire.Reason:
    score = leading_score(rule)
    contributions = tuple(_trimmed(c) for c in _contributions(view.change, score))
    return wire.Reason(
        text=sentence(rule, firing, view, now),
        contributions=contributions,
        events=_events(firing, view, score),
    )


def _contributions(change: ScoreChange, score: ScoreName) -> tuple[Contribution, ...]:
    match score:
        case "health":
            return change.contributions.health[:5]
        case "relationship":
            return change.contributions.relationship[:5]
        case "risk":
            return change.contributions.risk[:5]


def condensed(contributions: Contributions) -> Contributions:
    """The largest rows of every signal: as much as an alert ever shows."""
    return Contributions(
        health=tuple(_trimmed(c, MAX_EVENTS) for c in contributions.health),
        relationship=tuple(_trimmed(c, MAX_EVENTS) for c in contributions.relationship),
        risk=tuple(_trimmed(c, MAX_EVENTS) for c in contributions.risk),
    )


def _trimmed(contribution: Contribution, limit: int = MAX_ROWS) -> Contribution:
    rows = sorted(contribution.events, key=lambda e: (-abs(e.points), e.at, e.id))[:limit]
    return Contribution(
        contribution.signal, contribution.label, contribution.points, contribution.coverage, tuple(rows)
    )


def _events(firing: Firing, view: View, score: ScoreName) -> tuple[wire.ReasonEvent, ...]:
    """At most five: those that fired the rule, then those that did most harm."""
    rows = _rows(_contributions(view.change, score))
    known = {e.id: e for e in (*view.recent, *view.change.events)}
    harmful = sorted(
        (row for row in rows.values() if worse(score, row.points) > 0),
        key=lambda row: (-worse(score, row.points), row.at, row.id),
    )
    firsts = [e for e in firing.events if e in known or e in rows]
    if len(firsts) > MAX_EVENTS:
        firsts = sorted(firsts, key=lambda e: -worse(score, rows[e].points) if e in rows else 0.0)
    chosen = list(dict.fromkeys([*firsts, *(row.id for row in harmful)]))[:MAX_EVENTS]
    words = {w.event: w.text for w in view.change.waits}
    return tuple(_event(known.get(e), rows.get(e), words.get(e)) for e in chosen)


def _rows(contributions: tuple[Contribution, ...]) -> dict[str, EventPoints]:
    """One row per event: what it did to several signals, added up."""
    rows: dict[str, EventPoints] = {}
    for row in (row for contribution in contributions for row in contribution.events):
        other = rows.get(row.id)
        points = row.points if other is None else round(other.points + row.points, 9)
        rows[row.id] = EventPoints(row.id, row.at, row.type, points)
    return rows


def _event(event: AppliedEvent | None, row: EventPoints | None, words: str | None) -> wire.ReasonEvent:
    points = row.points if row is not None else None
    if event is None:
        assert row is not None
        text = shorten(words)
        return wire.ReasonEvent(id=row.id, at=row.at, type=whole(row.type), text=text, points=points)
    return wire.ReasonEvent(
        id=event.id,
        at=event.time,
        type=whole(event.type),
        summary=shorten(event.summary) or None,
        text=shorten(event.text or words),
        url=event.url,
        points=points,
    )


def whole(event_type: str) -> str:
    """The type as the contract writes it, whichever form came in."""
    return event_type if event_type.startswith(PREFIX) else full_type(event_type)


def shorten(text: str | None, limit: int = MAX_TEXT) -> str | None:
    if text is None or len(text) <= limit:
        return text
    return text[: limit - 1].rstrip() + "…"


def sentence(rule: Rule, firing: Firing, view: View, now: Micros) -> str:
    """One sentence that says why, with the numbers and the customer's words."""
    change = view.change
    match firing.reason:
        case Fired.CROSSED | Fired.LASTED:
            return _level_sentence(rule, change, firing.reason is Fired.LASTED)
        case Fired.FELL:
            within = rule.when.within if isinstance(rule.when, Fall) else 0
            points, days = fall_of(view.track, now, within), within // (24 * HOUR)
            return f"Health fell by {points:.0f} points within {days} days, to {_shown(change, 'health')}."
        case Fired.ANSWERED | Fired.HAPPENED:
            found = [e for e in change.events if e.id in firing.events]
            return " ".join(_said(e) for e in found[:2])
        case Fired.BROKEN:
            return _wait_sentence(firing, change, now)
        case Fired.NEAR:
            return f"The renewal is due on {(change.renewal_at or '')[:10]} and {_risk_words(change)}."
        case Fired.SILENT:
            return "Nothing was heard for much longer than is usual for this customer."


def _level_sentence(rule: Rule, change: ScoreChange, lasted: bool) -> str:
    score = leading_score(rule)
    entry = rule.when.entry if isinstance(rule.when, Level) else 0.0
    limit = f"{entry:.0%}" if score == "risk" else f"{entry:.0f}"
    name = "Detractor risk" if score == "risk" else score.capitalize()
    verb = "has stayed beyond" if lasted else "went beyond"
    return f"{name} {verb} {limit}: it is {_shown(change, score)} now, {_was(change, score)}."


def _shown(change: ScoreChange, score: ScoreName, scores: Scores | None = None) -> str:
    value = value_of(scores or change.after, score)
    if value is None:
        return "unknown"
    return f"{value:.0%}" if score == "risk" else f"{value:.0f}"


def _was(change: ScoreChange, score: ScoreName) -> str:
    before = value_of(change.before, score)
    return "unknown before" if before is None else f"{_shown(change, score, change.before)} before"


def _said(event: AppliedEvent) -> str:
    what = event.summary or event.type
    text = shorten(event.text, 200)
    said = f"{what.rstrip('.')}: “{text}”" if text and text not in what else what
    return said if said.endswith((".", "”")) else said + "."


def _wait_sentence(firing: Firing, change: ScoreChange, now: Micros) -> str:
    waits = [w for w in change.waits if wait_key(w) in firing.causes]
    kind = "first answer" if waits[0].kind == "first_response" else "solution"
    hours = max(0, now - micros(waits[0].since)) / HOUR
    text = shorten(waits[0].text, 200)
    words = f": “{text}”" if text else "."
    return f"The customer waits for a {kind} since {hours:.1f} hours, longer than promised{words}"


def _risk_words(change: ScoreChange) -> str:
    risk = value_of(change.after, "risk")
    return "nobody knows how the customer feels" if risk is None else f"detractor risk is {risk:.0%}"


def title(rule: Rule, change: ScoreChange) -> str:
    """`Name (account): what is wrong`, short enough for a subject line."""
    named = next((i.partition(":")[2] for i in change.identifiers), None)
    who = change.name or named or change.customer_id or change.account_id
    return shorten(f"{rule.title}: {who}", 160) or rule.title


def customer(change: ScoreChange) -> wire.AlertCustomer:
    own = next((i.partition(":")[2] for i in change.identifiers if i.startswith("account:")), None)
    return wire.AlertCustomer(
        identifiers=change.identifiers[:20],
        name=change.name,
        account=own or change.account_id,
        region=change.region,
        persona=change.persona,
        value=change.value,
        currency=change.currency,
        renewal_at=change.renewal_at,
    )


def levels(scores: Scores | None) -> wire.Levels:
    names: Sequence[ScoreName] = ("health", "relationship", "risk")
    health, relationship, risk = (value_of(scores, name) for name in names)
    return wire.Levels(health=health, relationship=relationship, risk=risk)
