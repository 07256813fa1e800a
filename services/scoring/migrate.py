"""Brings the schema of this service up to date."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from shared.db import migrate

SCHEMA: Final = "scoring"
LOCATION: Final = Path(__file__).parent / "migrations"


def upgrade(database_url: str) -> None:
    """Apply what is missing; safe for replicas that start together."""
    migrate.upgrade(database_url, SCHEMA, LOCATION)
