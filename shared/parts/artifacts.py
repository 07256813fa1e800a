"""Apache Kafka's own jars: a committed list with hashes, fetched once into a cache."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor, as_completed
from importlib.resources import files
from pathlib import Path

from shared.parts.errors import PartError
from shared.parts.places import cache_dir, make_folder
from shared.parts.progress import Progress

LIST = "kafka-artifacts.json"
KAFKA_VERSION = "4.4.0"
THREADS = 8
TIMEOUT_S = 20


def kafka_jars(progress: Progress) -> list[Path]:
    """Return Kafka's jars, every one checked against its hash; those missing or altered are fetched.

    `progress` hears of every fetched file. Raises PartError when a file cannot be had or is not the one
    that the list names.
    """
    wanted: dict[str, str] = json.loads(files("shared.parts").joinpath(LIST).read_text())
    store = make_folder(cache_dir() / "jars", "the cache")
    places = {coordinate: store / _file_name(coordinate) for coordinate in wanted}
    missing = [name for name, path in places.items() if _sha256(path) != wanted[name]]
    if missing:
        _fetch_all({name: (places[name], wanted[name]) for name in missing}, store, progress)
    return list(places.values())


def missing_jars() -> int:
    """Return how many jars a start would have to fetch, without looking at hashes."""
    wanted = json.loads(files("shared.parts").joinpath(LIST).read_text())
    return sum(not (cache_dir() / "jars" / _file_name(name)).exists() for name in wanted)


def _file_name(coordinate: str) -> str:
    group, artifact, version = coordinate.split(":")
    return f"{group}.{artifact}-{version}.jar"


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _fetch_all(missing: dict[str, tuple[Path, str]], store: Path, progress: Progress) -> None:
    """Fetch into a folder of our own and move what is right: the cache never holds half a file."""
    logging.getLogger("jgo").setLevel(logging.ERROR)
    step = f"fetching Apache Kafka {KAFKA_VERSION}"
    progress(step, 0, len(missing))
    staging = Path(tempfile.mkdtemp(prefix="staging-", dir=store))
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="fetch")
    try:
        futures = [pool.submit(_fetch, name, path, sha, staging) for name, (path, sha) in missing.items()]
        for done, future in enumerate(as_completed(futures), start=1):
            future.result()
            progress(step, done, len(missing))
    finally:
        pool.shutdown(cancel_futures=True)
        shutil.rmtree(staging, ignore_errors=True)


def _fetch(coordinate: str, place: Path, sha256: str, staging: Path) -> None:
    import requests
    from jgo.maven import MavenContext, PythonResolver

    group, artifact, version = coordinate.split(":")
    context = MavenContext(repo_cache=staging, resolver=PythonResolver(), timeout=TIMEOUT_S)
    try:
        fetched = context.project(group, artifact).at_version(version).artifact().resolve()
    except (requests.RequestException, RuntimeError, OSError) as error:
        unreachable = isinstance(error, requests.ConnectionError | requests.Timeout)
        raise PartError(
            f"cannot fetch Apache Kafka's file {coordinate}",
            where=place.parent,
            why="the Maven repository cannot be reached" if unreachable else str(error),
            next_step="The first start needs the network once; start again when it is there, or set "
            "KAFKA_BOOTSTRAP_SERVERS to a Kafka of your own.",
        ) from error
    if _sha256(fetched) != sha256:
        raise PartError(
            f"Apache Kafka's file {coordinate} is not the expected one",
            where=place.parent,
            why="its SHA-256 differs from the list that cxloop was released with, so it was thrown away",
            next_step="Start again; if it stays, something between you and the repository alters files.",
        )
    place.parent.mkdir(parents=True, exist_ok=True)
    fetched.replace(place)
