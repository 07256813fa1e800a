"""Arroyo, batches into a task: `python -m tests.bench.contenders.peers.arroyo`."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from types import FrameType

from arroyo import Topic
from arroyo.backends.kafka import KafkaConsumer, KafkaPayload, KafkaProducer
from arroyo.backends.kafka.configuration import (
    build_kafka_configuration,
    build_kafka_consumer_configuration,
)
from arroyo.processing import StreamProcessor
from arroyo.processing.strategies import (
    BatchStep,
    CommitOffsets,
    ProcessingStrategy,
    ProcessingStrategyFactory,
    RunTask,
)
from arroyo.processing.strategies.batching import ValuesBatch
from arroyo.types import Commit, Message, Partition

from shared.bus.topics import FEEDBACK, SCORES
from tests.bench.contenders.peer import BATCH, BATCH_S, GROUP, KAFKA, Merger

Batched = Message[ValuesBatch[KafkaPayload]]


class Factory(ProcessingStrategyFactory[KafkaPayload]):
    """Batch, merge and tell, commit."""

    def __init__(self) -> None:
        self.merger = Merger()
        self.producer = KafkaProducer(build_kafka_configuration({"linger.ms": 2}, [KAFKA]))

    def handle(self, message: Batched) -> None:
        raws = [value.payload.value for value in message.payload]
        offsets = {place.index: offset for place, offset in message.committable.items()}
        told = self.merger.merge(raws, offsets)
        payload = self.merger.message
        sends = [self.producer.produce(Topic(SCORES), KafkaPayload(key, payload, [])) for _, key in told]
        for send in sends:
            send.result()
        self.merger.forget(told)

    def create_with_partitions(
        self,
        commit: Commit,
        partitions: Mapping[Partition, int],  # noqa: ARG002
    ) -> ProcessingStrategy[KafkaPayload]:
        return BatchStep(BATCH, BATCH_S, RunTask(self.handle, CommitOffsets(commit)))


def main() -> None:
    settings = build_kafka_consumer_configuration(
        {}, GROUP, "earliest", bootstrap_servers=[KAFKA], enable_auto_commit=False
    )
    processor = StreamProcessor(KafkaConsumer(settings), Topic(FEEDBACK), Factory())

    def stop(_signal: int, _frame: FrameType | None) -> None:
        processor.signal_shutdown()

    signal.signal(signal.SIGTERM, stop)
    processor.run()


if __name__ == "__main__":
    main()
