"""Several embedded Kafka nodes as one replicated cluster, for tests of what one node cannot show."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from shared.parts.kafka import Kafka, new_cluster_id


class KafkaCluster:
    """Combined controller and broker nodes on 127.0.0.1; topics get three copies, two of them in sync.

    `nodes[i]` can be stopped, killed, frozen and started again at the same address and with the same data.
    """

    def __init__(self, folder: Path, nodes: int = 3) -> None:
        cluster_id = new_cluster_id()
        self.nodes = [
            Kafka(folder / f"kafka-{number}", node_id=number, cluster_id=cluster_id)
            for number in range(1, nodes + 1)
        ]

    @property
    def bootstrap(self) -> str:
        """The addresses of all nodes."""
        return ",".join(node.bootstrap for node in self.nodes)

    def start(self) -> KafkaCluster:
        """Start all nodes and return when every one takes clients; from the main thread."""
        voters = [node.node for node in self.nodes]
        for node in self.nodes:
            node.join(voters)
            node.prepare()
        for node in self.nodes:
            node.spawn()
        for node in self.nodes:
            node.wait_ready()
        return self

    def stop(self) -> None:
        """Stop all nodes and let their ports go."""
        for node in self.nodes:
            node.ask_to_stop()
        for node in self.nodes:
            node.close()

    def __enter__(self) -> KafkaCluster:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
