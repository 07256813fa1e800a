"""The way of one process to PostgreSQL, on which it can be frozen in the middle of a transaction."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

from tests.faults.programs import Program
from tests.faults.proxy import Proxy

NEVER_S = 3600.0
USUAL = b"idle_in_transaction_session_timeout\x0030000\x00"
LOWERED = b"idle_in_transaction_session_timeout\x00 8000\x00"


class Freezer(Proxy):
    """Stops `program` (SIGSTOP) as soon as it says `words`, which never arrive: it holds what it has.

    `lowered`: the server lets go of a silent transaction after 8 s in place of the 30 s that a service asks
    for; the wish is rewritten on its way.
    """

    def __init__(self, target: Callable[[], int | Path], *, lowered: bool) -> None:
        self._words = b""
        self._lowered = lowered
        self.program: Program | None = None
        super().__init__(target)

    def freeze_at(self, program: Program, words: bytes) -> None:
        self.program, self._words = program, words

    def resume(self) -> None:
        """What was held back when it froze stays lost, with its connection."""
        self._words, self._delay_s = b"", 0.0
        if self.program:
            self.program.resume()

    def _springs(self, data: bytes, doomed: asyncio.Event) -> bool:
        if self._words and self._words in data and self.program:
            self._words, self._delay_s = b"", NEVER_S
            os.kill(self.program.pid, signal.SIGSTOP)
        return super()._springs(data, doomed)

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, doomed: asyncio.Event, *, up: bool
    ) -> None:
        if up and self._lowered:
            await self._lower(reader, writer)
        await super()._pass(reader, writer, doomed, up=up)

    @staticmethod
    async def _lower(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """The first message of a session, with its wish for limits."""
        size = await reader.readexactly(4)
        writer.write(size + (await reader.readexactly(int.from_bytes(size) - 4)).replace(USUAL, LOWERED))
