"""Rows of the failure table: what Kafka and PostgreSQL can do. See `failures`."""

from __future__ import annotations

from typing import Final, NamedTuple

SPOOLED: Final = "2xx from the spool; scores stand still until it is back"
WAITS: Final = "2xx from Kafka; reads say 503 and scores stand still until it is back"
KAFKA: Final = "tests/faults/test_kafka_rows.py::test_away_and_back"
POSTGRES: Final = "tests/faults/test_postgres_rows.py::test_away_and_back"


class Failure(NamedTuple):
    """`rows` are names in `build/faults.jsonl`; `figure` is what another kind of test shows."""

    component: str
    fault: str
    seen: str
    test: str
    rows: tuple[str, ...] = ()
    figure: str = ""


BUS: Final = (
    Failure("Kafka", "stopped cleanly, which poisons the client", SPOOLED, KAFKA, ("Kafka stopped cleanly",)),
    Failure("Kafka", "killed", SPOOLED, KAFKA, ("Kafka killed",)),
    Failure("Kafka", "frozen", SPOOLED, KAFKA, ("Kafka frozen",)),
    Failure("Kafka", "its packets dropped", SPOOLED, KAFKA, ("Kafka's packets dropped",)),
    Failure("Kafka", "unreachable", SPOOLED, KAFKA, ("Kafka unreachable",)),
    Failure(
        "Kafka", "slow by 200 ms each way", "answers take longer", KAFKA, ("Kafka slow by 200 ms each way",)
    ),
    Failure(
        "Kafka",
        "connections cut again and again",
        "nothing but delay",
        "tests/faults/test_kafka_rows.py::test_connections_cut_again_and_again",
        ("Kafka connections cut",),
    ),
    Failure(
        "Kafka",
        "topics missing at start",
        "they are made and checked",
        "tests/faults/test_kafka_rows.py::test_topics_missing_at_start",
        ("topics missing at start",),
    ),
    Failure(
        "Kafka",
        "disk full",
        SPOOLED,
        "tests/faults/test_disk_rows.py::test_kafka_cannot_write",
        ("Kafka's disk full",),
    ),
    Failure(
        "three brokers",
        "leaders moved",
        "nothing but delay",
        "tests/faults/test_cluster_rows.py::test_leaders_moved",
        ("leaders moved",),
    ),
    Failure(
        "three brokers",
        "one killed hard",
        "nothing but delay",
        "tests/faults/test_cluster_rows.py::test_one_of_three_killed_hard",
        ("one of three brokers killed",),
    ),
    Failure(
        "three brokers",
        "two killed hard, so that nothing may be acknowledged",
        SPOOLED,
        "tests/faults/test_cluster_rows.py::test_two_of_three_killed_hard",
        ("two of three brokers killed",),
    ),
)

DATABASE: Final = (
    Failure("PostgreSQL", "restarted", WAITS, POSTGRES, ("PostgreSQL restarted",)),
    Failure("PostgreSQL", "shut down at once", WAITS, POSTGRES, ("PostgreSQL shut down at once",)),
    Failure("PostgreSQL", "a backend killed hard", WAITS, POSTGRES, ("a backend of PostgreSQL killed hard",)),
    Failure("PostgreSQL", "frozen", WAITS, POSTGRES, ("PostgreSQL frozen",)),
    Failure("PostgreSQL", "its packets dropped", WAITS, POSTGRES, ("PostgreSQL's packets dropped",)),
    Failure("PostgreSQL", "unreachable", WAITS, POSTGRES, ("PostgreSQL unreachable",)),
    Failure(
        "PostgreSQL", "slow by 50 ms each way", "delay", POSTGRES, ("PostgreSQL slow by 50 ms each way",)
    ),
    Failure(
        "PostgreSQL",
        "connection cut in the middle of a commit",
        "nothing: claims say what was committed",
        "tests/faults/test_postgres_rows.py::test_cut_in_the_middle_of_a_commit",
        (
            "connection cut in a commit, after the server heard it",
            "connection cut in a commit, before the server heard it",
        ),
    ),
    Failure(
        "PostgreSQL",
        "every connection taken by others",
        WAITS,
        "tests/faults/test_postgres_rows.py::test_connections_used_up",
        ("connections of PostgreSQL used up",),
    ),
    Failure(
        "PostgreSQL",
        "set back to an older backup",
        "scores of then, and within seconds those of now: Kafka is read again from where the backup stood",
        "tests/faults/test_postgres_rows.py::test_set_back_to_a_backup",
        ("PostgreSQL set back to a backup", "PostgreSQL set back to a backup, nothing new comes"),
    ),
    Failure(
        "PostgreSQL",
        "disk full, for tables and for its log",
        WAITS,
        "tests/faults/test_disk_rows.py::test_postgres_cannot_grow_a_table",
        ("PostgreSQL's disk full", "PostgreSQL's disk full, no room for its log"),
    ),
    Failure(
        "PostgreSQL",
        "customers locked by somebody else",
        "these wait, the others do not",
        "tests/faults/test_postgres_rows.py::test_a_lock_held_by_somebody_else",
        ("customers locked by somebody",),
    ),
    Failure(
        "PostgreSQL",
        "deadlocks with replicas and strangers",
        "nothing: the batch is halved",
        "tests/faults/test_postgres_rows.py::test_deadlocks_with_replicas_and_strangers",
        ("deadlocks",),
    ),
    Failure(
        "PostgreSQL",
        "refuses one transaction in five and more as a serialisation conflict, at a write or at COMMIT",
        "nothing: batches are repeated in halves; who manages sources, rules and alerts gets 503 and repeats",
        "tests/faults/test_conflict_rows.py::test_conflicts",
        ("serialisation conflicts at a write", "serialisation conflicts at COMMIT"),
    ),
)
