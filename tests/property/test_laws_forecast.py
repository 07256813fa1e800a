"""The forecast against a dense scan: it must neither miss a change of band nor invent one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from services.scoring.domain.customer import Customer, fold_all
from services.scoring.domain.forecast import SCORES, UNKNOWN, forecast, next_check
from services.scoring.domain.model import day_zero
from services.scoring.domain.score import score
from services.scoring.domain.types import Applied
from services.scoring.policy_files import shipped
from shared.events.times import DAY, HOUR, MINUTE, Micros
from tests.property.histories import END, START, histories

POLICY: Final = shipped()
MODEL: Final = day_zero(POLICY)
instants = st.integers(START, END + 60 * DAY)


def bands(customer: Customer, now: Micros) -> dict[str, str]:
    scores = score(customer.state, customer.live, customer.attributes, POLICY, MODEL, now)
    read = {name: getattr(scores, name) for name in SCORES}
    return {name: one.band if one.known else UNKNOWN for name, one in read.items()}


def scan(start: Micros, stop: Micros, step: Micros) -> Iterator[Micros]:
    yield from range(start, stop, step)


@settings(max_examples=60)
@given(histories(), instants)
def test_first_change_of_band_is_found_to_the_minute(told: list[Applied], now: Micros) -> None:
    happened = [one for one in told if one.event.at <= now]
    customer = fold_all(happened, POLICY, now)
    found = forecast(customer.state, customer.live, customer.attributes, POLICY, MODEL, now)
    today = bands(customer, now)
    for at in scan(now, now + 200 * DAY, 2 * DAY + 5 * HOUR):
        seen = bands(customer, at)
        for name, change in found.items():
            if change is None or at < change.at:
                assert seen[name] == today[name], (name, at)
    for name, change in found.items():
        if change is not None:
            assert change.before == today[name] != change.after
            assert bands(customer, change.at)[name] == change.after
            assert bands(customer, max(change.at - MINUTE, now))[name] == today[name]


@settings(max_examples=60)
@given(histories(), instants)
def test_nothing_changes_before_the_next_look(told: list[Applied], now: Micros) -> None:
    happened = [one for one in told if one.event.at <= now]
    customer = fold_all(happened, POLICY, now)
    look = next_check(customer.state, customer.live, customer.attributes, POLICY, MODEL, now)
    today = bands(customer, now)
    stop = now + 40 * DAY if look is None else look
    assert look is None or look > now
    for at in scan(now, stop, max((stop - now) // 25, 1)):
        assert bands(customer, at) == today
