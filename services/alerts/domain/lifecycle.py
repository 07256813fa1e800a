"""The life of an alert: one table of steps, and what each of them changes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Literal

from services.alerts.domain.alert import Alert, entry, noted
from services.alerts.domain.levels import VERIFY_WITHIN, ToldTo, scheduled
from shared.events.alerts import AlertState, AlertVerb
from shared.events.times import Micros

Verb = Literal["acknowledge", "assign", "act", "resolve", "snooze", "dismiss", "reopen"]


class DismissReason(StrEnum):
    false_alarm = "false_alarm"
    known = "known"
    duplicate = "duplicate"
    not_ours = "not_ours"
    customer_gone = "customer_gone"


@dataclass(frozen=True, slots=True)
class Action:
    """What a person does. `to`: whom it is assigned to; `action`: what was done; `until`: end of a snooze."""

    verb: Verb
    by: str
    note: str | None = None
    to: str | None = None
    action: str | None = None
    until: Micros | None = None
    reason: DismissReason | None = None


@dataclass(frozen=True, slots=True)
class Impossible:
    """The step is not allowed in this state."""

    why: str


@dataclass(frozen=True, slots=True)
class Told:
    """An alert after a change, and the word under which it is told."""

    alert: Alert
    what: AlertVerb
    by: str = "cxloop"
    action: str | None = None
    note: str | None = None
    outcome: bool = False
    """True where the feedback stream hears of it too."""
    tell: ToldTo | None = None
    """Somebody to be told by name, besides the council's endpoints."""


_WORKED: Final[frozenset[AlertState]] = frozenset({"open", "acknowledged", "assigned", "acted"})
ALLOWED: Final[dict[Verb, frozenset[AlertState]]] = {
    "acknowledge": frozenset({"open"}),
    "assign": _WORKED,
    "act": _WORKED,
    "resolve": frozenset({"acted"}),
    "snooze": _WORKED,
    "dismiss": _WORKED | {"snoozed", "verifying", "unconfirmed"},
    "reopen": frozenset({"verifying", "verified", "unconfirmed", "dismissed", "cleared"}),
}


def step(alert: Alert, action: Action, at: Micros) -> Told | Impossible:
    """The alert after the action, or why it cannot be.

    One exception to the table: who resolves an alert that the customer's evidence verified before
    anybody resolved it is right, not late; the step is noted and the alert stays verified.
    """
    early = action.verb == "resolve" and alert.state == "verified" and alert.verify_by is None
    if alert.state not in ALLOWED[action.verb] and not early:
        return Impossible(f"an alert that is {alert.state} cannot be changed by {action.verb}")
    match action.verb:
        case "acknowledge":
            after = replace(alert, state="acknowledged", acknowledged_at=at, told=0)
            return _told(after, action, at, "acknowledged")
        case "assign":
            return _assign(alert, action, at)
        case "act":
            after = replace(alert, state="acted", acted_at=at, owner=alert.owner or action.by)
            return _told(after, action, at, "acted", outcome=True)
        case "resolve":
            if early:
                return _told(replace(alert, verify_by=at), action, at, "updated", "resolved")
            after = replace(alert, state="verifying", verify_by=at + VERIFY_WITHIN)
            return _told(after, action, at, "updated", "resolved", outcome=True)
        case "snooze":
            after = replace(
                alert, state="snoozed", snoozed_from=alert.state, snoozed_until=action.until or at
            )
            return _told(after, action, at, "snoozed")
        case "dismiss":
            return _told(replace(alert, state="dismissed"), action, at, "dismissed", outcome=True)
        case "reopen":
            return _told(opened_again(alert, at), action, at, "reopened", outcome=True)


def _assign(alert: Alert, action: Action, at: Micros) -> Told:
    """Who acted already keeps that state; another owner is no step back."""
    told = 0 if alert.state == "open" else alert.told
    state: AlertState = "acted" if alert.state == "acted" else "assigned"
    after = replace(
        alert,
        state=state,
        owner=action.to or action.by,
        acknowledged_at=alert.acknowledged_at or at,
        told=told,
    )
    return _told(after, action, at, "assigned")


def opened_again(alert: Alert, at: Micros) -> Alert:
    """Back to open, as if new: the clock starts, earlier acts and deadlines are forgotten."""
    return replace(
        alert,
        state="open",
        clock_from=at,
        told=0,
        acknowledged_at=None,
        acted_at=None,
        verify_by=None,
        snoozed_until=None,
        snoozed_from=None,
        causes=tuple(replace(cause, gone=False) for cause in alert.causes),
    )


def woken(alert: Alert, at: Micros) -> Alert:
    """A snooze ended: the state from before, and its whole time again."""
    state = alert.snoozed_from or "open"
    back = replace(alert, state=state, snoozed_until=None, snoozed_from=None, clock_from=at, told=0)
    return scheduled(noted(back, entry(at, "cxloop", "woken")))


def ended(alert: Alert, state: AlertState, at: Micros, what: str, note: str | None = None) -> Alert:
    """The alert in a state that the system found, with its line of history."""
    return scheduled(noted(replace(alert, state=state), entry(at, "cxloop", what, note)))


def _told(
    alert: Alert,
    action: Action,
    at: Micros,
    what: AlertVerb,
    line: str | None = None,
    *,
    outcome: bool = False,
) -> Told:
    words = [action.action, action.reason.value if action.reason else None, action.note]
    if action.verb == "assign":
        words.insert(0, f"to {alert.owner}")
    note = ": ".join(word for word in words if word) or None
    after = scheduled(noted(alert, entry(at, action.by, line or what, note)))
    deed = action.action or action.verb if action.verb == "act" else action.verb
    return Told(after, what, action.by, deed, action.note, outcome)
