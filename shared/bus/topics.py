"""The topics: created and checked at start, never by auto-creation."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, for_code

from shared.bus.errors import BusUnavailable, TopicMismatch
from shared.bus.quiet import quiet_client

log = structlog.get_logger()

DAY_MS: Final = 24 * 60 * 60 * 1000
MAX_MESSAGE_BYTES: Final = 2 * 1024 * 1024
"""What a topic takes in one batch. A body of 1 MiB of JSON, at worst re-encoded, stays below."""
MAX_REQUEST_BYTES: Final = MAX_MESSAGE_BYTES - 64 * 1024
"""What the client sends at most: below the topic's limit by more than any batch header, because one
record above it poisons the partition for that client."""
REPLICATED_FROM: Final = 3
"""Brokers from which on every topic must survive the loss of one."""

FEEDBACK: Final = "cx.feedback.v1"
SCORES: Final = "cx.scores.v1"
ALERTS: Final = "cx.alerts.v1"
REJECTED: Final = "cx.rejected.v1"

_EXISTS, _BAD_SETTING = 36, 40
RETRY_MIN_S: Final = 0.1
RETRY_MAX_S: Final = 0.5
REQUEST_TIMEOUT_S: Final = 5.0


class TopicSpec(msgspec.Struct, frozen=True):
    """A topic as it must be at least."""

    name: str
    partitions: int
    retention_days: int


TOPICS: Final = (
    TopicSpec(FEEDBACK, partitions=12, retention_days=7),
    TopicSpec(SCORES, partitions=12, retention_days=30),
    TopicSpec(ALERTS, partitions=6, retention_days=30),
    TopicSpec(REJECTED, partitions=3, retention_days=30),
)


class TopicFacts(msgspec.Struct, frozen=True):
    """A topic as it is."""

    partitions: int
    replication: int
    settings: Mapping[str, str]


def settings_of(spec: TopicSpec, brokers: int) -> dict[str, str]:
    """Explicit settings of a new topic, so that a broker's defaults decide nothing."""
    replicated = brokers >= REPLICATED_FROM
    return {
        "cleanup.policy": "delete",
        "retention.ms": str(spec.retention_days * DAY_MS),
        "retention.bytes": "-1",
        "max.message.bytes": str(MAX_MESSAGE_BYTES),
        "min.insync.replicas": "2" if replicated else "1",
        "unclean.leader.election.enable": "false",
        # The broker's clock, not the sender's: Kafka refuses what comes from more than an hour ahead, and
        # forgets at once what comes from before its retention, acknowledged or not.
        "message.timestamp.type": "LogAppendTime",
    }


def weaknesses(spec: TopicSpec, facts: TopicFacts, brokers: int) -> list[str]:
    """Why the topic cannot carry what is promised; empty when it can.

    `acks=all` alone promises nothing: with one replica, or with an unclean election, an acknowledged
    record is lost with one machine.
    """
    found = []
    settings = facts.settings
    if facts.partitions < spec.partitions:
        found.append(f"{facts.partitions} partitions, at least {spec.partitions} needed")
    if settings.get("cleanup.policy", "delete") != "delete":
        found.append("cleanup.policy must be delete: a compacted topic forgets messages that were not read")
    if int(settings.get("max.message.bytes", MAX_MESSAGE_BYTES)) < MAX_MESSAGE_BYTES:
        found.append(
            f"max.message.bytes is {settings['max.message.bytes']}, at least {MAX_MESSAGE_BYTES} needed"
        )
    retention = int(settings.get("retention.ms", -1))
    if 0 <= retention < spec.retention_days * DAY_MS:
        found.append(f"retention.ms is {retention}, at least {spec.retention_days * DAY_MS} needed")
    if brokers < REPLICATED_FROM:
        return found
    if facts.replication < 3:
        found.append(f"replication factor {facts.replication}, 3 needed on a cluster of {brokers} brokers")
    if int(settings.get("min.insync.replicas", 1)) < 2:
        found.append("min.insync.replicas must be 2, or acks=all means one machine")
    if settings.get("unclean.leader.election.enable", "false") != "false":
        found.append("unclean.leader.election.enable must be false, or acknowledged records can vanish")
    return found


async def ensure_topics(bootstrap: str, specs: Sequence[TopicSpec] = TOPICS, deadline: float = 60.0) -> None:
    """Creates what is missing, checks what is there. `deadline` in seconds.

    Raises TopicMismatch at once when a topic is too weak, BusUnavailable when the deadline has passed.
    """
    quiet_client()
    ends = time.monotonic() + deadline
    pause_s, warned = RETRY_MIN_S, False
    while True:
        try:
            async with asyncio.timeout_at(asyncio.get_running_loop().time() + (ends - time.monotonic())):
                await _ensure_once(bootstrap, specs)
                return
        except (KafkaError, OSError, TimeoutError, _NotYetError) as error:
            why = str(error) or type(error).__name__
            if not warned:
                log.warning("topics not ready, trying again", bootstrap=bootstrap, why=why)
                warned = True
            if time.monotonic() + pause_s >= ends:
                raise BusUnavailable(
                    f"topics could not be made ready within {deadline:.0f} s: {why}"
                ) from None
        await asyncio.sleep(pause_s)
        pause_s = min(RETRY_MAX_S, pause_s * 1.5)


class _NotYetError(Exception):
    """The cluster said no, but may say yes later."""


async def _ensure_once(bootstrap: str, specs: Sequence[TopicSpec]) -> None:
    admin = AIOKafkaAdminClient(
        bootstrap_servers=bootstrap,
        request_timeout_ms=int(REQUEST_TIMEOUT_S * 1000),
        client_id="cxloop-topics",
    )
    try:
        await admin.start()
        brokers = len((await admin.describe_cluster())["brokers"])
        await _create_missing(admin, specs, brokers)
        facts = await _describe(admin, specs)
    finally:
        await admin.close()
    faults = [
        f"{spec.name}: {fault}" for spec in specs for fault in weaknesses(spec, facts[spec.name], brokers)
    ]
    if faults:
        raise TopicMismatch("; ".join(faults))


async def _create_missing(admin: AIOKafkaAdminClient, specs: Sequence[TopicSpec], brokers: int) -> None:
    present = set(await admin.list_topics())
    replication = 3 if brokers >= REPLICATED_FROM else 1
    missing = [
        NewTopic(spec.name, spec.partitions, replication, topic_configs=settings_of(spec, brokers))
        for spec in specs
        if spec.name not in present
    ]
    if not missing:
        return
    # create_topics never raises: each topic has its own error code in the answer.
    response = await admin.create_topics(missing, timeout_ms=int(REQUEST_TIMEOUT_S * 1000))
    for name, code, *text in response.topic_errors:
        if code in (0, _EXISTS):
            continue
        why = f"{name}: {(text[0] if text else None) or for_code(code).__name__}"
        if code == _BAD_SETTING:
            raise TopicMismatch(f"the broker refuses our settings; {why}")
        raise _NotYetError(why)
    log.info("topics created", topics=[topic.name for topic in missing], replication=replication)


async def _describe(admin: AIOKafkaAdminClient, specs: Sequence[TopicSpec]) -> dict[str, TopicFacts]:
    names = [spec.name for spec in specs]
    settings = await _settings(admin, names)
    facts = {}
    for topic in await admin.describe_topics(names):
        partitions = topic["partitions"]
        if topic["error_code"]:
            raise _NotYetError(f"{topic['topic']}: {for_code(topic['error_code']).__name__}")
        if any(partition["leader"] < 0 for partition in partitions):
            raise _NotYetError(f"{topic['topic']}: no leader yet")
        replication = min(len(partition["replicas"]) for partition in partitions)
        facts[topic["topic"]] = TopicFacts(len(partitions), replication, settings[topic["topic"]])
    if len(facts) < len(names):
        raise _NotYetError("a topic was created but is not to be seen yet")
    return facts


async def _settings(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, dict[str, str]]:
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    found: dict[str, dict[str, str]] = {}
    for response in await admin.describe_configs(resources):
        for code, message, _, name, entries in response.resources:
            if code:
                raise _NotYetError(f"{name}: {message or for_code(code).__name__}")
            found[name] = dict(_pair(entry) for entry in entries)
    return found


def _pair(entry: Sequence[Any]) -> tuple[str, str]:
    return entry[0], entry[1]
