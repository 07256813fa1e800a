"""The parts of the generated reference that come from the services: OpenAPI, settings, metrics."""

from __future__ import annotations

import importlib
import json
from typing import Any, Final

from pydantic_core import PydanticUndefined

from shared.runtime.metrics import catalogue
from shared.runtime.settings import ServiceSettings

SERVICES: Final = ("ingest", "scoring", "alerts")
_EXAMPLE: Final = {
    "database_url": "postgresql://localhost/cxloop",
    "kafka_bootstrap_servers": "localhost:9092",
    "secret_key": "A" * 43 + "=",
}


def service_documents() -> dict[str, str]:
    """Relative path → text: one OpenAPI per service, one page of settings, one of metrics."""
    found: dict[str, str] = {}
    settings: list[str] = ["# Settings", "", "Read from the environment, once, at the start of a process."]
    for name in SERVICES:
        kind: type[ServiceSettings] = importlib.import_module(f"services.{name}.settings").Settings
        app = importlib.import_module(f"services.{name}.app").create_app(kind.load(**_EXAMPLE))
        document = json.dumps(app.openapi(), indent=2, ensure_ascii=False, sort_keys=True)
        found[f"openapi-{name}.json"] = document + "\n"
        settings += ["", f"## {name}", "", *_settings_table(kind)]
    found["settings.md"] = "\n".join(settings) + "\n"
    found["metrics.md"] = _metrics_page()
    return found


def _settings_table(kind: type[ServiceSettings]) -> list[str]:
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for name, field in kind.model_fields.items():
        alias = getattr(field.validation_alias, "choices", [f"CXLOOP_{name.upper()}"])[0]
        default = "required" if field.default is PydanticUndefined else _shown(field.default)
        rows.append(f"| `{alias}` | {default} | {(field.description or '').replace('|', '/')} |")
    return rows


def _shown(value: Any) -> str:  # noqa: ANN401 - a default of any type
    return "" if value is None or value == "" else f"`{value}`"


def _metrics_page() -> str:
    rows = [
        "# Metrics",
        "",
        "In Prometheus' text format at `/metrics` of each service, with an API key of scope `read` as the"
        " bearer token. Labels are closed sets.",
        "",
        "| metric | kind | labels | meaning |",
        "|---|---|---|---|",
    ]
    for metric in catalogue():
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        rows.append(f"| `{metric.name}` | {metric.kind} | {labels} | {metric.doc} |")
    return "\n".join(rows) + "\n"
