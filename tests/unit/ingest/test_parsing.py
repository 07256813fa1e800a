"""Tolerant getters: absent is None, nonsense where a value is needed is a reason."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain import parsing as p
from services.ingest.domain.sender import Unreadable

VALUE: dict[str, Any] = {
    "id": 5158,
    "name": "  Ann ",
    "blank": " ",
    "on": True,
    "deep": {"list": [{"x": 1.5}, None]},
    "price": "12.50",
}
T = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (("id",), "5158"),
        (("name",), "Ann"),
        (("blank",), None),
        (("on",), None),
        (("nowhere", "at", "all"), None),
        (("deep", "list", 0, "x"), "1.5"),
        (("deep", "list", 7), None),
        (("deep", "list", "x"), None),
    ],
)
def test_text(path: tuple[str | int, ...], found: str | None) -> None:
    assert p.text(VALUE, *path) == found


def test_what_is_needed_is_named_by_its_pointer() -> None:
    with pytest.raises(Unreadable) as caught:
        p.need(VALUE, "deep", "a/b~c")
    assert caught.value.reasons[0].where == "/deep/a~1b~0c"


def test_numbers() -> None:
    assert p.number(VALUE, "price") == 12.5
    assert p.whole(VALUE, "price") is None
    assert p.whole("7") == 7
    assert p.number("nan") is None
    assert p.number("9" * 400) is None
    assert p.number(VALUE, "on") is None


@pytest.mark.parametrize(
    "given_text",
    [
        "2026-03-01T09:30:00Z",
        "2026-03-01T09:30:00.000000000Z",
        "2026-03-01T15:00:00.000+0530",
        "2026-03-01T10:30:00+01:00",
        "2026-03-01T09:30:00",
        "2026-03-01 09:30:00",
    ],
)
def test_iso_in_the_forms_that_vendors_write(given_text: str) -> None:
    assert p.iso(given_text) == T


def test_counts_of_seconds_and_milliseconds() -> None:
    for one in (1772357400, 1772357400.0, "1772357400", "1772357400.000"):
        assert p.seconds(one) == T
    assert p.milliseconds(1772357400000) == T
    assert p.seconds(None) is None


@pytest.mark.parametrize("junk", ["yesterday", "2021-04-21T13-24-01Z", 7, [], "9999999-01-01"])
def test_a_time_that_is_none(junk: object) -> None:
    with pytest.raises(Unreadable):
        p.iso(junk)


@pytest.mark.parametrize("junk", [1e300, "9" * 40, [], "soon"])
def test_a_count_that_is_no_time(junk: object) -> None:
    with pytest.raises(Unreadable):
        p.seconds(junk)


@pytest.mark.parametrize(
    ("markup", "words"),
    [
        ("<p>Hi<br>there &amp; you</p><style>p{}</style><div>bye</div>", "Hi\nthere & you\nbye"),
        ("a < b and c > d", "a < b and c > d"),
        ("  plain  ", "plain"),
        ("<script>alert(1)</script>", None),
        ("<p>&#8364;&nbsp;5</p>", "€ 5"),
        ("<style>a > b { }</style>x<!-- <p>not this</p> -->y", "xy"),
        ("<head><title>t</title><script></head></script></head>body", "body"),
        ("a<o:p></o:p>b <img alt='x'/> 1<2", "ab 1<2"),
        ("<p>&#" + "9" * 5000 + ";</p>", "&#" + "9" * 5000 + ";"),
        (None, None),
    ],
)
def test_words_of_markup(markup: str | None, words: str | None) -> None:
    assert p.plain_text(markup) == words


@given(st.text(alphabet="<>&!-[]/ab \n\"'=;#", max_size=80))
def test_no_markup_breaks_the_reader(markup: str) -> None:
    p.plain_text(markup)


@given(st.binary(max_size=60))
def test_any_bytes_are_json_or_a_reason(raw: bytes) -> None:
    try:
        p.read_json(raw)
    except Unreadable as error:
        assert error.reasons[0].code == "not_json"


def test_nul_characters_are_taken_out() -> None:
    assert p.read_json(b'{"a\\u0000":["x\\u0000y", 1]}') == {"a": ["xy", 1]}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("piece", ["<!--", "<![", "<!a", "<a b='", "<script></", "&#", " \n", "<"])
def test_time_grows_with_the_length_only(piece: str) -> None:
    """Some of these take the library's reader minutes."""
    p.plain_text("<p>" + piece * (200_000 // len(piece)))
