"""What moves without events: time, the policy, and accounts that follow their people."""

from __future__ import annotations

import msgspec
import pytest

from services.scoring import accounts, rebuild
from services.scoring.accounts import MovedError, roll_up
from services.scoring.comparison import EPISODES, Difference, compare
from services.scoring.domain.model import Model
from services.scoring.engine import Engine
from services.scoring.maintenance import make_partitions, quarter
from services.scoring.store import policies
from services.scoring.sweeper import Sweeper, rescore, sweep
from shared.db.engine import driver
from shared.events import scores as messages
from shared.events.scores import ScoreChange
from shared.events.times import DAY, Micros
from tests.integration.scoring.kit import START, Room, event

ANN, BOB = "user:ann", "user:bob"


async def sent(scoring: Room) -> list[ScoreChange]:
    """Messages since the last look."""
    rows = await scoring.query("DELETE FROM scoring.outbox WHERE topic = 'cx.scores.v1' RETURNING body, id")
    return [messages.decode(body) for body, _ in sorted(rows, key=lambda row: row[1])]


async def ago(scoring: Room, by: Micros) -> None:
    """As if all that was said had been said earlier: the rows are due, and time has moved them."""
    due = "UPDATE scoring.customer SET next_at = 1, scored_at = scored_at - $1 WHERE NOT organisation"
    await scoring.query(due, by)


async def waiting(scoring: Room) -> None:
    """A customer with two good answers of long ago and a ticket that waits."""
    await scoring.fold(
        event("survey.answered", "a", ANN, at=-24, response="1", metric="csat", score=5, scale=[1, 5]),
        event("survey.answered", "b", ANN, at=-20, response="2", metric="nps", score=9),
        event("ticket.opened", "t", ANN, at=0, interaction="1", account="acme"),
    )


async def test_a_look_at_who_hardly_moved_tells_nobody(scoring: Room) -> None:
    await waiting(scoring)
    [told] = await sent(scoring)
    await ago(scoring, 0)
    async with driver(scoring.pool) as conn:
        assert await sweep(conn, scoring.engine, 10) == 1
        assert await sweep(conn, scoring.engine, 10) == 0
    assert await sent(scoring) == []
    [(version, next_at, now)] = await scoring.query(
        "SELECT version, next_at, scored_at FROM scoring.customer WHERE NOT organisation"
    )
    assert version == told.version and next_at > now


async def test_turns_take_fewer_where_the_live_events_of_many_would_not_fit(
    scoring: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.scoring.store.events.ROOM_BYTES", 0)
    for i in range(5):
        await scoring.fold(event("ticket.opened", f"t{i}", f"user:{i}", interaction=f"{i}"))
    await ago(scoring, 0)
    sweeper = Sweeper(scoring.pool, scoring.engine, 10, lambda: None)
    turns = 0
    while await sweeper.turn():
        turns += 1
    assert turns > 5, "one at a time, after those that would have taken more"
    due = "SELECT count(*) FROM scoring.customer WHERE next_at <= scored_at"
    assert await scoring.query(due) == [(0,)]


async def test_time_alone_is_told_with_its_cause(scoring: Room) -> None:
    await waiting(scoring)
    [before] = await sent(scoring)
    # What was told is turned into what would have been told when the ticket was new.
    async with driver(scoring.pool) as conn:
        row = await scoring.row(ANN)
        past = (await scoring.score(ANN, row.now - 19 * DAY, row.now)).published()
        await conn.execute("UPDATE scoring.customer SET scores = $1", msgspec.json.encode(past))
    await ago(scoring, 19 * DAY)
    async with driver(scoring.pool) as conn:
        assert await sweep(conn, scoring.engine, 10) == 1
    [change] = await sent(scoring)
    assert change.version > before.version and not change.quiet and not change.events
    assert {cause.cause for cause in change.causes} == {"time"}
    assert change.waits and change.waits[0].broken
    health = sum(cause.points for cause in change.causes if cause.score == "health")
    assert health < 0


async def test_an_account_is_the_sum_of_its_people(scoring: Room) -> None:
    await waiting(scoring)
    await scoring.fold(
        event("survey.answered", "c", BOB, at=2, response="3", metric="nps", score=2, account="acme"),
        event("subscription.started", "s", at=-900, subscription="1", account="acme"),
    )
    people = await sent(scoring)
    async with driver(scoring.pool) as conn:
        while await roll_up(conn, scoring.engine):
            pass
    accounts = await sent(scoring)
    last = accounts[-1]
    assert last.customer_id is None and last.account_id == await scoring.root("account:acme")
    assert {person.account_id for person in people} <= {last.account_id}
    assert {e.id for a in accounts for e in a.events} >= {e.id for p in people for e in p.events}
    async with driver(scoring.pool) as conn:
        row = await scoring.row("account:acme")
    read = await scoring.score("account:acme", row.scored_at, row.now)
    told = read.published()
    assert (told.health, told.relationship, told.risk) == (
        last.after.health,
        last.after.relationship,
        last.after.risk,
    )
    assert [a.version for a in accounts] == sorted({a.version for a in accounts})


async def test_an_account_that_was_written_meanwhile_is_rolled_up_again(
    scoring: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    await waiting(scoring)
    async with driver(scoring.pool) as conn, driver(scoring.pool) as other:
        rolled = accounts._rolled

        async def meanwhile(*args: object) -> object:
            found = await rolled(*args)  # type: ignore[arg-type]
            await other.execute("UPDATE scoring.customer SET version = version + 1 WHERE organisation")
            return found

        monkeypatch.setattr(accounts, "_rolled", meanwhile)
        with pytest.raises(MovedError):
            await roll_up(conn, scoring.engine)
        monkeypatch.setattr(accounts, "_rolled", rolled)
        assert await roll_up(conn, scoring.engine) == 1


async def test_a_newer_policy_is_followed_quietly_and_stops_the_older(scoring: Room) -> None:
    await waiting(scoring)
    await sent(scoring)
    model = Model(-500_000, scoring.engine.model.theta, scoring.engine.model.trend)
    async with driver(scoring.pool) as conn:
        adopted = await policies.adopt(conn, scoring.engine.policy.id, model.id, "test", b"{}")
    newer = Engine(scoring.engine.policy, model, adopted.number)
    with pytest.raises(policies.SupersededError):
        await scoring.fold(event("survey.answered", "z", BOB, response="9", metric="nps", score=2))
    async with driver(scoring.pool) as conn:
        while await rescore(conn, newer, 10):
            pass
        while await roll_up(conn, newer):
            pass
    changes = await sent(scoring)
    assert all(change.quiet for change in changes if change.customer_id)
    assert {change.model for change in changes} == {model.id}
    assert len([c for c in changes if c.customer_id]) == 1


async def test_a_rebuild_agrees_to_the_bit_and_finds_what_does_not(scoring: Room) -> None:
    await waiting(scoring)
    await scoring.fold(event("survey.answered", "c", BOB, at=2, response="3", metric="nps", score=2))
    roots = [await scoring.root(ANN), await scoring.root(BOB)]
    async with driver(scoring.pool) as conn:
        assert await compare(conn, roots, scoring.engine) == (0, [])
        other = (await scoring.row(BOB)).state
        await conn.execute("UPDATE scoring.customer SET state = $1 WHERE id = $2::uuid", other, roots[0])
        older, differences = await compare(conn, roots, scoring.engine)
    assert older == 0 and {d.customer_id for d in differences} == {roots[0]}


async def test_a_rebuild_of_many_is_shared_among_processes(
    scoring: Room, own_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild, "SHARE", 2)
    people = [f"user:one-of-many-{n}" for n in range(7)]
    answers = [
        event("survey.answered", p, p, response=p, metric="nps", score=9 if p == people[0] else 2)
        for p in people
    ]
    await scoring.fold(*answers)
    seen: list[int] = []
    assert await rebuild.rebuild(own_database_url, told=seen.append) == rebuild.Report(7, 0, (), 0)
    assert seen == sorted(seen) and seen[-1] == 7 and len(seen) == 4
    wrong = await scoring.root(people[6])
    happy = (await scoring.row(people[0])).state
    await scoring.query("UPDATE scoring.customer SET state = $1 WHERE id = $2::uuid", happy, wrong)
    report = await rebuild.rebuild(own_database_url)
    assert report.marked == 1 and {d.customer_id for d in report.differences} == {wrong}


async def test_a_rebuild_finds_folds_from_which_the_next_event_would_go_wrong(scoring: Room) -> None:
    await waiting(scoring)
    root = await scoring.root(ANN)
    async with driver(scoring.pool) as conn:
        swapped = (
            "UPDATE scoring.episode SET fold = (SELECT max(fold) FROM scoring.episode) WHERE fold IS NOT NULL"
        )
        await conn.execute(swapped)
        assert await compare(conn, [root], scoring.engine) == (0, [Difference(root, EPISODES, 2, 1)])
        await conn.execute("UPDATE scoring.customer SET generation = 0")
        assert await rescore(conn, scoring.engine, 10) == 1
        assert await compare(conn, [root], scoring.engine) == (0, [])


async def test_partitions_are_made_ahead_once(scoring: Room) -> None:
    async with driver(scoring.pool) as conn:
        made = await make_partitions(conn, START)
        assert len(made) == 4 and await make_partitions(conn, START) == []
    await waiting(scoring)
    [(default,)] = await scoring.query("SELECT count(*) FROM scoring.event_default")
    assert default == 0
    assert (quarter(START, 1) - quarter(START, 0)).days >= 90
