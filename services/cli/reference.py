"""Writes the reference that is generated from code: `python -m services.cli.reference [--check]`.

Everything lands in docs/generated; a test fails when the tree is stale.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Final, get_args

import msgspec

from shared.events import BODIES, full_type
from shared.events import vocabulary as v
from shared.events.alerts import Alert
from shared.events.rejections import Rejection
from shared.events.scores import ScoreChange

Json = dict[str, Any]
ROOT: Final = Path(__file__).resolve().parents[2]
TARGET: Final = ROOT / "docs" / "generated"
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_INSTANT: Final = {"type": "string", "format": "date-time"}


def _struct(kind: type[msgspec.Struct]) -> tuple[Json, Json]:
    """Schema of a struct and the definitions that it refers to."""
    (schema,), definitions = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    name = schema["$ref"].rpartition("/")[2]
    return dict(definitions.pop(name)), dict(definitions)


def event_schema(short: str) -> Json:
    """JSON schema of one event type as a structured CloudEvent."""
    body, definitions = _struct(BODIES[short])
    texts = ("account", "touchpoint", "region", "language", "persona", "area")
    choices = {"stage": v.Stage, "channel": v.Channel, "initiative": v.Initiative, "actor": v.Actor}
    data: Json = {
        "type": "object",
        "required": ["body"],
        "properties": {
            "identifiers": {"type": "array", "items": {"type": "string"}, "maxItems": 20},
            **{name: {"type": "string"} for name in texts},
            **{name: {"enum": list(get_args(kind))} for name, kind in choices.items()},
            "url": {"type": "string", "format": "uri"},
            "revision": {"type": "integer", "minimum": 0},
            "native": {"type": "object"},
            "body": body,
        },
    }
    return {
        "$schema": DIALECT,
        "title": full_type(short),
        "type": "object",
        "required": ["specversion", "id", "source", "type", "data"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": {"type": "string", "minLength": 1},
            "source": {"type": "string", "minLength": 1},
            "type": {"const": full_type(short)},
            "time": _INSTANT,
            "recordedtime": _INSTANT,
            "datacontenttype": {"const": "application/json"},
            "data": data,
        },
        **({"$defs": definitions} if definitions else {}),
    }


def message_schema(kind: type[msgspec.Struct]) -> Json:
    schema, definitions = _struct(kind)
    return {"$schema": DIALECT, **schema, **({"$defs": definitions} if definitions else {})}


def alert_schema() -> Json:
    """JSON schema of an alert delivery: a structured CloudEvent around the alert."""
    schema, definitions = _struct(Alert)
    envelope = {
        "specversion": {"const": "1.0"},
        "id": {"type": "string"},
        "source": {"type": "string"},
        "type": {"type": "string", "pattern": r"^cxloop\.(alert\.[a-z]+|endpoint\.test)\.v1$"},
        "time": _INSTANT,
        "datacontenttype": {"const": "application/json"},
        "data": schema,
    }
    return {
        "$schema": DIALECT,
        "title": "cxloop.alert.<what>.v1",
        "type": "object",
        "required": ["specversion", "id", "source", "type", "data"],
        "properties": envelope,
        "$defs": definitions,
    }


_CHANNELS: Final = {
    "feedback": ("cx.feedback.v1", "HMAC of the strongest identifier", "Every event, in canonical form."),
    "scores": ("cx.scores.v1", "customer or account id", "Scores before and after each batch, with causes."),
    "alerts": ("cx.alerts.v1", "alert id", "Every change of every alert, as delivered."),
    "rejected": ("cx.rejected.v1", "event id", "Events that scoring could not take, with the reasons."),
}


def _name(path: str) -> str:
    return Path(path).stem.replace(".", "_").replace("-", "_")


def _message(path: str, key: str) -> Json:
    return {
        "contentType": "application/json",
        "payload": {
            "schemaFormat": "application/schema+json;version=draft-2020-12",
            "schema": {"$ref": path},
        },
        "bindings": {"kafka": {"key": {"type": "string", "description": key}}},
    }


def asyncapi(version: str) -> Json:
    """The topics as AsyncAPI 3.0; payloads refer to the schemas beside it."""
    payloads = {
        "feedback": [f"schemas/events/{short}.json" for short in sorted(BODIES)],
        "scores": ["schemas/score-change.json"],
        "alerts": ["schemas/alert.json"],
        "rejected": ["schemas/rejection.json"],
    }
    channels = {
        name: {
            "address": address,
            "summary": summary,
            "messages": {_name(path): _message(path, key) for path in payloads[name]},
        }
        for name, (address, key, summary) in _CHANNELS.items()
    }
    operations = {
        f"{verb}_{name}": {"action": verb, "channel": {"$ref": f"#/channels/{name}"}}
        for name in _CHANNELS
        for verb in ("send", "receive")
    }
    info = {"title": "cxloop topics", "version": version, "license": {"name": "Apache-2.0"}}
    return {"asyncapi": "3.0.0", "info": info, "channels": channels, "operations": operations}


def documents() -> dict[str, str]:
    """Relative path → text of every generated document."""
    from services.cli.reference_services import service_documents

    found: dict[str, Json] = {f"schemas/events/{short}.json": event_schema(short) for short in BODIES}
    found["schemas/score-change.json"] = message_schema(ScoreChange)
    found["schemas/rejection.json"] = message_schema(Rejection)
    found["schemas/alert.json"] = alert_schema()
    found["asyncapi.json"] = asyncapi("1.0.0")
    texts = {path: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for path, schema in found.items()}
    return texts | service_documents()


def stale() -> list[str]:
    """Paths whose file in the tree is not what the code says, and files that nothing generates."""
    wanted = documents()
    there = {str(p.relative_to(TARGET)) for p in TARGET.rglob("*") if p.is_file()}
    differ = [p for p, text in wanted.items() if p not in there or (TARGET / p).read_text("utf-8") != text]
    return sorted(differ + [p for p in there if p not in wanted])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say what is stale; exit 1 if anything is")
    if parser.parse_args().check:
        for path in (found := stale()):
            sys.stderr.write(f"stale: docs/generated/{path}; run `make reference`\n")
        return 1 if found else 0
    wanted = documents()
    for old in TARGET.rglob("*"):
        if old.is_file() and str(old.relative_to(TARGET)) not in wanted:
            old.unlink()
    for relative, text in wanted.items():
        (TARGET / relative).parent.mkdir(parents=True, exist_ok=True)
        (TARGET / relative).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
