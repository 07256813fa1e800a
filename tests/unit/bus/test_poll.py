"""One poll takes what was fetched ahead and what came since, within the bounds of a turn."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from shared.bus import consumer
from shared.bus.batches import Batch
from shared.bus.consumer import ConsumerLoop
from shared.bus.errors import ConsumerLost


class Client:
    """Hands out `turns` one after the other, and notes how it was asked; None hangs, an error is raised."""

    def __init__(self, *turns: list[bytes] | Exception | None) -> None:
        self._turns = list(turns)
        self.asked: list[tuple[int, int]] = []

    async def getmany(self, *, timeout_ms: int, max_records: int) -> dict[str, list[Any]]:
        self.asked.append((timeout_ms, max_records))
        turn = self._turns.pop(0)
        if turn is None:
            await asyncio.Event().wait()
        if isinstance(turn, Exception):
            raise turn
        return {"t": [_message(value) for value in turn or ()]}


def _message(value: bytes) -> SimpleNamespace:
    return SimpleNamespace(topic="t", partition=0, offset=0, timestamp=0, key=None, value=value, headers=())


async def _nothing(_: Batch) -> None: ...


async def _polled(client: Client) -> list[bytes]:
    loop = ConsumerLoop("nowhere", "group", ["t"], _nothing, max_records=4, max_bytes=100)
    return [record.value for record in await loop._poll(client)]


@pytest.mark.parametrize(
    ("turns", "values", "asked"),
    [
        pytest.param([[], [b"a"]], [b"a"], [(0, 4), (consumer.POLL_MS, 4)], id="nothing was ahead"),
        pytest.param([[b"a"], [b"b"]], [b"a", b"b"], [(0, 4), (consumer.FRESH_MS, 3)], id="and since"),
        pytest.param([[b"a"], []], [b"a"], [(0, 4), (consumer.FRESH_MS, 3)], id="nothing since"),
        pytest.param([[b"a"] * 4], [b"a"] * 4, [(0, 4)], id="as many as a turn takes"),
        pytest.param([[b"a" * 100]], [b"a" * 100], [(0, 4)], id="as many bytes as a batch has"),
    ],
)
async def test_what_is_ahead_and_what_came_since(
    turns: list[list[bytes]], values: list[bytes], asked: list[tuple[int, int]]
) -> None:
    client = Client(*turns)
    assert await _polled(client) == values
    assert client.asked == asked


async def test_what_was_taken_is_kept_where_the_client_then_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits while it joins its group anew."""
    monkeypatch.setattr(consumer, "POLL_GRACE_S", 0.01)
    assert await _polled(Client([b"a"], None)) == [b"a"]


@pytest.mark.parametrize("turns", [[RuntimeError("away")], [[b"a"], RuntimeError("away")]])
async def test_a_client_that_raises_is_lost(turns: list[Any]) -> None:
    with pytest.raises(ConsumerLost, match="the client is broken: away"):
        await _polled(Client(*turns))
