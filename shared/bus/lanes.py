"""Records of many callers on their way into one partition: gathered, sent together, answered together.

The client's own way is a future, a callback and a record's receipt for each record, which cost several times
what it costs to write the record. Here a batch has one future; its callers are told in a plain loop.

Invariants, per partition:
 1. records leave in the order in which they were put;
 2. at most one batch is with the client: what comes meanwhile is gathered, so batches grow with the load;
 3. a batch that is with the client takes no more records, because its sequence numbers are drawn.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from struct import unpack_from
from typing import Final

import msgspec
from aiokafka.producer.message_accumulator import BatchBuilder

LINGER_S: Final = 0.002


Headers = Sequence[tuple[str, bytes]]


class Message(msgspec.Struct, frozen=True):
    """One record to send."""

    topic: str
    key: bytes
    value: bytes
    headers: Headers = ()


class Parcel:
    """The records of one batch, and whom to tell of its end (once per record)."""

    __slots__ = ("_builder", "_tell", "due", "ended", "error", "records")

    def __init__(self, builder: BatchBuilder) -> None:
        self._builder: BatchBuilder | None = builder
        self._tell: list[Callable[[], None]] = []
        self.records = 0
        self.due = False
        self.ended = False
        self.error: BaseException | None = None
        """Why it was not acknowledged; None once it is."""

    def put(self, record: Message, tell: Callable[[], None]) -> bool:
        """False: it is full. An empty one takes a record of any size."""
        builder = self._builder
        if builder is None:
            return False
        taken = builder.append(
            timestamp=None, key=record.key, value=record.value, headers=list(record.headers)
        )
        if taken is None:
            return False
        self._tell.append(tell)
        self.records += 1
        return True

    def sealed(self) -> BatchBuilder:
        """What the client gets. Nothing is added afterwards. To be called once."""
        builder, self._builder = self._builder, None
        if builder is None:
            raise RuntimeError("a parcel is sent once")
        builder.close()
        return builder

    def end(self, error: BaseException | None) -> None:
        """The first end counts: whoever was told is gone."""
        if self.ended:
            return
        self.ended, self.error = True, error
        tell, self._tell = self._tell, []
        for one in tell:
            one()


class Lane:
    """One partition. `send` is called with a parcel whenever one may leave, and `free` after its end."""

    def __init__(self, open_batch: Callable[[], BatchBuilder], send: Callable[[Parcel], None]) -> None:
        self._open_batch = open_batch
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Parcel] = deque()
        self._busy = False

    def put(self, record: Message, tell: Callable[[], None]) -> Parcel:
        """Nothing is awaited here, so that order is kept."""
        waiting = self._waiting
        if waiting and waiting[-1].put(record, tell):
            return waiting[-1]
        if waiting:
            self._due(waiting[-1])  # it is full
        parcel = Parcel(self._open_batch())
        parcel.put(record, tell)
        waiting.append(parcel)
        self._loop.call_later(LINGER_S, self._due, parcel)
        return parcel

    def _due(self, parcel: Parcel) -> None:
        parcel.due = True
        self._next()

    def _next(self) -> None:
        if not self._busy and self._waiting and self._waiting[0].due:
            self._busy = True
            self._send(self._waiting.popleft())

    def free(self) -> None:
        """What was sent last has ended."""
        self._busy = False
        self._next()

    def clear(self) -> list[Parcel]:
        """What has not left; it will not."""
        cleared, self._waiting = list(self._waiting), deque()
        return cleared


def partition_of(key: bytes, partitions: int) -> int:
    """As the Java client and this one's default have it: Murmur2, positive, modulo."""
    return (_murmur2(key) & 0x7FFFFFFF) % partitions


_WORD: Final = 0xFFFFFFFF
_M: Final = 0x5BD1E995


def _murmur2(data: bytes) -> int:
    """By words of four bytes: a third of the time of the client's own, which goes byte by byte."""
    length = len(data)
    mixed = 0x9747B28C ^ length
    for word in unpack_from(f"<{length // 4}I", data):
        scrambled = word * _M & _WORD
        mixed = (mixed * _M & _WORD) ^ ((scrambled ^ scrambled >> 24) * _M & _WORD)
    if rest := length & 3:
        mixed = (mixed ^ int.from_bytes(data[-rest:], "little")) * _M & _WORD
    mixed = (mixed ^ mixed >> 13) * _M & _WORD
    return mixed ^ mixed >> 15
