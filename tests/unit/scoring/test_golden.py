"""The bits themselves, written down: another machine or another Python must give the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final

from services.scoring.domain import numbers as n
from services.scoring.domain.attributes import Attributes
from services.scoring.domain.decay import LANDMARK
from services.scoring.domain.lens import grid_of
from services.scoring.domain.model import Model
from services.scoring.domain.score import score_folds
from services.scoring.domain.state import State
from services.scoring.domain.types import Evidence, Fold, Signal
from services.scoring.policy_files import shipped
from shared.events.times import DAY, HOUR

POLICY: Final = shipped()
NOW: Final = LANDMARK + 26 * 365 * DAY + 7 * HOUR + 123_456


def digest(values: Iterator[object]) -> str:
    return hashlib.sha256("\n".join(str(value) for value in values).encode()).hexdigest()[:16]


def noise() -> Iterator[int]:
    """A linear congruential generator (Knuth's MMIX), so that no library's random numbers enter."""
    state = 2026
    while True:
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        yield state >> 16


def state() -> State:
    drawn = noise()
    built = State(grid_of(POLICY))
    for i in range(120):
        at = NOW - next(drawn) % (1800 * DAY)
        rows = tuple(
            Evidence(s, at, next(drawn) % 2 * 10**9, next(drawn) % (3 * 10**9), f"e{i}")
            for s in Signal
            if next(drawn) % 4 == 0
        )
        day = (at - LANDMARK) // DAY
        built.add(Fold(rows, False, None, at, at, (day,), at, at if i % 5 == 0 else None, (f"p{i % 7}",)))
    return built


def numbers() -> Iterator[object]:
    for i in range(1, 2000):
        yield n.exp2_neg_raw(i * 7919, 1013)
        yield n.ln_raw(i * 104729, 7907)
        yield n.logistic((i - 1000) * 12_345_678)
        yield n.exp2_mantissa(i, 2000)


def test_powers_and_logarithms() -> None:
    assert digest(numbers()) == "b2d1b2b0c876acf8"


def test_state() -> None:
    assert hashlib.sha256(state().pack()).hexdigest()[:16] == "55bb5a5f3e6fb807"


def test_scores() -> None:
    """If the shipped policy was changed on purpose, this line is to be written anew; else never."""
    risk = POLICY.reading.risk
    model = Model(risk.intercept, risk.theta, risk.trend)
    told = (
        score_folds(state(), (), Attributes.of(()), POLICY, model, NOW + later * DAY)[:4]
        for later in (0, 1, 30, 400, 4000)
    )
    assert digest(told) == "8306129563984ca6"
