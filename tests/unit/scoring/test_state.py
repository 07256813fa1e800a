"""The state as a multiset of folds: there and back to the bit, canonical bytes."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scoring.domain.decay import LANDMARK
from services.scoring.domain.folds import pack_fold, unpack_fold
from services.scoring.domain.packing import PackError, Reader, Writer
from services.scoring.domain.state import Grid, State
from services.scoring.domain.types import Evidence, Fold, Signal
from shared.events.times import DAY

COUNT: Final = len(Signal)
GRID: Final = Grid((2160,) * COUNT, (336,) * 9 + (0,) * (COUNT - 9), 2160, 17520, 2160, 17520)
IDS: Final = ("9a0b1c2d-0000-5000-8000-00000000abcd", "e1", "", "\ud800ö")

times = st.integers(LANDMARK, LANDMARK + 30 * 365 * DAY)
evidence = st.builds(
    Evidence,
    st.sampled_from(list(Signal)),
    times,
    st.integers(0, 10**10),
    st.integers(0, 10**10),
    st.sampled_from(IDS),
    st.just(False),
    st.sampled_from(("", "payment_failed")),
)
folds = st.builds(
    Fold,
    evidence=st.lists(evidence, max_size=6).map(tuple),
    next_at=st.none() | times,
    first=st.none() | times,
    last=st.none() | times,
    days=st.sets(st.integers(0, 40), max_size=4).map(lambda days: tuple(sorted(days))),
    health_at=st.none() | times,
    relationship_at=st.none() | times,
    respondents=st.lists(st.sampled_from(IDS), max_size=2).map(tuple),
)


def state_of(given_folds: list[Fold]) -> State:
    state = State(GRID)
    for fold in given_folds:
        state.add(fold)
    return state


@given(st.lists(folds, max_size=6), st.randoms(use_true_random=False))
def test_order_of_adding_changes_nothing(given_folds: list[Fold], rng: object) -> None:
    shuffled = list(given_folds)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    assert state_of(shuffled).pack() == state_of(given_folds).pack()


@given(st.lists(folds, max_size=5), st.lists(folds, max_size=3))
def test_taking_out_gives_the_bits_of_a_state_that_never_saw_it(kept: list[Fold], gone: list[Fold]) -> None:
    state = state_of([*gone, *kept])
    for fold in gone:
        state.subtract(fold)
    assert state.pack() == state_of(kept).pack()


@given(st.lists(folds, max_size=5), st.lists(folds, max_size=5))
def test_merging_is_adding_both(ours: list[Fold], theirs: list[Fold]) -> None:
    state = state_of(ours)
    state.merge(state_of(theirs))
    assert state.pack() == state_of([*ours, *theirs]).pack()


@given(st.lists(folds, max_size=6))
def test_packing_is_exact(given_folds: list[Fold]) -> None:
    state = state_of(given_folds)
    twin = State.unpack(state.pack(), GRID)
    assert twin.pack() == state.pack()
    assert [getattr(twin, slot) for slot in State.__slots__] == [
        getattr(state, slot) for slot in State.__slots__
    ]


@given(folds)
def test_folds_are_packed_exactly(fold: Fold) -> None:
    assert unpack_fold(pack_fold(fold)) == fold


def test_a_copy_is_its_own() -> None:
    state = state_of([Fold((), first=LANDMARK, days=(1,))])
    twin = state.copy()
    twin.add(Fold((), days=(2,)))
    assert state.days == {1: 1}
    assert twin.days == {1: 1, 2: 1}


def test_other_half_lives_are_refused() -> None:
    with pytest.raises(ValueError, match="half-lives"):
        State(GRID).merge(State(GRID._replace(health_evidence=24)))


@pytest.mark.parametrize("raw", [b"", b"\x07", State(GRID).pack()[:-1], State(GRID).pack() + b"\x00"])
def test_bytes_of_something_else_are_refused(raw: bytes) -> None:
    with pytest.raises(PackError):
        State.unpack(raw, GRID)


@given(st.lists(st.integers(0, 10**7), max_size=30))
def test_multisets_are_packed_exactly(values: list[int]) -> None:
    multiset = {value: values.count(value) for value in values}
    out = Writer()
    out.counts(multiset)
    source = Reader(bytes(out.raw))
    assert source.counts() == multiset
    source.end()


@given(st.integers())
def test_signed_integers_are_packed_exactly(value: int) -> None:
    out = Writer()
    out.sint(value)
    assert Reader(bytes(out.raw)).sint() == value


def test_five_years_fit_in_some_hundred_bytes() -> None:
    state = State(GRID)
    for week in range(0, 260, 4):
        at = LANDMARK + 20 * 365 * DAY + week * 7 * DAY
        rows = tuple(Evidence(s, at, 10**9, 10**8, "e") for s in list(Signal)[:6])
        state.add(Fold(rows, first=at, last=at, days=(7300 + 7 * week,), health_at=at))
    assert len(state.pack()) < 1100
