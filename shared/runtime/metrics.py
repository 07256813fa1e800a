"""Metrics of a process, in Prometheus' text format. Labels are closed sets: never an id, never a person."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Counter, Gauge, Histogram, generate_latest
from starlette.requests import Request
from starlette.responses import Response

PREFIX = "cxloop_"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class MetricInfo(NamedTuple):
    """One line of the metrics reference."""

    name: str
    kind: str
    doc: str
    labels: tuple[str, ...]


_catalogue: dict[str, MetricInfo] = {}


def _enter(name: str, kind: str, doc: str, labels: Sequence[str]) -> str:
    full = PREFIX + name
    _catalogue[full] = MetricInfo(full, kind, doc, tuple(labels))
    return full


def counter(name: str, doc: str, labels: Sequence[str] = ()) -> Counter:
    """`name` without prefix and without `_total`."""
    return Counter(_enter(name, "counter", doc, labels), doc, labels)


def gauge(name: str, doc: str, labels: Sequence[str] = (), read: Callable[[], float] | None = None) -> Gauge:
    """`read`, if given, is asked at every scrape."""
    made = Gauge(_enter(name, "gauge", doc, labels), doc, labels)
    if read is not None:
        made.set_function(read)
    return made


def histogram(
    name: str, doc: str, labels: Sequence[str] = (), buckets: Sequence[float] = SECONDS
) -> Histogram:
    """Unit in the name, seconds unless it says otherwise."""
    return Histogram(_enter(name, "histogram", doc, labels), doc, labels, buckets=buckets)


def catalogue() -> list[MetricInfo]:
    """Every metric of ours that has been defined in this process, by name."""
    return [_catalogue[name] for name in sorted(_catalogue)]


async def metrics_app(_: Request) -> Response:
    """Endpoint of a scrape."""
    return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)
