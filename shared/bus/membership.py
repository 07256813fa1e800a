"""Membership of a consumer group: the client with its settings, and how it is ended."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

log = structlog.get_logger()

MAX_RECORDS: Final = 500
MAX_BYTES: Final = 4 * 1024 * 1024
HANDLE_S: Final = 120.0
"""A batch that takes longer counts as failed; far below MAX_POLL_S, so that it never costs the membership."""
MAX_POLL_S: Final = 300.0
SESSION_S: Final = 15.0
HEARTBEAT_S: Final = 3.0
BACKOFF_MIN_S: Final = 0.1
BACKOFF_MAX_S: Final = 10.0
STALL_S: Final = 60.0
STOP_S: Final = 5.0


class Limits(msgspec.Struct, frozen=True):
    """Bounds of one turn."""

    max_records: int = MAX_RECORDS
    max_bytes: int = MAX_BYTES
    handle_s: float = HANDLE_S
    backoff_min_s: float = BACKOFF_MIN_S
    backoff_max_s: float = BACKOFF_MAX_S
    stall_s: float = STALL_S


def new_client(bootstrap: str, group: str, topics: Iterable[str], limits: Limits) -> AIOKafkaConsumer:
    """Not yet started. Nothing is committed by itself, and a new group begins at the beginning of the log:
    the inbox makes what is read twice harmless, what is skipped would be lost."""
    return AIOKafkaConsumer(
        *topics,
        bootstrap_servers=bootstrap,
        group_id=group,
        client_id=f"cxloop-{group}",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_poll_interval_ms=int(MAX_POLL_S * 1000),
        session_timeout_ms=int(SESSION_S * 1000),
        heartbeat_interval_ms=int(HEARTBEAT_S * 1000),
        fetch_max_bytes=4 * limits.max_bytes,
        max_partition_fetch_bytes=limits.max_bytes,
        metadata_max_age_ms=30_000,
    )


async def close_client(client: AIOKafkaConsumer) -> None:
    """Within twice STOP_S: the client's own `stop` waits for a coordinator that may be gone."""
    try:
        async with asyncio.timeout(STOP_S):
            await client.stop()
    except (KafkaError, OSError, TimeoutError) as error:
        log.warning("consumer did not stop cleanly", why=str(error) or type(error).__name__)
        try:
            async with asyncio.timeout(STOP_S):
                await client._client.close()
        except (KafkaError, OSError, TimeoutError) as late:
            log.warning("connections did not close", why=str(late) or type(late).__name__)
