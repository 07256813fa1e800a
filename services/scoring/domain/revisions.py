"""Several events that speak of the same thing: canonical order, and what holds after all revisions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from services.scoring.domain.types import Applied
from shared.events import UNSET, Event, NaturalKey, natural_key
from shared.events.times import Micros


def canonical(applied: Iterable[Applied]) -> tuple[Applied, ...]:
    """Each event once, by (effective time, id): the order in which an episode is told."""
    once = {one.event.id: one for one in applied}
    return tuple(sorted(once.values(), key=_told))


def _told(one: Applied) -> tuple[Micros, str]:
    return one.event.at, one.event.id


def _revised(one: Applied) -> tuple[int, datetime, str]:
    return one.event.revision, one.event.time, one.event.id


def key_of(event: Event) -> NaturalKey:
    return natural_key(event.type, event.body, event.time, event.id)


class Thing:
    """What a group of revisions says by now, field by field.

    A higher revision wins, then a later time, then a greater id; `null` removes a field. `first` is the
    earliest of the events, whose time is when the thing itself happened; `last` the winning one.
    """

    __slots__ = ("at", "first", "last", "versions")

    def __init__(self, versions: Sequence[Applied]) -> None:
        if len(versions) == 1:  # nearly always
            self.versions = versions
            self.first = self.last = versions[0]
        else:
            self.versions = sorted(versions, key=_revised)
            self.first = min(self.versions, key=_told)
            self.last = self.versions[-1]
        self.at: Micros = self.first.event.at

    def get(self, name: str) -> object | None:
        """The value of a field of the body that holds; None if there is none."""
        for version in reversed(self.versions):
            value: object = getattr(version.event.body, name, UNSET)
            if value is not UNSET:
                return value
        return None

    def text(self, name: str) -> str | None:
        value = self.get(name)
        return value if isinstance(value, str) else None

    def whole(self, name: str) -> int | None:
        value = self.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def by(self, name: str) -> Applied | None:
        """Who said the value of a field that holds."""
        for version in reversed(self.versions):
            value = getattr(version.event.body, name, UNSET)
            if value is not UNSET:
                return None if value is None else version
        return None

    def envelope(self, name: str) -> object | None:
        """Of a field beside the body, the last value anybody gave."""
        for version in reversed(self.versions):
            value: object = getattr(version.event, name)
            if value is not None:
                return value
        return None


def fields(event: Event) -> Mapping[str, object]:
    """The fields of the body that the sender spoke of; None where it removes one."""
    body = event.body
    values = ((name, getattr(body, name)) for name in body.__struct_fields__)
    return {name: value for name, value in values if value is not UNSET}


def things(events: Iterable[Applied]) -> dict[NaturalKey, Thing]:
    """Events by their natural key."""
    groups: dict[NaturalKey, list[Applied]] = {}
    for one in events:
        groups.setdefault(key_of(one.event), []).append(one)
    return {key: Thing(group) for key, group in groups.items()}


def superseded(events: Sequence[Applied]) -> frozenset[str]:
    """Ids of events of which a later revision of the same type and key replaces every field."""
    groups: dict[tuple[str, NaturalKey], list[Applied]] = {}
    for one in events:
        groups.setdefault((one.event.type, key_of(one.event)), []).append(one)
    lost: set[str] = set()
    for group in groups.values():
        covered: set[str] = set()
        for one in sorted(group, key=_revised, reverse=True):
            said = fields(one.event).keys()
            if covered and said <= covered:
                lost.add(one.event.id)
            covered |= said
    return frozenset(lost)
