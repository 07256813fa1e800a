"""A service as a process: how it begins, drains and dies."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from shared.db.migrate import upgrade_shared
from tests.integration.waiting import until

ROOT = Path(__file__).parent.parent.parent


class Process:
    """The small service, by itself."""

    def __init__(self, url: str, errors: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.base = f"http://127.0.0.1:{port}"
        self.errors = errors
        environment = os.environ | {
            "DATABASE_URL": url,
            "KAFKA_BOOTSTRAP_SERVERS": "none:1",
            "CXLOOP_SECRET_KEY": base64.b64encode(b"k" * 32).decode(),
            "CXLOOP_PORT": str(port),
            "CXLOOP_LOG_FORMAT": "json",
        }
        with errors.open("wb") as stream:
            self.child = subprocess.Popen(
                [sys.executable, "-m", "tests.integration.small_service"],
                cwd=ROOT,
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=stream,
            )

    async def ready(self, client: httpx.AsyncClient) -> None:
        async def answers() -> bool:
            assert self.child.poll() is None, self.errors.read_text()
            try:
                return (await client.get(f"{self.base}/livez")).status_code == 200
            except httpx.TransportError:
                return False

        await until(answers)

    async def exit_code(self) -> int:
        return await asyncio.wait_for(asyncio.to_thread(self.child.wait, 20), 25)


@pytest.fixture
def process(empty_database_url: str, tmp_path: Path) -> Iterator[Process]:
    upgrade_shared(empty_database_url)
    made = Process(empty_database_url, tmp_path / "errors")
    yield made
    if made.child.poll() is None:
        made.child.kill()
    made.child.wait(10)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
async def test_asked_to_end_it_finishes_what_it_has_begun(process: Process, signum: signal.Signals) -> None:
    async with httpx.AsyncClient(timeout=20) as client:
        await process.ready(client)
        running = asyncio.create_task(client.get(f"{process.base}/v1/slow"))
        await asyncio.sleep(0.2)
        process.child.send_signal(signum)
        assert (await running).json() == "done"
    assert await process.exit_code() == 0, process.errors.read_text()


async def test_a_background_task_that_dies_ends_it_with_a_code_that_says_restart(process: Process) -> None:
    async with httpx.AsyncClient(timeout=20) as client:
        await process.ready(client)
        await client.post(f"{process.base}/v1/die")
    assert await process.exit_code() == 70
    assert '"task": "fragile"' in process.errors.read_text()
