"""CloudEvents over HTTP: modes, header values, data in base64."""

from __future__ import annotations

import pytest

from services.ingest.domain.cloudevents import (
    UnsupportedFormat,
    data_of,
    header_value,
    mode_of,
    read_request,
)
from services.ingest.domain.sender import Unreadable


@pytest.mark.parametrize(
    ("content_type", "mode"),
    [
        ("application/cloudevents+json", "structured"),
        ("Application/CloudEvents+JSON; charset=utf-8", "structured"),
        ("application/cloudevents-batch+json", "batch"),
        ("APPLICATION/CLOUDEVENTS-BATCH+JSON", "batch"),
        ("application/json", "binary"),
        ("", "binary"),
    ],
)
def test_mode(content_type: str, mode: str) -> None:
    assert mode_of(content_type) == mode


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("plain", "plain"),
        ('"quoted \\" text"', 'quoted " text'),
        ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),
        ("100%", "100%"),
        ("%2525", "%25"),  # one round only
        (" /crm ", "/crm"),
    ],
)
def test_header_values(raw: str, value: str) -> None:
    assert header_value(raw) == value


@pytest.mark.parametrize("raw", ["%C0%A0", "%FF", "%ED%A0%80"])
def test_header_values_that_are_not_utf8(raw: str) -> None:
    with pytest.raises(ValueError, match="utf-8"):
        header_value(raw)


def test_binary_mode() -> None:
    headers = {"content-type": "application/vnd.x+json", "ce-specversion": "1.0", "ce-id": "1", "host": "x"}
    mode, events = read_request(headers, b'{"body":{}}')
    assert mode == "binary"
    assert events == [
        {
            "specversion": "1.0",
            "id": "1",
            "datacontenttype": "application/vnd.x+json",
            "data": {"body": {}},
        }
    ]


@pytest.mark.parametrize(
    ("headers", "where"),
    [
        ({"content-type": "application/json"}, "ce-specversion"),
        ({"ce-specversion": "1.0", "ce-datacontenttype": "application/json"}, "ce-datacontenttype"),
        ({"ce-specversion": "1.0", "ce-id": "%FF"}, "ce-id"),
    ],
)
def test_binary_mode_refusals(headers: dict[str, str], where: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read_request(headers, b"{}")
    assert caught.value.reasons[0].where == where


@pytest.mark.parametrize(
    "content_type",
    [
        "application/cloudevents+xml",
        "application/cloudevents+avro",
        "application/cloudevents-batch+xml",
        "application/cloudevents+json; charset=latin-1",
    ],
)
def test_formats_that_are_not_read(content_type: str) -> None:
    with pytest.raises(UnsupportedFormat):
        read_request({"content-type": content_type}, b"[]")


def test_data() -> None:
    assert data_of({"data_base64": "eyJhIjoxfQ=="}) == {"a": 1}
    assert data_of({"data": {"a": 1}, "data_base64": None}) == {"a": 1}
    assert data_of({}) is None
    for event in ({"data_base64": "§"}, {"data_base64": 7}, {"data": 1, "data_base64": "MQ=="}):
        with pytest.raises(Unreadable):
            data_of(event)
