"""Component, fault, what a user sees, the test, and the names under which its runs are measured."""

from __future__ import annotations

from typing import Final, NamedTuple

SPOOLED: Final = "2xx from the spool; scores stand still until it is back"
WAITS: Final = "2xx from Kafka; reads say 503 and scores stand still until it is back"
OTHERS: Final = "the others get theirs; the delivery list names the reason and the next try"
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
)

SERVICES: Final = (
    Failure(
        "services",
        "killed hard at random moments under load",
        "connection refused until the supervisor has it back; what was not answered is repeated",
        "tests/faults/test_services_killed.py::test_killed_at_random_moments",
        ("services killed hard at random moments, 12 times",),
    ),
    Failure(
        "scoring",
        "dies at every statement of a batch",
        "delay",
        "tests/faults/test_services_statements.py::test_scoring_dies_at_every_statement_of_a_batch",
        figure="every statement, one by one; state is the linear fold each time",
    ),
    Failure(
        "scoring",
        "sweeper and accounts die at every statement",
        "delay",
        "tests/faults/test_services_statements.py"
        "::test_what_happens_without_an_event_dies_at_every_statement",
        figure="every statement, one by one",
    ),
    Failure(
        "scoring",
        "two owners of every partition",
        "nothing",
        "tests/faults/test_services_replicas.py::test_two_owners_of_every_partition",
        ("two owners of every partition",),
    ),
    Failure(
        "scoring",
        "two replicas merge the same customers in opposite order",
        "nothing",
        "tests/faults/test_services_replicas.py::test_merged_in_opposite_order",
        ("two replicas merging the same customers in opposite order",),
    ),
    Failure(
        "scoring",
        "rebalances inside batches",
        "nothing",
        "tests/faults/test_services_replicas.py::test_rebalanced_inside_a_batch",
        ("rebalances inside batches",),
    ),
    Failure(
        "services",
        "rolling restart of every service under load, two replicas each",
        "nothing: callers that repeat get 2xx",
        "tests/faults/test_services_replicas.py::test_rolling_restart",
        ("rolling restart of every service, two replicas each",),
    ),
    Failure(
        "relays",
        "one of two is paused before or after its send",
        "nothing: readers drop lower versions",
        "tests/faults/test_services_relays.py::test_a_relay_is_paused",
        figure="nothing missing, no reader stands on an older version",
    ),
)

DATA: Final = (
    Failure(
        "data",
        "1 % poison of every kind, and events of odd times and values",
        "good ones count; the others stand under `/v1/rejected` with reasons",
        "tests/faults/test_data_odd.py::test_every_kind_of_poison_is_listed_with_its_reason_and_all_others_count",
        figure="all good ones counted, all bad ones listed",
    ),
    Failure(
        "data",
        "a model or policy that raises",
        "only the events it raises for are refused",
        "tests/faults/test_data_odd.py::test_a_policy_that_raises_takes_only_the_events_it_raises_for",
        figure="all others counted",
    ),
    Failure(
        "data",
        "a backlog under a cap on memory, then nothing but poison",
        "scores are late by the backlog; `/readyz` says that most of what comes is refused",
        "tests/faults/test_data_backlog.py::test_a_backlog_with_poison_in_it_and_then_nothing_but_poison",
        figure="memory flat over the backlog",
    ),
    Failure(
        "data",
        "a customer with very many events",
        "nothing",
        "tests/faults/test_data_shapes.py::test_a_customer_with_very_many_events",
        figure="equal to the linear fold",
    ),
    Failure(
        "data",
        "very many identifiers that become one person",
        "one customer; every old id answers",
        "tests/faults/test_data_shapes.py::test_very_many_names_become_one",
        figure="equal to the linear fold",
    ),
    Failure(
        "data",
        "cycles of links, and of merged tickets, in all orders",
        "one customer",
        "tests/faults/test_data_shapes.py::test_a_cycle_of_links_in_all_orders_and_batches",
        figure="the same in every order and batch",
    ),
)

RECEIVERS: Final = (
    Failure(
        "receivers",
        "answer anything but 2xx, hang, trickle, pour, reset, redirect",
        OTHERS,
        "tests/faults/test_receivers_answers.py"
        "::test_every_bad_answer_is_told_as_what_it_is_and_none_is_lost",
        figure="each told as what it is; redirects are not followed",
    ),
    Failure(
        "receivers",
        "a hundred hang at once",
        "the others get theirs at once",
        "tests/faults/test_receivers_neighbours.py::test_a_hundred_that_hang_delay_nobody",
        figure="nobody waits for them",
    ),
    Failure(
        "receivers",
        "500 for a day",
        "told when it is back, once by id",
        "tests/faults/test_receivers_schedule.py::test_500_for_a_day_and_then_it_arrives",
        figure="a simulated day",
    ),
    Failure(
        "receivers",
        "429 and 503 with `Retry-After`, in both forms and junk",
        "told when asked for, within limits",
        "tests/faults/test_receivers_schedule.py::test_retry_after_in_both_forms_clamped_and_junk_ignored",
        figure="clamped, junk ignored",
    ),
    Failure(
        "receivers",
        "410",
        "the endpoint is switched off, and says so",
        "tests/faults/test_receivers_schedule.py::test_410_ends_it_also_for_what_is_already_claimed",
        figure="nothing more is sent",
    ),
    Failure(
        "receivers",
        "certificates that prove nothing",
        "nothing is sent; the delivery list says why",
        "tests/faults/test_receivers_names.py::test_a_certificate_that_proves_nothing_gets_nothing",
        figure="expired, self-signed, of another name",
    ),
    Failure(
        "receivers",
        "a name that changes between check and connect",
        "nothing is sent inside",
        "tests/faults/test_receivers_names.py::test_a_name_that_changes_after_the_check_gains_nothing",
        figure="the address that was checked is the one connected to",
    ),
    Failure(
        "mail",
        "hangs, 4xx, 5xx, one mailbox of several",
        OTHERS,
        "tests/faults/test_receivers_mail.py"
        "::test_a_server_that_fails_is_tried_again_unless_it_refuses_for_good",
        figure="tried again unless refused for good",
    ),
)

FAILURES: Final[tuple[Failure, ...]] = (*BUS, *DATABASE, *SERVICES, *DATA, *RECEIVERS)
