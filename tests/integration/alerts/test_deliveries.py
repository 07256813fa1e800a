"""Deliveries against real receivers that behave well and badly."""

# ruff: noqa: ANN401 - fields of a body

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from standardwebhooks import Webhook
from starlette.responses import RedirectResponse, Response

from services.alerts.api.endpoints import new_secret
from services.alerts.api.state import State
from services.alerts.store import setup
from tests.integration.alerts.conftest import Service, now, running, until
from tests.integration.alerts.receivers import MailBox, WebhookReceiver
from tests.unit.alerts.builders import answer, change, scores

Unique = Callable[[str], str]


async def council(service: Service, unique: Unique, **more: Any) -> str:
    """A council of its own region, so that tests do not hear each other."""
    name = unique("region")
    body = {"id": name, "name": name, "scope": {"region": [name]}} | more
    await service.post("/v1/councils", body, 201)
    return name


async def endpoint(service: Service, unique: Unique, region: str, **more: Any) -> dict[str, Any]:
    body = {"id": unique("ep"), "kind": "webhook", "councils": [region]} | more
    made: dict[str, Any] = await service.post("/v1/endpoints", body, 201)
    return made


async def opened(service: Service, unique: Unique, region: str) -> dict[str, Any]:
    customer = unique("c")
    given = answer("a-" + customer, 2, when=now())
    await service.tell(change(1, scores(), scores(), customer, events=(given,), region=region))
    return await service.alert(customer)


async def hasten(service: Service, delivery: str) -> None:
    """The next attempt is due now."""
    await service.sql("UPDATE alerts.delivery SET next_at = now() WHERE id = $1", delivery)


async def attempts(service: Service, delivery: str, count: int) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        row: dict[str, Any] = await service.get(f"/v1/deliveries/{delivery}")
        return row if len(row["attempts"]) >= count else None

    found: dict[str, Any] = await until(look)
    return found


async def test_failures_are_retried_under_the_same_id(
    service: Service, unique: Unique, receiver: WebhookReceiver
) -> None:
    region = await council(service, unique)
    made = await endpoint(service, unique, region, url=receiver.url)
    receiver.answers += [
        Response(status_code=500),
        RedirectResponse("http://127.0.0.1:1/else"),
        Response(status_code=503, headers={"retry-after": "7200"}),
    ]
    alert = await opened(service, unique, region)
    (row,) = await service.deliveries(alert["id"], "pending")
    for count in (1, 2, 3):
        row = await attempts(service, row["id"], count)
        if count < 3:
            await hasten(service, row["id"])
    waits = await service.sql(
        "SELECT extract(epoch FROM next_at - now()) AS s FROM alerts.delivery WHERE id = $1", row["id"]
    )
    assert 7000 < waits[0]["s"] <= 7200
    await hasten(service, row["id"])
    row = await attempts(service, row["id"], 4)
    assert [a["outcome"] for a in row["attempts"]] == ["http_error", "redirect", "http_error", "delivered"]
    assert [a.get("status") for a in row["attempts"]] == [500, 307, 503, 204]
    assert row["state"] == "delivered"
    heard = receiver.verified(made["secret"])
    assert {name for name, _ in heard} == {row["id"]}
    times = [int(headers["webhook-timestamp"]) for headers, _ in receiver.requests]
    assert times == sorted(times)


async def test_410_disables_and_put_switches_on_again(
    service: Service, unique: Unique, receiver: WebhookReceiver
) -> None:
    region = await council(service, unique)
    made = await endpoint(service, unique, region, url=receiver.url)
    receiver.answers.append(Response(status_code=410))
    alert = await opened(service, unique, region)
    await service.deliveries(alert["id"], "dead")
    shown = await service.get(f"/v1/endpoints/{made['id']}")
    assert (shown["enabled"], shown["disabled_reason"]) == (False, "the receiver answered 410")
    await service.post(f"/v1/alerts/{alert['id']}/acknowledge", {"by": "ann"})
    assert len(receiver.of(alert["id"])) == 1
    body = {"kind": "webhook", "url": receiver.url, "councils": [region]}
    response = await service.client.put(f"/v1/endpoints/{made['id']}", json=body)
    assert (response.status_code, response.json()["enabled"], response.json()["secret"]) == (200, True, None)
    await service.post(f"/v1/alerts/{alert['id']}/assign", {"by": "ann", "to": "bob"})
    await service.deliveries(alert["id"], "delivered")
    receiver.verified(made["secret"])


async def test_versions_arrive_in_their_order(
    service: Service, unique: Unique, receiver: WebhookReceiver
) -> None:
    region = await council(service, unique)
    await endpoint(service, unique, region, url=receiver.url)
    alert = await opened(service, unique, region)
    for verb in ("acknowledge", "act", "resolve"):
        await service.post(f"/v1/alerts/{alert['id']}/{verb}", {"by": "ann"})

    async def all_there() -> bool:
        return len(receiver.of(alert["id"])) >= 4

    await until(all_there)
    events = receiver.of(alert["id"])
    assert [event["data"]["version"] for event in events] == [1, 2, 3, 4]
    assert [event["type"].split(".")[2] for event in events] == ["opened", "acknowledged", "acted", "updated"]


async def test_a_receiver_that_hangs_holds_up_nobody_else(
    service: Service, unique: Unique, receiver: WebhookReceiver
) -> None:
    region = await council(service, unique)
    async with WebhookReceiver() as slow:
        slow.hang.clear()
        stuck = await endpoint(service, unique, region, url=slow.url)
        for _ in range(6):
            await service.post(f"/v1/endpoints/{stuck['id']}/test", {}, 202)
        await endpoint(service, unique, region, url=receiver.url)
        alert = await opened(service, unique, region)

        async def arrived() -> bool:
            return bool(receiver.of(alert["id"]))

        await until(arrived, 5)
        assert len(slow.requests) <= 4
        slow.hang.set()


async def test_after_a_rotation_both_secrets_verify(
    service: Service, unique: Unique, receiver: WebhookReceiver
) -> None:
    region = await council(service, unique)
    made = await endpoint(service, unique, region, url=receiver.url, detail="reference")
    rotated = await service.post(f"/v1/endpoints/{made['id']}/rotate", {})
    alert = await opened(service, unique, region)
    await service.deliveries(alert["id"], "delivered")
    (headers, body), *_ = receiver.requests
    for secret in (made["secret"], rotated["secret"]):
        Webhook(secret).verify(body, headers)
    assert b"Ann Example" not in body
    assert b"You lost us" not in body
    assert len(body) < 20_000


async def test_redelivery_and_test_events(
    service: Service, unique: Unique, receiver: WebhookReceiver
) -> None:
    region = await council(service, unique)
    made = await endpoint(service, unique, region, url=receiver.url)
    row = await service.post(f"/v1/endpoints/{made['id']}/test", {}, 202)
    row = await attempts(service, row["id"], 1)
    await service.post(f"/v1/deliveries/{row['id']}/redeliver", {}, 202)
    row = await attempts(service, row["id"], 2)
    assert row["state"] == "delivered"
    heard = receiver.verified(made["secret"])
    assert [name for name, _ in heard] == [row["id"]] * 2
    assert heard[0][1]["type"] == "cxloop.endpoint.test.v1"
    await service.post("/v1/deliveries/nope/redeliver", {}, 404)
    await service.post("/v1/endpoints/nope/test", {}, 404)


async def test_the_schedule_ends_as_a_dead_letter(service: Service, unique: Unique) -> None:
    region = await council(service, unique)
    made = await endpoint(service, unique, region, url="http://127.0.0.1:9/closed")
    row = await service.post(f"/v1/endpoints/{made['id']}/test", {}, 202)
    row = await attempts(service, row["id"], 1)
    assert row["attempts"][0] | {"at": ""} == {
        "at": "",
        "outcome": "unreachable",
        "status": None,
        "detail": "connection refused",
    }
    await service.sql("UPDATE alerts.delivery SET step = 9, next_at = now() WHERE id = $1", row["id"])
    row = await attempts(service, row["id"], 2)
    assert (row["state"], row["next_at"]) == ("dead", None)


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.1/",
        "http://[::1]:1/",
        "http://[::ffff:169.254.169.254]/",
        "http://0x0a000001/",
        "http://167772161/",
        "https://192.168.1.1/",
        "http://[fe80::1]/",
    ],
)
async def test_internal_targets_are_refused(service: Service, unique: Unique, url: str) -> None:
    """When they are given (test_targets.py), and at the delivery if one was stored all the same."""
    name = unique("ep")
    state: State = service.app.state.alerts
    async with state.writing() as connection:
        await setup.put_endpoint(
            connection, state.box, name, "webhook", url, [unique("nobody")], "full", new_secret()
        )
    row = await service.post(f"/v1/endpoints/{name}/test", {}, 202)
    row = await attempts(service, row["id"], 1)
    assert row["attempts"][0]["outcome"] == "refused"
    assert "CXLOOP_ALLOW_TARGETS" in row["attempts"][0]["detail"]


async def test_mail_reaches_a_real_server(
    own_database_url: str, kafka: str, unique: Unique, mail_box: MailBox
) -> None:
    settings = {"smtp_url": mail_box.url, "smtp_from": "cx@example.com"}
    async with running(own_database_url, kafka, consumer_group=unique("alerts"), **settings) as service:
        sponsor = {"name": "Sue", "email": "sue@example.com"}
        region = await council(service, unique, sponsor=sponsor)
        made = await endpoint(service, unique, region, kind="email", to="team@example.com")
        assert (made["to"], made["secret"]) == (["team@example.com"], None)
        alert = await opened(service, unique, region)
        (row,) = await service.deliveries(alert["id"], "delivered")
        (mail,) = (mail for mail in mail_box.mails if mail["To"] == "team@example.com")
        assert mail["Message-ID"] == f"<{row['id']}@alerts.cxloop>"
        assert mail["Subject"].startswith("[medium] New alert: Bad answer to a survey")
        text, html = (part.get_content() for part in mail.iter_parts())
        assert "You lost us." in text
        assert "You lost us." in html
        await service.sql(
            "UPDATE alerts.alert SET next_at = 0,"
            " body = convert_to(jsonb_set(jsonb_set(convert_from(body, 'UTF8')::jsonb, '{next_at}', '0'),"
            " '{clock_from}', '0')::text, 'UTF8') WHERE id = $1",
            alert["id"],
        )

        async def told() -> bool:
            return any(mail["To"] == "sue@example.com" for mail in mail_box.mails)

        await until(told)
        assert any("Escalated" in mail["Subject"] for mail in mail_box.mails)
        mail_box.refuse = "550 no such person"
        row = await service.post(f"/v1/endpoints/{made['id']}/test", {}, 202)
        row = await attempts(service, row["id"], 1)
        assert (row["state"], row["attempts"][0]["outcome"]) == ("dead", "rejected")


async def test_without_a_mail_server_the_log_says_so(service: Service, unique: Unique) -> None:
    made = await endpoint(service, unique, unique("nobody"), kind="email", to=["a@example.com"])
    row = await service.post(f"/v1/endpoints/{made['id']}/test", {}, 202)
    row = await attempts(service, row["id"], 1)
    assert row["attempts"][0]["outcome"] == "not_configured"
    assert "CXLOOP_SMTP_URL" in row["attempts"][0]["detail"]


async def test_everything_else_goes_through_the_library(
    service: Service, unique: Unique, receiver: WebhookReceiver
) -> None:
    region = await council(service, unique)
    url = receiver.url.replace("http://", "json://")
    await endpoint(service, unique, region, kind="notify", url=url)
    alert = await opened(service, unique, region)
    await service.deliveries(alert["id"], "delivered")
    (_, body), *_ = receiver.requests
    note = json.loads(body)
    assert note["title"].startswith("[medium] New alert")
    assert "You lost us." in note["message"]


async def test_the_library_is_guarded_too(service: Service, unique: Unique) -> None:
    made = await endpoint(service, unique, unique("nobody"), kind="notify", url="json://10.0.0.1/x")
    row = await service.post(f"/v1/endpoints/{made['id']}/test", {}, 202)
    row = await attempts(service, row["id"], 1)
    assert row["attempts"][0]["outcome"] == "refused"


async def test_deleting_an_endpoint_cancels_what_waits(service: Service, unique: Unique) -> None:
    region = await council(service, unique)
    made = await endpoint(service, unique, region, url="http://127.0.0.1:9/closed")
    alert = await opened(service, unique, region)
    (row,) = await service.deliveries(alert["id"], "pending")
    await attempts(service, row["id"], 1)
    assert (await service.client.delete(f"/v1/endpoints/{made['id']}")).status_code == 204
    (row,) = await service.deliveries(alert["id"], "cancelled")
    assert row["endpoint"] == made["id"]
