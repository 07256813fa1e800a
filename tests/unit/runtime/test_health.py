"""Liveness and readiness."""

from __future__ import annotations

import asyncio

import pytest
from fastapi import FastAPI

from shared.runtime import health as module
from shared.runtime.health import Health
from tests.unit.runtime.asgi import call


async def well() -> str | None:
    return None


async def ill() -> str | None:
    return "3 rows wait"


async def broken() -> str | None:
    raise KeyError("ann@example.com")


async def hanging() -> str | None:
    await asyncio.Event().wait()
    return None


def app(health: Health) -> FastAPI:
    made = FastAPI()
    made.include_router(health.router())
    return made


async def test_a_part_that_is_away_takes_traffic_away_but_does_not_restart() -> None:
    health = Health()
    health.check("database", well)
    health.check("bus", ill)
    live, ready = await call(app(health), path="/livez"), await call(app(health), path="/readyz")
    assert (live.status, ready.status) == (200, 503)
    assert ready.json() == {"status": "failing", "checks": {"database": "ok", "bus": "3 rows wait"}}


async def test_what_fails_liveness_fails_readiness_too() -> None:
    health = Health()
    health.check("consumer", ill, "liveness")
    assert {(await call(app(health), path=path)).status for path in ("/livez", "/readyz")} == {503}


async def test_failed_for_good() -> None:
    health = Health()
    health.fail("relay", "died: KeyError")
    health.fail("relay", "later")
    assert (await call(app(health), path="/livez")).json()["checks"] == {"relay": "died: KeyError"}


async def test_a_probe_that_breaks_or_hangs_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHECK_TIMEOUT_S", 0.01)
    health = Health()
    health.check("a", broken)
    health.check("b", hanging)
    assert await health.report("readiness") == {"a": "failed: KeyError", "b": "no answer in time"}
