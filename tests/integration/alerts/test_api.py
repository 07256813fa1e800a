"""HTTP of alerts, as the contract says it."""

# ruff: noqa: ANN401 - fields of a message

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.runtime.auth import Scope
from tests.integration.alerts.conftest import Service, now
from tests.unit.alerts.builders import answer, change, scores

Unique = Callable[[str], str]


async def opened(service: Service, unique: Unique, **more: Any) -> dict[str, Any]:
    """A fresh customer with an open alert."""
    customer = unique("c")
    given = answer("a-" + customer, 2, when=now())
    await service.tell(change(1, scores(), scores(), customer, events=(given,), **more))
    return await service.alert(customer)


async def test_the_whole_life(service: Service, unique: Unique) -> None:
    alert = await opened(service, unique)
    path, customer = f"/v1/alerts/{alert['id']}", alert["customer_id"]
    assert alert["severity"] == "medium"
    assert alert["url"] == f"https://alerts.example.com/v1/alerts/{alert['id']}"
    for verb, body, state in (
        ("acknowledge", {"by": "ann"}, "acknowledged"),
        ("assign", {"by": "ann", "to": "bob"}, "assigned"),
        ("act", {"by": "bob", "action": "called", "note": "spoke for an hour"}, "acted"),
        ("resolve", {"by": "bob"}, "verifying"),
    ):
        alert = await service.post(f"{path}/{verb}", body)
        assert alert["state"] == state
    assert alert["owner"] == "bob"
    assert [line["what"] for line in alert["history"]] == [
        "opened",
        "acknowledged",
        "assigned",
        "acted",
        "resolved",
    ]
    await service.tell(change(2, customer=customer, events=(answer("g-" + customer, 9, when=now()),)))
    verified = await service.alert(customer, "verified")
    assert verified["version"] == 6
    assert (await service.get(path)) == verified
    again = await service.post(f"{path}/reopen", {"by": "ann"})
    assert again["state"] == "open"


async def test_impossible_steps_and_stale_versions(service: Service, unique: Unique) -> None:
    alert = await opened(service, unique)
    path = f"/v1/alerts/{alert['id']}"
    problem = await service.post(f"{path}/resolve", {"by": "ann"}, 409)
    assert problem["type"] == "/problems/conflict"
    stale = await service.post(f"{path}/acknowledge", {"by": "ann"}, 412, headers={"if-match": '"7"'})
    assert stale["type"] == "/problems/stale"
    fresh = await service.client.post(
        f"{path}/acknowledge", json={"by": "ann"}, headers={"if-match": f'"{alert["version"]}"'}
    )
    assert fresh.status_code == 200
    assert fresh.headers["etag"] == '"2"'
    await service.post(f"{path}/acknowledge", {"by": "ann"}, 409)
    await service.post("/v1/alerts/nope/acknowledge", {"by": "ann"}, 404)
    await service.post(f"{path}/celebrate", {"by": "ann"}, 404)


@pytest.mark.parametrize(
    ("verb", "body", "where"),
    [
        ("acknowledge", {}, "/by"),
        ("acknowledge", {"by": ""}, "/by"),
        ("dismiss", {"by": "ann"}, "/reason"),
        ("dismiss", {"by": "ann", "reason": "bored"}, "/reason"),
        ("snooze", {"by": "ann"}, "/until"),
        ("snooze", {"by": "ann", "until": "2020-01-01T00:00:00Z"}, "/until"),
        ("snooze", {"by": "ann", "until": "tomorrow"}, "/until"),
        ("act", {"by": "ann", "note": 7}, "/note"),
    ],
)
async def test_faulty_actions(
    service: Service, unique: Unique, verb: str, body: dict[str, Any], where: str
) -> None:
    problem = await service.post(f"/v1/alerts/any/{verb}", body, 400)
    assert where in [error["where"] for error in problem["errors"]]


async def test_lists_filters_and_pages(service: Service, unique: Unique) -> None:
    account = unique("acc")
    made = [(await opened(service, unique, account_id=account))["id"] for _ in range(3)]
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = await service.get("/v1/alerts", account_id=account, limit=2, **cursor)
        seen += [alert["id"] for alert in page["items"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert sorted(seen) == sorted(made)
    count = len((await service.get("/v1/alerts", account_id=account, state="open,acted"))["items"])
    assert count == 3
    one = await service.get("/v1/alerts", account_id=account, rule="detractor-answer", severity="medium,high")
    assert len(one["items"]) == 3
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert (await service.get("/v1/alerts", account_id=account, since=later))["items"] == []
    for query in ("state=nope", "severity=awful", "limit=201", "cursor=junk", "since=yesterday"):
        response = await service.client.get(f"/v1/alerts?{query}")
        assert response.status_code == 400, query
        assert response.headers["content-type"] == "application/problem+json"


async def test_keys_and_scopes(service: Service) -> None:
    bare = {"authorization": ""}
    for method, path in (("GET", "/v1/alerts"), ("POST", "/v1/endpoints"), ("GET", "/v1/rules")):
        assert (await service.client.request(method, path, headers=bare)).status_code == 401
    key = await service.app.state.api_keys.create("reader", [Scope.read])
    reader = {"authorization": f"Bearer {key}"}
    assert (await service.client.get("/v1/alerts", headers=reader)).status_code == 200
    body = {"by": "ann"}
    response = await service.client.post("/v1/alerts/x/acknowledge", json=body, headers=reader)
    assert response.status_code == 403
    response = await service.client.put("/v1/councils/x", json={}, headers=reader)
    assert response.status_code == 403


async def test_councils(service: Service, unique: Unique) -> None:
    region, name = unique("region"), unique("council")
    body = {
        "id": name,
        "name": "The north",
        "sponsor": {"name": "Sue", "email": "sue@example.com"},
        "members": [{"name": "Bob", "email": "bob@example.com", "role": "lead"}],
        "scope": {"region": [region]},
    }
    made = await service.post("/v1/councils", body, 201)
    assert made["scope"] == {"region": [region]}
    assert made["members"][0]["role"] == "lead"
    await service.post("/v1/councils", body, 409)
    alert = await opened(service, unique, region=region)
    assert alert["council"] == name
    assert (await opened(service, unique))["council"] == "default"
    listed = await service.get("/v1/alerts", council=name)
    assert [item["id"] for item in listed["items"]] == [alert["id"]]
    replaced = await service.client.put(f"/v1/councils/{name}", json={"name": "South"})
    assert replaced.status_code == 200
    assert replaced.json()["members"] == []
    assert (await service.client.delete(f"/v1/councils/{name}")).status_code == 204
    assert (await service.client.get(f"/v1/councils/{name}")).status_code == 404
    assert (await service.client.delete("/v1/councils/default")).status_code == 409
    assert "default" in [c["id"] for c in (await service.get("/v1/councils"))["items"]]


async def test_rules(service: Service, unique: Unique) -> None:
    ids = [rule["id"] for rule in (await service.get("/v1/rules"))["items"]]
    assert {"detractor-answer", "detractor-risk", "sudden-fall", "promise-broken", "cancel-scheduled"} <= set(
        ids
    )
    name = unique("rule")
    body = {
        "title": "Wrote a review",
        "suggestion": "Read it",
        "driver": "advocacy",
        "severity": "low",
        "when": {"kind": "happened", "types": ["review.posted"]},
    }
    assert (await service.client.put(f"/v1/rules/{name}", json=body)).status_code == 201
    assert (await service.client.put(f"/v1/rules/{name}", json=body)).status_code == 200
    assert (await service.get(f"/v1/rules/{name}"))["when"]["types"] == ["review.posted"]
    fault = await service.client.put(f"/v1/rules/{name}", json=body | {"when": {"kind": "level"}})
    assert fault.status_code == 400
    assert "/when/score" in [error["where"] for error in fault.json()["errors"]]
    assert (await service.client.delete(f"/v1/rules/{name}")).status_code == 204
    assert (await service.client.get(f"/v1/rules/{name}")).status_code == 404


async def test_endpoints_show_a_secret_once(service: Service, unique: Unique) -> None:
    name = unique("hook")
    body = {"id": name, "kind": "webhook", "url": "https://example.com/hook", "councils": [unique("none")]}
    made = await service.post("/v1/endpoints", body, 201)
    assert made["secret"].startswith("whsec_")
    assert (await service.get(f"/v1/endpoints/{name}"))["secret"] is None
    await service.post("/v1/endpoints", body, 409)
    rotated = await service.post(f"/v1/endpoints/{name}/rotate", {})
    assert rotated["secret"] not in ("", made["secret"])
    rows = await service.sql("SELECT target, secret FROM alerts.endpoint WHERE id = $1", name)
    assert b"example.com" not in rows[0]["target"]
    assert rotated["secret"].encode() not in rows[0]["secret"]
    assert (await service.client.delete(f"/v1/endpoints/{name}")).status_code == 204
    assert (await service.client.get(f"/v1/endpoints/{name}")).status_code == 404
    problem = await service.post("/v1/endpoints", {"id": name, "kind": "webhook", "url": "ftp://x"}, 400)
    assert problem["type"] == "/problems/invalid_request"
    notify = {"id": name, "kind": "notify", "url": "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#c"}
    assert (await service.post("/v1/endpoints", notify, 201))["url"] == "slack://…"
    await service.post("/v1/endpoints", notify | {"id": unique("n"), "url": "nope://x"}, 400)
    assert (await service.client.delete(f"/v1/endpoints/{name}")).status_code == 204


async def test_a_second_alert_about_the_same_goes_on_in_the_reopened_one(
    service: Service, unique: Unique
) -> None:
    alert = await opened(service, unique)
    dismissed = {"by": "ann", "reason": "known"}
    await service.post(f"/v1/alerts/{alert['id']}/dismiss", dismissed)
    customer = alert["customer_id"]
    await service.tell(change(2, customer=customer, events=(answer("b-" + customer, 1, when=now()),)))
    second = await service.alert(customer)
    assert second["id"] != alert["id"]
    again = await service.post(f"/v1/alerts/{alert['id']}/reopen", {"by": "ann"})
    assert again["state"] == "open"
    closed = await service.get(f"/v1/alerts/{second['id']}")
    assert (closed["state"], closed["merged_into"]) == ("merged", alert["id"])
    await service.post(f"/v1/alerts/{second['id']}/reopen", {"by": "ann"}, 409)


async def test_health_metrics_and_openapi(service: Service) -> None:
    bare = {"authorization": ""}
    for path in ("/livez", "/readyz", "/openapi.json"):
        response = await service.client.get(path, headers=bare)
        assert response.status_code == 200, response.text
    assert (await service.client.get("/metrics", headers=bare)).status_code == 401
    response = await service.client.get("/metrics")
    assert "cxloop_alerts_changes_total" in response.text
