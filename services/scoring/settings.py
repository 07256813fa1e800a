"""Settings of scoring, read from the environment (`CXLOOP_…`)."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from shared.runtime.settings import ServiceSettings


class Settings(ServiceSettings):
    """What every service has, and what only scoring knows."""

    port: int = Field(8002, ge=0, le=65535, description="Port the HTTP server listens on.")
    policy_file: Path | None = Field(
        None, description="Policy to score by (YAML); without it the shipped one for B2B SaaS companies."
    )
    consumer_group: str = Field("cxloop-scoring", description="Kafka consumer group that reads events.")
    batch_records: int = Field(500, ge=1, le=5000, description="Events folded in one transaction, at most.")
    sweep_every_s: float = Field(
        1.0, gt=0, le=3600, description="Seconds between looks for customers whose scores move by time alone."
    )
    sweep_batch: int = Field(50, ge=1, le=1000, description="Customers scored anew in one transaction.")
    maintain_every_s: float = Field(
        3600.0, gt=0, le=86400, description="Seconds between looks at the event table's partitions."
    )
    accounts_every_s: float = Field(
        0.25, gt=0, le=60, description="Seconds between looks for accounts to roll up."
    )
