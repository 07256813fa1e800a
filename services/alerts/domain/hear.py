"""A score message comes in: which alerts open, change and end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from services.alerts.domain import opening
from services.alerts.domain.alert import UNTOUCHED, Alert, entry, noted
from services.alerts.domain.evaluate import evaluate, remember
from services.alerts.domain.evidence import Sign, Verdict, verdict
from services.alerts.domain.levels import scheduled
from services.alerts.domain.lifecycle import Told, ended
from services.alerts.domain.memory import Book, Memory, remembered
from services.alerts.domain.opening import Match
from services.alerts.domain.outcomes import Firing
from services.alerts.domain.rules import Rule
from services.alerts.domain.standing import looked_at
from services.alerts.domain.track import follow
from services.alerts.domain.view import View, value_of
from shared.events.scores import ScoreChange, Scores
from shared.events.times import Micros


def hear(memory: Memory, change: ScoreChange, book: Book, now: Micros) -> tuple[Memory, list[Told]]:
    """The customer's memory after `change`, and what is to be told, in order.

    Invariant: at most one live alert per driver, before and after. Messages that are not newer change
    nothing. The order is: evidence on what was done, then new firings, then causes that are gone.
    """
    if change.version <= memory.version:
        return memory, []
    before = memory.change.after if memory.change is not None else change.before
    memory = _brought_up(memory, change, now)
    view = memory.view(book, change)
    memory, matches = judged(memory, view, book.rules, change.before or before, now)
    told: list[Told] = []
    alerts = {alert.id: alert for alert in memory.alerts}
    for alert in memory.alerts:
        told += _keep(alerts, follow_up(alert, view, now))
    if matches:
        news = opening.open_or_join(tuple(alerts.values()), matches, view, book, now)
        told += _keep(alerts, news)
    for alert in list(alerts.values()):
        told += _keep(alerts, [cleared(alert, view, book, now)])
    live = tuple(alert for alert in alerts.values() if alert.live)
    return replace(memory, alerts=live), told


def _brought_up(memory: Memory, change: ScoreChange, now: Micros) -> Memory:
    """Memory with the change in it; a track starts at the value before its first message."""
    track = memory.track
    first = View(change)
    known_before = value_of(change.before, "health")
    if not track and known_before is not None:
        track = follow((), now, known_before, 0.0)
    moved = first.unearned("health")
    return replace(
        memory,
        change=change,
        track=follow(track, now, value_of(change.after, "health"), moved),
        recent=remembered(memory.recent, change.events),
    )


def judged(
    memory: Memory, view: View, rules: Iterable[Rule], before: Scores | None, now: Micros
) -> tuple[Memory, list[Match]]:
    """What every rule says, and the memory of it."""
    histories = dict(memory.histories)
    matches: list[Match] = []
    for rule in rules:
        history = memory.history(rule.id)
        outcome = evaluate(rule, before, view, history, now)
        kept = remember(rule, history, outcome, view, now)
        if kept != history:
            histories[rule.id] = kept
        if isinstance(outcome, Firing):
            matches.append(Match(rule, outcome))
    return replace(memory, histories=histories), matches


def _keep(alerts: dict[str, Alert], news: Sequence[Told | Alert | None]) -> list[Told]:
    """Puts changed alerts in their place; gives those that are to be told."""
    told = []
    for item in news:
        if isinstance(item, Told):
            alerts[item.alert.id] = item.alert
            told.append(item)
        elif item is not None:
            alerts[item.id] = item
    return told


def follow_up(alert: Alert, view: View, now: Micros) -> list[Told]:
    """Evidence from the customer after the last act: verified, or unconfirmed once somebody said done."""
    if alert.acted_at is None or alert.state not in ("acted", "verifying") or view.change.quiet:
        return []
    found = verdict(alert.driver, view.events, alert.acted_at)
    if found is None or (found.sign is Sign.BAD and alert.state == "acted"):
        return []
    return [_concluded(alert, found, view, now)]


def _concluded(alert: Alert, found: Verdict, view: View, now: Micros) -> Told:
    event = next(e for e in view.events if e.id == found.event)
    note = event.summary or event.type
    if found.sign is Sign.GOOD:
        return Told(ended(alert, "verified", now, "verified", note), "verified", note=note, outcome=True)
    return Told(ended(alert, "unconfirmed", now, "unconfirmed", note), "unconfirmed", note=note, outcome=True)


def cleared(alert: Alert, view: View, book: Book, now: Micros) -> Told | Alert | None:
    """Ended without success when every cause is gone and nobody had acted."""
    causes = tuple(looked_at(cause, book.rule(cause.rule), view, now) for cause in alert.causes)
    if not alert.live or causes == alert.causes:
        return None
    alert = replace(alert, causes=causes)
    gone = bool(causes) and all(cause.gone for cause in causes)
    if not gone or alert.acted_at is not None or alert.state not in UNTOUCHED:
        return alert
    note = "the cause is gone, nobody had acted yet"
    return Told(ended(alert, "cleared", now, "cleared", note), "cleared", note=note, outcome=True)


def moved_to(alert: Alert, change: ScoreChange, now: Micros, why: str) -> Alert:
    """The alert of a customer who was merged into, or parted from, another one."""
    return scheduled(
        noted(
            replace(alert, customer_id=change.customer_id, account_id=change.account_id),
            entry(now, "cxloop", "moved", why),
        )
    )
