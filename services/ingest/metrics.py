"""What ingest counts. Labels are closed sets: vendors of this program and fixed words, never ids."""

from __future__ import annotations

from shared.runtime.metrics import counter, gauge, histogram

accepted = counter("ingest_accepted", "Events accepted, by vendor (own: by own tools).", ("vendor",))
rejected = counter("ingest_rejected", "Elements that could not be understood.", ("vendor",))
ignored = counter("ingest_ignored", "Elements understood and of no interest.", ("vendor",))
refused = counter("ingest_refused", "Deliveries refused, by reason.", ("vendor", "reason"))
limited = counter(
    "ingest_limited", "Requests answered 429, by whose limit: source, key or process.", ("limit",)
)
faults = counter("ingest_adapter_faults", "Elements at which the reader of a vendor broke.", ("vendor",))
sent = counter("ingest_sent", "Messages that Kafka acknowledged before the answer.")
spooled = counter("ingest_spooled", "Messages kept in the spool because Kafka did not take them in time.")
drained = counter("ingest_drained", "Messages moved from the spool to Kafka.")
not_durable = counter("ingest_not_durable", "Requests answered 503: neither Kafka nor the spool took them.")
spool_waiting = gauge("ingest_spool_messages", "Messages that wait in the spool.")
spool_age = gauge("ingest_spool_oldest_seconds", "Age of the oldest message in the spool.")
durable_seconds = histogram("ingest_durable_seconds", "Time until a request's events were durable.")
