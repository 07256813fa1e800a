"""The app every service is built on, and the process it runs in."""

from __future__ import annotations

import gc
import math
import os
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from importlib.metadata import version
from typing import Any, NoReturn

import structlog
import uvicorn
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Lifespan, Receive, Scope, Send

from shared.runtime import auth
from shared.runtime.edge import EdgeMiddleware
from shared.runtime.errors import install_problems
from shared.runtime.health import Health
from shared.runtime.http import EdgeProtocol
from shared.runtime.logging import configure_logging
from shared.runtime.metrics import metrics_app
from shared.runtime.settings import ServiceSettings
from shared.runtime.supervisor import EXIT_CODE, Tasks, measure_loop_lag
from shared.runtime.telemetry import TelemetryMiddleware
from shared.runtime.tracing import TraceMiddleware

log = structlog.get_logger()

TASKS_DEADLINE_S = 3.0
KEEP_ALIVE_S = 75
"""Longer than the 60 s of usual load balancers, so that they, not we, end idle connections."""


COLLECT_AFTER = 10_000
"""Allocations until the collector looks. A service keeps hundreds of thousands of objects of its libraries
for life; looking through them at the usual 700 was a sixth of a delivery's CPU time."""


class ServiceApp(FastAPI):
    """Requests pass `front` (traces, telemetry, a service's own lane) before the framework sees them, so
    that what needs none of the framework pays for none of it."""

    front: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self
        await self.front(scope, receive, send)


def create_app(
    title: str,
    description: str,
    settings: ServiceSettings,
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]],
    routers: Sequence[APIRouter],
    *,
    raw_paths: tuple[str, ...] = (),
    openapi_paths: dict[str, Any] | None = None,
    lane: Callable[[ASGIApp], ASGIApp] | None = None,
) -> FastAPI:
    """An app with problems, traces, metrics, health and a complete OpenAPI.

    `app.state` gets `settings`, `health` and `tasks`; the service itself sets `api_keys`. `lifespan` is
    entered before requests are served; tasks started with `app.state.tasks.start(name, coroutine)` end
    before it is left. Bodies under `raw_paths` are not looked at (raw ASGI endpoints, documented by
    `openapi_paths`, an OpenAPI `paths` object). `lane` wraps the whole framework and may serve a path itself.
    """
    health = Health()
    tasks = Tasks(health)
    app = ServiceApp(
        title=title,
        description=description,
        version=version("cxloop"),
        lifespan=_with_tasks(lifespan, tasks),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        strict_content_type=False,
        generate_unique_id_function=_operation_id,
    )
    app.state.settings = settings
    app.state.health = health
    app.state.tasks = tasks
    for router in routers:
        app.include_router(router)
    app.include_router(health.router())
    app.add_route("/metrics", _metrics, include_in_schema=False)
    install_problems(app)
    _add_paths(app, openapi_paths or {})
    app.add_middleware(EdgeMiddleware, raw_paths=raw_paths)
    framework: ASGIApp = partial(FastAPI.__call__, app)
    app.front = TraceMiddleware(TelemetryMiddleware(lane(framework) if lane else framework))
    return app


async def _metrics(request: Request) -> Response:
    """A scrape, with a key of scope `read`: Prometheus sends it as its bearer token."""
    who = await request.app.state.api_keys.authenticate(request.headers.get("authorization"))
    auth.check_scope(who, auth.Scope.read)
    return await metrics_app(request)


def _operation_id(route: APIRoute) -> str:
    return route.name


def _add_paths(app: FastAPI, paths: dict[str, Any]) -> None:
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        document.setdefault("paths", {}).update(paths)
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _with_tasks(
    inner: Callable[[FastAPI], AbstractAsyncContextManager[None]], tasks: Tasks
) -> Lifespan[FastAPI]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with inner(app):
            tasks.start("loop-lag", measure_loop_lag())
            _spare_the_collector()
            try:
                yield
            finally:
                await tasks.aclose(TASKS_DEADLINE_S)

    return lifespan


def _spare_the_collector() -> None:
    """What lives by now lives until the end: the collector need not look at it again, nor once before; what
    imports left for it is half a megabyte."""
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, *gc.get_threshold()[1:])


class _Server(uvicorn.Server):
    """Ends within its grace, even when something in it hangs."""

    def __init__(self, config: uvicorn.Config, tasks: Tasks, grace_s: float) -> None:
        super().__init__(config)
        self._tasks = tasks
        self._grace_s = grace_s

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        limit = self._grace_s + 2 * TASKS_DEADLINE_S
        timer = threading.Timer(limit, _leave_hard)
        timer.daemon = True
        timer.start()
        self._tasks.stopping.set()
        await super().shutdown(sockets)
        timer.cancel()


def _leave_hard() -> None:
    log.error("shutdown hangs, leaving hard")
    os._exit(EXIT_CODE)


def run(app_factory: Callable[[], FastAPI], settings: ServiceSettings, service: str = "cxloop") -> NoReturn:
    """Serves until SIGTERM or SIGINT, then drains. Exit code 0, or 70 when a background task died."""
    configure_logging(service, settings.log_level, settings.log_format)
    app = app_factory()
    _spare_the_collector()
    gc.enable()  # a program that starts in a hurry turns it off
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=EdgeProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=math.ceil(settings.shutdown_grace_s),
    )
    tasks: Tasks = app.state.tasks
    server = _Server(config, tasks, settings.shutdown_grace_s)
    tasks.on_failure = lambda: setattr(server, "should_exit", True)
    for signum in (signal.SIGTERM, signal.SIGINT):
        # uvicorn raises the signal again after its drain, towards whatever was set before: nothing.
        signal.signal(signum, lambda *_: None)
    server.run()
    sys.exit(EXIT_CODE if tasks.failed or not server.started else 0)
