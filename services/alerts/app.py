"""The composition root of alerts: the one place that knows all its classes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from services.alerts.api import alerts, councils, deliveries, endpoints, rules
from services.alerts.api.state import State
from services.alerts.consumer import ScoreConsumer
from services.alerts.dispatcher import Dispatcher
from services.alerts.migrate import SCHEMA
from services.alerts.sending.guard import Guard
from services.alerts.sending.mail import Mailer
from services.alerts.sending.receivers import Receivers
from services.alerts.settings import Settings
from services.alerts.store import setup
from services.alerts.telling import Teller
from services.alerts.timers import Timers
from services.alerts.writing import Writer
from shared.bus.consumer import ConsumerLoop
from shared.bus.errors import BusUnavailable
from shared.bus.producer import Producer
from shared.bus.topics import SCORES, TOPICS, ensure_topics
from shared.db.engine import create_engine, driver
from shared.db.relay import Relay
from shared.runtime import service
from shared.runtime.audit_calls import install_audit
from shared.runtime.auth import ApiKeys
from shared.runtime.health import Health
from shared.runtime.idempotency import install_idempotency
from shared.runtime.secrets import KeyHasher, SecretBox

log = structlog.get_logger()

NAME = "cxloop-alerts"
DESCRIPTION = (
    "Wakes the people who can do something about a customer's experience, and follows up until the "
    "customer's own behaviour shows whether it helped."
)
FIRST_TRY_S = 3.0
TOPICS_DEADLINE_S = 60.0


@dataclass(frozen=True)
class _Parts:
    """Everything that runs."""

    engine: AsyncEngine
    producer: Producer
    receivers: Receivers
    relay: Relay
    dispatcher: Dispatcher
    timers: Timers
    loop: ConsumerLoop
    state: State


def create_app(settings: Settings | None = None) -> FastAPI:
    """The app with everything wired; connections are opened by its lifespan."""
    settings = settings or Settings.load()
    parts = _parts(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            async with driver(parts.engine) as connection:
                await setup.install_shipped(connection)
            await parts.producer.start(FIRST_TRY_S)
            _start_tasks(app, settings, parts)
            yield
        finally:
            await parts.producer.aclose()
            await parts.receivers.aclose()
            await parts.engine.dispose()

    routers = [alerts.router, councils.router, endpoints.router, rules.router, deliveries.router]
    app = service.create_app("cxloop alerts", DESCRIPTION, settings, lifespan, routers)
    app.state.alerts, app.state.api_keys = parts.state, ApiKeys(parts.engine)
    install_idempotency(app, parts.engine)
    install_audit(app, parts.engine)
    _add_checks(app.state.health, parts)
    return app


def _parts(settings: Settings) -> _Parts:
    engine = create_engine(settings.database_url, settings.database_pool, NAME)
    box = SecretBox.from_key(settings.secret_key)
    producer = Producer(settings.kafka_bootstrap_servers, NAME)
    mailer = None
    if settings.smtp_url is not None:
        mailer = Mailer(settings.smtp_url.get_secret_value(), settings.smtp_from)
    guard = Guard(settings.allow_targets)
    receivers = Receivers(guard, mailer, settings.delivery_timeout_s)
    relay = Relay(engine, SCHEMA, producer)
    dispatcher = Dispatcher(engine, box, receivers, settings.delivery_lanes)

    def wake() -> None:
        relay.wake()
        dispatcher.wake()

    teller = Teller(box, KeyHasher.from_key(settings.secret_key), mail=mailer is not None)
    writer = Writer(teller, settings.alert_link, wake)
    consumer = ScoreConsumer(engine, writer)
    return _Parts(
        engine=engine,
        producer=producer,
        receivers=receivers,
        relay=relay,
        dispatcher=dispatcher,
        timers=Timers(engine, writer, settings.delivery_days),
        loop=ConsumerLoop(
            settings.kafka_bootstrap_servers,
            settings.consumer_group,
            [SCORES],
            consumer.handle,
            progress=consumer.progress,
        ),
        state=State(engine, box, writer, guard),
    )


def _start_tasks(app: FastAPI, settings: Settings, parts: _Parts) -> None:
    tasks = app.state.tasks
    tasks.start("relay", parts.relay.run())
    tasks.start("dispatcher", parts.dispatcher.run())
    tasks.start("timers", parts.timers.run())
    tasks.start("scores", _topics_then(settings.kafka_bootstrap_servers, parts.loop))


async def _topics_then(bootstrap: str, loop: ConsumerLoop) -> None:
    """Makes the topics, however long the bus is away, and then listens to scores."""
    while True:
        try:
            await ensure_topics(bootstrap, TOPICS, TOPICS_DEADLINE_S)
            break
        except BusUnavailable:
            log.warning("no scores are read while the bus is away")
    await loop.run()


def _add_checks(health: Health, parts: _Parts) -> None:
    async def database() -> str | None:
        async with driver(parts.engine) as connection:
            await connection.fetchval("SELECT 1 FROM alerts.council LIMIT 1")
        return None

    async def bus() -> str | None:
        return None if parts.producer.healthy else "the bus does not answer; changes wait in the outbox"

    async def consumer() -> str | None:
        return "score messages wait and nothing moves" if parts.loop.stalled else None

    async def handling() -> str | None:
        return parts.loop.failing

    health.check("database", database)
    health.check("batches", handling)
    health.check("bus", bus)
    health.check("scores", consumer, "liveness")
