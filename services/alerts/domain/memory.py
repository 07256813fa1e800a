"""All that a change or the clock needs to know of one customer (or account)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from services.alerts.domain.alert import Alert
from services.alerts.domain.councils import Council
from services.alerts.domain.outcomes import FRESH, History
from services.alerts.domain.rules import Rule
from services.alerts.domain.track import Track
from services.alerts.domain.view import View, micros
from shared.events.scores import AppliedEvent, ScoreChange

RECENT: Final = 20
"""Events kept with their words, so that a later alert can quote what was said before."""


@dataclass(frozen=True, slots=True)
class Book:
    """What the company has set up. `top_values`: by currency, the revenue of the most valuable fifth.

    `link`: address of an alert, with `{id}` in it.
    """

    rules: tuple[Rule, ...]
    councils: Mapping[str, Council] = field(default_factory=dict)
    top_values: Mapping[str, int] = field(default_factory=dict)
    link: str = "/v1/alerts/{id}"

    def rule(self, rule_id: str) -> Rule | None:
        return next((rule for rule in self.rules if rule.id == rule_id), None)


@dataclass(frozen=True, slots=True)
class Memory:
    """`alerts`: the live ones alone. `change`: the newest message, None before the first.

    `merged_into`: the customer that this one turned out to be, until they are parted again.
    """

    subject: str
    change: ScoreChange | None = None
    track: Track = ()
    recent: tuple[AppliedEvent, ...] = ()
    histories: Mapping[str, History] = field(default_factory=dict)
    alerts: tuple[Alert, ...] = ()
    merged_into: str | None = None

    @property
    def version(self) -> int:
        return -1 if self.change is None else self.change.version

    def history(self, rule_id: str) -> History:
        return self.histories.get(rule_id, FRESH)

    def view(self, book: Book, change: ScoreChange, *, by_clock: bool = False) -> View:
        top = book.top_values.get(change.currency or "")
        return View(change, self.track, top, self.recent, by_clock)


def remembered(
    recent: tuple[AppliedEvent, ...], events: tuple[AppliedEvent, ...]
) -> tuple[AppliedEvent, ...]:
    """The last events, oldest first; a later version of an event takes the place of the earlier."""
    by_id = {event.id: event for event in (*recent, *events)}
    ordered = sorted(by_id.values(), key=lambda e: (micros(e.time), e.id))
    return tuple(ordered[-RECENT:])
