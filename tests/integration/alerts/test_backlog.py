"""A backlog for one endpoint, come faster than the planner learned of it."""

from __future__ import annotations

from collections.abc import Callable

import asyncpg

from services.alerts.store import deliveries
from services.alerts.store.deliveries import NewDelivery

BACKLOG = 6000


async def test_claiming_from_a_backlog_never_reads_it_whole(
    database_url: str, unique: Callable[[str], str]
) -> None:
    """The dispatcher's own limit is 30 s; a claim that compares all with all takes longer than a tenth."""
    connection = await asyncpg.connect(database_url, server_settings={"statement_timeout": "3000"})
    try:
        lane = unique("lane")
        new = [
            NewDelivery(unique("d"), lane, unique("alert"), version, "opened", b"{}")
            for _ in range(BACKLOG // 2)
            for version in (1, 2)
        ]
        await deliveries.add(connection, new)
        claimed = await deliveries.claim(connection, {lane: 32}, 512, 15.0)
        assert [one.id for one in claimed] == [one.id for one in new][:32]
    finally:
        await connection.close()
