"""Rows as the steps hand them to each other."""

from __future__ import annotations

import uuid
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

import asyncpg

from services.scoring.domain.types import Applied, EpisodeKey
from shared.events import Event
from shared.events.times import Micros

Conn: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

_EPISODE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "https://cxloop.example/ids/episode")


class Stored(NamedTuple):
    """A row of the log.

    `about` is the episode whose owner counts while this event's episode names nobody; `target` the event
    that this one retracts. The same event told again with an earlier receipt is a second row.
    """

    applied: Applied
    applied_at: Micros
    episode: str | None
    leaf: str | None
    about: str | None
    target: str | None = None

    @property
    def event(self) -> Event:
        return self.applied.event

    @property
    def id(self) -> str:
        return self.applied.event.id


@lru_cache(maxsize=16_384)
def episode_id(key: EpisodeKey) -> str:
    """Stable id of an episode; lengths keep ("a", "bc") and ("ab", "c") apart."""
    return str(uuid.uuid5(_EPISODE, "".join(f"{len(part)}:{part}" for part in key)))


def printable(text: str | None) -> str | None:
    """As PostgreSQL's `text` can hold it. Bodies keep the exact bytes; columns are for looking."""
    return text if text is None else text.replace("\x00", "\ufffd")
