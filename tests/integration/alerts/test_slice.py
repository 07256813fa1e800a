"""The whole way: a score message in, a signed webhook out."""

from __future__ import annotations

from collections.abc import Callable

from tests.integration.alerts.conftest import Service, now, until
from tests.integration.alerts.receivers import WebhookReceiver
from tests.unit.alerts.builders import answer, cause, change, explained, scores


async def test_a_bad_answer_reaches_a_signed_webhook(
    service: Service, receiver: WebhookReceiver, unique: Callable[[str], str]
) -> None:
    customer, endpoint, council = unique("c"), unique("hook"), unique("region")
    await service.post("/v1/councils", {"id": council, "scope": {"region": [council]}}, 201)
    made = await service.post(
        "/v1/endpoints",
        {"id": endpoint, "kind": "webhook", "url": receiver.url, "councils": [council]},
        201,
    )
    bad = answer("a-" + customer, 2, when=now())
    await service.tell(
        change(
            1,
            scores(0.2),
            scores(0.7),
            customer,
            events=(bad,),
            causes=(cause("new", 2.0, "risk", bad.id),),
            contributions=explained((bad.id, 1.5)),
            region=council,
        )
    )
    alert = await service.alert(customer)
    assert alert["rule"] == "detractor-risk"
    assert alert["rules"] == ["detractor-risk", "detractor-answer"]
    assert [e["id"] for e in alert["reason"]["events"]] == [bad.id]

    async def arrived() -> bool:
        return bool(receiver.of(alert["id"]))

    await until(arrived)
    sent = [event for _, event in receiver.verified(made["secret"]) if event.get("subject") == alert["id"]]
    assert sent[0]["type"] == "cxloop.alert.opened.v1"
    assert sent[0]["data"]["version"] == 1
    assert sent[0]["data"]["customer"]["name"] == "Ann Example"
    delivered = await service.deliveries(alert["id"], "delivered")
    assert delivered[0]["attempts"][0]["outcome"] == "delivered"
