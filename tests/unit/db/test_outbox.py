"""Lanes and headers of the outbox."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.db.outbox import LANES, decode_headers, encode_headers, lane_of


@given(st.binary(max_size=40))
def test_a_key_has_one_lane_for_ever(key: bytes) -> None:
    assert lane_of(key) == lane_of(key)
    assert 0 <= lane_of(key) < LANES


def test_lanes_do_not_move_between_versions() -> None:
    assert [lane_of(key) for key in (b"", b"a", b"customer-1")] == [0, 3, 13]


def test_keys_spread() -> None:
    used = {lane_of(b"%d" % n) for n in range(200)}
    assert used == set(range(LANES))


@given(st.lists(st.tuples(st.text(st.characters(max_codepoint=127), max_size=8), st.binary(max_size=30))))
def test_headers_come_back(headers: list[tuple[str, bytes]]) -> None:
    assert decode_headers(encode_headers(headers)) == headers


def test_no_headers_take_no_room() -> None:
    assert encode_headers([]) is None
