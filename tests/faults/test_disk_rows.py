"""Rows of the failure table: a disk is full, and some time later somebody makes room."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager

import asyncpg
import pytest

from shared.parts.places import is_root
from tests.e2e.loop import eventually
from tests.faults.disks import SmallDisk, small_disk
from tests.faults.world import World

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not is_root(), reason="a small disk to be filled can only be mounted by root"),
]


def test_postgres_cannot_grow_a_table(world: World) -> None:
    """Statements fail with 53100; what the services cannot write now they write later."""
    with database_on_a_small_disk(world) as disk, world.row("PostgreSQL's disk full") as row:
        disk.fill()
        eventually(lambda: asyncio.run(refuses_to_grow(world)), "a statement that needs room", 20)
        row.hold()
        disk.free()
        row.over()


def database_on_a_small_disk(world: World) -> AbstractContextManager[SmallDisk]:
    return small_disk(world.postgres.folder, world.postgres.stop, world.postgres.start)


async def refuses_to_grow(world: World) -> bool:
    conn = await asyncpg.connect(world.database_url, timeout=10, command_timeout=20)
    try:
        await conn.execute("CREATE TABLE more AS SELECT generate_series(1, 100000)")
    except asyncpg.DiskFullError:
        return True
    finally:
        await conn.close()
    return False


def test_postgres_cannot_write_its_log(world: World) -> None:
    """It panics, and cannot even recover until there is room; then somebody starts it again."""
    name = "PostgreSQL's disk full, no room for its log"
    with database_on_a_small_disk(world) as disk, world.row(name) as row:
        eventually(lambda: gave_up(world, disk), "a PostgreSQL that gave up", 60)
        row.hold()
        disk.free()
        world.postgres.start()
        row.over()


def gave_up(world: World, disk: SmallDisk) -> bool:
    """Recovery itself may find some room, by what it throws away; so it is taken again."""
    disk.fill()
    asyncio.run(need_a_new_segment(world))
    return not world.postgres.pid


async def need_a_new_segment(world: World) -> None:
    """Ends the current segments until there is none prepared, and one has to be made."""
    try:
        conn = await asyncpg.connect(world.database_url, timeout=10, command_timeout=20)
        for _ in range(100):
            await conn.execute("SELECT pg_logical_emit_message(true, 'fill', 'x'), pg_switch_wal()")
    except (asyncpg.PostgresError, OSError, asyncpg.InterfaceError):
        return


def test_kafka_cannot_write(world: World) -> None:
    """A broker whose only log folder fails halts; events go to the spool until it is started again."""
    data = world.kafka.folder / "data"
    small = small_disk(data, world.kafka.stop, world.kafka.start)
    with small as disk, world.row("Kafka's disk full") as row:
        disk.fill()
        eventually(lambda: not world.kafka.pid, "a Kafka that halted", 60)
        row.hold()
        disk.free()
        world.kafka.start()
        row.over()
