"""Every step in every state."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from services.alerts.domain.alert import Alert, Cause
from services.alerts.domain.levels import LEVELS, overdue, scheduled
from services.alerts.domain.lifecycle import ALLOWED, Action, DismissReason, Impossible, Told, Verb, step
from services.alerts.domain.tick import due
from shared.events import alerts as wire
from shared.events.times import DAY, HOUR
from tests.unit.alerts.builders import NOW


def alert(state: wire.AlertState = "open", **more: object) -> Alert:
    made = Alert(
        id="al-1",
        customer_id="c-1",
        account_id=None,
        council="default",
        driver="experience",
        rules=("detractor-risk",),
        severity="high",
        state=state,
        title="Likely to become a detractor: Ann",
        reason=wire.Reason("why"),
        suggestion="call",
        scores=wire.BeforeAfter(wire.Levels(), wire.Levels()),
        customer=wire.AlertCustomer(("email:ann@example.com",), "Ann"),
        opened_at=NOW,
        clock_from=NOW,
        causes=(Cause("detractor-risk"),),
    )
    return scheduled(replace(made, **more))  # type: ignore[arg-type]


STATES: tuple[wire.AlertState, ...] = get_args(wire.AlertState)
VERBS: tuple[Verb, ...] = get_args(Verb)
AFTER: dict[Verb, wire.AlertState] = {
    "acknowledge": "acknowledged",
    "assign": "assigned",
    "act": "acted",
    "resolve": "verifying",
    "snooze": "snoozed",
    "dismiss": "dismissed",
    "reopen": "open",
}
WORDS: dict[Verb, str] = {
    "acknowledge": "acknowledged",
    "assign": "assigned",
    "act": "acted",
    "resolve": "updated",
    "snooze": "snoozed",
    "dismiss": "dismissed",
    "reopen": "reopened",
}
CONTRACT: dict[Verb, str] = {
    "acknowledge": "open",
    "assign": "open acknowledged assigned acted",
    "act": "open acknowledged assigned acted",
    "resolve": "acted",
    "snooze": "open acknowledged assigned acted",
    "dismiss": "open acknowledged assigned acted snoozed verifying unconfirmed",
    "reopen": "verifying verified unconfirmed dismissed cleared",
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("verb", VERBS)
def test_step(verb: Verb, state: wire.AlertState) -> None:
    given = alert(state, verify_by=NOW + DAY if state in ("verifying", "verified") else None)
    action = Action(verb, "bob", "a note", until=NOW + DAY, reason=DismissReason.known)
    told = step(given, action, NOW + HOUR)
    if state not in CONTRACT[verb].split():
        assert isinstance(told, Impossible)
        assert state in told.why
        return
    assert isinstance(told, Told)
    expected = "acted" if (verb, state) == ("assign", "acted") else AFTER[verb]
    assert told.alert.state == expected
    assert told.what == WORDS[verb]
    assert told.alert.version == given.version + 1
    assert told.alert.history[-1].by == "bob"
    assert "a note" in (told.alert.history[-1].note or "")


def test_the_table_is_the_contracts() -> None:
    assert {verb: set(states) for verb, states in ALLOWED.items()} == {
        verb: set(states.split()) for verb, states in CONTRACT.items()
    }


def test_resolving_what_evidence_verified_already_is_noted() -> None:
    told = step(alert("verified", acted_at=NOW), Action("resolve", "bob"), NOW)
    assert isinstance(told, Told)
    assert told.alert.state == "verified"
    assert isinstance(step(told.alert, Action("resolve", "bob"), NOW), Impossible)


def test_assigning_names_the_owner_and_acting_without_one_makes_one() -> None:
    told = step(alert(), Action("assign", "bob", to="eve"), NOW)
    assert isinstance(told, Told)
    assert told.alert.owner == "eve"
    assert told.alert.history[-1].note == "to eve"
    told = step(alert(), Action("act", "bob", action="called"), NOW)
    assert isinstance(told, Told)
    assert (told.alert.owner, told.alert.acted_at, told.action) == ("bob", NOW, "called")


def test_a_snooze_ends_where_it_began() -> None:
    told = step(alert("acknowledged"), Action("snooze", "bob", until=NOW + DAY), NOW)
    assert isinstance(told, Told)
    assert (told.alert.next_at, told.alert.due_at) == (NOW + DAY, None)
    woken = due(told.alert, NOW + DAY)
    assert (woken.alert.state, woken.what) == ("acknowledged", "updated")
    assert woken.alert.due_at == NOW + DAY + LEVELS["high"].act


def test_reopening_forgets_the_act() -> None:
    told = step(alert("unconfirmed", acted_at=NOW), Action("reopen", "bob"), NOW + DAY)
    assert isinstance(told, Told)
    assert (told.alert.acted_at, told.alert.clock_from) == (None, NOW + DAY)
    assert told.alert.due_at == NOW + DAY + LEVELS["high"].acknowledge


@pytest.mark.parametrize(
    ("severity", "acknowledge_h", "act_h"),
    [("urgent", 1, 4), ("high", 4, 8), ("medium", 24, 72)],
)
def test_due_times(severity: wire.Severity, acknowledge_h: int, act_h: int) -> None:
    assert alert(severity=severity).due_at == NOW + acknowledge_h * HOUR
    assert alert("acknowledged", severity=severity).due_at == NOW + act_h * HOUR
    assert alert("acted", severity=severity).due_at is None


@pytest.mark.parametrize(
    ("hours", "told", "expected"),
    [
        (1.9, 0, None),
        (2, 0, (50, "owner")),
        (3, 50, None),
        (4, 50, (100, "lead")),
        (4, 0, (100, "lead")),
        (8, 100, (200, "sponsor")),
        (100, 0, (200, "sponsor")),
        (100, 200, None),
    ],
)
def test_who_hears_of_neglect(hours: float, told: int, expected: object) -> None:
    assert overdue(alert(told=told), NOW + round(hours * HOUR)) == expected


def test_neglect_goes_up_to_the_sponsor_once() -> None:
    given, heard = alert(), []
    while given.next_at is not None:
        news = due(given, given.next_at)
        heard.append((news.what, news.tell))
        given = news.alert
    assert heard == [("updated", "owner"), ("updated", "lead"), ("escalated", "sponsor")]
    assert given.history[-1].what == "escalated"


def test_the_time_for_evidence_ends() -> None:
    told = step(alert("acted", acted_at=NOW), Action("resolve", "bob"), NOW)
    assert isinstance(told, Told)
    assert told.alert.next_at == NOW + 30 * DAY
    ended = due(told.alert, NOW + 30 * DAY)
    assert (ended.alert.state, ended.what, ended.outcome) == ("unconfirmed", "unconfirmed", True)
    assert ended.alert.next_at is None
