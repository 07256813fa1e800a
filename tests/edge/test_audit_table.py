"""The audit log's table, and what belongs into it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import asyncpg
import pytest
from fastapi import FastAPI

from services.cli.reference import TARGET
from shared.db.engine import driver
from shared.runtime.audit import storable
from shared.runtime.audit_calls import managed
from tests.edge.test_audit import ANN, THING, app

__all__ = ["app"]


async def test_the_table_is_append_only(app: FastAPI) -> None:
    log = app.state.audit
    row = await log.begin(THING, ANN)
    await log.finish(row, THING, ANN, 201, "t-1")
    open_row = await log.begin(THING, ANN)
    async with driver(app.state.engine) as connection:
        for statement in (
            f"UPDATE cxloop.audit SET status = 200 WHERE id = {row}",
            f"UPDATE cxloop.audit SET status = NULL WHERE id = {row}",
            f"UPDATE cxloop.audit SET status = 200, key_id = 'key_bob' WHERE id = {open_row}",
            f"UPDATE cxloop.audit SET key_id = 'key_bob' WHERE id = {open_row}",
            f"DELETE FROM cxloop.audit WHERE id = {row}",
            "DELETE FROM cxloop.audit",
            "TRUNCATE cxloop.audit",
            "TRUNCATE cxloop.audit CASCADE",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
                await connection.execute(statement)


async def test_old_rows_go_and_young_ones_stay(app: FastAPI) -> None:
    log = app.state.audit
    async with driver(app.state.engine) as connection:
        for service in ("small", "cli", "other"):
            for days in (400, 366, 364, 1):
                await connection.execute(
                    "INSERT INTO cxloop.audit (at, service, method, route)"
                    " VALUES (now() - make_interval(days => $1), $2, 'POST', $3)",
                    days,
                    service,
                    f"{service} {days}",
                )
    await asyncio.gather(*(log.begin(THING, ANN) for _ in range(3)))
    async with driver(app.state.engine) as connection:
        left = await connection.fetch("SELECT route FROM cxloop.audit WHERE route <> $1", THING.route)
    kept = {"small 364", "small 1", "cli 364", "cli 1"}
    assert {row["route"] for row in left} == kept | {f"other {days}" for days in (400, 366, 364, 1)}


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("desk-1", True),
        ("al_0f/acknowledge", True),
        ("018f6d1e-0000-7000-8000-000000000000", True),
        ("", False),
        (None, False),
        ("ann@example.com", False),
        ("email:ann@example.com", False),
        ("a b", False),
        ("a/", False),
        ("/a", False),
        ("x" * 81, False),
        ("a\n", False),
        ("ä", False),
        ("{secret}", False),
    ],
)
def test_only_what_looks_like_an_id_is_repeated(text: str | None, kept: bool) -> None:
    assert storable(text) == (text if kept else None)


MANAGED = {
    "ingest": {
        "/v1/sources": {"POST"},
        "/v1/sources/{source_id}": {"PATCH", "DELETE"},
        "/v1/rejected/{rejected_id}/replay": {"POST"},
    },
    "scoring": {},
    "alerts": {
        "/v1/alerts/{alert_id}/{verb}": {"POST"},
        "/v1/councils": {"POST"},
        "/v1/councils/{council_id}": {"PUT", "DELETE"},
        "/v1/deliveries/{delivery_id}/redeliver": {"POST"},
        "/v1/endpoints": {"POST"},
        "/v1/endpoints/{endpoint_id}": {"PUT", "DELETE"},
        "/v1/endpoints/{endpoint_id}/rotate": {"POST"},
        "/v1/endpoints/{endpoint_id}/test": {"POST"},
        "/v1/rules": {"POST"},
        "/v1/rules/{rule_id}": {"PUT", "DELETE"},
    },
}


@pytest.mark.parametrize("service", MANAGED)
def test_everything_that_manages_something_is_recorded(service: str) -> None:
    """Of the documents that the services give; what is not here must change nothing, or be data."""
    document = json.loads((TARGET / f"openapi-{service}.json").read_text("utf-8"))
    found = {template: set(methods) for _, template, methods in managed(document)}
    assert found == MANAGED[service]
    changing = {
        (method.upper(), template)
        for template, path in document["paths"].items()
        for method in path
        if method in ("post", "put", "patch", "delete") and method.upper() not in found.get(template, set())
    }
    data = {(method, "/v1/webhooks/{source}") for method in ("POST", "PUT", "PATCH")}
    assert (
        changing
        == {
            "ingest": data | {("POST", "/v1/events")},
            "scoring": {("POST", "/v1/scores")},
            "alerts": set(),
        }[service]
    )


def test_what_is_recorded_is_read_from_the_openapi_document() -> None:
    def operation(*scopes: str) -> dict[str, Any]:
        return {"security": [{"apiKey": list(scopes)}]}

    document = {
        "paths": {
            "/a/{id}": {"get": operation("admin"), "put": operation("admin"), "delete": operation("erase")},
            "/b": {"post": operation("read"), "parameters": [{"name": "x"}]},
            "/c": {"post": operation("ingest")},
            "/d": {"post": {"responses": {}}},
            "/e": {"post": operation("act")},
        }
    }
    found = {template: methods for _, template, methods in managed(document)}
    assert found == {"/a/{id}": {"PUT", "DELETE"}, "/e": {"POST"}}
