"""`python -m tests.bench`: runs the benches on real parts and writes build/bench.{json,md,svg}."""

from __future__ import annotations

import argparse
import sys
import tempfile
from base64 import b64encode
from pathlib import Path

from services.cli import migrations
from shared.parts import Kafka, Postgres
from tests.bench import edge
from tests.bench.report import Row, write

UNMEASURED = (
    "growth from 10 k to 1 M customers, latency at half load, rebuild against live, score reads, peers other "
    "than the idiomatic service: they come with the work on guarantees and speed",
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds of each measurement")
    rounds: int = parser.parse_args().rounds
    target = Path("build")
    target.mkdir(exist_ok=True)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="cxloop-bench-") as folder:
        Path(folder).chmod(0o755)
        database = Postgres(Path(folder) / "postgres").start()
        kafka = Kafka(Path(folder) / "kafka").start()
        try:
            env = {
                "DATABASE_URL": database.database_url,
                "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap,
                "CXLOOP_SECRET_KEY": b64encode(bytes(32)).decode(),
            }
            migrations.upgrade_all(database.database_url)
            key = edge.api_key(database.database_url)
            for one in edge.measure(env, key, rounds):
                sys.stderr.write(f"{one.name}: {one.ratio} (goal {one.goal})\n")
                rows.append(one)
        finally:
            kafka.close()
            database.stop()
    sys.stdout.write(write(target, rows, UNMEASURED))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
