"""Three brokers: what must hold beyond one machine, and the loss of one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from aiokafka.admin import NewTopic

from shared.bus.consumer import Batch, ConsumerLoop, Limits
from shared.bus.errors import TopicMismatch
from shared.bus.topics import TopicSpec, ensure_topics, settings_of
from shared.parts import KafkaCluster
from tests.faults.senders import Senders
from tests.integration.bus_kit import admin_of, everything, producer_of, running
from tests.integration.waiting import until

Unique = Callable[[str], str]


@pytest.fixture(scope="module")
def cluster(parts_dir: Path) -> Iterator[KafkaCluster]:
    with KafkaCluster(parts_dir / "kafka-faults-cluster") as three:
        yield three


@pytest.mark.slow
async def test_topics_survive_the_loss_of_a_machine_or_are_refused(
    cluster: KafkaCluster, unique: Unique
) -> None:
    spec = TopicSpec(unique("topic"), 4, 7)
    await ensure_topics(cluster.bootstrap, [spec], 60)
    await ensure_topics(cluster.bootstrap, [spec], 60)
    async with admin_of(cluster.bootstrap) as admin:
        (topic,) = await admin.describe_topics([spec.name])
        weak = TopicSpec(unique("weak"), 4, 7)
        await admin.create_topics([NewTopic(weak.name, 4, 1, topic_configs=settings_of(weak, brokers=1))])
    assert {len(partition["replicas"]) for partition in topic["partitions"]} == {3}
    with pytest.raises(TopicMismatch) as caught:
        await ensure_topics(cluster.bootstrap, [spec, weak], 60)
    assert weak.name in str(caught.value)
    assert spec.name not in str(caught.value)
    assert "replication factor 1, 3 needed" in str(caught.value)
    assert "min.insync.replicas" in str(caught.value)


@pytest.mark.slow
async def test_a_broker_that_is_killed_loses_nothing_and_stops_nobody_for_long(
    cluster: KafkaCluster, unique: Unique
) -> None:
    spec, taken = TopicSpec(unique("topic"), 6, 7), set[bytes]()
    await ensure_topics(cluster.bootstrap, [spec], 60)

    async def handle(batch: Batch) -> None:
        taken.update(record.value for record in batch.records)

    limits = Limits(backoff_min_s=0.05, backoff_max_s=0.5)
    loop = ConsumerLoop(cluster.bootstrap, unique("group"), [spec.name], handle, limits=limits)
    async with producer_of(cluster.bootstrap) as producer, running(loop):
        senders = Senders(producer, spec.name)
        async with senders.running():
            await senders.more()
            await asyncio.to_thread(cluster.nodes[0].kill)
            await senders.more(60)
            await until(lambda: producer.healthy)
            await senders.more()
            assert senders.longest_s < 3.0, "a call outlived its deadline"
            cluster.nodes[0].start()  # holds this loop up while it starts
            await senders.more()
        await until(lambda: senders.acknowledged <= taken, 60)
        assert senders.acknowledged <= set(await everything(cluster.bootstrap, spec.name))
