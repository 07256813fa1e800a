"""The composition root of ingest: the one place that knows all its classes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import NamedTuple

import structlog
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.routing import Route

from services.ingest.api import events, rejected, sources, webhooks
from services.ingest.api.lane import WebhookLane
from services.ingest.api.openapi import PATHS
from services.ingest.drainer import Drainer
from services.ingest.intake import Deadlines, Intake
from services.ingest.limits import Defaults, Limits
from services.ingest.rejections import RejectedBook
from services.ingest.senders import senders
from services.ingest.settings import Settings
from services.ingest.sources import SourceBook, SourcesUnavailableError
from services.ingest.store.reach import DatabaseAwayError, connection
from shared.bus.consumer import ConsumerLoop
from shared.bus.errors import BusUnavailable
from shared.bus.producer import Producer
from shared.bus.topics import REJECTED, TOPICS, ensure_topics
from shared.db.engine import create_engine
from shared.runtime import service
from shared.runtime.audit_calls import install_audit
from shared.runtime.auth import ApiKeys
from shared.runtime.health import Health
from shared.runtime.idempotency import install_idempotency
from shared.runtime.secrets import KeyHasher, SecretBox
from shared.runtime.supervisor import Tasks

log = structlog.get_logger()

NAME = "cxloop-ingest"
DESCRIPTION = (
    "Receives what help desks, survey, billing and own tools tell: signed webhooks and CloudEvents. "
    "An answer of 2xx means that it is durable."
)
RAW_PATHS = ("/v1/webhooks/", "/v1/events")
FIRST_TRY_S = 3.0
TOPICS_DEADLINE_S = 60.0


class Wired(NamedTuple):
    """What the service is made of."""

    settings: Settings
    engine: AsyncEngine
    producer: Producer
    book: SourceBook
    rejected: RejectedBook
    intake: Intake
    limits: Limits


def create_app(settings: Settings | None = None) -> FastAPI:
    """The app with everything wired; connections are opened by its lifespan."""
    wired = _wire(settings or Settings.load())
    limit = wired.settings.body_limit_bytes
    deliveries = webhooks.Webhooks(wired.book, wired.intake, wired.rejected, limit, wired.limits)
    app = service.create_app(
        "cxloop ingest",
        DESCRIPTION,
        wired.settings,
        lambda app: _lifespan(app, wired),
        [sources.router, rejected.router],
        raw_paths=RAW_PATHS,
        openapi_paths=PATHS,
        lane=lambda framework: WebhookLane(framework, deliveries),
    )
    app.state.engine, app.state.api_keys = wired.engine, ApiKeys(wired.engine)
    app.state.sources, app.state.intake = wired.book, wired.intake
    own = Route("/v1/events", events.Events(wired.intake, limit, wired.limits), include_in_schema=False)
    app.router.routes.insert(0, own)
    install_idempotency(app, wired.engine)
    install_audit(app, wired.engine)
    _add_checks(app.state.health, wired)
    return app


def _wire(settings: Settings) -> Wired:
    senders()  # read now, so that the first delivery does not wait for it
    engine = create_engine(settings.database_url, settings.database_pool, NAME)
    producer = Producer(settings.kafka_bootstrap_servers, NAME)
    deadlines = Deadlines(settings.send_deadline_s, settings.spool_deadline_s)
    return Wired(
        settings=settings,
        engine=engine,
        producer=producer,
        book=SourceBook(engine, SecretBox.from_key(settings.secret_key)),
        rejected=RejectedBook(engine),
        intake=Intake(producer, engine, KeyHasher.from_key(settings.secret_key), deadlines),
        limits=Limits(Defaults.of(settings)),
    )


@asynccontextmanager
async def _lifespan(app: FastAPI, wired: Wired) -> AsyncIterator[None]:
    try:
        # Requests that come before the topics exist would only take the detour over the spool.
        await _try_topics(wired.settings.kafka_bootstrap_servers)
        await wired.producer.start(FIRST_TRY_S)
        _start_tasks(app.state.tasks, wired)
        yield
    finally:
        await wired.producer.aclose()
        await wired.engine.dispose()


def _start_tasks(tasks: Tasks, wired: Wired) -> None:
    bootstrap = wired.settings.kafka_bootstrap_servers
    refusals = ConsumerLoop(bootstrap, NAME, [REJECTED], wired.rejected.handle)
    tasks.start("topics", _topics_then(bootstrap, refusals))
    tasks.start("sources", wired.book.run())
    tasks.start("drainer", Drainer(wired.engine, wired.producer).run())
    tasks.start("purge", wired.rejected.purge_forever(timedelta(days=wired.settings.rejected_days)))


async def _try_topics(bootstrap: str) -> None:
    try:
        await ensure_topics(bootstrap, TOPICS, FIRST_TRY_S)
    except BusUnavailable:
        log.warning("serving without the bus for now; what comes is kept in the spool")


async def _topics_then(bootstrap: str, refusals: ConsumerLoop) -> None:
    """Makes the topics, however long the bus is away, and then listens to what scoring refuses."""
    while True:
        try:
            await ensure_topics(bootstrap, TOPICS, TOPICS_DEADLINE_S)
            break
        except BusUnavailable:
            continue  # it has waited and logged; the spool takes what comes meanwhile
    await refusals.run()


def _add_checks(health: Health, wired: Wired) -> None:
    async def durable() -> str | None:
        """Ready while at least one of bus and spool takes events."""
        if wired.producer.healthy:
            return None
        try:
            async with connection(wired.engine, 1.5) as conn:
                await conn.execute("SELECT 1 FROM ingest.source_generation")
        except DatabaseAwayError:
            return "neither the bus nor the spool takes events"
        return None

    async def listed() -> str | None:
        if not wired.book.known:
            try:
                await wired.book.refresh()
            except SourcesUnavailableError:
                return "the list of sources was not read yet"
        return None

    health.check("durable", durable)
    health.check("sources", listed)
