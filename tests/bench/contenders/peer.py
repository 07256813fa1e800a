"""What the peers share: the merge, called from programs that are not asynchronous."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence

import asyncpg

from tests.bench.contenders import sql

KAFKA = os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "")
GROUP = os.environ.get("BENCH_GROUP", "bench")
BATCH, BATCH_S = 500, 0.25


class Merger:
    """`sql.merge` on a connection and an event loop of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._conn = self._loop.run_until_complete(asyncpg.connect(os.environ["DATABASE_URL"]))
        self._like = self._loop.run_until_complete(sql.sample(self._conn))

    @property
    def message(self) -> bytes:
        return self._like.message

    def merge(self, raws: Sequence[bytes], offsets: Mapping[int, int]) -> list[tuple[int, bytes]]:
        return self._loop.run_until_complete(sql.merge(self._conn, raws, offsets, self._like))

    def forget(self, told: Sequence[tuple[int, bytes]]) -> None:
        self._loop.run_until_complete(sql.forget(self._conn, told))
