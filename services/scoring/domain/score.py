"""The three scores of a customer or an account at one now: a pure function of state, live episodes, policy.

Every number is an integer in 10⁻⁹. Below the policy's minimum evidence a score is unknown: its value is
None, never a neutral number, and `needs` says what is missing; `raw` is what the formula gives all the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from services.scoring.domain.attributes import Attributes
from services.scoring.domain.episode import fold
from services.scoring.domain.lens import Lens, lens
from services.scoring.domain.model import Model
from services.scoring.domain.numbers import NANO, logistic, rdiv
from services.scoring.domain.parts import (
    Mean,
    Part,
    Seen,
    relationship_parts,
    risk_parts,
    seen,
    signals,
)
from services.scoring.domain.policy import Band, Micro, Policy
from services.scoring.domain.spread import health_sd, relationship_sd, risk_sd
from services.scoring.domain.state import State
from services.scoring.domain.totals import Totals
from services.scoring.domain.types import Episode, Fold, Nano
from shared.events import scores as published
from shared.events.times import DAY, HOUR, Micros


class Score(NamedTuple):
    """One score. `raw` is there also while unknown: causes of a change are counted on it."""

    raw: Nano
    known: bool
    band: str
    evidence: Nano
    sd: Nano
    freshness: Nano | None
    respondents: int
    needs: tuple[str, ...] = ()

    @property
    def value(self) -> Nano | None:
        return self.raw if self.known else None


class Scores(NamedTuple):
    """`log_odds` is the risk before the logistic function, where its contributions add up."""

    health: Score
    relationship: Score
    risk: Score
    log_odds: Nano
    horizon_days: int
    policy: str
    model: str

    def published(self) -> published.Scores:
        """In the shape of the contract: n/10⁹."""
        return published.Scores(
            health=_published(self.health),
            relationship=_published(self.relationship),
            risk=_published(self.risk, self.horizon_days),
        )


class Sums(NamedTuple):
    """The parts of the three scores and their baselines; baseline + Σ points is the score, exactly."""

    health: list[Part]
    relationship: list[Part]
    risk: list[Part]
    health_baseline: Nano
    relationship_baseline: Nano
    risk_baseline: Nano
    seen: dict[str, Seen]

    @property
    def means(self) -> list[Mean]:
        return [one.mean for one in self.seen.values()]


class Summed(NamedTuple):
    """A customer summed up through one lens: what scores, causes and explanation are all read from."""

    view: Lens
    totals: Totals
    sums: Sums

    @property
    def health(self) -> Nano:
        return self.sums.health_baseline + sum([part.points for part in self.sums.health])

    @property
    def relationship(self) -> Nano:
        return self.sums.relationship_baseline + sum([part.points for part in self.sums.relationship])

    @property
    def log_odds(self) -> Nano:
        return self.sums.risk_baseline + sum([part.points for part in self.sums.risk])


def summed(
    state: State,
    live: Sequence[Fold],
    attributes: Attributes,
    policy: Policy,
    model: Model,
    now: Micros,
    earlier: Summed | None = None,
) -> Summed:
    """Sum up state and live folds, once for all that is read of them.

    `earlier` is any other of the same grid: at the same now what has not moved is not worked out again.
    """
    view = lens(policy, model, now)
    totals = Totals(state, live, attributes, view)
    known = earlier.sums.seen if earlier is not None and earlier.view is view else {}
    return Summed(view, totals, sums_of(totals, view, known))


def score(
    state: State,
    live: Sequence[Episode],
    attributes: Attributes,
    policy: Policy,
    model: Model,
    now: Micros,
) -> Scores:
    """Scores at `now`, which may lie in the future: live episodes are evaluated at that time."""
    folds = [fold(episode, attributes, policy, now) for episode in live]
    return score_folds(state, folds, attributes, policy, model, now)


def score_folds(
    state: State,
    live: Sequence[Fold],
    attributes: Attributes,
    policy: Policy,
    model: Model,
    now: Micros,
) -> Scores:
    """Like `score`, with the live episodes folded already: for accounts, each under its person's promise."""
    return read(summed(state, live, attributes, policy, model, now))


def read(whole: Summed) -> Scores:
    """Scores of what was summed up."""
    view, totals, sums = whole
    reading = view.policy.reading
    health, log_odds = whole.health, whole.log_odds
    risk = logistic(log_odds)
    evidence = rdiv(totals.health * NANO, view.unit_slow)
    needs = _needs_evidence(evidence, reading.minimum_evidence)
    common = Score(
        health, not needs, "", evidence, 0, _age(totals.health_last, view), totals.respondents, needs
    )
    return Scores(
        common._replace(
            band=band(reading.health_bands, health), sd=health_sd(sums.means, signals(totals, view), view)
        ),
        _relationship(totals, view, whole.relationship, sums.relationship),
        common._replace(
            raw=risk,
            band=band(reading.risk_bands, risk),
            sd=risk_sd(sums.means, signals(totals, view), view, risk),
        ),
        log_odds,
        reading.risk.horizon_days,
        view.policy.id,
        view.model.id,
    )


def sums_of(totals: Totals, view: Lens, earlier: Mapping[str, Seen] = MappingProxyType({})) -> Sums:
    """All parts of all three scores; `earlier` as for `seen`."""
    reading = view.policy.reading
    found = seen(totals, view, earlier)
    return Sums(
        [one.health for one in found.values()],
        relationship_parts(totals, view),
        risk_parts(found.values(), totals, view),
        rdiv(sum([one.weight for one in signals(totals, view)]) * reading.m0, 10**7),
        view.relationship_baseline,
        view.risk_baseline,
        found,
    )


def band(bands: Sequence[Band], value: Nano) -> str:
    """Name of the band in which the value lies; bands ascend, the first one also holds what is below it."""
    name = bands[0].name
    for one in bands:
        if value >= one.start * 1000:
            name = one.name
    return name


def _relationship(totals: Totals, view: Lens, value: Nano, parts: list[Part]) -> Score:
    reading = view.policy.reading
    evidence = rdiv(totals.relationship * NANO, view.unit_relationship)
    needs = _needs_history(totals, view) + _needs_evidence(
        evidence, reading.minimum_evidence, "sign of loyalty"
    )
    return Score(
        value,
        not needs,
        band(reading.relationship_bands, value),
        evidence,
        relationship_sd(parts, view),
        _age(totals.relationship_last, view),
        totals.respondents,
        needs,
    )


def history_due(totals: Totals, view: Lens) -> Micros | None:
    """When the first days are over in which no relationship can be known; None without any sign of life.

    The first sign of life is kept by its full hour, so one hour more passes: never known too early.
    """
    if totals.first is None:
        return None
    return totals.first + view.policy.reading.relationship.unknown_days * DAY + HOUR


def _needs_history(totals: Totals, view: Lens) -> tuple[str, ...]:
    due = history_due(totals, view)
    if due is not None and view.now >= due:
        return ()
    days = view.policy.reading.relationship.unknown_days
    so_far = 0 if totals.first is None else max(view.now - totals.first, 0) // DAY
    return (f"{days} days of history (so far {so_far})",)


def _needs_evidence(
    evidence: Nano, minimum: Micro, what: str = "survey answer or support contact"
) -> tuple[str, ...]:
    missing = minimum * 1000 - evidence
    if missing <= 0:
        return ()
    more = -(-missing // NANO)
    if more == 1:
        return (f"another recent {what}" if evidence else f"a first {what}",)
    return (f"{more} recent pieces of evidence, such as a {what}",)


def _age(last: Micros | None, view: Lens) -> Nano | None:
    return None if last is None else rdiv(max(view.now - last, 0) * NANO, DAY)


def _published(one: Score, horizon_days: int | None = None) -> published.Score:
    return published.Score(
        value=one.raw / NANO if one.known else None,
        band=one.band if one.known else None,
        state="known" if one.known else "unknown",
        evidence=one.evidence / NANO,
        sd=one.sd / NANO if one.known else None,
        freshness_days=None if one.freshness is None else one.freshness / NANO,
        respondents=one.respondents,
        needs=one.needs,
        horizon_days=horizon_days,
    )
