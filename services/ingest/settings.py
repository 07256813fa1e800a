"""Settings of ingest, read from the environment (`CXLOOP_…`)."""

from __future__ import annotations

from pydantic import Field

from shared.runtime.settings import ServiceSettings


class Settings(ServiceSettings):
    """What every service has, and what only ingest knows."""

    port: int = Field(8001, ge=0, le=65535, description="Port the HTTP server listens on.")
    public_url: str | None = Field(
        None, description="Address under which senders reach this service, shown when a source is made."
    )
    body_limit_bytes: int = Field(
        1024 * 1024, ge=1024, le=1_700_000, description="Largest request body, after unpacking."
    )
    # The most impatient sender hangs up after 3 s: 1.2 s for the bus and 1.2 s for the spool leave a margin.
    send_deadline_s: float = Field(
        1.2, gt=0, le=30, description="Seconds for Kafka to acknowledge before an event goes to the spool."
    )
    spool_deadline_s: float = Field(
        1.2, gt=0, le=30, description="Seconds for PostgreSQL to keep what Kafka did not take."
    )
    # The default is 86 million deliveries a day from one source, and a minute of that at once.
    source_rate_per_s: float = Field(
        1000.0,
        ge=0.1,
        le=1_000_000,
        description="Deliveries a second that one source may send in the long run, and requests to "
        "/v1/events one API key; above it the answer is 429 with Retry-After. A source's own setting "
        "`rate_per_s` wins.",
    )
    source_burst_s: float = Field(
        60.0,
        ge=0,
        le=86_400,
        description="Seconds of its rate that a source or key may send at once. A source's own setting "
        "`burst`, a number of deliveries, wins.",
    )
    process_rate_per_s: float = Field(
        10_000.0,
        ge=1,
        le=10_000_000,
        description="Deliveries and requests a second that one process takes from all together, and "
        "as many at once.",
    )
    rejected_days: int = Field(30, ge=1, le=3650, description="Days for which rejected deliveries are kept.")
