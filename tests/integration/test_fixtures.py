"""The fixtures give what they promise."""

from __future__ import annotations

import asyncpg
from aiokafka import AIOKafkaProducer


async def test_a_test_gets_a_database_of_its_own(own_database_url: str, empty_database_url: str) -> None:
    assert own_database_url != empty_database_url
    connection = await asyncpg.connect(empty_database_url)
    try:
        assert await connection.fetchval("SELECT count(*) FROM pg_namespace WHERE nspname = 'ingest'") == 0
    finally:
        await connection.close()


async def test_a_test_gets_a_kafka(kafka: str) -> None:
    client = AIOKafkaProducer(bootstrap_servers=kafka)
    await client.start()
    try:
        assert client.client.cluster.brokers()
    finally:
        await client.stop()
