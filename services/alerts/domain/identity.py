"""Customers merge and split; each keeps one alert per driver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from services.alerts.domain.alert import Alert, entry, noted
from services.alerts.domain.hear import moved_to
from services.alerts.domain.levels import scheduled
from services.alerts.domain.lifecycle import Told
from services.alerts.domain.memory import Memory, remembered
from services.alerts.domain.rules import gravity
from shared.events.scores import ScoreChange
from shared.events.times import Micros


def merged(
    memory: Memory, others: Sequence[Memory], change: ScoreChange, now: Micros
) -> tuple[Memory, list[Told]]:
    """`memory` with the others' alerts and histories; the older alert of a driver stays, the younger
    closes with `merged_into`."""
    told: list[Told] = []
    alerts = {alert.driver: alert for alert in memory.alerts}
    for other in others:
        for alert in other.alerts:
            mine = alerts.get(alert.driver)
            if mine is None:
                moved = moved_to(alert, change, now, "the customer was merged into another one")
                told.append(Told(moved, "updated"))
                alerts[alert.driver] = moved
                continue
            both = (
                replace(a, customer_id=change.customer_id, account_id=change.account_id)
                for a in (mine, alert)
            )
            older, younger = sorted(both, key=lambda a: (a.opened_at, a.id))
            stays, closes = united(older, younger, "two customers turned out to be one", now)
            told += [Told(closes, "updated"), Told(stays, "updated")]
            alerts[alert.driver] = stays
        memory = _absorbed(memory, other)
    return replace(memory, alerts=tuple(alerts.values())), told


def united(older: Alert, younger: Alert, why: str, now: Micros) -> tuple[Alert, Alert]:
    """The alert that goes on with what both knew, and the other, closed as merged into it."""
    note = f"{why}; {younger.id} goes on here"
    graver = gravity(younger.severity) > gravity(older.severity)
    stays = replace(
        older,
        severity=younger.severity if graver else older.severity,
        rules=_both(younger.rules, older.rules) if graver else _both(older.rules, younger.rules),
        causes=tuple(dict.fromkeys((*older.causes, *younger.causes))),
    )
    closes = replace(younger, state="merged", merged_into=older.id)
    line = entry(now, "cxloop", "merged", f"goes on as {older.id}")
    return scheduled(noted(stays, entry(now, "cxloop", "updated", note))), scheduled(noted(closes, line))


def _both(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *second)))


def _absorbed(memory: Memory, other: Memory) -> Memory:
    """What rules remember of either; the surviving customer's track stays, for the values jump anyway."""
    rules = {*memory.histories, *other.histories}
    return replace(
        memory,
        histories={rule: memory.history(rule).merged(other.history(rule)) for rule in sorted(rules)},
        recent=remembered(other.recent, memory.recent),
        track=memory.track or other.track,
    )


def belongs(alert: Alert, change: ScoreChange) -> bool:
    """Does the alert go with the customer who was parted? When most of its identity nodes do."""
    if not alert.leaves:
        return False
    gone = set(alert.leaves) & set(change.leaves)
    return len(gone) * 2 > len(set(alert.leaves))


def split(
    memory: Memory, source: Memory, change: ScoreChange, now: Micros
) -> tuple[Memory, Memory, list[Told]]:
    """The parted customer and the one who stays, each with the alerts that are its own.

    An alert that was merged away comes back to life when its customer is parted again.
    """
    told: list[Told] = []
    mine = {alert.driver for alert in memory.alerts if alert.live}
    stays: list[Alert] = []
    moves: list[Alert] = list(memory.alerts)
    for alert in sorted(source.alerts, key=lambda a: (not a.live, a.opened_at, a.id)):
        if not belongs(alert, change) or alert.driver in mine:
            stays.append(alert)
            continue
        again = (
            alert if alert.live else replace(alert, state="open", merged_into=None, clock_from=now, told=0)
        )
        moved = moved_to(again, change, now, "the customer was parted from another one")
        told.append(Told(moved, "updated" if alert.live else "reopened"))
        moves.append(moved)
        mine.add(alert.driver)
    # What was told of the one was told of the other: the same story is not told twice.
    rules = {*memory.histories, *source.histories}
    histories = {rule: memory.history(rule).merged(source.history(rule)) for rule in sorted(rules)}
    parted = replace(memory, alerts=tuple(moves), histories=histories)
    return parted, replace(source, alerts=tuple(stays)), told
