"""A partition's records: gathered while one batch is with the client, in order, told once."""

from __future__ import annotations

import asyncio
import os

import pytest
from aiokafka.partitioner import murmur2
from aiokafka.producer.message_accumulator import BatchBuilder
from hypothesis import given
from hypothesis import strategies as st

from shared.bus.lanes import Lane, Message, Parcel, partition_of
from tests.integration.waiting import until


def message(size: int = 10) -> Message:
    return Message("t", b"key", b"v" * size, [("traceparent", b"x")])


class Sent:
    """A client that takes parcels and ends them when it is told to."""

    def __init__(self, batch_bytes: int = 1000) -> None:
        self.parcels: list[Parcel] = []
        self.lane = Lane(lambda: BatchBuilder(batch_bytes, 0), self.parcels.append)
        self.told: list[str] = []

    def put(self, name: str, size: int = 10) -> Parcel:
        return self.lane.put(message(size), lambda: self.told.append(name))

    def end(self, number: int, error: BaseException | None = None) -> None:
        self.parcels[number].end(error)
        self.lane.free()


async def test_what_comes_together_leaves_together() -> None:
    sent = Sent()
    assert sent.put("a") is sent.put("b")
    assert sent.parcels == []
    await until(lambda: len(sent.parcels) == 1)
    assert sent.parcels[0].records == 2


async def test_while_one_is_with_the_client_the_next_gathers() -> None:
    sent = Sent()
    sent.put("a")
    await until(lambda: len(sent.parcels) == 1)
    sent.parcels[0].sealed()
    waiting = [sent.put(name) for name in "bcd"]
    await asyncio.sleep(0.02)
    assert len(sent.parcels) == 1
    sent.end(0)
    await until(lambda: len(sent.parcels) == 2)
    assert {*waiting} == {sent.parcels[1]}
    sent.end(1)
    assert sent.told == ["a", "b", "c", "d"]


async def test_a_full_one_leaves_at_once_and_order_is_kept() -> None:
    sent = Sent(batch_bytes=300)
    order = [sent.put(str(number), size=120) for number in range(5)]
    assert len(sent.parcels) == 1, "the first is full and need not wait"
    for number in range(20):
        if number < len(sent.parcels):
            sent.end(number)
        await asyncio.sleep(0.005)
    assert list(dict.fromkeys(order)) == sent.parcels
    assert sent.told == ["0", "1", "2", "3", "4"]


async def test_a_record_of_any_size_goes_alone() -> None:
    sent = Sent(batch_bytes=300)
    small, large, after = sent.put("small"), sent.put("large", size=5000), sent.put("after")
    assert len({small, large, after}) == 3
    assert [one.records for one in (small, large, after)] == [1, 1, 1]


async def test_headers_may_be_any_sequence() -> None:
    sent = Sent()
    for headers in ((), [], (("a", b"1"),), [("a", b"1")]):
        sent.lane.put(Message("t", b"k", b"v", headers), lambda: None)
    await until(lambda: len(sent.parcels) == 1)
    assert sent.parcels[0].records == 4


async def test_an_end_is_told_once_and_the_first_counts() -> None:
    sent = Sent()
    parcel = sent.put("a")
    refused = ConnectionError()
    parcel.end(refused)
    parcel.end(None)
    assert parcel.error is refused
    assert sent.told == ["a"]


async def test_what_was_cleared_never_leaves() -> None:
    sent = Sent()
    parcel = sent.put("a")
    assert sent.lane.clear() == [parcel]
    await asyncio.sleep(0.02)
    assert sent.parcels == []


async def test_a_batch_is_given_away_once_and_takes_nothing_more() -> None:
    parcel = Sent().put("a")
    batch = parcel.sealed()
    assert batch.closed()
    assert not parcel.put(message(), lambda: None)
    with pytest.raises(RuntimeError):
        parcel.sealed()


@given(st.binary(max_size=70), st.integers(1, 64))
def test_partitions_are_those_of_every_other_client(key: bytes, partitions: int) -> None:
    assert partition_of(key, partitions) == (murmur2(key) & 0x7FFFFFFF) % partitions


def test_partitions_of_usual_keys() -> None:
    for _ in range(1000):
        key = os.urandom(16).hex().encode()
        assert partition_of(key, 12) == (murmur2(key) & 0x7FFFFFFF) % 12
