"""The conditions of rules, one function each; numbered cases are cited at their branches."""

from __future__ import annotations

from services.alerts.domain import track
from services.alerts.domain.outcomes import Fired, Firing, History, Outcome, Quiet, Silent
from services.alerts.domain.rules import (
    STALE_AFTER,
    Answer,
    Fall,
    Happened,
    Level,
    PromiseBroken,
    RenewalNear,
    Rule,
    Silence,
)
from services.alerts.domain.view import Push, View, is_stale, micros, score_of, value_of
from shared.events.scores import AppliedEvent, Scores, Wait
from shared.events.times import Micros

_SCALES = {"nps": (0.0, 10.0), "csat": (1.0, 5.0), "rating": (1.0, 5.0), "thumbs": (0.0, 1.0)}
_TOLERANCE = 1e-9


def key(event: AppliedEvent) -> str:
    """Equal for all versions of one statement, as far as the sender of the message says."""
    return event.key or event.id


def reached(level: Level, value: float, limit: float) -> bool:
    """Is `value` at `limit` or worse?"""
    return value >= limit if level.score == "risk" else value <= limit


def level(
    rule: Rule, level: Level, before: Scores | None, after: View, history: History, now: Micros
) -> Outcome:
    """1. unknown, or too little evidence     4. told before and never at the exit since
    2. at the exit or better                  5. in the cooldown: looked at again when it ends
    3. between exit and entry                 6. waiting out the dwell; lasted: fires
    7. by what pushed it: an event fires at once, time has to last, history and policy never fire
    """
    score = score_of(after.change.after, level.score)
    if score is None or score.value is None or score.state != "known":  # 1
        return Silent(Quiet.UNKNOWN)
    if score.evidence < level.min_evidence:  # 1
        return Silent(Quiet.THIN)
    if not reached(level, score.value, level.entry):  # 2, 3
        over = not _beyond_exit(level, score.value)
        return Silent(Quiet.BEYOND_EXIT if over else Quiet.BETWEEN)
    if not history.armed:  # 4
        return Silent(Quiet.ALREADY_TOLD)
    cool_at = _cool_at(rule, history)
    if cool_at is not None and now < cool_at:  # 5
        return Silent(Quiet.COOLING, cool_at)
    push = after.push(level.score)
    if push is Push.NOTHING and after.fresh and not _counted(level, before):
        push = Push.EVENT
    if push is Push.EVENT:  # 7
        return Firing(Fired.CROSSED, events=tuple(e.id for e in after.fresh))
    if history.pending_since is not None:  # 6
        due = history.pending_since + level.dwell
        return Firing(Fired.LASTED) if now >= due else Silent(Quiet.DWELLING, due)
    if push is Push.TIME:  # 7
        return Silent(Quiet.DWELLING, now + level.dwell) if level.dwell else Firing(Fired.CROSSED)
    return Silent(_SILENT_PUSH[push])  # 7


_SILENT_PUSH = {Push.STALE: Quiet.STALE, Push.POLICY: Quiet.POLICY_ONLY, Push.NOTHING: Quiet.NOT_RISING}


def _beyond_exit(level: Level, value: float) -> bool:
    """Worse than the exit level: risk above, the others below it."""
    return value > level.exit if level.score == "risk" else value < level.exit


def _counted(level: Level, before: Scores | None) -> bool:
    """Was the score at the entry level, with enough evidence, before the change already?"""
    score = score_of(before, level.score)
    if score is None or score.value is None or score.evidence < level.min_evidence:
        return False
    return reached(level, score.value, level.entry)


def _cool_at(rule: Rule, history: History) -> Micros | None:
    return None if history.last_fired is None else history.last_fired + rule.cooldown


def fall(rule: Rule, fall: Fall, after: View, history: History, now: Micros) -> Outcome:
    """Health fell: by fresh events or by waiting, never by policy, identity or loaded history."""
    if value_of(after.change.after, fall.score) is None:
        return Silent(Quiet.UNKNOWN)
    fell = track.fall(after.track, now, fall.within)
    if fell < fall.points:
        return Silent(Quiet.BEYOND_EXIT if fell < fall.exit_points else Quiet.BETWEEN)
    if not history.armed:
        return Silent(Quiet.ALREADY_TOLD)
    cool_at = _cool_at(rule, history)
    if cool_at is not None and now < cool_at:
        return Silent(Quiet.COOLING, cool_at)
    push = after.push(fall.score)
    if push in (Push.EVENT, Push.TIME):
        return Firing(Fired.FELL, events=tuple(e.id for e in after.fresh))
    return Silent(_SILENT_PUSH[push])


def ideal(event: AppliedEvent) -> float | None:
    """The answer on the ideal's scale, 0 worst to 1 best; None where it has none."""
    if event.x is not None:
        return event.x
    scale = event.scale or _SCALES.get(event.metric or "")
    if event.score is None or scale is None or scale[0] >= scale[1]:
        return None
    return (event.score - scale[0]) / (scale[1] - scale[0])


def is_bad(answer: Answer, event: AppliedEvent) -> bool:
    x = ideal(event)
    limit = dict(answer.limits).get(event.metric or "")
    return event.type == "survey.answered" and x is not None and limit is not None and x <= limit + _TOLERANCE


def answer(answer: Answer, after: View, history: History) -> Outcome:
    """A bad answer, told once however often it is revised; not when it is history."""
    return _news([e for e in after.events if is_bad(answer, e)], history, Fired.ANSWERED)


def happened(happened: Happened, after: View, history: History) -> Outcome:
    """One of the events, unless something later undid it already (deliveries come in any order)."""
    news = [e for e in after.events if e.type in happened.types]
    undone = [(key(e), micros(e.time)) for e in after.events if e.type in happened.undone_by]
    standing = [e for e in news if not _undone(e, (*history.ended, *undone))]
    if news and not standing:
        return Silent(Quiet.ALREADY_OVER)
    return _news(standing, history, Fired.HAPPENED)


def _undone(event: AppliedEvent, ended: tuple[tuple[str, Micros], ...]) -> bool:
    """By something later about the same thing; without natural keys nothing is about the same thing."""
    return any(name == key(event) and at >= micros(event.time) for name, at in ended)


def _news(events: list[AppliedEvent], history: History, why: Fired) -> Outcome:
    if not events:
        return Silent(Quiet.NOTHING_NEW)
    fresh = [e for e in events if not is_stale(e)]
    if not fresh:
        return Silent(Quiet.STALE)
    new = [e for e in fresh if key(e) not in history.told and not set(e.replaces) & set(history.told)]
    if not new:
        return Silent(Quiet.ALREADY_TOLD)
    # Both names are remembered: a later version may name the key, the id, or both.
    causes = tuple(dict.fromkeys(name for e in new for name in (key(e), e.id)))
    return Firing(why, causes, tuple(e.id for e in new))


def promise_broken(promise: PromiseBroken, after: View, history: History, now: Micros) -> Outcome:
    """A wait beyond its promise, once per wait; before that, looked at when the promise ends."""
    waits = after.change.waits
    matter = [w for w in waits if _matters(promise, after, w)]
    if not matter:
        return Silent(Quiet.NOT_WORTH_IT if waits else Quiet.NOTHING_NEW)
    due = [w for w in matter if micros(w.due_at) <= now]
    recent = [w for w in due if now - micros(w.due_at) <= STALE_AFTER]
    new = [w for w in recent if wait_key(w) not in history.told]
    if new:
        return Firing(Fired.BROKEN, tuple(wait_key(w) for w in new), tuple(w.event for w in new))
    look_at = min((micros(w.due_at) for w in matter if micros(w.due_at) > now), default=None)
    if not due:
        return Silent(Quiet.NOT_DUE, look_at)
    return Silent(Quiet.ALREADY_TOLD if recent else Quiet.STALE, look_at)


def wait_key(wait: Wait) -> str:
    return f"{wait.event}/{wait.kind}"


def _matters(promise: PromiseBroken, after: View, wait: Wait) -> bool:
    change = after.change
    return (
        _plain(change.persona) in {_plain(p) for p in promise.personas}
        or (wait.priority or "") in promise.priorities
        or (
            promise.top_value_share is not None
            and after.top_value is not None
            and (change.value or 0) >= after.top_value
        )
    )


def _plain(name: str | None) -> str:
    """`Decision maker`, `decision-maker` and `decision_maker` are one persona."""
    return (name or "").strip().lower().replace("-", "_").replace(" ", "_")


def renewal_near(rule: Rule, near: RenewalNear, after: View, history: History, now: Micros) -> Outcome:
    """Once per renewal date: it is near, and risk is high or unknown."""
    if after.change.renewal_at is None:
        return Silent(Quiet.NOTHING_NEW)
    renewal = micros(after.change.renewal_at)
    if renewal < now or renewal - now > near.within:
        return Silent(Quiet.NOT_DUE, renewal - near.within if renewal > now else None)
    risk = value_of(after.change.after, "risk")
    if risk is not None and risk < near.risk:
        return Silent(Quiet.BEYOND_EXIT)
    if after.change.renewal_at in history.told:
        return Silent(Quiet.ALREADY_TOLD)
    cool_at = _cool_at(rule, history)
    if cool_at is not None and now < cool_at:
        return Silent(Quiet.COOLING, cool_at)
    return Firing(Fired.NEAR, (after.change.renewal_at,))


def silence(rule: Rule, silence: Silence, after: View, history: History, now: Micros) -> Outcome:
    """Much longer than this customer's usual gap, as far as it is known: needs three signs of life."""
    heard = sorted(micros(e.time) for e in after.recent if e.actor == "customer")
    if len(heard) < 3:
        return Silent(Quiet.UNKNOWN)
    gap = (heard[-1] - heard[0]) // (len(heard) - 1)
    due = heard[-1] + max(silence.at_least, round(silence.factor * gap))
    if now < due:
        return Silent(Quiet.NOT_DUE, due)
    if now - due > STALE_AFTER:
        return Silent(Quiet.STALE)
    if str(heard[-1]) in history.told:
        return Silent(Quiet.ALREADY_TOLD)
    cool_at = _cool_at(rule, history)
    if cool_at is not None and now < cool_at:
        return Silent(Quiet.COOLING, cool_at)
    return Firing(Fired.SILENT, (str(heard[-1]),))


def is_over(rule: Rule, after: View, now: Micros) -> bool:
    """Is the level behind the rule gone, so that it may fire again? Rules on single events have none."""
    match rule.when:
        case Level() as level:
            value = value_of(after.change.after, level.score)
            return value is not None and not _beyond_exit(level, value)
        case Fall() as condition:
            fell = track.fall(after.track, now, condition.within)
            return value_of(after.change.after, condition.score) is not None and fell < condition.exit_points
        case RenewalNear() as near:
            risk = value_of(after.change.after, "risk")
            return risk is not None and risk < near.risk
        case _:
            return True
