"""Rows of the failure table: what services, data and receivers can do, and all rows together."""

from __future__ import annotations

from typing import Final

from tests.faults.failures_parts import BUS, DATABASE, Failure

OTHERS: Final = "the others get theirs; the delivery list names the reason and the next try"

SERVICES: Final = (
    Failure(
        "services",
        "killed hard at random moments under load",
        "connection refused until the supervisor has it back; what was not answered is repeated",
        "tests/faults/test_services_killed.py::test_killed_at_random_moments",
        ("services killed hard at random moments, 102 times",),
    ),
    Failure(
        "scoring",
        "dies at every statement of a batch",
        "delay",
        "tests/faults/test_services_statements.py::test_scoring_dies_at_every_statement_of_a_batch",
        figure="37 deaths; state is the linear fold each time",
    ),
    Failure(
        "scoring",
        "sweeper and accounts die at every statement",
        "delay",
        "tests/faults/test_services_statements.py"
        "::test_what_happens_without_an_event_dies_at_every_statement",
        figure="58 deaths",
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
    Failure(
        "alerts",
        "dies at every statement of a batch",
        "delay",
        "tests/faults/test_services_statements_told.py::test_alerts_dies_at_every_statement_of_a_batch",
        figure="44 deaths",
    ),
    Failure(
        "dispatcher",
        "dies at every statement",
        "a delivery may come again, under the same id",
        "tests/faults/test_services_statements_told.py::test_the_dispatcher_dies_at_every_statement",
        figure="15 deaths; what it held is sent again after at most 27 s",
    ),
    Failure(
        "relay",
        "dies at every statement",
        "a message may come again, the newest last",
        "tests/faults/test_services_statements_told.py::test_the_relay_dies_at_every_statement",
        figure="35 deaths",
    ),
    Failure(
        "drainer",
        "dies at every statement",
        "delay",
        "tests/faults/test_services_statements_told.py::test_the_drainer_dies_at_every_statement",
        figure="every message, one by one",
    ),
    Failure(
        "services",
        "a replica of each frozen while it holds row locks, lanes and partitions",
        "timeouts on that replica alone; others go on",
        "tests/faults/test_services_frozen.py::test_frozen_while_it_holds_locks",
        ("a replica of each service frozen, holding row locks, partitions and lanes",),
    ),
    Failure(
        "services",
        "clocks an hour ahead or behind",
        "nothing ahead; behind, signatures that hold a time are refused with 401",
        "tests/faults/test_services_clocks.py::test_a_clock_jumps",
        (
            "the clock of a replica of each service jumps ahead by over an hour",
            "the clock of a replica of each service jumps back by over an hour",
        ),
    ),
    Failure(
        "drainer",
        "paused while it owns the spool",
        "delay",
        "tests/faults/test_services_relays.py::test_a_drainer_is_paused",
        figure="another one drains after 30 s",
    ),
    Failure(
        "scoring",
        "every batch fails",
        "`/readyz` 503 says so",
        "tests/faults/test_services_health.py::test_scoring_says_that_no_batch_succeeds",
        figure="after 15 s of failing",
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
        figure="1,020,000 records of 18.5 kB, 1 % poison: 506 a second, at most 311 MB, 302 at half the way",
    ),
    Failure(
        "data",
        "a customer with very many events",
        "nothing",
        "tests/faults/test_data_shapes.py::test_a_customer_with_very_many_events",
        figure="200,000 events in 20,000 tickets: equal to the linear fold; one more: 2.3 s of CPU",
    ),
    Failure(
        "data",
        "very many identifiers that become one person",
        "one customer; every old id answers",
        "tests/faults/test_data_shapes.py::test_very_many_names_become_one",
        figure="50,000 in 44 s, equal to the linear fold; one more event: 3.6 s of CPU",
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
