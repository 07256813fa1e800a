"""The composition root of ingest: the one place that knows all its classes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import structlog
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.routing import Route

from services.ingest.api import events, rejected, sources, webhooks
from services.ingest.api.lane import WebhookLane
from services.ingest.api.openapi import PATHS
from services.ingest.drainer import Drainer
from services.ingest.intake import Deadlines, Intake
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
from shared.runtime.auth import ApiKeys
from shared.runtime.health import Health
from shared.runtime.idempotency import install_idempotency
from shared.runtime.secrets import KeyHasher, SecretBox

log = structlog.get_logger()

NAME = "cxloop-ingest"
DESCRIPTION = (
    "Receives what help desks, survey, billing and own tools tell: signed webhooks and CloudEvents. "
    "An answer of 2xx means that it is durable."
)
RAW_PATHS = ("/v1/webhooks/", "/v1/events")
FIRST_TRY_S = 3.0
TOPICS_DEADLINE_S = 60.0


def create_app(settings: Settings | None = None) -> FastAPI:
    """The app with everything wired; connections are opened by its lifespan."""
    settings = settings or Settings.load()
    senders()  # read now, so that the first delivery does not wait for it
    engine = create_engine(settings.database_url, settings.database_pool, NAME)
    producer = Producer(settings.kafka_bootstrap_servers, NAME)
    book = SourceBook(engine, SecretBox.from_key(settings.secret_key))
    kept = RejectedBook(engine)
    deadlines = Deadlines(settings.send_deadline_s, settings.spool_deadline_s)
    intake = Intake(producer, engine, KeyHasher.from_key(settings.secret_key), deadlines)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            # Requests that come before the topics exist would only take the detour over the spool.
            await _try_topics(settings.kafka_bootstrap_servers)
            await producer.start(FIRST_TRY_S)
            _start_tasks(app, settings, engine, producer, book, kept)
            yield
        finally:
            await producer.aclose()
            await engine.dispose()

    app = service.create_app(
        "cxloop ingest",
        DESCRIPTION,
        settings,
        lifespan,
        [sources.router, rejected.router],
        raw_paths=RAW_PATHS,
        openapi_paths=PATHS,
    )
    app.state.engine, app.state.api_keys = engine, ApiKeys(engine)
    app.state.sources, app.state.intake = book, intake
    limit = settings.body_limit_bytes
    app.router.routes.insert(0, Route("/v1/events", events.Events(intake, limit), include_in_schema=False))
    install_idempotency(app, engine)
    app.add_middleware(WebhookLane, webhooks=webhooks.Webhooks(book, intake, kept, limit))
    _add_checks(app.state.health, engine, producer, book)
    return app


def _start_tasks(
    app: FastAPI,
    settings: Settings,
    engine: AsyncEngine,
    producer: Producer,
    book: SourceBook,
    kept: RejectedBook,
) -> None:
    tasks = app.state.tasks
    refusals = ConsumerLoop(settings.kafka_bootstrap_servers, NAME, [REJECTED], kept.handle)
    tasks.start("topics", _topics_then(settings.kafka_bootstrap_servers, refusals))
    tasks.start("sources", book.run())
    tasks.start("drainer", Drainer(engine, producer).run())
    tasks.start("purge", kept.purge_forever(timedelta(days=settings.rejected_days)))


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


def _add_checks(health: Health, engine: AsyncEngine, producer: Producer, book: SourceBook) -> None:
    async def durable() -> str | None:
        """Ready while at least one of bus and spool takes events."""
        if producer.healthy:
            return None
        try:
            async with connection(engine, 1.5) as conn:
                await conn.execute("SELECT 1 FROM ingest.source_generation")
        except DatabaseAwayError:
            return "neither the bus nor the spool takes events"
        return None

    async def listed() -> str | None:
        if not book.known:
            try:
                await book.refresh()
            except SourcesUnavailableError:
                return "the list of sources was not read yet"
        return None

    health.check("durable", durable)
    health.check("sources", listed)
