"""Is the cause of an alert still there?"""

from __future__ import annotations

from dataclasses import replace

from services.alerts.domain.alert import Cause
from services.alerts.domain.conditions import is_bad, is_over, key, wait_key
from services.alerts.domain.rules import Answer, Happened, PromiseBroken, Rule, Silence
from services.alerts.domain.view import View
from shared.events.scores import AppliedEvent
from shared.events.times import Micros

GONE_BY = frozenset({"event.retracted", "ticket.removed", "chat.removed", "call.removed", "review.removed"})


def looked_at(cause: Cause, rule: Rule | None, after: View, now: Micros) -> Cause:
    """The cause after a change. A rule that was deleted stands for what it said until people decide."""
    if rule is None or cause.gone:
        return cause
    return replace(cause, gone=_gone(cause, rule, after, now))


def _gone(cause: Cause, rule: Rule, after: View, now: Micros) -> bool:
    """1. an answer was taken back, or corrected to a good one     2. what happened was undone or taken back
    3. the wait is over     4. the silence ended     5. the level is left
    """
    match rule.when:
        case Answer() as answer:  # 1
            better = any(_about(cause, e) and not is_bad(answer, e) for e in _answers(after))
            return better or _retracted(cause, after)
        case Happened() as happened:  # 2
            undoing = [e for e in after.events if e.type in happened.undone_by]
            return any(e.key is None or _about(cause, e) for e in undoing) or _retracted(cause, after)
        case PromiseBroken():  # 3
            return not set(cause.keys) & {wait_key(w) for w in after.change.waits}
        case Silence():  # 4
            return any(e.actor == "customer" for e in after.fresh)
        case _:  # 5
            return is_over(rule, after, now)


def _retracted(cause: Cause, after: View) -> bool:
    if after.by_clock or not cause.events:
        return False
    taken = {e for part in after.change.causes if part.cause == "retracted" for e in part.events}
    taken |= {name for e in after.events if e.type in GONE_BY for name in e.replaces}
    return taken.issuperset(cause.events)


def _answers(after: View) -> list[AppliedEvent]:
    return [e for e in after.events if e.type == "survey.answered"]


def _about(cause: Cause, event: AppliedEvent) -> bool:
    names = {*cause.keys, *cause.events}
    return key(event) in names or bool(names & set(event.replaces))
