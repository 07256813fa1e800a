"""What a topic must be, and how a weaker one is told."""

from __future__ import annotations

import pytest

from shared.bus.topics import (
    ALERTS,
    DAY_MS,
    FEEDBACK,
    MAX_MESSAGE_BYTES,
    MAX_REQUEST_BYTES,
    SCORES,
    TOPICS,
    TopicFacts,
    TopicSpec,
    settings_of,
    weaknesses,
)

SPEC = TopicSpec("t", partitions=12, retention_days=7)
GOOD = {
    "cleanup.policy": "delete",
    "retention.ms": str(7 * DAY_MS),
    "max.message.bytes": str(MAX_MESSAGE_BYTES),
    "min.insync.replicas": "2",
    "unclean.leader.election.enable": "false",
}


def test_the_topics_of_the_contract() -> None:
    facts = {spec.name: (spec.partitions, spec.retention_days) for spec in TOPICS}
    assert facts[FEEDBACK] == (12, 7)
    assert facts[SCORES] == (12, 30)
    assert facts[ALERTS] == (6, 30)


def test_the_client_sends_less_than_the_topic_takes() -> None:
    """One record above the topic's limit poisons the partition for that client."""
    assert MAX_REQUEST_BYTES < MAX_MESSAGE_BYTES
    assert int(settings_of(SPEC, brokers=1)["max.message.bytes"]) == MAX_MESSAGE_BYTES


@pytest.mark.parametrize(("brokers", "in_sync"), [(1, "1"), (2, "1"), (3, "2"), (5, "2")])
def test_a_new_topic_leaves_nothing_to_the_defaults_of_the_broker(brokers: int, in_sync: str) -> None:
    settings = settings_of(SPEC, brokers)
    assert settings["min.insync.replicas"] == in_sync
    assert settings["unclean.leader.election.enable"] == "false"
    assert settings["cleanup.policy"] == "delete"
    assert settings["retention.ms"] == str(7 * DAY_MS)


@pytest.mark.parametrize(
    ("change", "partitions", "replication", "brokers", "told"),
    [
        ({}, 12, 3, 3, []),
        ({}, 24, 3, 5, []),
        ({"min.insync.replicas": "1"}, 12, 1, 1, []),
        ({"min.insync.replicas": "1"}, 12, 1, 2, []),
        ({"retention.ms": "-1"}, 12, 3, 3, []),
        ({}, 11, 3, 3, ["partitions"]),
        ({}, 12, 2, 3, ["replication factor 2"]),
        ({"min.insync.replicas": "1"}, 12, 3, 3, ["min.insync.replicas"]),
        ({"unclean.leader.election.enable": "true"}, 12, 3, 3, ["unclean.leader.election.enable"]),
        ({"cleanup.policy": "compact"}, 12, 3, 3, ["cleanup.policy"]),
        ({"cleanup.policy": "compact,delete"}, 12, 1, 1, ["cleanup.policy"]),
        ({"max.message.bytes": "1048588"}, 12, 1, 1, ["max.message.bytes"]),
        ({"retention.ms": "3600000"}, 12, 1, 1, ["retention.ms"]),
        ({"min.insync.replicas": "1"}, 6, 1, 3, ["partitions", "replication factor 1", "min.insync"]),
    ],
)
def test_a_topic_that_cannot_carry_the_promise(
    change: dict[str, str], partitions: int, replication: int, brokers: int, told: list[str]
) -> None:
    found = weaknesses(SPEC, TopicFacts(partitions, replication, GOOD | change), brokers)
    assert len(found) == len(told)
    assert all(part in text for part, text in zip(told, found, strict=True))
