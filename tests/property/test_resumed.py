"""Going on from what rows keep is folding everything, to the last bit."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from services.scoring.domain.attributes import Attributes
from services.scoring.domain.customer import effective
from services.scoring.domain.decay import LANDMARK
from services.scoring.domain.episode import episode_key
from services.scoring.domain.folds import pack_fold, unpack_fold
from services.scoring.domain.lens import grid_of
from services.scoring.domain.model import day_zero
from services.scoring.domain.packing import PackError
from services.scoring.domain.state import State
from services.scoring.domain.types import Applied, EpisodeKey, Evidence, Fold, Signal
from services.scoring.engine import Engine, Kept
from services.scoring.policy_files import shipped
from services.scoring.view import View
from shared.events.scores import CausePart
from shared.events.times import DAY, Micros
from tests.property.histories import histories

POLICY = shipped()
ENGINE = Engine(POLICY, day_zero(POLICY), 1)


class Rows:
    """One customer as its rows keep it."""

    def __init__(self, view: View) -> None:
        self.state = view.state.pack()
        self.attributes = view.attributes.pack()
        self.at = view.now
        self.folds: dict[EpisodeKey, bytes] = {}
        self.told(view)

    def told(self, view: View) -> None:
        """Keep what the view says of the episodes that were at hand."""
        self.state, self.attributes, self.at = view.state.pack(), view.attributes.pack(), view.now
        for episode, fold, _ in view.told:
            if episode.events:
                self.folds.pop(episode.key, None)
                if not fold.live:
                    self.folds[episode.key] = pack_fold(fold)

    def go_on(
        self, known: Sequence[Applied], fresh: Sequence[Applied], now: Micros
    ) -> tuple[View, tuple[CausePart, ...]] | None:
        touched = {episode_key(one.event) for one in fresh}
        needed = {key for one in known if (key := episode_key(one.event)) and key not in self.folds} | touched
        at_hand = [one for one in known if (key := episode_key(one.event)) and key in needed]
        settled = [unpack_fold(raw) for key, raw in self.folds.items() if key not in touched]
        state = State.unpack(self.state, grid_of(POLICY))
        kept = Kept(state, Attributes.unpack(self.attributes), settled, self.at)
        return ENGINE.go_on(kept, at_hand, effective([*at_hand, *fresh]), now)


def same(ours: View, theirs: View) -> None:
    """All that is read of a view after a batch."""
    assert ours.state.pack() == theirs.state.pack()
    assert ours.attributes.pack() == theirs.attributes.pack()
    assert [one.episode.key for one in ours.live] == [one.episode.key for one in theirs.live]
    assert ours.scores == theirs.scores
    assert ours.waits == theirs.waits
    assert ours.next_check == theirs.next_check
    assert ours.forecast() == theirs.forecast()
    assert ours.explanation.published() == theirs.explanation.published()
    assert ours.contributions(5) == theirs.explanation.contributions(5)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(histories(stories=10), st.integers(0, 2**32))
def test_batch_after_batch_goes_on_to_what_the_whole_past_says(told: list[Applied], seed: int) -> None:
    dice, told = random.Random(seed), effective(told)
    assume(len(told) >= 4)
    late = set(dice.sample(range(len(told)), len(told) // 5))
    order = [one for i, one in enumerate(told) if i not in late] + [told[i] for i in sorted(late)]
    known, now = order[:2], max(one.event.at for one in order[:2])
    view, _ = ENGINE.walk([], effective(known), LANDMARK, now, {})
    rows, waiting = Rows(view), order[2:]
    while waiting:
        size = dice.randint(1, 4)
        fresh, waiting = waiting[:size], waiting[size:]
        since, now = now, max([now + dice.choice([0, 1, DAY, 90 * DAY]), *(one.event.at for one in fresh)])
        whole, why = ENGINE.walk(effective(known), effective([*known, *fresh]), since, now, {})
        found = rows.go_on(effective(known), fresh, now)
        event(f"went on: {found is not None}")
        if found is not None:
            assert found[1] == why
            same(found[0], whole)
        rows.told(found[0] if found else whole)
        known = [*known, *fresh]
        # A walk takes over what has not moved since its last step; a plain fold takes over nothing.
        plain = ENGINE.view(effective(known), now)
        assert plain.scores == whole.scores
        assert plain.explanation.published() == whole.explanation.published()


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(histories(stories=6))
def test_a_fold_comes_back_as_it_was(told: list[Applied]) -> None:
    counted = effective(told)
    assume(counted)
    for one in ENGINE.view(counted, max(one.event.at for one in counted) + 400 * DAY).told:
        assert unpack_fold(pack_fold(one.fold)) == one.fold


TIMES = st.integers(0, 2**62)
IDS = st.text(st.characters()) | st.sampled_from(("\ud800", "a\x00b", '"\\', "\U0001f600"))
ROWS = st.builds(
    Evidence, st.sampled_from(Signal), TIMES, st.integers(), st.integers(), IDS, st.booleans(), IDS
)
FOLDS = st.builds(
    Fold,
    st.lists(ROWS, max_size=5).map(tuple),
    st.booleans(),
    st.none() | TIMES,
    st.none() | TIMES,
    st.none() | TIMES,
    st.lists(TIMES, max_size=3).map(tuple),
    st.none() | TIMES,
    st.none() | TIMES,
    st.lists(IDS, max_size=2).map(tuple),
    st.none() | IDS,
    st.none() | IDS,
    st.lists(st.tuples(IDS, IDS), max_size=3).map(tuple),
)


@given(FOLDS)
def test_any_fold_comes_back_as_it_was_whatever_senders_write_in_ids(fold: Fold) -> None:
    assert unpack_fold(pack_fold(fold)) == fold


@given(st.binary(max_size=20) | FOLDS.map(lambda fold: pack_fold(fold).replace(b"[2,", b"[1,", 1)))
def test_other_bytes_are_no_fold(raw: bytes) -> None:
    with pytest.raises(PackError):
        unpack_fold(raw)
