"""An account is the plain addition of its people, each under that person's promise, and of its own events."""

from __future__ import annotations

from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from services.scoring.domain.customer import fold_all
from services.scoring.domain.lens import grid_of
from services.scoring.domain.model import day_zero
from services.scoring.domain.state import State
from services.scoring.domain.totals import beside
from services.scoring.domain.types import Applied
from services.scoring.policy_files import shipped
from services.scoring.view import folded
from tests.property.histories import END, START, histories
from tests.property.test_laws import assert_exact

POLICY: Final = shipped()
MODEL: Final = day_zero(POLICY)
History = list[Applied]
instants = st.integers(START, END)
people = st.tuples(histories(prefix="a"), histories(prefix="b"))


@settings(max_examples=50)
@given(histories(prefix="o"), people, instants)
def test_the_order_of_people_changes_nothing(
    own: History, members: tuple[History, History], now: int
) -> None:
    here = folded(own, members, POLICY, MODEL, now)
    there = folded(own, members[::-1], POLICY, MODEL, now)
    assert here.state.pack() == there.state.pack()
    assert here.scores == there.scores
    assert here.explanation == there.explanation


@settings(max_examples=50)
@given(histories(prefix="o"), people, instants)
def test_the_state_is_the_sum_of_all(own: History, members: tuple[History, History], now: int) -> None:
    total = State(grid_of(POLICY))
    total.merge(fold_all(own, POLICY, now).state)
    for told in members:
        one = fold_all(told, POLICY, now)
        total.merge(one.state)
        for loose in beside(one.attributes, POLICY, now):
            total.add(loose)
    assert folded(own, members, POLICY, MODEL, now).state.pack() == total.pack()


@settings(max_examples=50)
@given(histories(prefix="o"), people, instants)
def test_explanations_of_accounts_are_exact(own: History, members: tuple[History, History], now: int) -> None:
    view = folded(own, members, POLICY, MODEL, now)
    for why in (view.explanation.health, view.explanation.relationship, view.explanation.risk):
        assert_exact(why)
    assert view.explanation.risk.raw == view.scores.log_odds
