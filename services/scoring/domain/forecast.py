"""When a score's band changes by time alone, and until when nothing can change.

There is no closed form with live episodes and several half-lives. The bounds of an interval either
exclude a change, or the interval is split, down to one minute: the first crossing is found without a scan.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from services.scoring.domain.attributes import Attributes
from services.scoring.domain.bounds import End, Range, end, health_bounds, relationship_bounds, risk_bounds
from services.scoring.domain.episode import fold
from services.scoring.domain.lens import lens
from services.scoring.domain.model import Model
from services.scoring.domain.policy import Policy
from services.scoring.domain.score import Score, band, history_due
from services.scoring.domain.state import State
from services.scoring.domain.totals import instant
from services.scoring.domain.types import Episode, Fold
from shared.events.times import DAY, HOUR, MINUTE, Micros

SCORES: Final = ("health", "relationship", "risk")
UNKNOWN: Final = "unknown"
SPANS: Final = (30 * DAY, 7 * DAY, DAY, HOUR)
HORIZON: Final = 730 * DAY
_BOUNDS: Final = {"health": health_bounds, "relationship": relationship_bounds, "risk": risk_bounds}
_MOST_LOOKS: Final = 3000
"""A score that creeps along an edge for years would be split for ever; some hundred looks are usual."""


class Change(NamedTuple):
    """A score changes from `before` to `after` (bands, or `unknown`) at `at`, to the minute."""

    at: Micros
    before: str
    after: str


class Course:
    """A customer's scores as time goes on and nothing happens. `fold_at` gives its live folds at a time."""

    def __init__(
        self,
        state: State,
        fold_at: Callable[[Micros], Sequence[Fold]],
        attributes: Attributes,
        policy: Policy,
        model: Model,
    ) -> None:
        self._state = state
        self._fold_at = fold_at
        self._attributes = attributes
        self._policy = policy
        self._model = model
        self._ends: dict[Micros, End] = {}
        self.looks = 0

    def end(self, at: Micros) -> End:
        found = self._ends.get(at)
        if found is None:
            self.looks += 1
            view = lens(self._policy, self._model, at)
            found = end(self._state, self._fold_at(at), self._attributes, view)
            self._ends[at] = found
        return found

    def band(self, score: str, at: Micros) -> str:
        one: Score = getattr(self.end(at).scores, score)
        return one.band if one.known else UNKNOWN

    def quiet(self, score: str, start: Micros, stop: Micros) -> bool:
        """True if the band certainly stays what it is; both ends must lie between two `cut`s."""
        before = self.band(score, start)
        if before != self.band(score, stop):
            return False
        if before == UNKNOWN:
            return True  # evidence only falls, and the end of the first days is a cut
        reach = _BOUNDS[score](self.end(start), self.end(stop))
        return self._one_band(score, reach)

    def _one_band(self, score: str, reach: Range) -> bool:
        bands = getattr(self._policy.reading, f"{score}_bands")
        return band(bands, reach.low) == band(bands, reach.high)

    def cut(self, after: Micros) -> Micros | None:
        """The next instant at which a score may jump: a live fold changes its form, the renewal comes, …"""
        here = self.end(after)
        known = [one.next_at for one in self._fold_at(after)]
        if here.totals.renewal_in is not None:
            known.append(after + here.totals.renewal_in + 1)
        known.append(history_due(here.totals, here.lens))
        known.append(instant(self._attributes.at("left_at", after)))
        return min((at for at in known if at is not None and at > after), default=None)

    def first_change(self, score: str, start: Micros, stop: Micros) -> Change | None:
        """The first change of the band in (start, stop], to the minute; None if there is none.

        Also None once `_MOST_LOOKS` did not settle it: then the score creeps along an edge.
        """
        before, at = self.band(score, start), start
        while at < stop:
            cut = self.cut(at)
            until = stop if cut is None else min(cut, stop)
            inside = until if until == stop and until != cut else until - 1
            found = self._search(score, at, inside, before)
            if found is None and self.band(score, until) != before:
                found = until
            if found is not None:
                return Change(found, before, self.band(score, found))
            at = until
        return None

    def _search(self, score: str, start: Micros, stop: Micros, before: str) -> Micros | None:
        """Bisection without recursion, earliest part first."""
        parts = [(start, stop)]
        while parts and self.looks < _MOST_LOOKS:
            low, high = parts.pop()
            if self.quiet(score, low, high):
                continue
            if high - low <= MINUTE:
                if self.band(score, high) != before:
                    return high
                continue
            middle = (low + high) // 2
            parts += [(middle, high), (low, middle)]
        return None


def course(
    state: State, live: Sequence[Episode], attributes: Attributes, policy: Policy, model: Model
) -> Course:
    """The course of one customer, whose live episodes all stand under its own attributes."""
    return Course(
        state,
        lambda at: [fold(episode, attributes, policy, at) for episode in live],
        attributes,
        policy,
        model,
    )


def forecast(
    state: State,
    live: Sequence[Episode],
    attributes: Attributes,
    policy: Policy,
    model: Model,
    now: Micros,
) -> dict[str, Change | None]:
    """The next change of band of each score within two years if nothing happens."""
    ahead = course(state, live, attributes, policy, model)
    return forecast_of(ahead, now)


def forecast_of(ahead: Course, now: Micros) -> dict[str, Change | None]:
    """The same for a course of its own making, such as an account's."""
    found = {}
    for score in SCORES:
        ahead.looks = 0
        found[score] = ahead.first_change(score, now, now + HORIZON)
    return found


def next_check(
    state: State,
    live: Sequence[Episode],
    attributes: Attributes,
    policy: Policy,
    model: Model,
    now: Micros,
) -> Micros | None:
    """When to look again: nothing can change before. None if nothing can change by time alone any more."""
    return check_of(course(state, live, attributes, policy, model), now)


def check_of(ahead: Course, now: Micros) -> Micros | None:
    """The largest of 30 d, 7 d, 1 d and 1 h that excludes a change, cut where a live episode changes form.

    If not even an hour does: the minute of the change, at the earliest the next one.
    """
    cut = ahead.cut(now)
    if cut is None and all(ahead.band(score, now) == UNKNOWN for score in SCORES):
        return None
    for span in SPANS:
        stop = now + span
        reach = stop if cut is None or cut > stop else cut - 1
        if reach <= now or all(ahead.quiet(score, now, reach) for score in SCORES):
            return reach if reach == stop else reach + 1
    changes = [ahead.first_change(score, now, now + HOUR) for score in SCORES]
    return max(min((c.at for c in changes if c), default=now + HOUR), now + MINUTE)
