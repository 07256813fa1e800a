"""Rules that fired become one alert, or join the one that is open."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from services.alerts.domain import words
from services.alerts.domain.alert import Alert, Cause, entry, noted
from services.alerts.domain.councils import council_of
from services.alerts.domain.levels import scheduled
from services.alerts.domain.lifecycle import Told, opened_again
from services.alerts.domain.memory import Book
from services.alerts.domain.outcomes import Firing
from services.alerts.domain.rules import Rule, gravity
from services.alerts.domain.view import View
from shared.events.alerts import BeforeAfter, Reason
from shared.events.times import Micros

_ALERT: Final = uuid.uuid5(uuid.NAMESPACE_URL, "https://cxloop.example/ids/alert")


@dataclass(frozen=True, slots=True)
class Match:
    rule: Rule
    firing: Firing


def open_or_join(
    alerts: tuple[Alert, ...], matches: Sequence[Match], view: View, book: Book, now: Micros
) -> list[Told]:
    """Several rules at once are one alert, the gravest leads; praise is never mixed with damage."""
    told = []
    for group in _groups(matches):
        leader = group[0].rule
        live = next((a for a in alerts if a.driver == leader.driver and a.live), None)
        if live is None:
            told.append(Told(_opened(group, view, book, now), "opened"))
        elif joined := _joined(live, group, view, book, now):
            told.append(joined)
    return told


def _groups(matches: Sequence[Match]) -> list[list[Match]]:
    """Gravest first, in the order of the rules among equals."""
    ordered = sorted(matches, key=lambda m: -gravity(m.rule.severity))
    damage = [m for m in ordered if m.rule.driver != "advocacy"]
    praise = [m for m in ordered if m.rule.driver == "advocacy"]
    return [group for group in (damage, praise) if group]


def _cause(match: Match) -> Cause:
    return Cause(match.rule.id, match.firing.causes, match.firing.events[:20])


def _opened(group: list[Match], view: View, book: Book, now: Micros) -> Alert:
    change, leader = view.change, group[0]
    subject = change.customer_id or change.account_id or ""
    name = f"{subject}/{leader.rule.driver}/{change.version}/{now}"
    alert_id = str(uuid.uuid5(_ALERT, name))
    return scheduled(
        Alert(
            id=alert_id,
            customer_id=change.customer_id,
            account_id=change.account_id,
            council=council_of(change, book.councils.values()),
            driver=leader.rule.driver,
            rules=tuple(m.rule.id for m in group),
            severity=leader.rule.severity,
            state="open",
            title=words.title(leader.rule, change),
            reason=words.reason(leader.rule, leader.firing, view, now),
            suggestion=leader.rule.suggestion,
            scores=BeforeAfter(words.levels(change.before), words.levels(change.after)),
            customer=words.customer(change),
            opened_at=now,
            clock_from=now,
            causes=tuple(_cause(m) for m in group),
            leaves=change.leaves,
            url=book.link.replace("{id}", alert_id),
            history=(entry(now, "cxloop", "opened", ", ".join(m.rule.id for m in group)),),
        )
    )


def _joined(live: Alert, group: list[Match], view: View, book: Book, now: Micros) -> Told | None:
    """The open alert with the new causes. One that waited for the customer's evidence is open again,
    because something new went wrong; a snoozed one wakes only for something graver."""
    causes = _with(live.causes, [_cause(m) for m in group])
    if causes == live.causes:
        return None
    leads = gravity(group[0].rule.severity) > gravity(live.severity)
    alert = replace(live, causes=causes, rules=_ranked(live.rules, group, book))
    if leads:
        alert = replace(
            alert,
            severity=group[0].rule.severity,
            title=words.title(group[0].rule, view.change),
            suggestion=group[0].rule.suggestion,
            told=0,
        )
    alert = replace(
        alert,
        reason=words.reason(group[0].rule, group[0].firing, view, now)
        if leads
        else _more(live, group, view, now),
        scores=BeforeAfter(live.scores.before, words.levels(view.change.after)),
        customer=words.customer(view.change),
    )
    again = live.state == "verifying" or (live.state == "snoozed" and leads)
    if again:
        alert = replace(opened_again(alert, now), causes=causes)
    line = entry(now, "cxloop", "reopened" if again else "updated", ", ".join(m.rule.id for m in group))
    return Told(scheduled(noted(alert, line)), "reopened" if again else "updated")


def _more(live: Alert, group: list[Match], view: View, now: Micros) -> Reason:
    """The leading reason stays; the newest events stand first, the numbers are those of now."""
    fresh = words.reason(group[0].rule, group[0].firing, view, now)
    events = {event.id: event for event in (*fresh.events, *live.reason.events)}
    return Reason(
        text=live.reason.text,
        contributions=fresh.contributions or live.reason.contributions,
        events=tuple(events.values())[: words.MAX_EVENTS],
    )


def _with(causes: tuple[Cause, ...], new: list[Cause]) -> tuple[Cause, ...]:
    """A rule on a level has one cause, renewed; a rule on events has one for each."""
    kept = {(c.rule, c.keys): c for c in causes}
    for cause in new:
        old = kept.get((cause.rule, cause.keys))
        if old is None or old.gone:
            kept[cause.rule, cause.keys] = cause
    return tuple(kept.values())


def _ranked(rules: tuple[str, ...], group: list[Match], book: Book) -> tuple[str, ...]:
    severity = {rule.id: gravity(rule.severity) for rule in book.rules}
    both = dict.fromkeys((*rules, *(m.rule.id for m in group)))
    return tuple(sorted(both, key=lambda rule_id: -severity.get(rule_id, 0)))
