"""Records as the services see them, and how many make a batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Protocol

import msgspec

Partition = tuple[str, int]
"""Topic and number."""


class Record(msgspec.Struct, frozen=True):
    """One message. `timestamp` in milliseconds since 1970, as the broker has it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()

    @property
    def size(self) -> int:
        """Bytes of key and value."""
        return len(self.value) + len(self.key or b"")


class Batch(msgspec.Struct, frozen=True):
    """Records in order within each partition.

    `floors`: offsets before which a partition is known to hold nothing any more, so that a handler does
    not ask for them again (see SeekTo).
    """

    records: tuple[Record, ...]
    floors: Mapping[Partition, int] = {}

    @property
    def first_offsets(self) -> dict[Partition, int]:
        first: dict[Partition, int] = {}
        for record in self.records:
            first.setdefault((record.topic, record.partition), record.offset)
        return first

    @property
    def next_offsets(self) -> dict[Partition, int]:
        """What to commit: the offset after the last record of each partition."""
        return {(record.topic, record.partition): record.offset + 1 for record in self.records}

    def count_by_topic(self) -> Mapping[str, int]:
        return Counter(record.topic for record in self.records)


class _Message(Protocol):
    """A record as the client hands it out."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Iterable[tuple[str, bytes]]


def record_of(message: _Message) -> Record:
    """An empty value instead of none: a tombstone is no message of ours, and no reader may trip over it."""
    return Record(
        message.topic,
        message.partition,
        message.offset,
        message.timestamp,
        message.key,
        message.value or b"",
        tuple(message.headers or ()),
    )


def cut(records: Iterable[Record], max_bytes: int) -> list[list[Record]]:
    """Into runs of at most `max_bytes`, order kept; a record that is larger alone is a run of its own."""
    runs: list[list[Record]] = []
    size = 0
    for record in records:
        if not runs or size + record.size > max_bytes:
            runs.append([])
            size = 0
        runs[-1].append(record)
        size += record.size
    return runs
