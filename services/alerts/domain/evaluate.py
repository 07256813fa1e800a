"""Does a rule fire? Every answer has a reason; tables of cases are in its tests."""

from __future__ import annotations

from services.alerts.domain import conditions
from services.alerts.domain.outcomes import MAX_TOLD, Firing, History, Outcome, Quiet, Silent
from services.alerts.domain.rules import (
    Answer,
    Fall,
    Happened,
    Level,
    PromiseBroken,
    RenewalNear,
    Rule,
    Silence,
)
from services.alerts.domain.view import View, micros
from shared.events.scores import Scores
from shared.events.times import Micros


def evaluate(rule: Rule, before: Scores | None, after: View, history: History, now: Micros) -> Outcome:
    """What `rule` says of a customer who went from `before` to `after`.

    1. switched off, or about the other kind of subject     3. only our own judgement changed
    2. a rebuild or re-scoring, which pages nobody          4. else the condition decides
    """
    if not rule.enabled:  # 1
        return Silent(Quiet.DISABLED)
    if ("customer" if after.change.customer_id else "account") not in rule.subjects:  # 1
        return Silent(Quiet.OTHER_SUBJECT)
    if after.change.quiet and not after.by_clock:  # 2
        return Silent(Quiet.REBUILD)
    if after.policy_only:  # 3
        return Silent(Quiet.POLICY_ONLY)
    return _decide(rule, before, after, history, now)  # 4


def _decide(rule: Rule, before: Scores | None, after: View, history: History, now: Micros) -> Outcome:
    match rule.when:
        case Level() as level:
            return conditions.level(rule, level, before, after, history, now)
        case Fall() as fall:
            return conditions.fall(rule, fall, after, history, now)
        case Answer() as answer:
            return _unless_cooling(rule, conditions.answer(answer, after, history), history, now)
        case Happened() as happened:
            return _unless_cooling(rule, conditions.happened(happened, after, history), history, now)
        case PromiseBroken() as promise:
            return conditions.promise_broken(promise, after, history, now)
        case RenewalNear() as near:
            return conditions.renewal_near(rule, near, after, history, now)
        case Silence() as silence:
            return conditions.silence(rule, silence, after, history, now)


def _unless_cooling(rule: Rule, outcome: Outcome, history: History, now: Micros) -> Outcome:
    """An event in the cooldown is passed over for good: news does not keep."""
    cooling = history.last_fired is not None and now < history.last_fired + rule.cooldown
    return Silent(Quiet.COOLING) if cooling and isinstance(outcome, Firing) else outcome


def remember(rule: Rule, history: History, outcome: Outcome, after: View, now: Micros) -> History:
    """What the rule keeps in mind after `outcome`."""
    ended = _ended(rule, history, after)
    if isinstance(outcome, Firing):
        told = tuple(dict.fromkeys((*history.told, *outcome.causes)))[-MAX_TOLD:]
        return History(armed=False, last_fired=now, told=told, ended=ended)
    armed, pending, next_at = history.armed, None, outcome.look_at
    if outcome.reason in _UNDECIDED:
        pending, next_at = history.pending_since, history.next_at
    elif outcome.reason in (Quiet.DWELLING, Quiet.COOLING):
        pending = history.pending_since if history.pending_since is not None else now
    if conditions.is_over(rule, after, now):
        armed = True
    return History(armed, pending, history.last_fired, history.told, ended, next_at)


_UNDECIDED = frozenset({Quiet.DISABLED, Quiet.OTHER_SUBJECT, Quiet.REBUILD, Quiet.POLICY_ONLY})
"""Reasons that say nothing of the customer: a dwell that runs goes on."""


def _ended(rule: Rule, history: History, after: View) -> tuple[tuple[str, Micros], ...]:
    if not isinstance(rule.when, Happened):
        return history.ended
    news = ((conditions.key(e), micros(e.time)) for e in after.events if e.type in rule.when.undone_by)
    return tuple(dict.fromkeys((*history.ended, *news)))[-MAX_TOLD:]
