"""What customers do with their money: subscriptions, orders, invoices."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Final, NamedTuple

from services.scoring.domain.numbers import rdiv
from services.scoring.domain.policy import EvidencePolicy, Micro
from services.scoring.domain.revisions import Thing, key_of
from services.scoring.domain.types import Applied, Episode, Evidence, Nano, Signal
from services.scoring.domain.weighing import nano
from shared.events.times import Micros, parse_instant, to_micros

Place = tuple[Micros, str]
_NEVER: Final[Place] = (-1, "")


class Outcome(NamedTuple):
    """Rows of an episode, until when they hold as they are, and whether any depends on now.

    `steady`: live, but nothing grows with the time that passes before `next_at`.
    """

    rows: tuple[Evidence, ...]
    next_at: Micros | None = None
    live: bool = False
    steady: bool = False


def subscription(episode: Episode, policy: EvidencePolicy, now: Micros) -> Outcome:
    """Renewals, growth and shrinking, the end announced or reached, a period that ran out unrenewed."""
    deal = _Deal(episode)
    rows = [*_gains(deal, policy), *_end(deal, policy)]
    ends = deal.period_end
    waits = ends is not None and deal.goes_on
    if waits and ends is not None and now >= ends[0] and deal.period_by:
        rows.append(_row(Signal.RENEWAL, ends[0], ends[1], bad=policy.masses.lapsed))
    intents = [_intent(what, bad, since, give_up, now) for what, bad, since, give_up in _stated(deal, policy)]
    rows += [row for row, _ in intents]
    nexts = [at for _, at in intents if at is not None]
    nexts += [ends[0]] if waits and ends is not None and now < ends[0] else []
    is_live = any(row.open for row, _ in intents) or bool(nexts)
    return Outcome(tuple(rows), min(nexts, default=None), is_live)


class _Deal:
    """One subscription: the last version of each kind of statement on it."""

    def __init__(self, episode: Episode) -> None:
        groups: dict[tuple[str, ...], list[Applied]] = {}
        for one in episode.events:
            groups.setdefault((one.event.verb, *key_of(one.event)), []).append(one)
        self.things = {key: Thing(group) for key, group in groups.items()}
        self.renewals = [thing for key, thing in self.things.items() if key[0] == "renewed"]
        on = max(self._last(verb) for verb in ("started", "renewed", "resumed"))
        revoked = max(on, self._last("cancel_revoked"))
        cancelled, scheduled, paused = (self._last(v) for v in ("cancelled", "cancel_scheduled", "paused"))
        self.cancelled = cancelled if cancelled > revoked else None
        self.scheduled = scheduled if scheduled > revoked else None
        self.paused = paused if paused > on else None
        self.period_end, self.period_by = self._period()

    @property
    def goes_on(self) -> bool:
        return not (self.cancelled or self.scheduled or self.paused)

    def _last(self, verb: str) -> Place:
        """When something was last said, by its winning version."""
        said = (thing.last.event for key, thing in self.things.items() if key[0] == verb)
        return max(((event.at, event.id) for event in said), default=_NEVER)

    def place(self, verb: str) -> Place | None:
        found = self._last(verb)
        return None if found == _NEVER else found

    def _period(self) -> tuple[Place | None, bool]:
        """The latest end of a paid period, and the event that named it."""
        ends: list[Place] = []
        for thing in self.things.values():
            by, text = thing.by("period_end"), thing.text("period_end")
            at = _instant(text) if text else None
            if by and at is not None:
                ends.append((at, by.event.id))
        return (max(ends), True) if ends else (None, False)


def _gains(deal: _Deal, policy: EvidencePolicy) -> Iterator[Evidence]:
    masses = policy.masses
    for thing in deal.renewals:
        yield _row(Signal.RENEWAL, thing.last.event.at, thing.last.event.id, good=masses.renewed)
    grown, shrunk = deal.place("expanded"), deal.place("contracted")
    if grown:
        yield _row(Signal.RENEWAL, *grown, good=masses.expanded)
    if shrunk:
        yield _row(Signal.RENEWAL, *shrunk, bad=masses.contracted)


def _end(deal: _Deal, policy: EvidencePolicy) -> Iterator[Evidence]:
    """The announcement has its loss, the end itself what it adds to that."""
    announced = 0
    if deal.scheduled:
        announced = policy.masses.cancel_scheduled
        yield _row(Signal.RENEWAL, *deal.scheduled, bad=announced)
    if deal.cancelled:
        yield _row(Signal.RENEWAL, *deal.cancelled, bad=max(policy.masses.cancelled - announced, 0))


Stated = tuple[str, Micro, Place, Micros | None]
"""What, log-odds, since when and by which event, and until when it counts undiminished (None: revoked)."""


def _stated(deal: _Deal, policy: EvidencePolicy) -> Iterator[Stated]:
    intents = policy.intents
    if deal.cancelled:
        yield "cancel_scheduled", intents.cancelled, deal.cancelled, deal.cancelled[0] + policy.give_up
    elif deal.scheduled:
        ends = deal.period_end
        until = max(deal.scheduled[0], ends[0]) + policy.give_up if ends else None
        yield "cancel_scheduled", intents.cancel_scheduled, deal.scheduled, until
    elif deal.paused:
        yield "paused", intents.paused, deal.paused, deal.paused[0] + policy.give_up
    shrunk = deal.place("contracted")
    if shrunk:
        yield "contracted", intents.contracted, shrunk, shrunk[0]


def _intent(
    what: str, odds: Micro, since: Place, until: Micros | None, now: Micros
) -> tuple[Evidence, Micros | None]:
    """Undiminished before `until`, then dated there; and when it next changes."""
    at, event = since
    if until is None or now < until:
        return Evidence(Signal.INTENT, at, 0, nano(odds), event, open=True, what=what), until
    return Evidence(Signal.INTENT, until, 0, nano(odds), event, what=what), None


def invoice(episode: Episode, policy: EvidencePolicy, now: Micros) -> Outcome:
    """A payment that failed counts until it is recovered; a dispute is a statement by itself."""
    last: dict[str, Place] = {}
    for one in episode.events:
        last[one.event.verb] = (one.event.at, one.event.id)
    rows: list[Evidence] = []
    next_at: Micros | None = None
    failed = last.get("failed", _NEVER)
    if failed > last.get("recovered", _NEVER):
        until = failed[0] + policy.give_up
        row, next_at = _intent("payment_failed", policy.intents.payment_failed, failed, until, now)
        rows.append(row)
    if "disputed" in last:
        odds, since = policy.intents.payment_disputed, last["disputed"]
        rows.append(_intent("payment_disputed", odds, since, since[0], now)[0])
    return Outcome(tuple(rows), next_at, next_at is not None)


def order(episode: Episode, policy: EvidencePolicy) -> tuple[Evidence, ...]:
    """A purchase is a gain, less what was refunded, and the refund a loss in the same proportion."""
    groups: dict[tuple[str, ...], list[Applied]] = {}
    for one in episode.events:
        groups.setdefault((one.event.verb, *key_of(one.event)), []).append(one)
    things = {key: Thing(group) for key, group in groups.items()}
    made = next((thing for key, thing in things.items() if key[0] == "made"), None)
    refunds = sorted(
        (t for key, t in things.items() if key[0] == "refunded"),
        key=lambda t: (t.last.event.at, t.last.event.id),
    )
    paid = made.whole("amount") if made else None
    shares = [_share(refund.whole("amount"), paid) for refund in refunds]
    rows: list[Evidence] = []
    back = Fraction(0)
    for refund, share in zip(refunds, shares, strict=True):
        now_back = min(back + share, Fraction(1))
        loss = _part(policy.masses.refunded, now_back) - _part(policy.masses.refunded, back)
        rows.append(Evidence(Signal.PURCHASE, refund.last.event.at, 0, loss, refund.last.event.id))
        back = now_back
    if made:
        gain = _part(policy.masses.purchased, 1 - back)
        rows.append(Evidence(Signal.PURCHASE, made.last.event.at, gain, 0, made.last.event.id))
    return tuple(rows)


def _share(refunded: int | None, paid: int | None) -> Fraction:
    """Of the price; the whole where amounts are not known."""
    if refunded is None or not paid or paid < 0:
        return Fraction(1)
    return min(Fraction(max(refunded, 0), paid), Fraction(1))


def _part(mass: Micro, share: Fraction) -> Nano:
    return rdiv(nano(mass) * share.numerator, share.denominator)


def _row(signal: Signal, at: Micros, event: str, *, good: Micro = 0, bad: Micro = 0) -> Evidence:
    return Evidence(signal, at, nano(good), nano(bad), event)


def _instant(text: str) -> Micros | None:
    try:
        return to_micros(parse_instant(text))
    except ValueError:
        return None
