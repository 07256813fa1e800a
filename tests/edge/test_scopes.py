"""Every route of every service, with every kind of key: the documented scope is let in and nobody else.

What is expected is read from the OpenAPI documents; a route without a scope is one that the contract lists.
"""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
import pytest

from services.cli.reference import TARGET
from shared.db.engine import create_engine
from shared.runtime.auth import ApiKeys, Scope
from tests.fixtures.running import Up, up

SERVICES: Final = ("ingest", "scoring", "alerts")
METHODS: Final = ("get", "head", "options", "post", "put", "patch", "delete", "trace")
OPEN: Final = {
    "/livez": {"get"},
    "/readyz": {"get"},
    "/v1/webhooks/{source}": {"get", "head", "options", "post", "put", "patch"},
}
"""Without a key, by the contract; `/openapi.json` too, which does not describe itself."""
REFUSED: Final = (401, 403)


class Operation(NamedTuple):
    """One documented operation; `scopes` that its document demands."""

    service: str
    method: str
    path: str
    scopes: tuple[str, ...] | None

    def __str__(self) -> str:
        return f"{self.service} {self.method.upper()} {self.path}"


class Callers(NamedTuple):
    """Authorization headers by what they are."""

    scoped: dict[str, str]
    nobodies: dict[str, str | None]


def _operations() -> Iterator[Operation]:
    for service in SERVICES:
        document = json.loads((TARGET / f"openapi-{service}.json").read_text("utf-8"))
        for path, item in document["paths"].items():
            for method in METHODS:
                if method in item:
                    yield Operation(service, method, path, _scopes(item[method]))


def _scopes(operation: dict[str, Any]) -> tuple[str, ...] | None:
    named = [scope for one in operation.get("security", []) for scopes in one.values() for scope in scopes]
    return tuple(named) if operation.get("security") else None


OPERATIONS: Final = tuple(_operations())
GUARDED: Final = tuple(one for one in OPERATIONS if one.scopes is not None)
WITHOUT: Final = tuple(one for one in OPERATIONS if one.scopes is None)


@pytest.fixture(scope="module")
def instance() -> Iterator[Up]:
    with (
        tempfile.TemporaryDirectory(prefix="cxloop-scopes-", ignore_cleanup_errors=True) as name,
        up(Path(name) / "data") as running,
    ):
        yield running


@pytest.fixture(scope="module")
def callers(instance: Up) -> Callers:
    return asyncio.run(_make(instance.ready["database"]))


async def _make(database_url: str) -> Callers:
    engine = create_engine(database_url, 2, "tests")
    keys = ApiKeys(engine)
    try:
        scoped = {scope.value: await keys.create(f"only {scope.value}", [scope]) for scope in Scope}
        others = {
            f"all but {one.value}": await keys.create("most", [scope for scope in Scope if scope is not one])
            for one in Scope
        }
        none = await keys.create("without scopes", [])
        revoked = await keys.create("revoked", list(Scope))
        (info,) = (key for key in await keys.list() if key.name == "revoked")
        assert await keys.revoke(info.id)
    finally:
        await engine.dispose()
    nobodies = {
        "no header": None,
        "empty": "",
        "a revoked key with every scope": f"Bearer {revoked}",
        "a wrong key": "Bearer cxk_" + "x" * 43,
        "a key with another end": f"Bearer {scoped['admin'][:-1]}",
        "a key in basic authentication": "Basic Y3hrXzo=",
        "a key without a scheme": scoped["admin"],
        "two keys": f"Bearer {scoped['read']}, Bearer {scoped['admin']}",
    }
    known = {name: f"Bearer {key}" for name, key in {**scoped, **others, "": none}.items()}
    return Callers(known, nobodies)


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=30) as client:
        yield client


def ask(http: httpx.Client, instance: Up, one: Operation, header: str | None) -> httpx.Response:
    """A request that finds nothing and changes nothing, wherever it is let in."""
    path = re.sub(r"\{[a-z_]+\}", "nothing-here", one.path).replace(
        "nothing-here/nothing-here", "nothing-here/act"
    )
    headers = {} if header is None else {"Authorization": header}
    json_body: dict[str, str] | None = {} if one.method in ("post", "put", "patch") else None
    return http.request(one.method, instance.ready[one.service] + path, headers=headers, json=json_body)


@pytest.mark.parametrize("one", GUARDED, ids=str)
def test_exactly_the_documented_scope_is_let_in(
    http: httpx.Client, instance: Up, callers: Callers, one: Operation
) -> None:
    assert one.scopes is not None
    assert len(one.scopes) == 1, "an operation has one scope, and its document names it"
    (wanted,) = one.scopes
    for name, header in callers.scoped.items():
        held = {s.value for s in Scope} - {name[8:]} if name.startswith("all but ") else {name}
        answer = ask(http, instance, one, header)
        if wanted in held:
            assert answer.status_code not in REFUSED, f"{name}: {answer.text}"
            assert answer.status_code < 500, f"{name}: {answer.text}"
        else:
            assert answer.status_code == 403, f"{name}: {answer.status_code} {answer.text}"
            assert answer.json()["type"] == "/problems/forbidden"


@pytest.mark.parametrize("one", GUARDED, ids=str)
def test_nobody_is_let_in(http: httpx.Client, instance: Up, callers: Callers, one: Operation) -> None:
    for name, header in callers.nobodies.items():
        answer = ask(http, instance, one, header)
        assert answer.status_code == 401, f"{name}: {answer.status_code} {answer.text}"
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["type"] == "/problems/unauthorized"


@pytest.mark.parametrize("one", GUARDED, ids=str)
def test_a_refusal_does_not_depend_on_what_was_sent(
    http: httpx.Client, instance: Up, callers: Callers, one: Operation
) -> None:
    """Nobody without the scope learns what exists or which input would be right."""
    assert one.scopes is not None
    (wanted,) = one.scopes
    weak = callers.scoped[f"all but {wanted}"]
    url = instance.ready[one.service] + re.sub(r"\{[a-z_]+\}", "default", one.path)
    for query in ({}, {"limit": "x", "cursor": "x", "as_of": "x", "dry_run": "x", "since": "x"}):
        for header, status in ((weak, 403), ("Bearer cxk_x", 401)):
            body = None if one.method == "get" else {"id": "default", "nonsense": 1}
            answer = http.request(one.method, url, params=query, json=body, headers={"Authorization": header})
            assert answer.status_code == status, f"{query}: {answer.status_code} {answer.text}"


def test_what_needs_no_key_is_what_the_contract_lists() -> None:
    found: dict[str, set[str]] = {}
    for one in WITHOUT:
        found.setdefault(one.path, set()).add(one.method)
    assert found == OPEN


@pytest.mark.parametrize("service", SERVICES)
def test_the_running_service_is_the_documented_one(http: httpx.Client, instance: Up, service: str) -> None:
    told = http.get(f"{instance.ready[service]}/openapi.json").json()
    written = json.loads((TARGET / f"openapi-{service}.json").read_text("utf-8"))
    assert told["paths"] == written["paths"]


@pytest.mark.parametrize("service", SERVICES)
def test_metrics_need_read(http: httpx.Client, instance: Up, callers: Callers, service: str) -> None:
    url = f"{instance.ready[service]}/metrics"
    for scope in Scope:
        status = 200 if scope is Scope.read else 403
        headers = {"Authorization": callers.scoped[scope.value]}
        assert http.get(url, headers=headers).status_code == status
    for header in callers.nobodies.values():
        headers = {} if header is None else {"Authorization": header}
        assert http.get(url, headers=headers).status_code == 401


@pytest.mark.parametrize("service", SERVICES)
def test_methods_that_are_not_documented_do_nothing(
    http: httpx.Client, instance: Up, callers: Callers, service: str
) -> None:
    """HEAD of what can be read is HTTP's own."""
    documented: dict[str, set[str]] = {}
    for one in OPERATIONS:
        if one.service == service:
            documented.setdefault(one.path, set()).add(one.method)
    for path, known in documented.items():
        for method in set(METHODS) - known - ({"head"} if "get" in known else set()):
            one = Operation(service, method, path, None)
            assert ask(http, instance, one, callers.scoped["admin"]).status_code in (401, 404, 405), str(one)


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/docs",
        "/redoc",
        "/admin",
        "/v1",
        "/v1/",
        "/v2/sources",
        "/metrics/",
        "/debug",
        "/static/x",
        "/.env",
    ],
)
def test_there_is_nothing_else(http: httpx.Client, instance: Up, service: str, path: str) -> None:
    for method in ("GET", "POST"):
        assert http.request(method, instance.ready[service] + path).status_code == 404


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize(
    "trick",
    [
        "//v1/audit",
        "/v1//audit",
        "/v1/audit/",
        "/V1/audit",
        "/v1/./audit",
        "/livez/../v1/audit",
        "/v1/webhooks/../audit",
        "/v1/webhooks/x/../../audit",
        "/v1%2faudit",
        "/v1/audit%00",
        "/livez;/v1/audit",
        "/v1/audit;x=1",
        "/v1/audit%20",
    ],
)
def test_no_spelling_of_an_address_gets_around_the_key(
    http: httpx.Client, instance: Up, service: str, trick: str
) -> None:
    url = httpx.URL(instance.ready[service]).copy_with(raw_path=trick.encode())
    answer = http.get(url)
    assert answer.status_code in (400, 401, 404) or (
        trick.startswith("/v1/webhooks/") and service == "ingest" and answer.text.startswith("Webhooks are")
    )
    assert "items" not in answer.text
