"""Internal targets of webhooks, over HTTP: told at creation, and never by what they contain."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.integration.alerts.conftest import Service

Unique = Callable[[str], str]


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://2852039166/",
        "http://0xa9.0xfe.0xa9.0xfe/",
        "http://[::ffff:a9fe:a9fe]/",
        "http://[fd00:ec2::254]/",
        "http://10.0.0.1:8080/",
        "http://user:canary@good.example/",
        "http://good.example/\r\nx-evil: canary",
        "file:///etc/passwd",
    ],
)
async def test_an_internal_target_is_refused_where_it_is_given(
    service: Service, unique: Unique, url: str
) -> None:
    name = unique("hook")
    body = {"id": name, "kind": "webhook", "url": url}
    made = await service.client.post("/v1/endpoints", json=body)
    put = await service.client.put(f"/v1/endpoints/{name}", json=body)
    for answer in (made, put):
        assert answer.status_code == 400, answer.text
        assert answer.json()["type"] == "/problems/invalid_request"
        assert answer.json()["errors"]
        assert "canary" not in answer.text
    assert (await service.client.get(f"/v1/endpoints/{name}")).status_code == 404


async def test_an_allowed_one_is_taken(service: Service, unique: Unique) -> None:
    body = {"id": unique("hook"), "kind": "webhook", "url": "http://127.0.0.1:9/"}
    assert (await service.client.post("/v1/endpoints", json=body)).status_code == 201


async def test_a_name_is_not_resolved_when_it_is_given(service: Service, unique: Unique) -> None:
    body = {"id": unique("hook"), "kind": "webhook", "url": "http://not-there-yet.example/"}
    assert (await service.client.post("/v1/endpoints", json=body)).status_code == 201
