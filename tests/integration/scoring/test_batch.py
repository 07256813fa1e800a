"""A batch: once, whole, and to the bit what folding from empty gives."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

import asyncpg
import pytest

from services.scoring import measures
from services.scoring.store import events
from shared.events import Event, encode, rejections
from shared.events import scores as messages
from shared.events.scores import NOTHING_KNOWN
from tests.integration.scoring.kit import Room, event, raw_record, records, retraction, together

ANN = "email:ann@example.com"
ANN_ID = "user:ann"
BOB = "user:bob"


def story() -> list[Event]:
    """Two people, a ticket that changes hands, answers, an attribute told late, a retraction, a link."""
    return [
        event("ticket.opened", "t1", ANN, at=0, interaction="1", text="It is broken", account="acme"),
        event("ticket.message", "m1", at=3, interaction="1", message="1", author="agent", public=True),
        event("ticket.status", "s1", at=5, interaction="1", status="solved"),
        event("survey.answered", "a1", at=6, response="r1", metric="csat", score=2, scale=[1, 5], about="1"),
        event("survey.answered", "a2", ANN_ID, at=30, response="r2", metric="nps", score=3),
        event("survey.answered", "a3", ANN_ID, at=31, response="r2", metric="nps", score=9, revision=1),
        event("ticket.opened", "t2", BOB, at=10, interaction="2", text="And mine", account="acme"),
        event("ticket.updated", "u2", ANN_ID, at=40, interaction="2", priority="high"),
        event("customer.identified", "i1", ANN_ID, at=50, persona="admin", region="emea", name="Ann"),
        event("customer.linked", "l1", ANN, ANN_ID, at=60, reason="same person"),
        event("survey.answered", "a4", BOB, at=61, response="r4", metric="nps", score=0),
        retraction("x4", "a4", at=62),
        event("subscription.started", "s2", at=1, subscription="su", account="acme"),
    ]


async def check_linear(scoring: Room, *identifiers: str) -> None:
    for identifier in identifiers:
        row = await scoring.row(identifier)
        state, scores = await scoring.linear(identifier)
        assert row.state == state, identifier
        assert await scoring.score(identifier, row.scored_at, row.now) == scores


async def test_one_event_gives_a_customer_and_a_message(scoring: Room) -> None:
    tally = await scoring.fold(event("survey.answered", "a", BOB, response="r", metric="nps", score=2))
    assert tally["applied"] == 1
    found = await scoring.query("SELECT topic, key, body FROM scoring.outbox")
    [(topic, key, body)] = found
    change = messages.decode(body)
    assert topic == "cx.scores.v1"
    assert key.decode() == change.customer_id == await scoring.root(BOB)
    assert change.before == NOTHING_KNOWN and change.version > 0 and change.identifiers == (BOB,)
    assert [e.type for e in change.events] == ["survey.answered"]
    assert (await scoring.query("SELECT next_offset FROM scoring.progress")) == [(1,)]


async def test_a_batch_told_again_changes_nothing(scoring: Room) -> None:
    batch = records(story())
    await scoring.fold_records(batch)
    rows = "SELECT id, state, scores, version FROM scoring.customer ORDER BY id"
    before = await scoring.query(rows)
    sent = await scoring.query("SELECT count(*) FROM scoring.outbox")
    tally = await scoring.fold_records(batch)
    assert tally["doubled"] == len(batch) and not tally["applied"]
    assert before == await scoring.query(rows)
    assert sent == await scoring.query("SELECT count(*) FROM scoring.outbox")


@pytest.mark.parametrize("seed", range(6))
async def test_shuffled_doubled_and_cut_gives_the_linear_fold(scoring: Room, seed: int) -> None:
    dice = random.Random(seed)
    told = story() * 2
    dice.shuffle(told)
    while told:
        size = dice.randint(1, 6)
        await scoring.fold(*told[:size])
        told = told[size:]
    assert await scoring.root(ANN) == await scoring.root(ANN_ID)
    await check_linear(scoring, ANN, BOB)
    logged = await scoring.query("SELECT count(*), count(DISTINCT event_id) FROM scoring.event")
    assert logged == [(len(story()), len(story()))]
    owners = await scoring.query(
        "SELECT e.key, coalesce(c.merged_into, c.id)::text FROM scoring.episode AS e"
        " JOIN scoring.customer AS c ON c.id = e.owner WHERE e.kind = 'interaction'"
    )
    ann = await scoring.root(ANN)
    assert sorted(owners) == [("1", ann), ("2", ann)]


@pytest.mark.parametrize("room", [0, 700])
async def test_a_batch_that_would_read_too_much_is_halved(
    scoring: Room, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    monkeypatch.setattr("services.scoring.store.events.ROOM_BYTES", room)
    read: list[int] = []
    fitting = events.fitting

    def spied(rows: Sequence[asyncpg.Record], most: int | None) -> Sequence[asyncpg.Record]:
        found = fitting(rows, most)
        if most is not None:
            read.append(sum(len(row["body"] or b"") for row in found))
        return found

    monkeypatch.setattr("services.scoring.store.events.fitting", spied)
    told = story()
    random.Random(room).shuffle(told)
    await scoring.fold(*told[:7])
    before = measures.HALVED._value.get()
    await scoring.fold(*told[7:])
    assert measures.HALVED._value.get() > before
    assert max(read) <= room
    await check_linear(scoring, ANN, BOB)


async def test_order_of_arrival_leaves_no_trace_in_scores(own_database_url: str, scoring: Room) -> None:
    await scoring.fold(*story())
    row = await scoring.row(ANN)
    first = (row.state, row.attributes)
    names = await scoring.query(
        "SELECT relname FROM pg_class WHERE relnamespace = 'scoring'::regnamespace"
        " AND relkind IN ('r', 'p') AND NOT relispartition"
        " AND relname NOT IN ('policy', 'schema_version')"
    )
    await scoring.query("TRUNCATE " + ", ".join(f"scoring.{name}" for (name,) in names))
    for one in reversed(story()):
        await scoring.fold(one)
    row = await scoring.row(ANN)
    assert (row.state, row.attributes) == first


async def test_several_replicas_merge_the_same_customers_in_opposite_order(scoring: Room) -> None:
    people = [f"user:p{i}" for i in range(12)]
    await scoring.fold(
        *(
            event("survey.answered", f"a{p}", p, at=i, response=p, metric="nps", score=i % 11)
            for i, p in enumerate(people)
        )
    )
    links = [
        event("customer.linked", f"l{a}{b}", a, b, at=20, reason="test")
        for a, b in itertools.pairwise(people)
    ]
    tickets = [
        event("ticket.opened", f"t{p}", p, at=21, interaction=str(i % 3)) for i, p in enumerate(people)
    ]
    jobs = [[*links[:6], *tickets], [*reversed(links)], [*reversed(tickets), *links[3:]], [*links[::2]]]
    await together(*(scoring.fold(*job, partition=i) for i, job in enumerate(jobs)))
    roots = {await scoring.root(p) for p in people}
    assert roots == {await scoring.root(people[0])}
    await check_linear(scoring, people[3])
    assert await scoring.query("SELECT count(*) FROM scoring.event") == [(12 + len(links) + len(tickets),)]


async def test_a_link_taken_back_splits_the_customer(scoring: Room) -> None:
    ann = event("survey.answered", "a", ANN, at=0, response="1", metric="nps", score=9)
    bob = event("survey.answered", "b", BOB, at=1, response="2", metric="nps", score=1)
    await scoring.fold(ann, bob)
    alone = {who: (await scoring.row(who)).state for who in (ANN, BOB)}
    await scoring.fold(event("customer.linked", "l", ANN, BOB, at=2, reason="same"))
    merged = await scoring.root(ANN)
    assert await scoring.root(BOB) == merged
    await scoring.fold(retraction("x", "l", at=3))
    assert await scoring.root(ANN) != await scoring.root(BOB)
    assert {who: (await scoring.row(who)).state for who in (ANN, BOB)} == alone
    sent = [
        messages.decode(body)
        for (body,) in await scoring.query("SELECT body FROM scoring.outbox ORDER BY id")
    ]
    assert [m.merged_from for m in sent if m.merged_from] == [((await scoring.root(BOB)),)] or [
        m.merged_from for m in sent if m.merged_from
    ] == [((await scoring.root(ANN)),)]
    assert [m.split_from for m in sent if m.split_from] == [merged]


async def test_a_retraction_before_its_target_counts(scoring: Room) -> None:
    await scoring.fold(retraction("x", "a", at=5))
    await scoring.fold(
        event("survey.answered", "a", BOB, at=1, response="1", metric="nps", score=1),
        event("survey.answered", "b", BOB, at=2, response="2", metric="nps", score=9),
    )
    state = (await scoring.row(BOB)).state
    await check_linear(scoring, BOB)
    alone = event("survey.answered", "c", "user:other", at=2, response="3", metric="nps", score=9)
    await scoring.fold(alone)
    other = (await scoring.row("user:other")).state
    assert state is not None and other is not None and len(state) == len(other)


async def test_poison_is_listed_and_stops_nobody(scoring: Room) -> None:
    good = event("survey.answered", "a", BOB, response="1", metric="nps", score=1)
    newer = encode(good).replace(b"answered.v1", b"answered.v2")
    other = event("survey.answered", "a", BOB, response="1", metric="nps", score=2)
    batch = [
        raw_record(b"no json", 0),
        *records([good], 1),
        raw_record(newer, 2),
        *records([other], 3),
    ]
    tally = await scoring.fold_records(batch)
    assert (tally["applied"], tally["rejected"]) == (1, 3)
    bodies = await scoring.query("SELECT body FROM scoring.outbox WHERE topic = 'cx.rejected.v1' ORDER BY id")
    codes = {rejections.decode(body).reasons[0].code for (body,) in bodies}
    assert codes == {"malformed", "newer_version", "id_conflict"}
    tally = await scoring.fold_records(records([other], 4))
    assert tally["rejected"] == 1


async def test_an_earlier_receipt_of_the_same_counts(scoring: Room) -> None:
    late = event("survey.answered", "a", BOB, at=9, response="1", metric="nps", score=1)
    early = event("survey.answered", "a", BOB, at=4, response="1", metric="nps", score=1)
    await scoring.fold(late)
    first = (await scoring.row(BOB)).state
    tally = await scoring.fold(early)
    assert tally["earlier_receipt"] == 1
    assert (await scoring.row(BOB)).state != first
    await check_linear(scoring, BOB)
    tally = await scoring.fold(late)
    assert tally["doubled"] == 1
