"""quixstreams, a batching sink: `python -m tests.bench.contenders.peers.quix`."""

from __future__ import annotations

from quixstreams import Application
from quixstreams.sinks import BatchingSink, SinkBatch

from shared.bus.topics import FEEDBACK, SCORES
from tests.bench.contenders.peer import BATCH, BATCH_S, GROUP, KAFKA, Merger

app = Application(
    KAFKA,
    consumer_group=GROUP,
    auto_offset_reset="earliest",
    commit_every=BATCH,
    commit_interval=BATCH_S,
    auto_create_topics=False,
    use_changelog_topics=False,
    loglevel="ERROR",
)


class Sink(BatchingSink):
    """Called for each partition of a checkpoint."""

    def setup(self) -> None:
        self.merger = Merger()
        self.producer = app.get_producer()
        self.producer.__enter__()

    def write(self, batch: SinkBatch) -> None:
        items = list(batch)
        offsets = {batch.partition: items[-1].offset + 1}
        told = self.merger.merge([item.value for item in items], offsets)
        for _, key in told:
            self.producer.produce(SCORES, value=self.merger.message, key=key)
        self.producer.flush()
        self.merger.forget(told)


if __name__ == "__main__":
    topic = app.topic(FEEDBACK, value_deserializer="bytes", key_deserializer="bytes")
    app.dataframe(topic).sink(Sink())
    app.run()
