"""Decision tables of rules that look at waits, renewals and silence."""

from __future__ import annotations

import pytest

from services.alerts.domain.outcomes import FRESH, Fired, History, Quiet, Silent
from shared.events.times import DAY, HOUR
from tests.unit.alerts.builders import NOW, at, change, event, scores, wait
from tests.unit.alerts.saying import said


@pytest.mark.parametrize(
    ("persona", "waits", "value", "history", "expected"),
    [
        ("decision_maker", (wait(),), 1, FRESH, Fired.BROKEN),
        ("Decision maker", (wait(),), 1, FRESH, Fired.BROKEN),
        ("admin", (wait(),), 1, FRESH, Quiet.NOT_WORTH_IT),
        ("admin", (wait(priority="urgent"),), 1, FRESH, Fired.BROKEN),
        ("admin", (wait(priority="high"),), 1, FRESH, Quiet.NOT_WORTH_IT),
        ("admin", (wait(),), 500, FRESH, Fired.BROKEN),
        ("admin", (wait(),), 499, FRESH, Quiet.NOT_WORTH_IT),
        ("decision_maker", (), 1, FRESH, Quiet.NOTHING_NEW),
        ("decision_maker", (wait(due=NOW + HOUR),), 1, FRESH, Quiet.NOT_DUE),
        ("decision_maker", (wait(),), 1, History(told=("e1/first_response",)), Quiet.ALREADY_TOLD),
        ("decision_maker", (wait(due=NOW - 8 * DAY),), 1, FRESH, Quiet.STALE),
        (
            "decision_maker",
            (wait(), wait("e2")),
            1,
            History(told=("e1/first_response",)),
            Fired.BROKEN,
        ),
    ],
)
def test_promise_broken(
    persona: str, waits: tuple[object, ...], value: int, history: History, expected: Fired | Quiet
) -> None:
    message = change(persona=persona, waits=waits, value=value)
    assert said("promise-broken", message, history, top=500).reason is expected


def test_a_promise_is_looked_at_when_it_ends() -> None:
    message = change(persona="decision_maker", waits=(wait(due=NOW + HOUR),))
    assert said("promise-broken", message) == Silent(Quiet.NOT_DUE, NOW + HOUR)
    assert said("promise-broken", message, clock=True, now=NOW + HOUR).reason is Fired.BROKEN


@pytest.mark.parametrize(
    ("renewal", "risk", "history", "expected"),
    [
        (NOW + 80 * DAY, 0.5, FRESH, Fired.NEAR),
        (NOW + 80 * DAY, None, FRESH, Fired.NEAR),
        (NOW + 80 * DAY, 0.3, FRESH, Quiet.BEYOND_EXIT),
        (NOW + 91 * DAY, 0.5, FRESH, Quiet.NOT_DUE),
        (NOW - DAY, 0.5, FRESH, Quiet.NOT_DUE),
        (NOW + 80 * DAY, 0.5, History(told=(at(NOW + 80 * DAY),)), Quiet.ALREADY_TOLD),
        (NOW + 80 * DAY, 0.5, History(last_fired=NOW - DAY), Quiet.COOLING),
    ],
)
def test_renewal_risk(renewal: int, risk: float | None, history: History, expected: Fired | Quiet) -> None:
    message = change(after=scores(risk=risk), renewal_at=at(renewal))
    assert said("renewal-risk", message, history).reason is expected


@pytest.mark.parametrize(
    ("days_ago", "expected"),
    [
        ((100, 90, 80), Fired.SILENT),
        ((60, 50, 44), Quiet.NOT_DUE),
        ((200, 120, 60), Quiet.NOT_DUE),
        ((100, 90), Quiet.UNKNOWN),
        ((300, 290, 280), Quiet.STALE),
    ],
)
def test_silence(days_ago: tuple[int, ...], expected: Fired | Quiet) -> None:
    heard = tuple(event(f"e{d}", when=NOW - d * DAY) for d in days_ago)
    now = NOW if days_ago != (100, 90, 80) else NOW - 34 * DAY
    assert said("silence", change(events=heard), now=now).reason is expected
