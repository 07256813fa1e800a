"""The only place that knows every schema of the database."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import ModuleType

SERVICES = ("ingest", "scoring", "alerts")


def upgrade_all(database_url: str, told: Callable[[str], None] = lambda _: None) -> None:
    """Bring every schema up to date; `told` hears the name of each before it starts."""
    migrate = _migrate()
    told(migrate.SHARED_SCHEMA)
    migrate.upgrade_shared(database_url)
    for service in _services():
        told(service.SCHEMA)
        service.upgrade(database_url)


def pending(database_url: str) -> list[str]:
    """Return the migrations that wait to be applied, as schema and version."""
    migrate = _migrate()
    places = [(migrate.SHARED_SCHEMA, migrate.SHARED_LOCATION)]
    places += [(service.SCHEMA, service.LOCATION) for service in _services()]
    return [
        f"{schema} {version}"
        for schema, location in places
        for version in migrate.check(database_url, schema, location)
    ]


def _migrate() -> ModuleType:
    # The tool behind it takes half a second to import, which most commands can do without.
    return importlib.import_module("shared.db.migrate")


def _services() -> list[ModuleType]:
    return [importlib.import_module(f"services.{name}.migrate") for name in SERVICES]
