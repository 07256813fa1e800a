"""The embedded PostgreSQL and Kafka: start, stop, crash, and who may start beside whom."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from shared.parts import DirectoryLock, Kafka, KafkaCluster, PartError, Parts, Postgres
from shared.parts.proc import alive_since, descendants

# Generous: two cores are shared with whatever else runs; alone it takes two seconds.
READY_S = 30.0
GONE_S = 12.0

HOLD = """
import sys, time
from shared.parts import Parts
with Parts(sys.argv[1]) as parts:
    print(parts.postgres.pid, parts.broker.pid, parts.database_url, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not pytest's own: a folder as an ordinary user would name it.
    with tempfile.TemporaryDirectory(prefix="cxloop-parts-", ignore_cleanup_errors=True) as name:
        yield Path(name)


@contextlib.contextmanager
def holder(folder: Path) -> Iterator[tuple[subprocess.Popen[str], list[int], str]]:
    """Another process that runs both parts; killed hard in the end."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    try:
        postgres, kafka, url = process.stdout.readline().split()
        yield process, [int(postgres), int(kafka)], url
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def wait_until(condition: Callable[[], bool], timeout_s: float, what: str) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.05)


async def query(url: str, statement: str) -> object:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def make_topic(bootstrap: str, name: str, copies: int = 1) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, num_partitions=1, replication_factor=copies)])
    finally:
        await admin.close()


async def send(bootstrap: str, topic: str, value: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    await producer.start()
    try:
        await producer.send_and_wait(topic, value)
    finally:
        await producer.stop()


async def first_record(bootstrap: str, topic: str) -> bytes:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        return bytes((await consumer.getone()).value or b"")
    finally:
        await consumer.stop()


async def test_a_second_start_is_quick_and_finds_everything(folder: Path) -> None:
    with Parts(folder) as parts:
        assert await query(parts.database_url, "CREATE TABLE kept AS SELECT 7 AS n") is None
        await make_topic(parts.kafka, "kept")
        await send(parts.kafka, "kept", b"seven")
        before = parts.kafka
    begin = time.monotonic()
    with Parts(folder) as parts:
        assert time.monotonic() - begin < READY_S
        assert parts.kafka == before, "the address is remembered"
        assert await query(parts.database_url, "SELECT n FROM kept") == 7
        assert await first_record(parts.kafka, "kept") == b"seven"


def test_nothing_is_left_after_a_stop(folder: Path) -> None:
    parts = Parts(folder).start()
    assert parts.postgres and parts.broker
    pids = [parts.postgres.pid, parts.broker.pid, *descendants(parts.postgres.pid)]
    parts.stop()
    assert [pid for pid in pids if alive_since(pid)] == []
    DirectoryLock(folder, wait_s=0).acquire().release()


async def test_children_end_with_a_killed_parent_and_a_new_start_goes_on(folder: Path) -> None:
    with holder(folder) as (process, pids, url):
        spinning = asyncio.create_task(query(url, "SELECT count(*) FROM generate_series(1, 10_000_000_000)"))
        active = "SELECT count(*) FROM pg_stat_activity WHERE query ~ 'series' AND state = 'active'"
        while await query(url, active) != 2:  # the spinning one and this one
            pass
        pids += descendants(pids[0])
        process.send_signal(signal.SIGKILL)
        with pytest.raises((asyncpg.PostgresError, ConnectionError, OSError)):
            await spinning
        wait_until(lambda: not [pid for pid in pids if alive_since(pid)], GONE_S, "children gone")
    with Parts(folder) as parts:
        assert await query(parts.database_url, "SELECT 1") == 1


def test_a_start_beside_a_running_one_is_refused_and_names_it(folder: Path) -> None:
    with holder(folder) as (process, _, _), pytest.raises(PartError) as refused:
        Parts(folder).start()
    assert str(process.pid) in str(refused.value)
    assert str(folder) in str(refused.value)


def test_what_a_crash_left_running_is_named(folder: Path) -> None:
    lock = DirectoryLock(folder, wait_s=0.2)
    lock.acquire()
    left = subprocess.Popen(["sleep", "60"], pass_fds=[lock.fd])
    try:
        # A crashed owner: the lock is still held by its child, the written process id is nobody's.
        os.pwrite(lock.fd, b'{"pid": 4194304, "process": 1, "started": "then"}' + b" " * 99, 0)
        lock.release()
        with pytest.raises(PartError, match=rf"sleep \({left.pid}\)"):
            DirectoryLock(folder, wait_s=0.2).acquire()
    finally:
        left.kill()
        left.wait()


async def test_a_stale_pid_file_with_a_living_stranger_does_not_block(folder: Path) -> None:
    server = Postgres(folder / "postgres").start()
    pid_file = folder / "postgres" / "postmaster.pid"
    text = pid_file.read_text()
    server.kill()
    stranger = await asyncio.create_subprocess_exec("sleep", "60")
    try:
        pid_file.write_text(f"{stranger.pid}\n" + text.partition("\n")[2])
        server.start()
        assert await query(server.database_url, "SELECT 1") == 1
        assert stranger.returncode is None, "the stranger was left alone"
    finally:
        server.stop()
        stranger.kill()
        await stranger.wait()


async def test_postgres_comes_back_after_a_crash_and_a_freeze(folder: Path) -> None:
    server = Postgres(folder / "postgres").start()
    try:
        await query(server.database_url, "CREATE TABLE kept AS SELECT 1 AS n")
        server.kill()
        assert server.pid == 0
        server.start()
        assert await query(server.database_url, "SELECT n FROM kept") == 1
        server.freeze()
        with pytest.raises(TimeoutError):
            await asyncpg.connect(server.database_url, timeout=0.5)
        server.resume()
        assert await query(server.database_url, "SELECT n FROM kept") == 1
        server.freeze()
    finally:
        server.stop()  # also of a frozen one


async def test_kafka_comes_back_at_the_same_address(folder: Path) -> None:
    broker = Kafka(folder / "kafka").start()
    try:
        address = broker.bootstrap
        await make_topic(address, "kept")
        await send(address, "kept", b"before")
        broker.kill()
        with pytest.raises(OSError), socket.socket() as thief:
            thief.bind(("127.0.0.1", broker.node.port))  # held for it while it is down
        broker.start()
        assert broker.bootstrap == address
        assert await first_record(address, "kept") == b"before"
        broker.freeze()
        broker.resume()
        await send(address, "kept", b"after")
    finally:
        broker.close()


async def test_a_taken_port_is_changed_and_the_data_stays(folder: Path) -> None:
    broker = Kafka(folder / "kafka").start()
    await make_topic(broker.bootstrap, "kept")
    await send(broker.bootstrap, "kept", b"before")
    port = broker.node.port
    broker.close()
    with socket.create_server(("127.0.0.1", port)):
        again = Kafka(folder / "kafka").start()
        try:
            assert again.node.port != port
            assert await first_record(again.bootstrap, "kept") == b"before"
        finally:
            again.close()


def test_the_folder_of_another_postgres_version_is_refused(folder: Path) -> None:
    (folder / "postgres").mkdir()
    (folder / "postgres" / "PG_VERSION").write_text("15\n")
    with pytest.raises(PartError, match=r"PostgreSQL 15.*brings 18.*--data-dir"):
        Postgres(folder / "postgres").start()


def test_a_server_that_cannot_start_says_why(folder: Path) -> None:
    server = Postgres(folder / "postgres")
    server.prepare()
    with (folder / "postgres" / "postgresql.conf").open("a") as file:
        file.write("no_such_setting = 1\n")
    server.spawn()
    with pytest.raises(PartError, match="no_such_setting"):
        server.wait_ready()


def test_without_jars_and_network_there_is_a_clear_sentence(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as nobody:  # bound, not listening: connections are refused
        nobody.bind(("127.0.0.1", 0))
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{nobody.getsockname()[1]}")
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("CXLOOP_CACHE_DIR", str(folder / "cache"))
        with pytest.raises(PartError, match=r"cannot be reached.*needs the network once"):
            Kafka(folder / "kafka").start()
    assert list((folder / "cache" / "jars").iterdir()) == []


@pytest.mark.slow
async def test_three_nodes_survive_the_loss_of_one(folder: Path) -> None:
    with KafkaCluster(folder) as cluster:
        await make_topic(cluster.bootstrap, "kept", copies=3)
        await send(cluster.bootstrap, "kept", b"before")
        cluster.nodes[0].kill()
        await send(cluster.bootstrap, "kept", b"during")
        cluster.nodes[0].start()
        assert await first_record(cluster.nodes[0].bootstrap, "kept") == b"before"
