"""Cursors: exact both ways, and junk is a 400."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.runtime.pagination import decode_cursor, encode_cursor
from shared.runtime.problem import Problem

texts = st.text(st.characters(exclude_characters="\x00", codec="utf-8"), max_size=20)
values = st.one_of(
    texts, st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False), st.none()
)


@given(st.dictionaries(texts, values, max_size=4))
def test_a_cursor_comes_back_as_it_went(position: dict[str, str | int | float | None]) -> None:
    assert decode_cursor(encode_cursor(position)) == position


def _raw(text: bytes) -> str:
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


@pytest.mark.parametrize(
    "junk",
    [
        "",
        "!",
        "a",
        "äöü",
        "\x00",
        _raw(b"[]"),
        _raw(b'{"a":{}}'),
        _raw(b'{"a":"\\u0000"}'),
        _raw(b"\xff"),
        _raw(b'{"a":99999999999999999999}'),
        _raw(b"[" * 1000),
        "A" * 5000,
        _raw(b'{"a":NaN}'),
        "�",
    ],
)
def test_junk_is_the_callers_fault(junk: str) -> None:
    with pytest.raises(Problem) as caught:
        decode_cursor(junk)
    assert caught.value.status == 400
    assert caught.value.errors[0].where == "?cursor"


@given(st.text(max_size=80))
def test_no_text_breaks_it(text: str) -> None:
    try:
        decode_cursor(text)
    except Problem as problem:
        assert problem.status == 400
