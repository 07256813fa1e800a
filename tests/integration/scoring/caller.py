"""The service as a caller sees it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import httpx

from shared.events.times import format_instant
from tests.integration.scoring.kit import START, Room

Json = dict[str, Any]
NUMBERS = ("health", "relationship", "risk")


class Api:
    """The service as a caller sees it, without its loops."""

    def __init__(self, client: httpx.AsyncClient, room: Room) -> None:
        self.client = client
        self.room = room

    async def get(self, path: str, status: int = 200, **query: object) -> Json:
        answer = await self.client.get(path, params=cast(Json, query))
        assert answer.status_code == status, answer.text
        if status >= 400:
            assert answer.headers["content-type"] == "application/problem+json"
        found: Json = answer.json()
        return found


def at(hours: float) -> str:
    return format_instant(START + timedelta(hours=hours))
