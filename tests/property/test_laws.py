"""The laws of scoring, on histories of every event type: bit equality of integers, never a tolerance."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from services.scoring.domain.causes import Share, shares
from services.scoring.domain.customer import Customer, effective, episodes_of, fold_all
from services.scoring.domain.episode import fold
from services.scoring.domain.explain import explain
from services.scoring.domain.explanation import Explanation, Why
from services.scoring.domain.folds import pack_fold, unpack_fold
from services.scoring.domain.lens import grid_of
from services.scoring.domain.model import day_zero
from services.scoring.domain.score import Scores, score
from services.scoring.domain.state import State
from services.scoring.domain.types import Applied, Fold
from services.scoring.domain.walk import Raw, Walk
from services.scoring.policy_files import shipped
from shared.events.times import DAY, Micros
from tests.property.histories import END, START, histories

POLICY: Final = shipped()
MODEL: Final = day_zero(POLICY)
GRID: Final = grid_of(POLICY)

History = list[Applied]
instants = st.integers(START, END + 900 * DAY)
seeds = st.integers(0, 2**32 - 1)


def read(customer: Customer, now: Micros) -> Scores:
    return score(customer.state, customer.live, customer.attributes, POLICY, MODEL, now)


def raw(applied: Iterable[Applied], now: Micros) -> Raw:
    scores = read(fold_all(applied, POLICY, now), now)
    return Raw(scores.health.raw, scores.relationship.raw, scores.log_odds)


def until(applied: Iterable[Applied], now: Micros) -> History:
    return [one for one in applied if one.event.at <= now]


def everything(applied: Iterable[Applied], now: Micros) -> tuple[bytes, Scores, Explanation]:
    """All that anybody can see of a customer: state, scores, explanation."""
    customer = fold_all(applied, POLICY, now)
    return customer.state.pack(), read(customer, now), explain(customer, POLICY, MODEL, now)


@given(histories(), instants, seeds)
def test_1_order_of_arrival_changes_nothing(told: History, now: Micros, seed: int) -> None:
    shuffled = random.Random(seed).sample(told, len(told))
    assert everything(shuffled, now) == everything(told, now)


@given(histories(), instants, seeds)
def test_2_repetition_changes_nothing(told: History, now: Micros, seed: int) -> None:
    rng = random.Random(seed)
    doubled = [*told, *(one for one in told if rng.random() < 0.5)]
    rng.shuffle(doubled)
    assert everything(doubled, now) == everything(told, now)


@given(histories(prefix="a"), histories(prefix="b"), instants)
def test_3_merging_gives_the_fold_of_the_union_and_splitting_each_fold_back(
    ours: History, theirs: History, now: Micros
) -> None:
    walk = Walk(effective(ours), POLICY, MODEL, now)
    for one in effective(theirs):
        walk.put(one)
    assert walk.raw() == raw([*theirs, *ours], now)
    for one in effective(theirs):
        walk.take(one)
    assert walk.raw() == raw(ours, now)


@given(histories(prefix="a"), histories(prefix="b"), instants)
def test_3_states_without_shared_episodes_and_attributes_add_up(
    ours: History, theirs: History, now: Micros
) -> None:
    """So an account is the plain addition of its people, each under its own promise."""
    mine, other = fold_all(ours, POLICY, now), fold_all(theirs, POLICY, now)
    both = mine.state.copy()
    both.merge(other.state)
    folds = [*mine.folds.values(), *other.folds.values()]
    assert both.pack() == state_of(folds).pack()
    for one in other.folds.values():
        if not one.live:
            both.subtract(one)
    assert both.pack() == mine.state.pack()


@given(histories(), instants, st.data())
def test_4_a_retracted_event_was_never_there(told: History, now: Micros, data: st.DataObject) -> None:
    counted = effective(told)
    if not counted:
        return
    gone = data.draw(st.sampled_from(counted))
    walk = Walk(counted, POLICY, MODEL, now)
    walk.take(gone)
    rest = [one for one in counted if one.event.id != gone.event.id]
    assert walk.raw() == raw(rest, now)
    walk.put(gone)
    assert walk.raw() == raw(counted, now)


@given(histories(), instants)
def test_4_what_a_retraction_names_leaves_no_trace(told: History, now: Micros) -> None:
    assert everything(told, now) == everything(effective(told), now)


@given(histories(), instants)
def test_5_rows_sum_to_signals_and_signals_to_the_score(told: History, now: Micros) -> None:
    explanation = explain(fold_all(told, POLICY, now), POLICY, MODEL, now)
    for why in (explanation.health, explanation.relationship, explanation.risk):
        assert_exact(why)
        assert all(row.event in explanation.types for one in why.signals for row in one.rows)


def assert_exact(why: Why) -> None:
    assert why.baseline + sum(one.points for one in why.signals) == why.raw
    for one in why.signals:
        assert sum(row.points for row in one.rows) == one.points, one.signal
        assert [(row.at, row.event) for row in one.rows] == sorted((row.at, row.event) for row in one.rows)


@given(histories(), st.tuples(instants, instants), seeds)
def test_6_causes_telescope_to_the_change(told: History, times: tuple[Micros, Micros], seed: int) -> None:
    t0, t1 = sorted(times)
    rng = random.Random(seed)
    counted = effective(told)
    before = [one for one in counted if rng.random() < 0.8]
    after = [one for one in counted if rng.random() < 0.9]
    found = shares(before, after, t0, t1, POLICY, MODEL)
    start, stop = raw(until(before, t0), t0), raw(until(after, t1), t1)
    assert moved(found) == Raw(*(b - a for a, b in zip(start, stop, strict=True)))


@given(histories(), st.tuples(instants, instants, instants), seeds)
def test_6_causes_add_up_over_any_cut(told: History, times: tuple[Micros, ...], seed: int) -> None:
    t0, middle, t1 = sorted(times)
    rng = random.Random(seed)
    counted = effective(told)
    before = [one for one in counted if rng.random() < 0.8]
    whole = shares(before, counted, t0, t1, POLICY, MODEL)
    first = shares(before, counted, t0, middle, POLICY, MODEL)
    second = shares(counted, counted, middle, t1, POLICY, MODEL)
    assert booked(whole) == booked((*first, *second))


def moved(found: Iterable[Share]) -> Raw:
    def of(name: str) -> int:
        return sum(one.points for one in found if one.score == name)

    found = tuple(found)
    return Raw(of("health"), of("relationship"), of("risk"))


def booked(found: Iterable[Share]) -> dict[tuple[str, str, tuple[str, ...]], int]:
    together: dict[tuple[str, str, tuple[str, ...]], int] = {}
    for one in found:
        key = (one.score, one.cause, one.events)
        together[key] = together.get(key, 0) + one.points
    return {key: points for key, points in together.items() if points}


@given(histories(), instants, seeds)
def test_7_what_was_kept_step_by_step_is_the_fold_of_the_whole(told: History, now: Micros, seed: int) -> None:
    """Events arrive in any order while time goes on; late ones find what has settled long ago."""
    rng = random.Random(seed)
    arriving = rng.sample(effective(told), len(effective(told)))
    clock = sorted(rng.randrange(START, now + 1) for _ in arriving)
    walk = Walk((), POLICY, MODEL, START)
    for one, at in zip(arriving, clock, strict=True):
        walk.advance(at)
        walk.put(one)
    walk.advance(now)
    assert walk.raw() == raw(told, now)


@given(histories(), instants)
def test_7_states_and_folds_survive_being_stored(told: History, now: Micros) -> None:
    customer = fold_all(told, POLICY, now)
    assert all(unpack_fold(pack_fold(one)) == one for one in customer.folds.values())
    stored = State.unpack(customer.state.pack(), GRID)
    assert stored.pack() == customer.state.pack()
    assert read(customer._replace(state=stored), now) == read(customer, now)


@given(histories(), instants, st.integers(0, 900 * DAY))
def test_7_what_has_settled_stays_as_it_is(told: History, now: Micros, later: Micros) -> None:
    """A state that was kept since `now` gives at a later time what a fold of that time gives."""
    kept = fold_all(told, POLICY, now)
    assert read(kept, now + later) == read(fold_all(told, POLICY, now + later), now + later)


@given(histories(), instants)
def test_8_reading_changes_nothing_and_gives_the_same_again(told: History, now: Micros) -> None:
    customer = fold_all(told, POLICY, now)
    bits = customer.state.pack()
    assert read(customer, now) == read(customer, now)
    assert customer.state.pack() == bits


@given(histories(), instants)
def test_episodes_fold_the_same_whoever_holds_them(told: History, now: Micros) -> None:
    """The sum of the folds is the state: no episode looks at another."""
    customer = fold_all(told, POLICY, now)
    folds = [
        fold(episode, customer.attributes, POLICY, now) for episode in episodes_of(effective(told)).values()
    ]
    assert state_of(folds).pack() == customer.state.pack()


def state_of(folds: Iterable[Fold]) -> State:
    state = State(GRID)
    for one in folds:
        if not one.live:
            state.add(one)
    return state
