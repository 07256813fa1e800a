"""What the operator sees of alerts."""

from __future__ import annotations

from typing import Final

from shared.runtime.metrics import counter, gauge, histogram

changes: Final = counter(
    "alerts_changes", "Changes of alerts, by the word under which they are told.", ("what",)
)
attempts: Final = counter("alerts_attempts", "Attempts of deliveries.", ("kind", "outcome"))
attempt_seconds: Final = histogram("alerts_attempt_seconds", "Time of an attempt of a delivery.", ("kind",))
in_flight: Final = gauge("alerts_deliveries_in_flight", "Deliveries that are being tried now.")
rejected: Final = counter("alerts_rejected", "Messages that could not be read and were kept aside.")
dropped: Final = counter("alerts_old_versions", "Messages with a version that was not newer.")
