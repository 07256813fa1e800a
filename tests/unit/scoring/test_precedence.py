"""Background turns let batches go first, and are not starved by them."""

from __future__ import annotations

import asyncio

import pytest

from services.scoring import precedence
from services.scoring.precedence import BUSY, IDLE, Precedence


async def test_a_gap_comes_when_the_batch_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precedence, "PATIENCE_S", 60)
    one = Precedence()
    with one.batch():
        waiting = asyncio.ensure_future(one.gap())
        await asyncio.sleep(0)
        assert not waiting.done()
    await asyncio.wait_for(waiting, 10)


async def test_nobody_waits_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precedence, "PATIENCE_S", 0.01)
    one = Precedence()
    with one.batch():
        await asyncio.wait_for(one.gap(), 10)


async def test_a_batch_that_fails_leaves_a_gap() -> None:
    one = Precedence()
    with pytest.raises(ValueError, match="no"), one.batch():
        raise ValueError("no")
    await asyncio.wait_for(one.gap(), 10)


def test_what_can_wait_takes_more_while_nothing_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Precedence()
    assert one.share() == IDLE
    with one.batch():
        assert one.share() == BUSY
    assert one.share() == BUSY, "the next one may come at once"
    monkeypatch.setattr(precedence, "QUIET_S", -1)
    assert one.share() == IDLE
