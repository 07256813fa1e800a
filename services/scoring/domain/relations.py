"""Referrals, planned touchpoints, usage, self-service, and a champion who left."""

from __future__ import annotations

from collections.abc import Iterator

from services.scoring.domain.attributes import Attributes
from services.scoring.domain.commerce import Outcome
from services.scoring.domain.numbers import exp2_neg, rdiv
from services.scoring.domain.policy import EvidencePolicy, folded
from services.scoring.domain.revisions import Thing
from services.scoring.domain.types import NANO, Applied, Episode, Evidence, Nano, Signal
from services.scoring.domain.weighing import Scale, nano
from shared.events import Event
from shared.events.times import Micros, parse_instant, to_micros


def referral(episode: Episode, policy: EvidencePolicy) -> Iterator[Evidence]:
    """Telling somebody who was no customer counts most; that they came counts on top."""
    told = Thing(episode.events)
    existing = told.get("existing_customer")
    masses = policy.masses
    mass = {False: masses.referral_new, True: masses.referral_existing}.get(
        existing if isinstance(existing, bool) else None,  # type: ignore[arg-type]
        masses.referral_unsaid,
    )
    made = _first(episode, "made") or _first(episode, "converted")
    if made:
        yield Evidence(Signal.ADVOCACY, made.event.at, nano(mass), 0, made.event.id)
    came = _first(episode, "converted")
    if came:
        yield Evidence(Signal.ADVOCACY, came.event.at, nano(masses.referral_converted), 0, came.event.id)


def touchpoint(episode: Episode, policy: EvidencePolicy, now: Micros) -> Outcome:
    """x = 1 for a planned touchpoint that took place by its due date, else 0; before it nothing."""
    plan = Thing(episode.events)
    due = _instant(plan.text("due_at"))
    planned, held, missed = (_first(episode, verb) for verb in ("planned", "held", "missed"))
    if planned is None and due is None:
        return Outcome(())
    scale = Scale(policy, policy.masses.touchpoint)
    beginning = planned or episode.events[0]
    if held and (due is None or held.event.at <= due):
        return Outcome((scale.row(Signal.PROACTIVE, held.event.at, NANO, held.event.id),))
    if due is not None and now >= due:
        return Outcome((scale.row(Signal.PROACTIVE, due, 0, beginning.event.id),))
    if missed:
        return Outcome(
            (scale.row(Signal.PROACTIVE, missed.event.at, 0, missed.event.id),), due, due is not None
        )
    return Outcome((), due, due is not None)


def usage(episode: Episode, policy: EvidencePolicy) -> Iterator[Evidence]:
    """A quarter of use: the last report of each feature against the seats, else the quarter's best.

    One piece of evidence however often it is reported; falling far below the best states an intent.
    """
    reports: dict[str, list[Applied]] = {}
    for one in episode.events:
        reports.setdefault(_feature(one.event), []).append(one)
    norms = [_against_norm(group) for group in reports.values()]
    known = [x for x in norms if x is not None]
    last = episode.events[-1].event
    if known:
        x = rdiv(_total(known), len(known))
        yield Scale(policy, policy.masses.usage).row(Signal.ADOPTION, last.at, x, last.id)
    kept = [_against_best(group) for group in reports.values()]
    if kept and rdiv(_total(kept), len(kept)) < nano(policy.usage_falling_below):
        odds = nano(policy.intents.usage_falling)
        yield Evidence(Signal.INTENT, last.at, 0, odds, last.id, what="usage_falling")


def _feature(event: Event) -> str:
    feature = getattr(event.body, "feature", None)
    return feature if isinstance(feature, str) else ""


def _used(event: Event) -> Nano | None:
    """How much was used, in 10⁻⁹: people where they are counted, else the count itself."""
    for name in ("active_users", "count"):
        value = getattr(event.body, name, None)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e12:
            return int(value * NANO) if isinstance(value, int) else round(value * NANO)
    return None


def _against_norm(reports: list[Applied]) -> Nano | None:
    """The last report over the seats; without seats over the best, once there are two to compare."""
    last = reports[-1].event
    used, seats = _used(last), getattr(last.body, "seats", None)
    if used is None:
        return None
    if isinstance(seats, int) and seats > 0 and isinstance(getattr(last.body, "active_users", None), int):
        return min(rdiv(used, seats), NANO)
    return _against_best(reports) if len(reports) > 1 else None


def _against_best(reports: list[Applied]) -> Nano:
    values = [value for one in reports if (value := _used(one.event)) is not None]
    best = max(values, default=0)
    return min(rdiv(values[-1] * NANO, best), NANO) if best else NANO


def _total(values: list[Nano]) -> Nano:
    return sum(values)


def attempt(episode: Episode, policy: EvidencePolicy) -> Iterator[Evidence]:
    """Self-service that helped spared a contact; tried in vain it was one: 2^-½ of the effort's ideal."""
    tried = Thing(episode.events)
    helped, by = tried.get("helped"), tried.by("helped")
    if by and isinstance(helped, bool):
        x = NANO if helped else exp2_neg(1, 2)
        yield Scale(policy, policy.masses.selfservice).row(Signal.EFFORT, by.event.at, x, by.event.id)


def champion_left(attributes: Attributes, policy: EvidencePolicy, now: Micros) -> Evidence | None:
    """Intent of an account, or of the person, once somebody who carried the deal has left.

    It belongs to no episode: who somebody is, and whether they are still there, are attributes.
    """
    fact = attributes.last("left_at")
    left = _instant(fact.value) if fact and isinstance(fact.value, str) else None
    if fact is None or left is None or left > now:
        return None
    who = {folded(str(attributes.at(field, left) or "")) for field in ("role", "persona")}
    if not who & policy.champions:
        return None
    odds = nano(policy.intents.champion_left)
    return Evidence(Signal.INTENT, left, 0, odds, fact.event, what="champion_left")


def _first(episode: Episode, verb: str) -> Applied | None:
    return next((one for one in episode.events if one.event.verb == verb), None)


def _instant(text: str | None) -> Micros | None:
    if not text:
        return None
    try:
        return to_micros(parse_instant(text))
    except ValueError:
        return None
