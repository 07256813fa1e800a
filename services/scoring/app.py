"""The composition root of scoring: the one place that knows all its classes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from services.scoring import api
from services.scoring.accounts import Accounts
from services.scoring.adoption import adopt
from services.scoring.api.lane import ScoreLane
from services.scoring.batch import SCHEMA, Context
from services.scoring.consumer import Folder
from services.scoring.engine import Engine
from services.scoring.loops import forever
from services.scoring.maintenance import Maintenance
from services.scoring.precedence import Precedence
from services.scoring.present import Present
from services.scoring.settings import Settings
from services.scoring.sweeper import Sweeper
from services.scoring.text import feature
from shared.bus.consumer import ConsumerLoop
from shared.bus.producer import Producer
from shared.bus.topics import FEEDBACK, TOPICS, ensure_topics
from shared.db.engine import create_engine, driver
from shared.db.relay import Relay
from shared.runtime import service
from shared.runtime.audit_calls import install_audit
from shared.runtime.auth import ApiKeys
from shared.runtime.health import Health
from shared.runtime.idempotency import install_idempotency

log = structlog.get_logger()

NAME: Final = "cxloop-scoring"
DESCRIPTION: Final = (
    "Health, relationship and detractor risk of every customer and account, at any time, "
    "explained to the event."
)


def create_app(settings: Settings | None = None) -> FastAPI:
    """The app with everything wired; connections are opened by its lifespan."""
    settings = settings or Settings.load()
    pool = create_engine(settings.database_url, settings.database_pool, NAME)
    producer = Producer(settings.kafka_bootstrap_servers, NAME)
    relay = Relay(pool, SCHEMA, producer)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            app.state.engine = engine = await adopt(pool, settings.policy_file)
            await ensure_topics(settings.kafka_bootstrap_servers, TOPICS)
            await producer.start()
            _start_tasks(app, settings, pool, engine, relay)
            yield
        finally:
            await producer.aclose()
            await pool.dispose()

    app = service.create_app(
        "cxloop scoring",
        DESCRIPTION,
        settings,
        lifespan,
        api.routers(),
        lane=lambda framework: ScoreLane(framework, Present(pool)),
    )
    app.state.pool, app.state.api_keys = pool, ApiKeys(pool)
    install_idempotency(app, pool)
    install_audit(app, pool)
    _add_checks(app.state.health, pool, producer)
    return app


def _start_tasks(app: FastAPI, settings: Settings, pool: AsyncEngine, engine: Engine, relay: Relay) -> None:
    tasks, health = app.state.tasks, app.state.health
    precedence = Precedence()
    folder = Folder(pool, Context(engine, feature), relay.wake, precedence)
    loop = ConsumerLoop(
        settings.kafka_bootstrap_servers,
        settings.consumer_group,
        [FEEDBACK],
        folder.handle,
        max_records=settings.batch_records,
        progress=folder.progress,
    )
    tasks.start("relay", relay.run())
    accounts = Accounts(pool, engine, relay.wake, precedence)
    sweeper = Sweeper(pool, engine, settings.sweep_batch, relay.wake, precedence)
    partitions = Maintenance(pool)
    tasks.start("accounts", forever("accounts", accounts.turn, settings.accounts_every_s, precedence.share))
    tasks.start("sweeper", forever("sweeper", sweeper.turn, settings.sweep_every_s))
    tasks.start("maintenance", forever("maintenance", partitions.turn, settings.maintain_every_s))
    tasks.start("consumer", loop.run())

    async def folding() -> str | None:
        return "events wait and nothing moves" if loop.stalled else None

    async def handling() -> str | None:
        return loop.failing

    async def current() -> str | None:
        return "another process put a newer policy in force" if folder.superseded else None

    async def clean() -> str | None:
        return "most of what comes is refused" if folder.poisoned else None

    health.check("folding", folding, "liveness")
    health.check("batches", handling)
    health.check("policy", current)
    health.check("clean", clean)


def _add_checks(health: Health, pool: AsyncEngine, producer: Producer) -> None:
    async def database() -> str | None:
        async with driver(pool) as conn:
            await conn.execute("SELECT 1 FROM scoring.progress LIMIT 1")
        return None

    async def bus() -> str | None:
        return None if producer.healthy else "messages wait in the outbox: the bus does not take them"

    health.check("database", database)
    health.check("bus", bus)
