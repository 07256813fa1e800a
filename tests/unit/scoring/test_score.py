"""The formulas of the three scores, against the same formulas in plain fractions and floats."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scoring.domain.attributes import Attributes
from services.scoring.domain.lens import grid_of, lens
from services.scoring.domain.model import day_zero
from services.scoring.domain.numbers import NANO
from services.scoring.domain.parts import relationship_parts
from services.scoring.domain.policy import HEALTH
from services.scoring.domain.score import Scores, band, score_folds
from services.scoring.domain.state import State
from services.scoring.domain.totals import Totals
from services.scoring.domain.types import Evidence, Fold, Signal
from services.scoring.policy_files import shipped
from shared.events import Event
from shared.events.bodies import CustomerIdentified
from shared.events.times import DAY, HOUR, Micros, from_micros, to_micros

NOW: Final[Micros] = to_micros(datetime(2026, 3, 4, 12, tzinfo=UTC))
POLICY: Final = shipped()
MODEL: Final = day_zero(POLICY)
READING: Final = POLICY.reading
NOBODY: Final = Attributes.of(())
W: Final = {signal: READING.weights.get(signal, 0) / 1e6 for signal in HEALTH}
KAPPA: Final = READING.kappa / 1e6
M0: Final = READING.m0 / 1e6
V0: Final = READING.relationship.m0 / 1e6

Given = tuple[Signal, float, float, int]
"""Signal, good, bad, age in hours."""


def row(signal: Signal, good: float, bad: float, age_h: int, **more: object) -> Evidence:
    return Evidence(signal, NOW - age_h * HOUR, round(good * NANO), round(bad * NANO), f"e{age_h}", **more)  # type: ignore[arg-type]


def episode(*rows: Evidence, age_h: int = 24, live: bool = False, relationship: bool = False) -> Fold:
    at = NOW - age_h * HOUR
    day = (at - to_micros(datetime(2000, 1, 1, tzinfo=UTC))) // DAY
    return Fold(rows, live, None, at, at, (day,), at, at if relationship else None)


def scores(
    settled: Sequence[Fold], live: Sequence[Fold] = (), now: Micros = NOW, who: Attributes = NOBODY
) -> Scores:
    state = State(grid_of(POLICY))
    for fold in settled:
        state.add(fold)
    return score_folds(state, live, who, POLICY, MODEL, now)


def identified(**fields: str) -> Attributes:
    time = from_micros(NOW - DAY)
    body = CustomerIdentified(**fields)  # type: ignore[arg-type]
    event = Event(id="a", source="s", type="customer.identified", time=time, recorded=time, body=body)
    return Attributes.of([event])


given_rows = st.lists(
    st.tuples(
        st.sampled_from([s for s in HEALTH if s is not Signal.ADOPTION]),
        st.floats(0, 5),
        st.floats(0, 10),
        st.integers(0, 3000),
    ),
    max_size=12,
)


def sums(rows: Sequence[Given], half_life_h: int) -> dict[Signal, tuple[float, float]]:
    found: dict[Signal, tuple[float, float]] = {}
    for signal, good, bad, age in rows:
        left = 2 ** (-age / half_life_h)
        g, b = found.get(signal, (0.0, 0.0))
        found[signal] = (g + good * left, b + bad * left)
    return found


@given(given_rows)
def test_health_is_the_weighted_mean(rows: list[Given]) -> None:
    slow = sums(rows, 2160)
    means = {s: (g + M0 * KAPPA) / (g + b + KAPPA) for s, (g, b) in slow.items()}
    expected = 100 * sum(W[s] * means.get(s, M0) for s in HEALTH)
    found = scores([episode(row(*one)) for one in rows])
    assert found.health.raw / NANO == pytest.approx(expected, abs=1e-6)
    spread = 0.0
    for signal in HEALTH:
        m, (g, b) = means.get(signal, M0), slow.get(signal, (0.0, 0.0))
        spread += W[signal] ** 2 * m * (1 - m) / (g + b + KAPPA + 1)
    assert found.health.sd / NANO == pytest.approx(100 * math.sqrt(spread), abs=1e-5)


@given(given_rows)
def test_risk_in_log_odds(rows: list[Given]) -> None:
    slow, fast = sums(rows, 2160), sums(rows, 336)
    expected = MODEL.intercept / 1e6
    for signal, (g, b) in slow.items():
        theta = MODEL.theta.get(signal, 0) / 1e6
        expected -= theta * (math.log(1 + g / (KAPPA * M0)) - math.log(1 + b / (KAPPA * (1 - M0))))
        quick_g, quick_b = fast[signal]
        m = (g + M0 * KAPPA) / (g + b + KAPPA)
        quick = (quick_g + M0 * KAPPA) / (quick_g + quick_b + KAPPA)
        expected -= MODEL.trend / 1e6 * W[signal] * (quick - m)
    found = scores([episode(row(*one)) for one in rows])
    assert found.log_odds / NANO == pytest.approx(expected, abs=1e-6)
    assert found.risk.raw / NANO == pytest.approx(1 / (1 + math.exp(-expected)), abs=1e-6)


def test_nothing_known_is_the_baseline_and_unknown() -> None:
    found = scores([])
    assert found.health.raw == 65 * NANO
    assert found.relationship.raw == 45 * NANO
    assert found.log_odds == -NANO
    for one in (found.health, found.relationship, found.risk):
        assert not one.known and one.value is None and one.needs and one.evidence == 0
    shown = found.published()
    assert shown.health.value is None and shown.health.band is None and shown.health.sd is None
    assert shown.risk.horizon_days == 90 and shown.health.horizon_days is None


def test_evidence_halves_with_its_half_life_and_says_what_it_needs() -> None:
    one = scores([episode(row(Signal.LOYALTY, 2, 0, 2160), age_h=2160)])
    assert one.health.evidence == NANO // 2
    assert one.health.needs == ("another recent survey answer or support contact",)
    assert one.health.freshness == 90 * NANO
    two = scores([episode(row(Signal.LOYALTY, 2, 0, h), age_h=h) for h in (1, 2)])
    assert two.health.known and not two.health.needs


def test_relationship_is_unknown_in_the_first_90_days() -> None:
    def at_age(days: int) -> Scores:
        return scores([episode(age_h=24 * days, relationship=True), episode(relationship=True)])

    assert not at_age(89).relationship.known
    assert at_age(89).relationship.needs == ("90 days of history (so far 89)",)
    assert at_age(91).relationship.known


def test_relationship_gains_and_losses_decay_apart() -> None:
    years = 2 * 8760
    rows = [
        row(Signal.RENEWAL, 1, 0, years),
        row(Signal.RENEWAL, 0, 1.5, 0),
        row(Signal.ADVOCACY, 1, 0, 0),
    ]
    found = scores([episode(*rows, age_h=years)])
    tenure = 0.30 * (1 - V0) * (1 - 2 ** -(24 * (180 + 1 - 12 / 24) / (730 * 24)))
    renewal = 0.30 * ((1 - V0) * (1 - 2**-0.5) - V0 * (1 - 2**-1.5))
    advocacy = 0.20 * (1 - V0) * 0.5
    recent, usual = 2 ** -(years / 2160), 2 ** -(years / 17520)
    cadence = -0.10 * V0 * (1 - recent * 730 / (usual * 90))
    expected = 100 * (V0 + tenure + renewal + advocacy + cadence)
    assert found.relationship.raw / NANO == pytest.approx(expected, abs=0.01)


def test_steady_activity_has_no_cadence_loss_and_silence_has() -> None:
    def cadence(silent_days: int) -> int:
        state = State(grid_of(POLICY))
        for n in range(300):
            state.add(episode(age_h=24 * (silent_days + 3 * n), relationship=True))
        view = lens(POLICY, MODEL, NOW)
        parts = relationship_parts(Totals(state, (), NOBODY, view), view)
        return sum(part.points for part in parts if part.signal is Signal.CADENCE)

    assert cadence(1) == 0
    assert 0 > cadence(120) > cadence(400) > -100 * 0.10 * V0 * NANO


def test_since_lengthens_the_tenure() -> None:
    folds = [episode(relationship=True), episode(relationship=True)]
    new, old = scores(folds), scores(folds, who=identified(since="2020-01-01T00:00:00Z"))
    assert not new.relationship.known and old.relationship.known
    assert old.relationship.raw > new.relationship.raw
    assert scores(folds, who=identified(since="soon")) == new


def test_open_evidence_does_not_decay() -> None:
    waiting = episode(row(Signal.RESPONSIVENESS, 0, 3, 9 * 24, open=True), live=True)
    fresh = episode(row(Signal.RESPONSIVENESS, 0, 3, 0))
    assert scores([], [waiting]).health.raw == scores([fresh]).health.raw
    later = scores([], [waiting], now=NOW + 30 * DAY)
    assert later.health.raw == scores([], [waiting]).health.raw


def test_adoption_takes_its_share_where_usage_is_sent() -> None:
    used = scores([episode(row(Signal.ADOPTION, 1, 0, 0), row(Signal.LOYALTY, 0, 5, 0))])
    loyalty = 0.8 * W[Signal.LOYALTY] * (M0 * KAPPA / (5 + KAPPA) - M0)
    adoption = 0.2 * ((1 + M0 * KAPPA) / (1 + KAPPA) - M0)
    assert used.health.raw / NANO == pytest.approx(65 + 100 * (loyalty + adoption), abs=1e-6)


def test_bands_begin_at_their_start() -> None:
    bands = READING.health_bands
    assert [band(bands, n * NANO) for n in (0, 39, 40, 60, 80, 100)] == [
        "poor",
        "poor",
        "fair",
        "good",
        "excellent",
        "excellent",
    ]
    assert band(bands, 40 * NANO - 1) == "poor"
    assert band(bands, -1) == "poor"


def test_fast_sums_older_than_64_half_lives_weigh_nothing() -> None:
    old = row(Signal.LOYALTY, 0, 10, 66 * 14 * 24)
    found = scores([episode(old)], now=NOW)
    slow_g, slow_b = 0.0, 10 * 2 ** -(66 * 14 / 90)
    m = M0 * KAPPA / (slow_g + slow_b + KAPPA)
    trend = -W[Signal.LOYALTY] * (M0 - m)
    loss = 0.6 * math.log(1 + slow_b / (KAPPA * (1 - M0)))
    assert found.log_odds / NANO == pytest.approx(-1 + trend + loss, abs=2e-9)
