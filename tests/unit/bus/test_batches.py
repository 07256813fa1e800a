"""Batches: what they hold and what is committed after them."""

from __future__ import annotations

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from shared.bus.batches import Batch, Record, cut, record_of


def record(partition: int = 0, offset: int = 0, value: bytes = b"v", key: bytes | None = b"k") -> Record:
    return Record("t", partition, offset, 0, key, value)


def test_offsets_are_those_after_the_last_record_of_each_partition() -> None:
    batch = Batch((record(0, 5), record(1, 9), record(0, 6)))
    assert batch.first_offsets == {("t", 0): 5, ("t", 1): 9}
    assert batch.next_offsets == {("t", 0): 7, ("t", 1): 10}
    assert batch.count_by_topic() == {"t": 3}


def test_an_empty_batch_commits_nothing() -> None:
    """An empty set of partitions means all of them to the client, so it is never handed over."""
    assert Batch(()).next_offsets == {}


def test_a_tombstone_is_an_empty_value() -> None:
    message = SimpleNamespace(
        topic="t", partition=1, offset=2, timestamp=3, key=None, value=None, headers=[("a", b"b")]
    )
    assert record_of(message) == Record("t", 1, 2, 3, None, b"", (("a", b"b"),))


@given(st.lists(st.integers(0, 50), max_size=60), st.integers(1, 60))
def test_cutting_keeps_order_and_bounds(sizes: list[int], limit: int) -> None:
    records = [record(offset=position, value=b"x" * size, key=None) for position, size in enumerate(sizes)]
    runs = cut(records, limit)
    assert [r for run in runs for r in run] == records
    assert all(run for run in runs)
    assert all(len(run) == 1 or sum(r.size for r in run) <= limit for run in runs)
