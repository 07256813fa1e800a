"""A room per test: its own database, migrated."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.integration.scoring.kit import Room, room


@pytest.fixture
async def scoring(own_database_url: str) -> AsyncIterator[Room]:
    async with room(own_database_url) as made:
        yield made
