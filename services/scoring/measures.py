"""What an operator sees of the folding."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from shared.runtime.metrics import counter, gauge, histogram

EVENTS = counter("scoring_events", "Events read from the topic, by what became of them.", ["outcome"])
BATCH = histogram(
    "scoring_batch_events",
    "Events per batch.",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000),
)
STEP = histogram("scoring_step_seconds", "Time that one step of a batch took.", ["step"])
HALVED = counter(
    "scoring_batches_halved", "Batches that were split: contention, deadlock, size or a poison event."
)
REWOUND = counter("scoring_rewound", "Partitions read again because the database was behind Kafka's offset.")
RESCORED = counter("scoring_rescored", "Customers scored anew without an event, by reason.", ["reason"])
WAITING = gauge("scoring_accounts_waiting", "Entries in the queue of accounts to be rolled up.")
AGE = histogram("scoring_event_age_seconds", "From receipt of an event to its scores, as committed.")


@contextmanager
def step(name: str) -> Iterator[None]:
    """Measure one step of a batch."""
    begun = time.perf_counter()
    try:
        yield
    finally:
        STEP.labels(name).observe(time.perf_counter() - begun)
