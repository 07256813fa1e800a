"""Kafka's classes in an archive: made beside a run, used by the next one, and never trusted blindly."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shared.parts import Kafka, Parts, cache_dir
from shared.parts.artifacts import kafka_jars
from shared.parts.progress import quiet

MADE_S = 90.0


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test alone, with the jars in it and no archive."""
    kafka_jars(quiet)
    own = tmp_path / "cache"
    shutil.copytree(cache_dir() / "jars", own / "jars", symlinks=True)
    monkeypatch.setenv("CXLOOP_CACHE_DIR", str(own))
    return own


@contextmanager
def running(folder: Path) -> Iterator[Kafka]:
    kafka = Kafka(folder)
    try:
        yield kafka.start()
    finally:
        kafka.close()


def archives(cache: Path) -> list[Path]:
    return list(cache.glob("kafka-classes-*"))


def uses(kafka: Kafka, archive: Path) -> bool:
    """Whether Java has mapped it into the memory of the node."""
    return str(archive) in Path(f"/proc/{kafka.pid}/maps").read_text()


def make(kafka: Kafka, cache: Path) -> Path:
    archiver = kafka.archiver(after_s=0)
    deadline = time.monotonic() + MADE_S
    while not list(cache.glob("kafka-classes-*.jsa")):
        assert time.monotonic() < deadline, kafka.log.with_suffix(".out").read_text()[-2000:]
        archiver.tick()
        time.sleep(0.05)
    (made,) = archives(cache)
    return made


def test_it_is_made_beside_a_run_and_used_by_the_next_while_nobody_else_can_write_it(
    tmp_path: Path, cache: Path
) -> None:
    with running(tmp_path / "kafka") as first:
        made = make(first, cache)
        assert not uses(first, made)
    with running(tmp_path / "kafka") as second:
        assert uses(second, made)
    made.chmod(0o666)
    with running(tmp_path / "kafka") as third:
        assert not uses(third, made), "somebody else may have written it"
    made.chmod(0o600)
    with made.open("r+b") as damaged:
        damaged.seek(made.stat().st_size // 2)
        damaged.write(bytes(100_000))
    with running(tmp_path / "kafka") as fourth:
        assert not uses(fourth, made), "a damaged one is no reason not to start"
    jar = next((cache / "jars").glob("*kafka-clients*"))
    jar.touch()
    with running(tmp_path / "kafka") as fifth:
        assert not uses(fifth, made), "it belongs to other files"


def test_ended_early_it_leaves_nothing_behind(tmp_path: Path, cache: Path) -> None:
    with Parts(tmp_path / "data", postgres=False) as parts:
        assert parts.broker
        archiver = parts.broker.archiver(after_s=0)
        archiver.tick()
        archiver.stop()
    assert archives(cache) == []
