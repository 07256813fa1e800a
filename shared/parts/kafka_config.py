"""The texts an embedded Kafka is configured with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Node:
    """One broker and controller: its id and the ports of its two listeners."""

    node_id: int
    port: int
    controller_port: int


def server_properties(node: Node, voters: Sequence[Node], data: Path, advertised_port: int = 0) -> str:
    """Return server.properties of one node among `voters`; replication follows from their number.

    Clients are told to come to `advertised_port`, where something passes them on; 0: to the node itself.
    """
    copies = min(3, len(voters))
    quorum = ",".join(f"{voter.node_id}@{HOST}:{voter.controller_port}" for voter in voters)
    settings = {
        "process.roles": "broker,controller",
        "node.id": node.node_id,
        "controller.quorum.voters": quorum,
        "listeners": f"PLAINTEXT://{HOST}:{node.port},CONTROLLER://{HOST}:{node.controller_port}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{advertised_port or node.port}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": data,
        "auto.create.topics.enable": "false",
        "default.replication.factor": copies,
        "min.insync.replicas": max(1, copies - 1),
        "offsets.topic.replication.factor": copies,
        "offsets.topic.num.partitions": 1,
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": max(1, copies - 1),
        "transaction.state.log.num.partitions": 1,
        "share.coordinator.state.topic.replication.factor": copies,
        "share.coordinator.state.topic.min.isr": max(1, copies - 1),
        "share.coordinator.state.topic.num.partitions": 1,
        "group.initial.rebalance.delay.ms": 0,
        # After a crash the controller waits for the old session to end: 9 s by default at every start.
        "broker.session.timeout.ms": 2000,
        "broker.heartbeat.interval.ms": 500,
        # 128 MB of heap by default, for a cleaner that has next to nothing to compact here.
        "log.cleaner.dedupe.buffer.size": 2097152,
        "log.cleaner.io.buffer.size": 131072,
        "log.index.size.max.bytes": 1048576,
        "log.segment.bytes": 67108864,
        "metadata.max.idle.interval.ms": 0,
        # One machine: acks=all survives the process; flushing every second narrows what a power cut takes.
        # The first setting does nothing without the second.
        "log.flush.interval.ms": 1000,
        "log.flush.scheduler.interval.ms": 1000,
        "socket.request.max.bytes": 16777216,
        "queued.max.request.bytes": 33554432,
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def logging_properties(log: Path) -> str:
    """Return log4j2's configuration: warnings to a rolling file, the word that it started to stdout."""
    pattern = "%d{yyyy-MM-dd'T'HH:mm:ss.SSSX} %p %c{1} %m%n"
    return f"""\
status = error
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = {log}
appender.file.filePattern = {log}.%i
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = {pattern}
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = 10MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 2
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = {pattern}
rootLogger.level = warn
rootLogger.appenderRef.file.ref = file
logger.server.name = kafka.server.KafkaRaftServer
logger.server.level = info
logger.server.appenderRef.out.ref = out
logger.fatal.name = org.apache.kafka.server.fault
logger.fatal.level = error
logger.fatal.appenderRef.out.ref = out
logger.main.name = kafka.Kafka$
logger.main.level = info
logger.main.appenderRef.out.ref = out
"""
