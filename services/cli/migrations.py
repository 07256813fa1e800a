"""The only place that knows every schema of the database."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

SERVICES = ("ingest", "scoring", "alerts")


def upgrade_all(database_url: str, told: Callable[[str], None] = lambda _: None) -> None:
    """Bring every schema up to date; `told` hears the name of each before it starts."""
    migrate = _migrate()
    places = _places(migrate)
    waiting = migrate.outdated(database_url, places)
    for schema, location in places.items():
        told(schema)
        if schema in waiting:
            migrate.upgrade(database_url, schema, location)


def pending(database_url: str) -> list[str]:
    """Return the migrations that wait to be applied, as schema and version."""
    migrate = _migrate()
    return [
        f"{schema} {version}"
        for schema, location in _places(migrate).items()
        for version in migrate.check(database_url, schema, location)
    ]


def _places(migrate: ModuleType) -> dict[str, Path]:
    services = [importlib.import_module(f"services.{name}.migrate") for name in SERVICES]
    return {migrate.SHARED_SCHEMA: migrate.SHARED_LOCATION} | {s.SCHEMA: s.LOCATION for s in services}


def _migrate() -> ModuleType:
    # It takes long to import, which most commands can do without.
    return importlib.import_module("shared.db.migrate")
