"""Service levels: by when somebody acknowledges and acts, and who hears of it when nobody does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

from services.alerts.domain.alert import Alert
from shared.events.alerts import Severity
from shared.events.times import DAY, HOUR, Micros

ToldTo = Literal["owner", "lead", "sponsor"]


@dataclass(frozen=True, slots=True)
class ServiceLevel:
    acknowledge: Micros
    act: Micros


LEVELS: Final[dict[Severity, ServiceLevel]] = {
    "urgent": ServiceLevel(1 * HOUR, 4 * HOUR),
    "high": ServiceLevel(4 * HOUR, 8 * HOUR),
    "medium": ServiceLevel(1 * DAY, 3 * DAY),
    "low": ServiceLevel(3 * DAY, 7 * DAY),
}
STEPS: Final[tuple[tuple[int, ToldTo], ...]] = ((50, "owner"), (100, "lead"), (200, "sponsor"))
"""Share of the time that is used up, in %, and who is told then."""
VERIFY_WITHIN: Final[Micros] = 30 * DAY


def span(alert: Alert) -> Micros | None:
    """Time allowed for the next step, None where nobody owes one."""
    level = LEVELS[alert.severity]
    match alert.state:
        case "open":
            return level.acknowledge
        case "acknowledged" | "assigned":
            return level.act
        case _:
            return None


def scheduled(alert: Alert) -> Alert:
    """The alert with its due time, and the next instant at which the clock alone changes something."""
    allowed = span(alert)
    if allowed is not None:
        upcoming = [step for step, _ in STEPS if step > alert.told]
        next_at = alert.clock_from + allowed * upcoming[0] // 100 if upcoming else None
        return replace(alert, due_at=alert.clock_from + allowed, next_at=next_at)
    match alert.state:
        case "snoozed":
            return replace(alert, due_at=None, next_at=alert.snoozed_until)
        case "verifying":
            return replace(alert, due_at=alert.verify_by, next_at=alert.verify_by)
        case _:
            return replace(alert, due_at=None, next_at=None)


def overdue(alert: Alert, now: Micros) -> tuple[int, ToldTo] | None:
    """The highest step that is reached and not told yet."""
    allowed = span(alert)
    if allowed is None:
        return None
    used = (now - alert.clock_from) * 100 // allowed
    reached = [step for step in STEPS if alert.told < step[0] <= used]
    return reached[-1] if reached else None
