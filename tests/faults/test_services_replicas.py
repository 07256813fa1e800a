"""Rows of the failure table: several processes of a service, in each other's way."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise

import httpx
import pytest

from tests.e2e.loop import eventually
from tests.faults import verdict
from tests.faults.gauges import gauge
from tests.faults.programs import Program
from tests.faults.world import SERVICES, SOAK, World

PATIENCE_S = 60.0
GROUPS = {"scoring": "cxloop-scoring", "alerts": "cxloop-alerts"}


@pytest.mark.slow
def test_two_owners_of_every_partition(world: World) -> None:
    """Replicas in groups of their own: each is given every record, as after a rebalance gone wrong."""
    twin = f"twin-{uuid.uuid4().hex[:8]}"
    with ExitStack() as stack:
        replicas = [stack.enter_context(world.replica(s, CXLOOP_CONSUMER_GROUP=twin)) for s in GROUPS]
        pairs = [(world.program(replica.service), replica) for replica in replicas]
        with world.row("two owners of every partition", fault_s=(3, 60)) as row:
            row.hold()
            eventually(lambda: all(both_read(world, *pair) for pair in pairs), "both read", PATIENCE_S)
            eventually(lambda: all(applied(world, one) for one in pairs[0]), "both apply", PATIENCE_S)
            row.over()


def both_read(world: World, one: Program, other: Program) -> bool:
    return all(gauge(world, program, "consumed_records_total") > 0 for program in (one, other))


def applied(world: World, program: Program) -> float:
    return gauge(world, program, "scoring_events_total", outcome="applied")


@pytest.mark.slow
def test_merged_in_opposite_order(world: World) -> None:
    """Two replicas share the partitions; a chain of people is told to be one person from both of its ends."""
    length = 400 if SOAK else 40
    with (
        world.replica("scoring") as other,
        world.row("two replicas merging the same customers in opposite order", fault_s=(1, 30)) as row,
    ):
        eventually(lambda: owns(world, other) and owns(world, world.program("scoring")), "shared", PATIENCE_S)
        before = [applied(world, world.program("scoring")), applied(world, other)]
        events = chain(world, length)
        wait_applied(world, events)
        after = [applied(world, world.program("scoring")), applied(world, other)]
        assert all(b < a for b, a in zip(before, after, strict=True)), "both took part"
        row.over()
        verdict.state_is_the_fold_of_the_log(world.database_url, events, PATIENCE_S)


def owns(world: World, program: Program) -> bool:
    """Its consumer has partitions: it is a member of its group."""
    group = GROUPS[program.service]
    return gauge(world, program, "consumer_partitions", group=group) > 0


def chain(world: World, length: int) -> list[str]:
    """Links of each to the next, told from the front by one sender, from the back by another."""
    run = uuid.uuid4().hex[:8]
    names = [f"email:chain.{run}.{n}@elm.example" for n in range(length)]
    pairs = list(pairwise(names))

    def tell(links: list[tuple[str, str]]) -> list[str]:
        reason = {"reason": "the same person"}
        return [world.loop.event("customer.linked", list(two), reason, datetime.now(UTC)) for two in links]

    with ThreadPoolExecutor(2) as senders:
        forwards = senders.submit(tell, pairs)
        backwards = senders.submit(tell, [(b, a) for a, b in reversed(pairs)])
        return forwards.result() + backwards.result()


def wait_applied(world: World, events: list[str]) -> None:
    for event in events:
        eventually(partial(is_applied, world, event), f"event {event} applied", PATIENCE_S)


def is_applied(world: World, event: str) -> bool:
    return world.loop.http.get(f"{world.loop.scoring}/v1/events/{event}").is_success


@pytest.mark.slow
def test_rebalanced_inside_a_batch(world: World) -> None:
    """A statement takes a tenth of a second, so a batch is always under way when members come and go."""
    dice = random.Random(1)
    with world.row("rebalances inside batches", fault_s=(1, 90)) as row:
        world.postgres_net.delay(0.05)
        rounds = 0
        while rounds < 1 or time.monotonic() < row.began + row.fault_s:
            join_and_leave(world, dice)
            rounds += 1
        world.postgres_net.heal()
        row.over()


def join_and_leave(world: World, dice: random.Random) -> None:
    """A second process of each, until it has partitions; it leaves by a goodbye, or by being killed."""
    with world.replica("scoring") as scoring, world.replica("alerts") as alerts:
        for program in (scoring, alerts):
            eventually(partial(owns, world, program), f"{program.service} has partitions", PATIENCE_S)
        scoring.stop()
        if SOAK and dice.random() < 0.5:
            alerts.kill()
        else:
            alerts.stop()


@pytest.mark.slow
def test_rolling_restart(world: World) -> None:
    """Two processes of each service, replaced one after the other. Callers who try again notice nothing."""
    with ExitStack() as stack:
        for service in SERVICES:
            stack.enter_context(world.replica(service))
        with world.row("rolling restart of every service, two replicas each", fault_s=(1, 120)) as row:
            with readers(world) as answers:
                rounds = 0
                while rounds < 1 or time.monotonic() < row.began + row.fault_s:
                    roll(world)
                    rounds += 1
            row.over()
        assert answers["200"] > 0
        wrong = {what: n for what, n in answers.items() if what[0] == "5" and what != "503"}
        assert not wrong, answers
        assert answers["given up"] == 0, "a caller who tries the other replica is served"


def roll(world: World) -> None:
    """One replica of each at the same time, then the other one."""
    for half in zip(*(world.keeper.of(service) for service in SERVICES), strict=True):
        for program in half:
            assert program.stop() == 0, f"{program.service} did not end cleanly"
            program.start()
        for program in half:
            program.wait_ready()


@contextmanager
def readers(world: World) -> Iterator[Counter[str]]:
    """Somebody who reads from both services all the time, and tries another replica when one is away."""
    answers: Counter[str] = Counter()
    over = threading.Event()

    def read() -> None:
        headers = {"authorization": f"Bearer {world.loop.api_key}"}
        with httpx.Client(headers=headers, timeout=10) as client:
            while not over.wait(0.05):
                for service, path in (("scoring", "/v1/customers?limit=5"), ("alerts", "/v1/alerts?limit=5")):
                    read_once(client, [p.url + path for p in world.keeper.of(service)], answers)

    thread = threading.Thread(target=read, name="reader", daemon=True)
    thread.start()
    try:
        yield answers
    finally:
        over.set()
        thread.join(30)


def read_once(client: httpx.Client, urls: list[str], answers: Counter[str]) -> None:
    for url in random.sample(urls, len(urls)):
        try:
            answer = client.get(url)
        except httpx.TransportError as error:
            answers[type(error).__name__] += 1
            continue
        answers[str(answer.status_code)] += 1
        if answer.is_success:
            return
    answers["given up"] += 1
