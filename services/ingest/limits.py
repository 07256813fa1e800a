"""How much one source, one key and one process take: 429 with Retry-After, which senders repeat.

Charged after the signature is verified, so a stranger cannot use up what a source may send. What a stranger
can cause is bounded by another budget: his attempts are refused and counted as before, but a source over
that budget writes no log line for each of them, and each costs him its connection.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import structlog

from services.ingest import metrics
from services.ingest.domain.sender import SourceConfig
from services.ingest.settings import Settings
from shared.runtime.problem import Problem
from shared.runtime.rate import Rate, take

log = structlog.get_logger()

RATE_SETTING: Final = "rate_per_s"
BURST_SETTING: Final = "burst"
MAX_RETRY_AFTER_S: Final = 30
BAD_SIGNATURES: Final = Rate.of(per_s=1.0, burst=20.0)
"""Told one by one: enough to see a secret that was changed at one end, and no flood of lines."""
CLOSED: Final = {"connection": "close"}
_FULL: Final = float("-inf")


class Defaults(NamedTuple):
    """What a source may do that says nothing itself, and what all together may do to this process."""

    source: Rate
    process: Rate
    burst_s: float
    """How many seconds of its rate a source may send at once."""

    @classmethod
    def of(cls, settings: Settings) -> Defaults:
        burst_s = settings.source_burst_s
        return cls(
            source=Rate.of(settings.source_rate_per_s, settings.source_rate_per_s * burst_s),
            process=Rate.of(settings.process_rate_per_s, settings.process_rate_per_s),
            burst_s=burst_s,
        )


class _Budget:
    """Of one source or key. `settings` is the very object the rate was read from."""

    __slots__ = ("bad_full_at", "full_at", "rate", "settings", "untold")

    def __init__(self, settings: Mapping[str, str], rate: Rate) -> None:
        self.settings = settings
        self.rate = rate
        self.full_at = self.bad_full_at = _FULL
        self.untold = 0


class Limits:
    """One per process. `now` is a monotonic clock in seconds."""

    def __init__(self, defaults: Defaults, now: Callable[[], float] = time.monotonic) -> None:
        self._defaults = defaults
        self._now = now
        self._process_full_at = _FULL
        self._sources: dict[str, _Budget] = {}
        self._keys: dict[str, float] = {}

    def charge(self, source: SourceConfig) -> None:
        """One verified delivery. Raises Problem rate_limited."""
        now = self._now()
        budget = self._of(source)
        full_at, wait_s = take(budget.full_at, now, budget.rate)
        if wait_s:
            raise _limited("source", wait_s, "this source sends more than it may")
        self._charge_process(now)
        budget.full_at = full_at

    def charge_key(self, key_id: str) -> None:
        """One request of an own tool, at the rate of a source. Raises Problem rate_limited."""
        now = self._now()
        full_at, wait_s = take(self._keys.get(key_id, _FULL), now, self._defaults.source)
        if wait_s:
            raise _limited("key", wait_s, "this API key sends more than it may")
        self._charge_process(now)
        self._keys[key_id] = full_at

    def bad_signature(self, source: SourceConfig, reason: str) -> Problem:
        """The refusal of a delivery whose signature does not hold."""
        budget = self._of(source)
        budget.bad_full_at, wait_s = take(budget.bad_full_at, self._now(), BAD_SIGNATURES)
        if wait_s:
            budget.untold += 1
            return Problem("unauthorized", reason, headers=CLOSED)
        more = {"more_before": budget.untold} if budget.untold else {}
        log.warning("delivery refused", source=source.id, vendor=source.vendor, why=reason, **more)
        budget.untold = 0
        return Problem("unauthorized", reason)

    def _charge_process(self, now: float) -> None:
        self._process_full_at, wait_s = take(self._process_full_at, now, self._defaults.process)
        if wait_s:
            raise _limited("process", wait_s, "this process takes no more just now")

    def _of(self, source: SourceConfig) -> _Budget:
        budget = self._sources.get(source.id)
        if budget is None:
            budget = self._sources[source.id] = _Budget(source.settings, self._rate_of(source.settings))
        elif budget.settings is not source.settings:
            budget.settings, budget.rate = source.settings, self._rate_of(source.settings)
        return budget

    def _rate_of(self, settings: Mapping[str, str]) -> Rate:
        """The source's own, which was checked when it was set; a burst that is not given follows the rate."""
        if RATE_SETTING not in settings and BURST_SETTING not in settings:
            return self._defaults.source
        per_s = float(settings.get(RATE_SETTING, 1.0 / self._defaults.source.interval_s))
        return Rate.of(per_s, float(settings.get(BURST_SETTING, per_s * self._defaults.burst_s)))


def _limited(what: str, wait_s: float, detail: str) -> Problem:
    metrics.limited.labels(what).inc()
    after = min(MAX_RETRY_AFTER_S, math.ceil(wait_s))
    return Problem("rate_limited", f"{detail}; send it again later", headers={"retry-after": str(after)})
