"""The schema of alerts and how it is brought up to date."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from shared.db import migrate

SCHEMA: Final = "alerts"
LOCATION: Final = Path(__file__).parent / "migrations"


def upgrade(database_url: str) -> None:
    """Blocks until the schema is at the newest version; safe when several replicas do it at once."""
    migrate.upgrade(database_url, SCHEMA, LOCATION)
