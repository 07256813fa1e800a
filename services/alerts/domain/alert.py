"""An alert: one thing to look after, for one customer, by one council."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from shared.events import alerts as wire
from shared.events.times import Micros, instant_text

LIVE: Final[frozenset[wire.AlertState]] = frozenset(
    {"open", "acknowledged", "assigned", "acted", "verifying", "snoozed"}
)
"""States in which it counts as the customer's open alert of its driver."""
UNTOUCHED: Final[frozenset[wire.AlertState]] = frozenset({"open", "acknowledged", "assigned", "snoozed"})
"""Nobody has acted yet (snoozed: see `Alert.acted_at`)."""
MAX_HISTORY: Final = 200


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a rule fired: `keys` name the statements or waits behind it, `gone` once they are no more."""

    rule: str
    keys: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Alert:
    """Instants are microseconds. `clock_from`: when the service levels began to run.

    `told` is the share of the service level (in %) that was told last; `snoozed_from` the state to come
    back to; `acted_at` the latest act; `verify_by` the end of waiting for the customer's evidence.
    """

    id: str
    customer_id: str | None
    account_id: str | None
    council: str
    driver: wire.Driver
    rules: tuple[str, ...]
    severity: wire.Severity
    state: wire.AlertState
    title: str
    reason: wire.Reason
    suggestion: str
    scores: wire.BeforeAfter
    customer: wire.AlertCustomer
    opened_at: Micros
    clock_from: Micros
    causes: tuple[Cause, ...]
    leaves: tuple[str, ...] = ()
    owner: str | None = None
    url: str | None = None
    history: tuple[wire.HistoryEntry, ...] = ()
    version: int = 1
    told: int = 0
    acknowledged_at: Micros | None = None
    acted_at: Micros | None = None
    verify_by: Micros | None = None
    snoozed_until: Micros | None = None
    snoozed_from: wire.AlertState | None = None
    merged_into: str | None = None
    due_at: Micros | None = None
    next_at: Micros | None = None

    @property
    def rule(self) -> str:
        """The gravest rule leads."""
        return self.rules[0]

    @property
    def subject(self) -> str:
        """Whom it is about: a customer, else an account."""
        return self.customer_id or self.account_id or ""

    @property
    def live(self) -> bool:
        return self.state in LIVE


def entry(at: Micros, by: str, what: str, note: str | None = None) -> wire.HistoryEntry:
    return wire.HistoryEntry(at=instant(at), by=by, what=what, note=note)


def noted(alert: Alert, line: wire.HistoryEntry) -> Alert:
    """The next version, with a line of history; the first line and the latest ones are kept."""
    history = (*alert.history, line)
    if len(history) > MAX_HISTORY:
        history = (history[0], *history[-(MAX_HISTORY - 1) :])
    return replace(alert, history=history, version=alert.version + 1)


def instant(at: Micros) -> str:
    return instant_text(at)


def published(alert: Alert) -> wire.Alert:
    """As others see it."""
    return wire.Alert(
        id=alert.id,
        rule=alert.rule,
        customer_id=alert.customer_id,
        account_id=alert.account_id,
        council=alert.council,
        state=alert.state,
        severity=alert.severity,
        title=alert.title,
        url=alert.url,
        opened_at=instant(alert.opened_at),
        owner=alert.owner,
        due_at=None if alert.due_at is None else instant(alert.due_at),
        reason=alert.reason,
        suggestion=alert.suggestion,
        scores=alert.scores,
        customer=alert.customer,
        history=alert.history,
        version=alert.version,
        rules=alert.rules,
        driver=alert.driver,
        merged_into=alert.merged_into,
    )
