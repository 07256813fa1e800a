"""The only place that knows every schema of the database."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path

SERVICES = ("ingest", "scoring", "alerts")
SHARED_SCHEMA = "cxloop"


def entries() -> dict[str, Callable[[str], None]]:
    """Return what brings each schema up to date, by schema, in the order to run it."""
    found: dict[str, Callable[[str], None]] = {}
    if _exists("shared.db.migrate"):
        migrate = importlib.import_module("shared.db.migrate")
        location = Path(str(migrate.__file__)).parent / "migrations"
        found[SHARED_SCHEMA] = lambda url: migrate.upgrade(url, SHARED_SCHEMA, location)
    for name in SERVICES:
        if _exists(f"services.{name}.migrate"):
            found[name] = importlib.import_module(f"services.{name}.migrate").upgrade
    return found


def _exists(module: str) -> bool:
    package = module.rpartition(".")[0]
    return importlib.util.find_spec(package) is not None and importlib.util.find_spec(module) is not None


def upgrade_all(database_url: str, told: Callable[[str], None] = lambda _: None) -> None:
    """Bring every schema up to date; `told` hears the name of each before it starts."""
    for schema, upgrade in entries().items():
        told(schema)
        upgrade(database_url)
