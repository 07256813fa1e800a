"""`python -m tests.bench.contenders.naive`: the ORM, a transaction and a message per event."""

from __future__ import annotations

import asyncio
import hashlib
import os
import uuid
from datetime import datetime
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from sqlalchemy import BigInteger, Uuid
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import Text

from shared.bus.topics import FEEDBACK, SCORES
from shared.events.ids import leaf_id
from tests.bench.contenders import sql


class Base(DeclarativeBase):
    type_annotation_map = {int: BigInteger, uuid.UUID: Uuid, datetime: TIMESTAMP(timezone=True)}  # noqa: RUF012


class Claim(Base):
    __tablename__ = "claim"
    __table_args__ = {"schema": "scoring"}  # noqa: RUF012
    event_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    recorded: Mapped[int]
    at: Mapped[int]
    outcome: Mapped[int]
    digest: Mapped[bytes]


class LogRow(Base):
    __tablename__ = "event"
    __table_args__ = {"schema": "scoring"}  # noqa: RUF012
    event_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    recorded: Mapped[datetime] = mapped_column(primary_key=True)
    applied_at: Mapped[int]
    at: Mapped[int]
    type: Mapped[str]
    episode: Mapped[uuid.UUID | None]
    leaf: Mapped[uuid.UUID | None]
    body: Mapped[bytes]


class Episode(Base):
    __tablename__ = "episode"
    __table_args__ = {"schema": "scoring"}  # noqa: RUF012
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    source: Mapped[str]
    kind: Mapped[str]
    key: Mapped[str]
    owner: Mapped[uuid.UUID | None]


class Identifier(Base):
    __tablename__ = "identifier"
    __table_args__ = {"schema": "scoring"}  # noqa: RUF012
    identifier: Mapped[str] = mapped_column(primary_key=True)
    leaf: Mapped[uuid.UUID]


class Customer(Base):
    __tablename__ = "customer"
    __table_args__ = {"schema": "scoring"}  # noqa: RUF012
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    organisation: Mapped[bool] = mapped_column(default=False)
    born: Mapped[int] = mapped_column(default=0)
    rank: Mapped[int] = mapped_column(default=0)
    version: Mapped[int] = mapped_column(default=0)
    state: Mapped[bytes | None]
    attributes: Mapped[bytes | None]
    scores: Mapped[bytes | None]
    name: Mapped[str | None]
    region: Mapped[str | None]
    persona: Mapped[str | None]
    owner: Mapped[str | None]
    scored_at: Mapped[int] = mapped_column(default=0)
    identifiers: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)


class Progress(Base):
    __tablename__ = "progress"
    __table_args__ = {"schema": "scoring"}  # noqa: RUF012
    topic: Mapped[str] = mapped_column(primary_key=True)
    partition: Mapped[int] = mapped_column(primary_key=True)
    next_offset: Mapped[int]


FIELDS = ("state", "attributes", "scores", "name", "region", "persona", "owner")


async def handle(session: AsyncSession, record: Any, like: sql.Sample) -> str | None:  # noqa: ANN401
    """Rows of one event, as the ORM's tutorial writes them. The customer to tell of."""
    event = sql.seen(record.value)
    number = uuid.UUID(event.id)
    if await session.get(Claim, number):
        return None
    recorded, at = sql.micros(event.recorded), sql.micros(event.time)
    digest = hashlib.sha256(event.raw).digest()[:16]
    session.add(Claim(event_id=number, recorded=recorded, at=at, outcome=1, digest=digest))
    leaf = uuid.UUID(event.leaf) if event.leaf else None
    episode = uuid.UUID(sql.episode_id(event.source, event.episode)) if event.episode else None
    row = {"recorded": event.recorded, "applied_at": recorded, "at": at, "type": event.type}
    session.add(LogRow(event_id=number, episode=episode, leaf=leaf, body=event.raw, **row))
    if episode is not None and event.episode is not None:
        found = await session.get(Episode, episode)
        if found is None:
            found = Episode(id=episode, source=event.source, kind=event.type, key=event.episode)
            session.add(found)
        found.owner = leaf
    for name in event.identifiers:
        if await session.get(Identifier, name) is None:
            session.add(Identifier(identifier=name, leaf=uuid.UUID(leaf_id(name))))
    if leaf is not None:
        customer = await session.get(Customer, leaf)
        if customer is None:
            customer = Customer(id=leaf, version=0)
            session.add(customer)
        for field, value in zip(FIELDS, like.customer, strict=True):
            setattr(customer, field, value)
        customer.version += 1
        customer.scored_at = recorded
        customer.identifiers = list(event.identifiers[:1])
    progress = await session.get(Progress, (FEEDBACK, record.partition))
    if progress is None:
        progress = Progress(topic=FEEDBACK, partition=record.partition)
        session.add(progress)
    progress.next_offset = record.offset + 1
    return event.leaf


async def main() -> None:
    kafka, url = os.environ["KAFKA_BOOTSTRAP_SERVERS"], os.environ["DATABASE_URL"]
    conn = await asyncpg.connect(url)
    like = await sql.sample(conn)
    await conn.close()
    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://", 1))
    sessions = async_sessionmaker(engine, expire_on_commit=False)
    consumer = AIOKafkaConsumer(
        FEEDBACK, bootstrap_servers=kafka, group_id=os.environ["BENCH_GROUP"], enable_auto_commit=False
    )
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    async with consumer, producer:
        async for record in consumer:
            async with sessions() as session, session.begin():
                told = await handle(session, record, like)
            if told is not None:
                await producer.send_and_wait(SCORES, like.message, told.encode())
            await consumer.commit()


if __name__ == "__main__":
    asyncio.run(main())
