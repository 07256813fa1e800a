"""A short way to the webhooks: past the framework, which a delivery does not need."""

from __future__ import annotations

from typing import Final

from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

PREFIX: Final = "/v1/webhooks/"


class WebhookLane:
    """Pure ASGI, outermost but for traces and telemetry. The framework's layers, routing and exit stacks
    cost more than reading and verifying a delivery, which is one prefix and one id.

    What follows the id (a token in path mode, a slash that somebody typed) stays in the path.
    """

    def __init__(self, app: ASGIApp, webhooks: ASGIApp) -> None:
        self._app = app
        self._webhooks = webhooks
        # Telemetry names a request by its route's template.
        self._route = Route(PREFIX + "{source}", webhooks)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await self._app(scope, receive, send)
            return
        source = scope["path"][len(PREFIX) :].partition("/")[0]
        scope["route"], scope["path_params"] = self._route, {"source": source}
        await self._webhooks(scope, receive, send)
