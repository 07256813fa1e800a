"""What a rule says of a change, and what it remembers of a customer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from shared.events.times import Micros

MAX_TOLD = 50
"""Causes remembered per rule and customer; older ones are stale by then."""


class Fired(StrEnum):
    """Why a rule fired."""

    CROSSED = "crossed"
    LASTED = "lasted"
    FELL = "fell"
    ANSWERED = "answered"
    HAPPENED = "happened"
    BROKEN = "broken"
    NEAR = "near"
    SILENT = "silent"


class Quiet(StrEnum):
    """Why a rule stayed silent."""

    DISABLED = "disabled"
    OTHER_SUBJECT = "other_subject"
    REBUILD = "rebuild"
    POLICY_ONLY = "policy_only"
    NOTHING_NEW = "nothing_new"
    UNKNOWN = "unknown"
    THIN = "thin"
    BEYOND_EXIT = "beyond_exit"
    BETWEEN = "between"
    ALREADY_TOLD = "already_told"
    ALREADY_OVER = "already_over"
    COOLING = "cooling"
    DWELLING = "dwelling"
    NOT_RISING = "not_rising"
    STALE = "stale"
    NOT_DUE = "not_due"
    NOT_WORTH_IT = "not_worth_it"


@dataclass(frozen=True, slots=True)
class Firing:
    """`causes`: keys under which this firing is remembered; `events`: the customer's events behind it."""

    reason: Fired
    causes: tuple[str, ...] = ()
    events: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Silent:
    """`look_at`: when time alone may change the answer."""

    reason: Quiet
    look_at: Micros | None = None


Outcome = Firing | Silent


@dataclass(frozen=True, slots=True)
class History:
    """What one rule remembers of one customer. `ended`: (key, when it was undone)."""

    armed: bool = True
    pending_since: Micros | None = None
    last_fired: Micros | None = None
    told: tuple[str, ...] = ()
    ended: tuple[tuple[str, Micros], ...] = ()
    next_at: Micros | None = None

    def merged(self, other: History) -> History:
        """Of two customers who turn out to be one: told to either is told."""
        fired = [at for at in (self.last_fired, other.last_fired) if at is not None]
        return History(
            armed=self.armed and other.armed,
            pending_since=self.pending_since if self.pending_since is not None else other.pending_since,
            last_fired=max(fired, default=None),
            told=tuple(dict.fromkeys((*other.told, *self.told)))[-MAX_TOLD:],
            ended=tuple(dict.fromkeys((*other.ended, *self.ended)))[-MAX_TOLD:],
            next_at=min((at for at in (self.next_at, other.next_at) if at is not None), default=None),
        )


FRESH = History()
