"""However many customers, alerts and deliveries there were, what alerts does at every turn goes by index."""

from __future__ import annotations

from datetime import UTC, datetime

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.alerts.consumer import ScoreConsumer
from services.alerts.domain.retry import Next
from services.alerts.store import deliveries, setup
from services.alerts.store.deliveries import Conclusion
from services.alerts.telling import Teller
from services.alerts.timers import Timers
from services.alerts.writing import Writer
from shared.bus.batches import Batch, Record
from shared.bus.topics import SCORES
from shared.db.engine import create_engine, driver
from shared.events import scores
from shared.runtime.secrets import KeyHasher, SecretBox
from tests.integration.alerts.conftest import SECRET_KEY, now
from tests.unit.alerts.builders import answer, change
from tests.unit.alerts.builders import scores as levels

BIG = ("customer", "rule_state", "alert", "delivery")
MOST = 3_000
"""Rows of a table of 30,000 that some twenty customers may cost."""
CROWD = """
INSERT INTO alerts.customer (id, version, merged_into, value, currency)
SELECT 'crowd-' || n, 1, CASE WHEN n % 3 > 0 THEN 'crowd-' || n - n % 3 END, n, 'EUR'
FROM generate_series(0, 29999) AS n ON CONFLICT DO NOTHING;
INSERT INTO alerts.rule_state (customer, rule, body, next_at)
SELECT 'crowd-' || n, 'rule', '{}', CASE WHEN n % 2 = 0 THEN 9000000000000000 WHEN n = 9 THEN 1 END
FROM generate_series(0, 29999) AS n ON CONFLICT DO NOTHING;
INSERT INTO alerts.alert
  (id, subject, council, driver, rules, severity, state, live, version, opened_at, body)
SELECT 'alert-' || n, 'crowd-' || n / 2, 'default', 'effort', '{}', 'high', 'verified', false, 9, n, '{}'
FROM generate_series(0, 29999) AS n;
INSERT INTO alerts.delivery (id, lane, alert, version, what, body, state)
SELECT 'delivery-' || n, 'lane-' || n % 9, 'alert-' || n, 9, 'opened', '{}', 'delivered'
FROM generate_series(0, 29999) AS n
"""


async def _read(engine: AsyncEngine) -> dict[str, int]:
    async with driver(engine) as connection:
        return await _rows_read(connection)


async def _rows_read(connection: asyncpg.Connection) -> dict[str, int]:
    """How many rows of each big table were read."""
    await connection.execute("SELECT pg_stat_force_next_flush()")
    rows = await connection.fetch(
        "SELECT relname, seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables"
        " WHERE schemaname = 'alerts' AND relname = ANY($1)",
        BIG,
    )
    return {row[0]: row[1] for row in rows}


async def _ready(connection: asyncpg.Connection) -> None:
    box, secret = SecretBox.from_key(SECRET_KEY), "whsec_" + SECRET_KEY
    await setup.install_shipped(connection)
    await setup.put_endpoint(
        connection, box, "hook", "webhook", "https://a.example", ["default"], "full", secret
    )


async def _turn(engine: AsyncEngine, writer: Writer, turn: int) -> None:
    """Twenty customers are told of, timers look, and deliveries go."""
    customers = [f"crowd-{3 * (20 * turn + n)}" for n in range(20)]
    changes = [change(2, levels(), levels(), c, events=(answer(f"a-{c}", 2, when=now()),)) for c in customers]
    records = [Record(SCORES, 0, 20 * turn + i, 0, b"k", scores.encode(one)) for i, one in enumerate(changes)]
    await ScoreConsumer(engine, writer).handle(Batch(tuple(records)))
    assert not await Timers(engine, writer).turn()
    async with driver(engine) as connection:
        claimed = await deliveries.claim(connection, {"hook": 32}, 512, 15.0)
        assert len(claimed) == len(customers)
        done = Next("delivered")
        at = datetime.now(UTC)
        await deliveries.finish(connection, [Conclusion(one, None, done, at, None) for one in claimed])


def _writer() -> Writer:
    teller = Teller(SecretBox.from_key(SECRET_KEY), KeyHasher.from_key(SECRET_KEY), mail=False)
    return Writer(teller, "https://alerts.example/{id}", lambda: None)


@pytest.mark.parametrize("mode", ["force_generic_plan", "force_custom_plan"])
async def test_no_turn_reads_a_whole_table(own_database_url: str, mode: str) -> None:
    """PostgreSQL takes the one plan or the other, by what it has seen before."""
    engine = create_engine(own_database_url, 1, "test")  # one session tells at once what it scanned
    writer = _writer()
    async with driver(engine) as connection:
        await _ready(connection)
        await connection.execute(CROWD + ";ANALYZE")
        await connection.execute(f"SET plan_cache_mode = {mode}")
        await writer.book(connection)  # once a minute the most valuable customers are looked for among all
    await _costs_little(engine, writer, 0)
    await engine.dispose()


async def test_plans_made_when_tables_were_empty_do_no_harm(own_database_url: str) -> None:
    """A session keeps its plans until the tables are analysed: a minute at least, and all that came in it."""
    engine = create_engine(own_database_url, 1, "test")
    writer = _writer()
    async with driver(engine) as connection:
        await _ready(connection)
        await connection.execute("SET plan_cache_mode = force_generic_plan")
    await _turn(engine, writer, 0)
    async with driver(engine) as connection:
        await connection.execute(CROWD)
    await _costs_little(engine, writer, 1)
    await engine.dispose()


async def _costs_little(engine: AsyncEngine, writer: Writer, turn: int) -> None:
    before = await _read(engine)
    await _turn(engine, writer, turn)
    after = await _read(engine)
    assert not {table: after[table] - before[table] for table in BIG if after[table] - before[table] >= MOST}


async def test_the_most_valuable_are_found_among_some_where_there_are_many(own_database_url: str) -> None:
    engine = create_engine(own_database_url, 1, "test")
    async with driver(engine) as connection:
        assert await setup.top_values(connection) == {}
        await _ready(connection)
        await connection.execute(CROWD + ";ANALYZE")
        exact = await setup.top_values(connection)
        before = await _rows_read(connection)
        guess = await setup.top_values(connection, enough=6_000)
        after = await _rows_read(connection)
    await engine.dispose()
    assert exact == {"EUR": 23_997}
    assert guess["EUR"] == pytest.approx(24_000, rel=0.4)
    assert 0 < after["customer"] - before["customer"] < 15_000
