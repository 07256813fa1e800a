"""A TCP proxy that can delay, hold back and cut: the network between a service and its broker or database.

Runs in a thread of its own; every method may be called from any thread and takes effect at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from shared.parts.kafka_config import HOST

T = TypeVar("T")
CHUNK = 64 * 1024
QUEUED = 64
CALL_S = 10.0


@dataclass
class Trap:
    """Cuts a connection as soon as `words` pass from the client. `heard`: the server still gets them, and
    does what they say, but its answer is lost; else they never arrive. `left`: how often yet."""

    words: bytes
    heard: bool
    left: int
    sprung: int = 0


class Proxy:
    """Listens on `port` and passes on to `target`: a port of this machine, or the path of a Unix socket.

    `target` is asked at each connection, so it may come later than the proxy.
    """

    def __init__(self, target: Callable[[], int | Path]) -> None:
        self._target = target
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._delay_s = 0.0
        self._away = False
        self._trap: Trap | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self.port = self._call(self._listen())

    def delay(self, seconds: float) -> None:
        """Everything takes that much longer, in each direction; order and throughput stay."""
        self._delay_s = seconds

    def hold(self) -> None:
        """Connections stay open and nothing comes through, until `heal`: as if packets were dropped."""
        self._loop.call_soon_threadsafe(self._flowing.clear)

    def cut(self) -> int:
        """Resets every connection there is; new ones are taken. How many there were."""
        return self._call(self._cut())

    def refuse(self) -> None:
        """Resets every connection, and each new one at once, until `heal`."""
        self._away = True
        self.cut()

    def trap(self, words: bytes, *, heard: bool, times: int = 1) -> Trap:
        """Cuts the next `times` connections on which `words` pass from the client."""
        self._trap = Trap(words, heard, times)
        return self._trap

    def heal(self) -> None:
        """Passes on what comes, also what was held back."""
        self._delay_s, self._away, self._trap = 0.0, False, None
        self._loop.call_soon_threadsafe(self._flowing.set)

    def close(self) -> None:
        """Ends all connections and the thread."""
        self._call(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CALL_S)
        self._loop.close()

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(CALL_S)

    async def _listen(self) -> int:
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._server = await asyncio.start_server(self._accept, HOST, 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def _cut(self) -> int:
        for writer in self._writers:
            writer.transport.abort()
        return len(self._writers) // 2

    async def _stop(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await self._cut()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CALL_S / 2)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._away:
            writer.transport.abort()
            return
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._join(reader, writer)
        except (OSError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            self._tasks.discard(task)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = self._target()
        if isinstance(target, Path):
            far_reader, far_writer = await asyncio.open_unix_connection(str(target))
        else:
            far_reader, far_writer = await asyncio.open_connection(HOST, target)
        pair = {writer, far_writer}
        self._writers |= pair
        doomed = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass(reader, far_writer, doomed, up=True))
                group.create_task(self._pass(far_reader, writer, doomed, up=False))
        except* OSError:
            pass
        finally:
            self._writers -= pair
            for one in pair:
                one.transport.abort()

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, doomed: asyncio.Event, *, up: bool
    ) -> None:
        """One direction: read here, written by a second task when it is due. Its end ends the connection."""
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(QUEUED)
        writing = self._loop.create_task(self._write(queue, writer))
        try:
            while data := await reader.read(CHUNK):
                await self._flowing.wait()
                if not up and doomed.is_set():
                    break
                if up and self._springs(data, doomed):
                    break
                await queue.put((self._loop.time() + self._delay_s, data))
        finally:
            if not self._delay_s:
                while not queue.empty() and not writing.done():
                    await asyncio.sleep(0)
            writing.cancel()
            await asyncio.wait({writing})
        raise ConnectionResetError

    async def _write(self, queue: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while True:
                due, data = await queue.get()
                await asyncio.sleep(max(0.0, due - self._loop.time()))
                writer.write(data)
                await writer.drain()

    def _springs(self, data: bytes, doomed: asyncio.Event) -> bool:
        """Whether the connection ends before the server hears this."""
        trap = self._trap
        if trap is None or not trap.left or trap.words not in data:
            return False
        trap.left -= 1
        trap.sprung += 1
        if trap.heard:
            doomed.set()
        return not trap.heard
