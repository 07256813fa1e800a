"""Time passes: dwells end, snoozes end, promises break, service levels and deadlines run out."""

from __future__ import annotations

from dataclasses import replace

from services.alerts.domain import opening
from services.alerts.domain.alert import Alert, entry, noted
from services.alerts.domain.hear import judged
from services.alerts.domain.levels import overdue, scheduled
from services.alerts.domain.lifecycle import Told, ended, woken
from services.alerts.domain.memory import Book, Memory
from services.alerts.domain.outcomes import History
from shared.events.times import Micros


def tick(memory: Memory, book: Book, now: Micros) -> tuple[Memory, list[Told]]:
    """The memory at `now`, and what is to be told. Only rules and alerts that are due are looked at."""
    told: list[Told] = []
    alerts = {alert.id: alert for alert in memory.alerts}
    for alert in memory.alerts:
        if alert.next_at is not None and alert.next_at <= now:
            news = due(alert, now)
            told.append(news)
            alerts[alert.id] = news.alert
    rules = [rule for rule in book.rules if _is_due(memory, rule.id, now)]
    if memory.change is not None and rules:
        view = memory.view(book, memory.change, by_clock=True)
        memory, matches = judged(memory, view, rules, memory.change.after, now)
        for news in opening.open_or_join(tuple(alerts.values()), matches, view, book, now) if matches else ():
            told.append(news)
            alerts[news.alert.id] = news.alert
    live = tuple(alert for alert in alerts.values() if alert.live)
    return replace(memory, alerts=live, histories=_settled(memory, now)), told


def _settled(memory: Memory, now: Micros) -> dict[str, History]:
    """Histories that wait for a time to come. A rule that was deleted or switched off has none any more,
    or its customers would be looked at again and again."""
    return {
        rule: replace(history, next_at=None)
        if history.next_at is not None and history.next_at <= now
        else history
        for rule, history in memory.histories.items()
    }


def _is_due(memory: Memory, rule_id: str, now: Micros) -> bool:
    next_at = memory.history(rule_id).next_at
    return next_at is not None and next_at <= now


def due(alert: Alert, now: Micros) -> Told:
    """What the clock does to an alert whose time has come."""
    match alert.state:
        case "snoozed":
            return Told(woken(alert, now), "updated", note="the snooze ended")
        case "verifying":
            note = "no evidence from the customer in time"
            after = ended(alert, "unconfirmed", now, "unconfirmed", note)
            return Told(after, "unconfirmed", note=note, outcome=True)
        case _:
            return _late(alert, now)


def _late(alert: Alert, now: Micros) -> Told:
    """Owner, lead, sponsor: the highest that is due; only the sponsor's is an escalation."""
    step = overdue(alert, now)
    if step is None:
        return Told(scheduled(replace(alert, version=alert.version + 1)), "updated")
    share, whom = step
    sponsor = whom == "sponsor"
    note = f"{share} % of the time for the next step is used up; the {whom} is told"
    line = entry(now, "cxloop", "escalated" if sponsor else "reminded", note)
    after = scheduled(noted(replace(alert, told=share), line))
    return Told(after, "escalated" if sponsor else "updated", note=note, tell=whom)
