"""Starts a real PostgreSQL and a real Apache Kafka as children of this process.

    with Parts(data_dir) as parts:
        parts.database_url, parts.kafka

The children end when this process does, however it ends; nothing they leave behind blocks the next start.
Every error is a `PartError`, a sentence with what, where, why and the next step.
"""

from shared.parts.cluster import KafkaCluster
from shared.parts.errors import PartError
from shared.parts.kafka import Kafka
from shared.parts.lock import DirectoryLock
from shared.parts.parts import Parts
from shared.parts.places import cache_dir, default_data_dir
from shared.parts.postgres import Postgres

__all__ = [
    "DirectoryLock",
    "Kafka",
    "KafkaCluster",
    "PartError",
    "Parts",
    "Postgres",
    "cache_dir",
    "default_data_dir",
]
