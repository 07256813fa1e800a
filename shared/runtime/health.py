"""Liveness (would a restart help?) and readiness (should traffic come here?)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal

from fastapi import APIRouter
from starlette.responses import JSONResponse

Check = Callable[[], Awaitable[str | None]]
"""None when all is well, else why not, in words without data."""
Kind = Literal["liveness", "readiness"]
CHECK_TIMEOUT_S = 2.0


class Health:
    """Checks by name. A failed liveness check also fails readiness; `fail` is for good."""

    def __init__(self) -> None:
        self._checks: dict[Kind, dict[str, Check]] = {"liveness": {}, "readiness": {}}
        self._failed: dict[str, str] = {}

    def check(self, name: str, probe: Check, kind: Kind = "readiness") -> None:
        self._checks[kind][name] = probe

    def fail(self, name: str, why: str) -> None:
        """The process has to be replaced; liveness says so until it is."""
        self._failed.setdefault(name, why)

    async def report(self, kind: Kind) -> dict[str, str | None]:
        """Result by name of check; None where all is well."""
        checks = dict(self._checks["liveness"])
        if kind == "readiness":
            checks |= self._checks["readiness"]
        results = await asyncio.gather(*(_run(probe) for probe in checks.values()))
        return dict(zip(checks, results, strict=True)) | self._failed

    def router(self) -> APIRouter:
        router = APIRouter(tags=["operations"])

        @router.get("/livez", summary="Would a restart help?")
        async def livez() -> JSONResponse:
            return await self._answer("liveness")

        @router.get("/readyz", summary="Should traffic come here?")
        async def readyz() -> JSONResponse:
            return await self._answer("readiness")

        return router

    async def _answer(self, kind: Kind) -> JSONResponse:
        report = await self.report(kind)
        ok = not any(report.values())
        checks = {name: why or "ok" for name, why in report.items()}
        return JSONResponse({"status": "ok" if ok else "failing", "checks": checks}, 200 if ok else 503)


async def _run(probe: Check) -> str | None:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            return await probe()
    except TimeoutError:
        return "no answer in time"
    except Exception as error:  # noqa: BLE001 - a probe that breaks is a finding, not a crash
        return f"failed: {type(error).__name__}"
