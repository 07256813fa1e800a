"""All sources in memory, so that a webhook costs no SQL; replicas agree within about a second."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from services.ingest.domain.sender import SourceConfig
from services.ingest.store import sources as store
from services.ingest.store.reach import DatabaseAwayError, connection
from shared.events.identifiers import SOURCE_ID
from shared.runtime.secrets import SecretBox, SecretError

log = structlog.get_logger()

POLL_S: Final = 1.0
READ_DEADLINE_S: Final = 2.0
# A stranger who tries names never holds more than this many database connections.
MISSES: Final = 2


class SourcesUnavailableError(Exception):
    """The list of sources cannot be read now, so nobody can say that one does not exist."""


class SourceBook:
    """Sources by id. `find` answers from memory; only an unknown id causes a read."""

    def __init__(self, engine: AsyncEngine, box: SecretBox) -> None:
        self._engine = engine
        self._box = box
        self._sources: Mapping[str, SourceConfig] = {}
        self._locked: frozenset[str] = frozenset()
        self._generation: int | None = None
        self._reading = asyncio.Lock()
        self._misses = asyncio.Semaphore(MISSES)

    @property
    def known(self) -> bool:
        """The list was read at least once."""
        return self._generation is not None

    async def find(self, source_id: str) -> SourceConfig | None:
        """The source; None when the database, asked just now, has none of that id.

        Raises SourcesUnavailableError when it cannot be asked, or when the source's secrets are encrypted
        with a key that this process does not have.
        """
        source = self._sources.get(source_id)
        if source is None and source_id not in self._locked and await self._exists(source_id):
            await self.refresh()
            source = self._sources.get(source_id)
        if source_id in self._locked:
            raise SourcesUnavailableError
        return source

    async def _exists(self, source_id: str) -> bool:
        """Asked for names that this replica does not know: a 404 must be true at the time it is told."""
        if not SOURCE_ID.match(source_id):
            return False
        async with self._misses, self._reading_errors(), connection(self._engine, READ_DEADLINE_S) as conn:
            return await store.get(conn, source_id) is not None

    async def refresh(self) -> None:
        """Reads the whole list. Raises SourcesUnavailableError."""
        async with self._reading:  # one after the other, so that an older list never replaces a newer one
            async with self._reading_errors(), connection(self._engine, READ_DEADLINE_S) as conn:
                generation, rows = await store.read_all(conn)
            self._take(rows)
            self._generation = generation

    @asynccontextmanager
    async def _reading_errors(self) -> AsyncIterator[None]:
        try:
            yield
        except DatabaseAwayError as error:
            raise SourcesUnavailableError from error

    async def run(self) -> None:
        """Follows changes made by other replicas, for ever."""
        while True:
            try:
                if await self._stale():
                    await self.refresh()
            except SourcesUnavailableError:
                log.warning("sources cannot be read; the last known ones stay in use")
            await asyncio.sleep(POLL_S)

    async def _stale(self) -> bool:
        if self._generation is None:
            return True
        async with self._reading_errors(), connection(self._engine, READ_DEADLINE_S) as conn:
            return await store.generation(conn) != self._generation

    def _take(self, rows: list[store.SourceRow]) -> None:
        sources: dict[str, SourceConfig] = {}
        locked: set[str] = set()
        for row in rows:
            try:
                sources[row.id] = self.opened(row)
            except SecretError:
                locked.add(row.id)
                log.error("a source's secrets are encrypted with another secret key", source=row.id)
        self._sources, self._locked = sources, frozenset(locked)

    def opened(self, row: store.SourceRow) -> SourceConfig:
        """The row with its secrets decrypted. Raises SecretError."""
        return SourceConfig(
            id=row.id,
            vendor=row.vendor,
            secrets=tuple(self._box.decrypt(secret).decode() for secret in row.secrets),
            auth=row.auth,
            defaults=row.defaults,
            settings=row.settings,
        )

    def sealed(self, secrets: tuple[str, ...]) -> tuple[bytes, ...]:
        """Secrets as they are stored."""
        return tuple(self._box.encrypt(secret.encode()) for secret in secrets)
