"""The only place that knows every schema of the database."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from types import ModuleType

from shared.db import migrate

SERVICES = ("ingest", "scoring", "alerts")


def upgrade_all(database_url: str, told: Callable[[str], None] = lambda _: None) -> None:
    """Bring every schema up to date; `told` hears the name of each before it starts."""
    told(migrate.SHARED_SCHEMA)
    migrate.upgrade_shared(database_url)
    for service in _services():
        told(service.SCHEMA)
        service.upgrade(database_url)


def pending(database_url: str) -> list[str]:
    """Return the migrations that wait to be applied, as schema and version."""
    places = [(migrate.SHARED_SCHEMA, migrate.SHARED_LOCATION)]
    places += [(service.SCHEMA, service.LOCATION) for service in _services()]
    return [
        f"{schema} {version}"
        for schema, location in places
        for version in migrate.check(database_url, schema, location)
    ]


def _services() -> list[ModuleType]:
    names = [f"services.{name}" for name in SERVICES]
    return [importlib.import_module(f"{name}.migrate") for name in names if _exists(name, f"{name}.migrate")]


def _exists(*modules: str) -> bool:
    return all(importlib.util.find_spec(module) is not None for module in modules)
