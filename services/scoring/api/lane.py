"""A short way to a customer's score of now: past the framework, which costs more than the answer."""

from __future__ import annotations

import re
from typing import Final

import msgspec
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as Connection

from services.scoring import reads
from services.scoring.api.scores import document
from services.scoring.present import Present
from shared.runtime.auth import ApiKeys, Scope

TEMPLATE: Final = "/v1/customers/{customer_id}/score"
_PATH: Final = re.compile(r"/v1/customers/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/score")


class ScoreLane:
    """Pure ASGI, outermost but for traces and telemetry. It answers what is usual, with 200, or leaves the
    request to the framework as it came: times, other ids, keys not seen lately, rows of an older policy
    and every error have one way each."""

    def __init__(self, app: ASGIApp, present: Present) -> None:
        self._app = app
        self._present = present
        # Telemetry names a request by its route's template.
        self._route = Route(TEMPLATE, app)

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        customer = _asked(scope)
        body = None if customer is None else await self._answer(scope, customer)
        if body is None:
            await self._app(scope, receive, send)
            return
        headers = [(b"content-length", b"%d" % len(body)), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Connection, customer: str) -> bytes | None:
        """None: the framework knows what to say."""
        if not _may_read(scope):
            return None
        scope["route"] = self._route
        found = await self._present.find(customer)
        engine = scope["app"].state.engine
        if found is None or not reads.is_fresh(found.row, engine):
            return None
        at = reads.moment(found.row, None, None)
        view = self._present.ready(found, engine).view(engine, at.as_of)
        return msgspec.json.encode({"customer_id": found.row.id} | document(view.scores, at))


def _asked(scope: Connection) -> str | None:
    """Whose score of now is asked for; None for any other request, and for one with a body."""
    if scope["type"] != "http" or scope["method"] != "GET" or scope["query_string"]:
        return None
    match = _PATH.fullmatch(scope["path"])
    for name, value in scope["headers"] if match else ():
        if name == b"transfer-encoding" or (name == b"content-length" and value != b"0"):
            return None
    return match and match[1]


def _may_read(scope: Connection) -> bool:
    """Whether the key was seen lately and has the scope."""
    given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
    keys: ApiKeys = scope["app"].state.api_keys
    who = keys.seen(given.decode("latin-1"))
    return who is not None and Scope.read in who.scopes
