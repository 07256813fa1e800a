"""Hostile calls of the JSON APIs, made from what their own OpenAPI documents say they take."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import quote_from_bytes

from tests.edge import junk
from tests.edge.deliveries import METHODS, headers_of, target
from tests.edge.request import Hostile

Json = dict[str, Any]
_ENDPOINT: Final = {"id": "e", "kind": "webhook", "url": "https://example.com/h", "councils": ["default"]}
_COUNCIL: Final = {
    "id": "edge",
    "name": "Edge",
    "sponsor": {"name": "Sue", "email": "sue@example.com"},
    "members": [{"name": "Bob", "email": "bob@example.com", "role": "lead"}],
    "scope": {"region": ["nowhere"]},
}
_RULE: Final = {
    "id": "edge",
    "title": "Edge",
    "driver": "experience",
    "severity": "low",
    "when": {"kind": "level", "score": "risk", "entry": 0.99, "exit": 0.9, "min_evidence": 2, "dwell": "2h"},
    "cooldown": "14d",
    "suggestion": "Nothing",
}
BODIES: Final[Mapping[str, tuple[Json, ...]]] = {
    "/v1/sources": ({"id": "edge-made", "vendor": "zendesk", "secrets": ["s"], "defaults": {"region": "x"}},),
    "/v1/sources/{source_id}": ({"secrets": ["new", "old"], "defaults": {"region": "emea"}},),
    "/v1/scores": ({"identifiers": ["email:ann@example.com", "user:1"], "as_of": "2026-01-01T00:00:00Z"},),
    "/v1/councils": (_COUNCIL,),
    "/v1/councils/{council_id}": (_COUNCIL,),
    "/v1/endpoints": (_ENDPOINT, {"id": "m", "kind": "email", "to": "a@example.com", "councils": []}),
    "/v1/endpoints/{endpoint_id}": (_ENDPOINT, {"kind": "notify", "url": "ntfy://example.com/x"}),
    "/v1/rules": (_RULE,),
    "/v1/rules/{rule_id}": (_RULE,),
    "/v1/alerts/{alert_id}/{verb}": (
        {"by": "ann", "to": "bob", "action": "called", "note": "n", "reason": "duplicate"},
        {"by": "ann", "until": "2999-01-01T00:00:00Z"},
    ),
}
"""A body that an operation takes, from which bad ones are made."""
VERBS: Final = ("acknowledge", "assign", "act", "resolve", "snooze", "dismiss", "reopen", "escalate")


class Operation(NamedTuple):
    """One operation of a document: its path template and the names of its query parameters."""

    method: str
    path: str
    query: tuple[str, ...]
    headers: tuple[str, ...]


def operations(document: Json, left_out: Sequence[str] = ()) -> list[Operation]:
    """Every operation of an OpenAPI document but those under the paths left out."""
    found = []
    for path, item in document["paths"].items():
        if path in left_out:
            continue
        for method, one in item.items():
            if method == "parameters":
                continue
            parameters = one.get("parameters", [])
            names = {
                place: tuple(p["name"] for p in parameters if p["in"] == place)
                for place in ("query", "header")
            }
            found.append(Operation(method.upper(), path, names["query"], names["header"]))
    return found


def call(rng: random.Random, operation: Operation, ids: Sequence[str], key: str) -> Hostile:
    """A call of `operation`; `ids` exist. Most are well-formed but for one thing."""
    path = operation.path
    while "{" in path:
        name = path[path.index("{") : path.index("}") + 1]
        path = path.replace(name, _in_path(rng, name, ids), 1)
    address = path.encode()
    names = [name for name in operation.query if rng.random() < 0.3]
    if names and rng.random() < 0.2:
        names.append(names[0])
    pairs = [name.encode() + b"=" + _in_query(rng, name) for name in names]
    if rng.random() < 0.05:
        pairs.append(_quoted(rng))
    if pairs:
        address += b"?" + b"&".join(pairs)
    bearer = (
        key if rng.random() < 0.95 else junk.text(rng).replace("\n", "").replace("\r", "").replace("\0", "")
    )
    headers = [(b"authorization", b"Bearer " + bearer.encode("utf-8", "surrogatepass"))]
    body = b""
    if operation.method in ("POST", "PUT", "PATCH") and rng.random() < 0.95:
        headers.append((b"content-type", b"application/json"))
        body = _body(rng, operation.path)
    if operation.method == "POST" and rng.random() < 0.15:
        headers.append((b"idempotency-key", b"k" + str(rng.randrange(50)).encode()))
    request = Hostile(operation.method, address, tuple(headers), body)
    return _spoiled(rng, request)


def _spoiled(rng: random.Random, request: Hostile) -> Hostile:
    if rng.random() < 0.03:
        request = request._replace(method=rng.choice(METHODS))
    if rng.random() < 0.03:
        request = request._replace(target=target(rng, request.target))
    if rng.random() < 0.1:
        request = request._replace(headers=headers_of(rng, request.headers))
    if rng.random() < 0.05:
        request = request._replace(pieces=rng.choice((2, 9)), whole=rng.random() < 0.8)
    return request


def _in_path(rng: random.Random, name: str, ids: Sequence[str]) -> str:
    if name == "{verb}" and rng.random() < 0.9:
        return rng.choice(VERBS)
    if ids and rng.random() < 0.7:
        return rng.choice(ids)
    return _quoted(rng).decode()


def _quoted(rng: random.Random) -> bytes:
    return quote_from_bytes(junk.text(rng).encode("utf-8", "surrogatepass"), safe="").encode()


_USUAL: Final[Mapping[str, tuple[str, ...]]] = {
    "limit": ("1", "200", "201", "0", "-1", "1e3", "٣", "9" * 30),
    "score": ("risk", "health", "relationship"),
    "step": ("P1D", "PT1H", "P1M", "PT0S", "P-1D", "P99999Y", "PT1S"),
    "tz": ("Europe/Berlin", "UTC", "../../etc/passwd", "Etc/GMT+12"),
    "sort": ("-risk", "health", "-value_at_risk", "risk; drop table x"),
    "order": ("asc", "desc"),
    "identifier": ("email:ann@example.com", "user:1", "nope:1", "edge-zendesk.contact:1"),
    "state": ("open", "open,acted", "pending"),
}
_TIMES: Final = ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00+14:00", "0001-01-01T00:00:00Z", "99999-01-01")


def _in_query(rng: random.Random, name: str) -> bytes:
    chance = rng.random()
    if name == "cursor":
        return _cursor(rng)
    if chance < 0.5 and name in _USUAL:
        return quote_from_bytes(rng.choice(_USUAL[name]).encode()).encode()
    if chance < 0.5 and name in ("from", "to", "as_of", "known_at", "since"):
        return quote_from_bytes(rng.choice(_TIMES).encode()).encode()
    return _quoted(rng)


def _cursor(rng: random.Random) -> bytes:
    """A cursor that decodes to something that no list has made, or does not decode."""
    if rng.random() < 0.2:
        return _quoted(rng)
    names = ("id", "at", "known", "of", "pin", "skip", "below", "after", "risk", "event", "score")
    position = {name: rng.choice((junk.text(rng), rng.choice(junk.NUMBERS), None, True)) for name in names}
    raw = json.dumps(position, allow_nan=True).encode("utf-8", "surrogatepass")
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def _body(rng: random.Random, path: str) -> bytes:
    good = rng.choice(BODIES.get(path, ({},)))
    chance = rng.random()
    if chance < 0.1:
        return junk.encoded(rng, good)
    if chance < 0.7:
        return junk.encoded(rng, junk.mutated(rng, good))
    if chance < 0.9:
        return junk.broken(rng, junk.encoded(rng, good))
    if chance < 0.91:
        return junk.deep(rng)
    return junk.encoded(rng, junk.value(rng))
