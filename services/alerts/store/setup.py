"""Rules, councils and endpoints: what the company has set up."""

from __future__ import annotations

import json
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

import asyncpg
import msgspec

from services.alerts.domain.councils import Council, Person
from services.alerts.domain.memory import Book
from services.alerts.domain.rules import PromiseBroken, Rule
from services.alerts.rule_files import RuleDocument, shipped
from shared.runtime.secrets import SecretBox

TOP_SHARE: Final = 0.2
FEW: Final = 5
"""Fewer customers with a known value than this have no top fifth worth the name."""
ENOUGH: Final = 1_000_000
"""Customers from which on some pages of the table stand for all: it is asked every minute."""


class Endpoint(msgspec.Struct, frozen=True):
    """A receiver. `target`: a URL, or addresses separated by commas. `secrets`: newest first."""

    id: str
    kind: str
    target: str
    councils: tuple[str, ...]
    detail: str
    enabled: bool
    disabled_reason: str | None
    created_at: datetime
    secrets: tuple[str, ...] = ()


async def install_shipped(connection: asyncpg.Connection) -> None:
    """Shipped rules exist and are up to date, except where people changed or deleted them."""
    for position, document in enumerate(shipped()):
        await connection.execute(
            "INSERT INTO alerts.rule (id, body, shipped, position) VALUES ($1, $2::text::jsonb, true, $3)"
            " ON CONFLICT (id) DO UPDATE SET body = excluded.body, position = excluded.position,"
            " shipped = true WHERE NOT alerts.rule.changed AND alerts.rule.deleted_at IS NULL",
            document.id,
            document.model_dump_json(),
            position,
        )


def as_object(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """`jsonb` as Python objects, whichever way the connection hands it out."""
    return json.loads(value) if isinstance(value, str | bytes) else value


async def rules(connection: asyncpg.Connection) -> list[RuleDocument]:
    rows = await connection.fetch(
        "SELECT body FROM alerts.rule WHERE deleted_at IS NULL ORDER BY position, id"
    )
    return [RuleDocument.model_validate(as_object(row["body"])) for row in rows]


async def put_rule(connection: asyncpg.Connection, document: RuleDocument) -> bool:
    """Creates or replaces; True when it is new."""
    found = await connection.fetchval("SELECT deleted_at IS NULL FROM alerts.rule WHERE id = $1", document.id)
    await connection.execute(
        "INSERT INTO alerts.rule (id, body, changed) VALUES ($1, $2::text::jsonb, true) ON CONFLICT (id)"
        " DO UPDATE SET body = excluded.body, changed = true, deleted_at = NULL, updated_at = now()",
        document.id,
        document.model_dump_json(),
    )
    return not found


async def delete_rule(connection: asyncpg.Connection, rule_id: str) -> bool:
    """Leaves a mark, so that a shipped rule does not come back at the next start."""
    return bool(
        await connection.fetchval(
            "UPDATE alerts.rule SET deleted_at = now() WHERE id = $1 AND deleted_at IS NULL RETURNING true",
            rule_id,
        )
    )


async def councils(connection: asyncpg.Connection) -> list[Council]:
    rows = await connection.fetch("SELECT id, body FROM alerts.council ORDER BY id")
    return [_council(row["id"], as_object(row["body"])) for row in rows]


def _council(council_id: str, body: dict[str, Any]) -> Council:
    sponsor = body.get("sponsor")
    return Council(
        id=council_id,
        name=body.get("name") or "",
        sponsor=_person(sponsor) if sponsor else None,
        members=tuple(_person(member) for member in body.get("members") or ()),
        scope={name: tuple(values) for name, values in (body.get("scope") or {}).items()},
    )


def _person(body: dict[str, Any]) -> Person:
    return Person(body["name"], body.get("email"), body.get("role"))


async def put_council(connection: asyncpg.Connection, council_id: str, body: dict[str, Any]) -> bool:
    """Creates or replaces; True when it is new."""
    return bool(
        await connection.fetchval(
            "INSERT INTO alerts.council (id, body) VALUES ($1, $2::text::jsonb)"
            " ON CONFLICT (id) DO UPDATE SET body = excluded.body RETURNING xmax = 0",
            council_id,
            json.dumps(body),
        )
    )


async def delete_council(connection: asyncpg.Connection, council_id: str) -> bool:
    return bool(
        await connection.fetchval("DELETE FROM alerts.council WHERE id = $1 RETURNING true", council_id)
    )


async def book(connection: asyncpg.Connection, link: str, top_values: dict[str, int]) -> Book:
    """Rules and councils as they are now, in one statement; built when they have changed."""
    rows = await connection.fetch(
        "SELECT 'rule' AS kind, id, body::text, position FROM alerts.rule WHERE deleted_at IS NULL"
        " UNION ALL SELECT 'council', id, body::text, 0 FROM alerts.council ORDER BY kind, position, id"
    )
    rules, councils = _built(tuple((row["kind"], row["id"], row["body"]) for row in rows))
    return Book(rules=rules, councils=councils, top_values=top_values, link=link)


@lru_cache(maxsize=1)
def _built(rows: tuple[tuple[str, str, str], ...]) -> tuple[tuple[Rule, ...], dict[str, Council]]:
    """From (kind, id, JSON)."""
    documents = [RuleDocument.model_validate_json(body) for kind, _, body in rows if kind == "rule"]
    councils = {name: _council(name, json.loads(body)) for kind, name, body in rows if kind == "council"}
    return tuple(document.build() for document in documents), councils


async def top_values(connection: asyncpg.Connection, enough: int = ENOUGH) -> dict[str, int]:
    """By currency, the revenue from which on a customer is among the most valuable; of about `enough`
    customers where there are more."""
    documents = [document.build() for document in await rules(connection)]
    shares = [r.when.top_value_share for r in documents if isinstance(r.when, PromiseBroken)]
    share = next((s for s in shares if s is not None), TOP_SHARE)
    rows = await connection.fetch(
        "SELECT currency, percentile_disc($1) WITHIN GROUP (ORDER BY value) AS top FROM alerts.customer"
        " TABLESAMPLE SYSTEM (least(100, 100 * $3::float8 / greatest(1, ("
        "   SELECT reltuples FROM pg_class WHERE oid = 'alerts.customer'::regclass))))"
        " WHERE value IS NOT NULL AND merged_into IS NULL GROUP BY currency HAVING count(*) >= $2",
        1 - share,
        FEW,
        float(enough),
    )
    return {row["currency"]: row["top"] for row in rows}


_ENDPOINT = (
    "SELECT id, kind, target, councils, detail, enabled, disabled_reason, created_at, secret,"
    " CASE WHEN previous_until > now() THEN previous_secret END AS previous_secret FROM alerts.endpoint"
)


def _endpoint(row: asyncpg.Record, box: SecretBox) -> Endpoint:
    sealed = [row["secret"], row["previous_secret"]]
    return Endpoint(
        id=row["id"],
        kind=row["kind"],
        target=box.decrypt(row["target"]).decode(),
        councils=tuple(row["councils"]),
        detail=row["detail"],
        enabled=row["enabled"],
        disabled_reason=row["disabled_reason"],
        created_at=row["created_at"],
        secrets=tuple(box.decrypt(token).decode() for token in sealed if token is not None),
    )


async def endpoints(connection: asyncpg.Connection, box: SecretBox) -> list[Endpoint]:
    rows = await connection.fetch(_ENDPOINT + " ORDER BY created_at, id")
    return [_endpoint(row, box) for row in rows]


async def endpoint(connection: asyncpg.Connection, endpoint_id: str, box: SecretBox) -> Endpoint | None:
    row = await connection.fetchrow(_ENDPOINT + " WHERE id = $1", endpoint_id)
    return None if row is None else _endpoint(row, box)


class Route(msgspec.Struct, frozen=True):
    """As much of an endpoint as is needed to decide who is told."""

    id: str
    councils: tuple[str, ...]
    detail: str


async def routes(connection: asyncpg.Connection) -> list[Route]:
    rows = await connection.fetch(
        "SELECT id, councils, detail FROM alerts.endpoint WHERE enabled ORDER BY id"
    )
    return [Route(row["id"], tuple(row["councils"]), row["detail"]) for row in rows]


async def put_endpoint(
    connection: asyncpg.Connection,
    box: SecretBox,
    endpoint_id: str,
    kind: str,
    target: str,
    councils: list[str],
    detail: str,
    secret: str | None,
) -> bool:
    """Creates or replaces, and switches on; without `secret` the present one stays. True when it is new."""
    return bool(
        await connection.fetchval(
            "INSERT INTO alerts.endpoint (id, kind, target, councils, detail, secret)"
            " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO UPDATE SET kind = excluded.kind,"
            " target = excluded.target, councils = excluded.councils, detail = excluded.detail,"
            " secret = coalesce(excluded.secret, alerts.endpoint.secret), enabled = true,"
            " disabled_reason = NULL RETURNING xmax = 0",
            endpoint_id,
            kind,
            box.encrypt(target.encode()),
            councils,
            detail,
            None if secret is None else box.encrypt(secret.encode()),
        )
    )


async def rotate(connection: asyncpg.Connection, box: SecretBox, endpoint_id: str, secret: str) -> bool:
    """The new secret signs from now on, the old one beside it for 24 h."""
    return bool(
        await connection.fetchval(
            "UPDATE alerts.endpoint SET previous_secret = secret, secret = $2,"
            " previous_until = now() + interval '24 hours' WHERE id = $1 AND kind = 'webhook' RETURNING true",
            endpoint_id,
            box.encrypt(secret.encode()),
        )
    )


async def disable_endpoint(connection: asyncpg.Connection, endpoint_id: str, why: str) -> None:
    """Nothing is sent there any more; what waited is cancelled and stays in the log."""
    await connection.execute(
        "UPDATE alerts.endpoint SET enabled = false, disabled_reason = $2 WHERE id = $1", endpoint_id, why
    )
    await cancel_waiting(connection, endpoint_id)


async def cancel_waiting(connection: asyncpg.Connection, endpoint_id: str) -> None:
    await connection.execute(
        "WITH held AS MATERIALIZED (SELECT id FROM alerts.delivery WHERE lane = $1 AND state = 'pending'"
        "   ORDER BY id FOR UPDATE)"
        " UPDATE alerts.delivery d SET state = 'cancelled', lease = NULL, leased_until = NULL"
        " FROM held WHERE d.id = held.id",
        endpoint_id,
    )


async def delete_endpoint(connection: asyncpg.Connection, endpoint_id: str) -> bool:
    await cancel_waiting(connection, endpoint_id)
    return bool(
        await connection.fetchval("DELETE FROM alerts.endpoint WHERE id = $1 RETURNING true", endpoint_id)
    )
