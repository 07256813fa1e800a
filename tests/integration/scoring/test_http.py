"""Reads over HTTP, on a real database: shapes, times, errors."""

from __future__ import annotations

import itertools
from datetime import datetime

import pytest

from tests.integration.scoring.caller import NUMBERS, Api, Json, at
from tests.integration.scoring.kit import event, retraction


async def test_score_and_its_times(api: Api, ann: str) -> None:
    now = await api.get(f"/v1/customers/{ann}/score")
    assert now["customer_id"] == ann
    assert {"as_of", "known_at", "policy", "model", *NUMBERS} <= now.keys()
    assert now["risk"]["horizon_days"] > 0 and now["health"]["state"] == "known"
    past = await api.get(f"/v1/customers/{ann}/score", as_of=at(4.5))
    assert past["as_of"] == at(4.5) and past["health"] != now["health"]
    then = {"as_of": now["as_of"], "known_at": now["known_at"]}
    again = await api.get(f"/v1/customers/{ann}/score", **then)
    assert again == now
    ahead = await api.get(f"/v1/customers/{ann}/score", as_of="2032-01-01T00:00:00Z")
    assert ahead["health"]["state"] == "unknown" and ahead["health"]["value"] is None
    assert ahead["health"]["needs"]


async def test_pinned_reads_have_an_etag(api: Api, ann: str) -> None:
    known_at = (await api.get(f"/v1/customers/{ann}"))["scored_at"]
    query = {"as_of": at(9), "known_at": known_at}
    first = await api.client.get(f"/v1/customers/{ann}/score", params=query)
    tag = first.headers["etag"]
    second = await api.client.get(f"/v1/customers/{ann}/score", params=query, headers={"if-none-match": tag})
    assert (second.status_code, second.content) == (304, b"")
    later = await api.client.get(
        f"/v1/customers/{ann}/score", params=query | {"known_at": "2090-01-01T00:00:00Z"}
    )
    assert "etag" not in later.headers, "more may become known before then"


@pytest.mark.parametrize(
    ("path", "query", "status", "where"),
    [
        ("/v1/customers/{}/score", {"as_of": "1999-12-31T00:00:00Z"}, 400, "?as_of"),
        ("/v1/customers/{}/score", {"as_of": "2026-01-01"}, 400, "?as_of"),
        ("/v1/customers/{}/score", {"known_at": "yesterday"}, 400, "?known_at"),
        ("/v1/customers/{}/history", {"step": "1 day"}, 400, "?step"),
        ("/v1/customers/{}/history", {"step": "PT1S"}, 400, "?step"),
        ("/v1/customers/{}/history", {"tz": "Mars/Base"}, 400, "?tz"),
        ("/v1/customers/{}/history", {"to": "0001-01-01T00:00:00Z"}, 400, "?to"),
        ("/v1/customers/{}/timeline", {"order": "up"}, 400, "?order"),
        ("/v1/customers/{}/timeline", {"cursor": "nonsense"}, 400, "?cursor"),
        ("/v1/customers", {"sort": "name"}, 400, "?sort"),
        ("/v1/customers", {"limit": 201}, 400, "?limit"),
        ("/v1/customers", {"risk_min": 2}, 400, "?risk_min"),
        ("/v1/lookup", {"identifier": "nobody"}, 400, "?identifier"),
        ("/v1/lookup", {"identifier": "user:nobody"}, 404, None),
        ("/v1/customers/unknown/score", {}, 404, None),
        ("/v1/accounts/{}/score", {}, 404, None),
        ("/v1/events/unknown", {}, 404, None),
    ],
)
async def test_errors(api: Api, ann: str, path: str, query: Json, status: int, where: str | None) -> None:
    problem = await api.get(path.format(ann), status, **query)
    assert problem["status"] == status and problem["type"].startswith("/problems/")
    if where:
        assert [error["where"] for error in problem["errors"]] == [where]


async def test_an_explanation_sums_exactly(api: Api, ann: str) -> None:
    for path in (
        f"/v1/customers/{ann}",
        f"/v1/accounts/{(await api.get(f'/v1/customers/{ann}'))['account_id']}",
    ):
        told = await api.get(f"{path}/explanation", as_of=at(30))
        for name in NUMBERS:
            one = told[name]
            nano = [round(c["points"] * 1e9) for c in one["contributions"]]
            for contribution, points in zip(one["contributions"], nano, strict=True):
                assert sum(round(e["points"] * 1e9) for e in contribution["events"]) == points
            if one["value"] is not None:
                assert round(one["value"] * 1e9) - round(one["baseline"] * 1e9) == sum(nano)
        assert any(told[name]["contributions"] for name in NUMBERS)


async def test_changes_name_their_causes_and_join(api: Api, ann: str) -> None:
    items = (await api.get(f"/v1/customers/{ann}/changes", limit=200))["items"]
    assert items == sorted(items, key=lambda i: i["at"], reverse=True)
    health = [i for i in items if i["score"] == "health"]
    causes = {c["cause"] for i in health for c in i["causes"]}
    assert {"new", "time"} <= causes
    for later, earlier in itertools.pairwise(health):
        if later["before"] is not None and earlier["after"] is not None:
            assert later["before"] == earlier["after"]
    paged: list[Json] = []
    cursor: str | None = None
    while True:
        page = await api.get(
            f"/v1/customers/{ann}/changes", 200, limit=1, **({"cursor": cursor} if cursor else {})
        )
        paged += page["items"]
        cursor = page["next"]
        if cursor is None:
            break
    # The newest step ends at the time of reading, so it is another one in each of the two reads.
    settled = {i["at"] for i in items} - {items[0]["at"]}
    assert [p for p in paged if p["at"] in settled] == [i for i in items if i["at"] in settled]


async def test_history_steps_by_the_calendar(api: Api, ann: str) -> None:
    found = await api.get(
        f"/v1/customers/{ann}/history",
        200,
        **{
            "from": "2026-03-02T09:00:00Z",
            "to": "2026-04-11T09:00:00Z",
            "step": "P1W",
            "tz": "Europe/Berlin",
        },
    )
    times = [datetime.fromisoformat(p["at"]) for p in found["points"]]
    assert len(times) == 6
    gaps = [(b - a).total_seconds() / 3600 for a, b in itertools.pairwise(times)]
    assert gaps.count(24 * 7 - 1) == 1, "one of the weeks has the switch to summer time"
    found = await api.get(f"/v1/customers/{ann}/history", 200, **{"from": at(0), "step": "PT12H"})
    point = found["points"][2]
    exact = await api.get(f"/v1/customers/{ann}/score", as_of=point["at"])
    assert (exact["health"]["value"], exact["health"]["band"]) == (point["value"], point["band"])


async def test_timeline_pages_both_ways(api: Api, ann: str) -> None:
    whole = (await api.get(f"/v1/customers/{ann}/timeline"))["items"]
    assert [i["type"].split(".")[1] for i in whole][:3] == ["customer", "ticket", "ticket"]
    assert all({"id", "type", "time", "recorded", "source", "summary"} <= i.keys() for i in whole)
    found: list[Json] = []
    cursor: Json = {}
    while True:
        page = await api.get(f"/v1/customers/{ann}/timeline", 200, order="desc", limit=2, **cursor)
        found += page["items"]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert [i["id"] for i in found] == [i["id"] for i in reversed(whole)]
    only = (await api.get(f"/v1/customers/{ann}/timeline", type="survey.answered"))["items"]
    assert {i["type"] for i in only} == {"cxloop.survey.answered.v1"}


async def test_lists_and_details(api: Api, ann: str) -> None:
    await api.room.fold(
        *(
            event("survey.answered", f"l{i}", f"user:l{i}", at=1, response=str(i), metric="nps", score=i)
            for i in range(5)
        )
    )
    items = (await api.get("/v1/customers"))["items"]
    assert items[0]["customer_id"] == ann and len(items) == 6
    item = items[0]
    assert (item["name"], item["region"], item["persona"], item["owner"]) == ("Ann", "emea", "admin", "olga")
    assert item["identifiers"] == ["user:ann", "email:ann@example.com"] and item["value"] == 120_000
    assert item["risk"]["value"] > 0 and item["value_at_risk"] > 0
    for query in (
        {"q": "ann@"},
        {"region": "emea"},
        {"account": "acme"},
        {"owner": "olga"},
        {"risk_min": 0.01},
    ):
        assert [i["customer_id"] for i in (await api.get("/v1/customers", **query))["items"]] == [ann]
    first = await api.get("/v1/customers", sort="health", limit=4)
    rest = await api.get("/v1/customers", sort="health", limit=4, cursor=first["next"])
    assert {i["customer_id"] for i in first["items"] + rest["items"]} == {i["customer_id"] for i in items}
    assert rest["next"] is None
    detail = await api.get(f"/v1/customers/{ann}")
    assert detail["customer_id"] == ann and len(detail["leaves"]) == 2
    account = await api.get(f"/v1/accounts/{detail['account_id']}")
    assert account["identifiers"] == ["account:acme"]
    people = await api.get(f"/v1/accounts/{detail['account_id']}/customers")
    assert [i["customer_id"] for i in people["items"]] == [ann]
    summary = await api.get("/v1/summary")
    assert (summary["customers"], summary["unknown"], summary["currency"]) == (6, 5, "EUR")


async def test_single_events_and_policies(api: Api, ann: str) -> None:
    timeline = (await api.get(f"/v1/customers/{ann}/timeline"))["items"]
    found = await api.get(f"/v1/events/{timeline[1]['id']}")
    assert found["customer_id"] == ann and found["state"] == "applied"
    assert found["event"]["type"] == "cxloop.ticket.opened.v1"
    for name, state in (("b", "superseded"), ("c", "applied"), ("d", "retracted")):
        sent = event("survey.answered", name, response="1", metric="nps")
        told = (await api.get(f"/v1/events/{sent.id}"))["state"]
        assert told == state
    policies = (await api.get("/v1/policies"))["items"]
    assert [p["in_force"] for p in policies] == [True]
    policy = await api.get(f"/v1/policies/{policies[0]['id']}")
    assert policy["files"]


async def test_many_scores_at_once(api: Api, ann: str) -> None:
    body = {"customer_ids": [ann, "unknown"], "identifiers": ["email:ann@example.com", "user:x", "bad"]}
    answer = await api.client.post("/v1/scores", json=body | {"as_of": at(30)})
    items = answer.json()["items"]
    assert [i.get("error", {}).get("status") for i in items] == [None, 404, None, 404, 400]
    assert items[0]["health"] == items[2]["health"]
    assert (await api.client.post("/v1/scores", json={})).status_code == 400


async def test_old_ids_keep_answering(api: Api, ann: str) -> None:
    await api.room.fold(
        event("survey.answered", "o", "user:other", at=1, response="o", metric="nps", score=4)
    )
    other = (await api.get("/v1/lookup", identifier="user:other"))["customer_id"]
    await api.room.fold(event("customer.linked", "l", "user:ann", "user:other", at=9, reason="same"))
    found = await api.get(f"/v1/customers/{other}/score")
    assert found["customer_id"] == ann
    before = await api.get(
        f"/v1/customers/{other}/score", known_at=(await api.get(f"/v1/customers/{other}"))["scored_at"]
    )
    assert before["customer_id"] == ann
    await api.room.fold(retraction("xl", "l", at=10))
    assert (await api.get(f"/v1/customers/{other}/score"))["customer_id"] == other


async def test_a_key_is_needed(api: Api) -> None:
    answer = await api.client.get("/v1/customers", headers={"authorization": "Bearer cxk_nothing"})
    assert answer.status_code == 401
