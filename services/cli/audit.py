"""`cxloop audit`: who changed what."""

from __future__ import annotations

from typing import Annotated, cast

import typer

from services.cli import show
from services.cli.options import AsJson, Limit, target_of
from services.cli.target import CommandError, Json, Service

SERVICES = ("ingest", "scoring", "alerts")


def audit(
    context: typer.Context,
    since: Annotated[str | None, typer.Option(help="From this instant on: 2026-01-31T09:30:00Z.")] = None,
    key: Annotated[str | None, typer.Option(help="Calls with this key: its id.")] = None,
    route: Annotated[
        str | None, typer.Option(help="Calls of routes that begin so, such as /v1/rules.")
    ] = None,
    service: Annotated[str | None, typer.Option(help="Calls of this service, read from it.")] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List calls that managed something, the newest first, refused ones too.

    Example: cxloop audit --route /v1/sources --limit 20
    """
    if service is not None and service not in SERVICES:
        raise CommandError(f"{service!r} is no service; there are {', '.join(SERVICES)}", status=2)
    asked = cast(Service, service or "ingest")
    walk = target_of(context).items(
        asked, "/audit", limit, since=since, key=key, route=route, service=service
    )
    found = list(walk)
    if as_json:
        show.as_json(found)
        return
    columns = ("at", "service", "key", "call", "object", "outcome")
    show.table(columns, map(_row, found), "Nothing was managed yet.")


def _row(item: Json) -> tuple[str, ...]:
    name = item["key_name"] or "no valid key"
    key = f"{name} ({item['key_id']})" if item["key_id"] else name
    call = item["route"] if item["method"] == "CLI" else f"{item['method']} {item['route']}"
    status = "unknown" if item["status"] is None else item["status"]
    return (
        show.when(item["at"]),
        *map(show.plain, (item["service"], key, call, item["object"], status)),
    )
