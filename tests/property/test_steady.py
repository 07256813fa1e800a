"""What is remembered of a fold is what would be folded."""

from __future__ import annotations

import random
import tracemalloc
from datetime import UTC, datetime

import msgspec
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from services.scoring.domain import episode as episodes
from services.scoring.domain.attributes import Attributes
from services.scoring.domain.customer import effective, episodes_of
from services.scoring.domain.types import Applied
from services.scoring.policy_files import shipped
from shared.events import BODIES, Event
from shared.events.ids import own_event_id
from shared.events.times import DAY, HOUR, MINUTE
from tests.property.histories import histories

POLICY = shipped()


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(histories(stories=6), st.integers(0, 2**32))
def test_a_remembered_fold_is_the_fold_at_every_later_time(told: list[Applied], seed: int) -> None:
    counted, dice = effective(told), random.Random(seed)
    assume(counted)
    attributes = Attributes.of(one.event for one in counted)
    for one in episodes_of(counted).values():
        now = max(each.event.at for each in one.events)
        for _ in range(12):
            fold = episodes.fold(one, attributes, POLICY, now)
            anew, steady = episodes._fold(one, attributes, POLICY, now)
            assert fold == anew
            if fold.live:
                event(f"steady: {steady}")
            now += dice.choice([1, MINUTE, MINUTE, MINUTE, HOUR, DAY])
            if fold.next_at is not None and dice.random() < 0.5:
                now = max(now, fold.next_at + dice.choice([-1, 0, 1, MINUTE]))


def test_remembered_folds_take_a_bounded_memory_however_much_events_say() -> None:
    large, total = 200_000, 300_000_000
    tracemalloc.start()
    try:
        for number in range(total // large):
            (one,) = episodes_of([Applied(long_told(number, "x" * large))]).values()
            now = one.events[0].event.at
            assert episodes.fold(one, Attributes.of([]), POLICY, now).evidence
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert large * 10 < kept < total / 4


def long_told(number: int, filler: str) -> Event:
    """An answer with much beside it that nobody asked for."""
    return Event(
        id=own_event_id("tool", f"long-{number}"),
        source="tool",
        type="survey.answered",
        time=datetime(2026, 5, 4, tzinfo=UTC),
        recorded=datetime(2026, 5, 4, tzinfo=UTC),
        identifiers=(f"user:{number}",),
        body=msgspec.convert(
            {"response": f"{number}", "metric": "nps", "score": 3}, BODIES["survey.answered"]
        ),
        native={"filler": f"{number}{filler}"},
    )
