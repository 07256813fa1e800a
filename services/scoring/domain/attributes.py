"""What is known of a customer besides what happened: name, persona, region and the like, over time.

A set of facts (time, event id, field, value), so the order of arrival is without effect. In force at t is
the last one with time ≤ t; before the first one, the first: a persona told late was so all along.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from shared.events import UNSET, Event
from shared.events import bodies as b
from shared.events.times import Micros

Value = str | int | None

FIELDS: Final = (
    "name",
    "persona",
    "segment",
    "region",
    "language",
    "time_zone",
    "role",
    "owner",
    "value",
    "currency",
    "renewal_at",
    "since",
    "left_at",
    "stage",
)
_ENVELOPE: Final = ("persona", "region", "language", "stage")
"""What any event may say beside its body."""
_FOLDED: Final = ("persona", "region", "language", "time_zone", "role")
"""What decides how episodes fold."""


class Fact(NamedTuple):
    at: Micros
    event: str
    value: Value


Courses = tuple[tuple[tuple[Micros, Value], ...], ...]
"""Per attribute that decides folds: its changes over time."""


class Attributes:
    """Immutable; equal facts give equal objects and equal bytes."""

    __slots__ = ("_courses", "_facts")

    def __init__(self, facts: Mapping[str, tuple[Fact, ...]]) -> None:
        self._courses: Courses | None = None
        self._facts = {field: facts[field] for field in FIELDS if facts.get(field)}

    @staticmethod
    def of(events: Iterable[Event]) -> Attributes:
        """The timeline that `events` tell, whatever their order and however often each occurs."""
        found: dict[str, set[Fact]] = {}
        for event in events:
            for field, value in _said(event):
                found.setdefault(field, set()).add(Fact(event.at, event.id, value))
        return Attributes({field: _ordered(facts) for field, facts in found.items()})

    def plus(self, events: Iterable[Event]) -> Attributes:
        """With the facts of further events: the same as `of` over all of them together."""
        more = Attributes.of(events)
        if not more._facts:
            return self
        fields = self._facts.keys() | more._facts.keys()
        return Attributes({f: _ordered({*self._facts.get(f, ()), *more._facts.get(f, ())}) for f in fields})

    def at(self, field: str, t: Micros) -> Value:
        """The value in force at `t`; None if nobody ever said one, or it was removed."""
        fact = self.fact(field, t)
        return fact.value if fact else None

    def fact(self, field: str, t: Micros) -> Fact | None:
        """Like `at`, with the event that said it."""
        facts = self._facts.get(field)
        if not facts:
            return None
        place = bisect_right(facts, t, key=_time) - 1
        return facts[max(place, 0)]

    def text(self, field: str, t: Micros) -> str | None:
        """Like `at`, for fields that are texts."""
        value = self.at(field, t)
        return value if isinstance(value, str) else None

    def last(self, field: str) -> Fact | None:
        """The last fact on a field, with who said it and when."""
        facts = self._facts.get(field)
        return facts[-1] if facts else None

    def latest(self) -> Mapping[str, Value]:
        """The last value of each field; fields of which nothing is known are absent."""
        return {f: facts[-1].value for f, facts in self._facts.items() if facts[-1].value is not None}

    def folds_alike(self, other: Attributes) -> bool:
        """True if no episode can fold differently under `other`: the same values in force at every time."""
        return self.courses == other.courses

    @property
    def courses(self) -> Courses:
        """All that folds can see of it; hashable."""
        if self._courses is None:
            self._courses = tuple(tuple(self._course(field)) for field in _FOLDED)
        return self._courses

    def _course(self, field: str) -> list[tuple[Micros, Value]]:
        """Changes alone: (from when, value), the first one without a beginning."""
        course: list[tuple[Micros, Value]] = []
        for fact in self._facts.get(field, ()):
            if not course:
                course.append((0, fact.value))
            elif course[-1][0] == fact.at:
                course[-1] = (fact.at, fact.value)
            elif course[-1][1] != fact.value:
                course.append((fact.at, fact.value))
        return _without_repeats(course)

    def pack(self) -> bytes:
        """Canonical bytes: equal facts, equal bytes."""
        return json.dumps(self._facts, separators=(",", ":")).encode("ascii")

    @staticmethod
    def unpack(raw: bytes) -> Attributes:
        """The inverse of `pack`."""
        facts: dict[str, list[tuple[Micros, str, Value]]] = json.loads(raw)
        return Attributes({field: tuple(Fact(*one) for one in facts[field]) for field in facts})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Attributes) and self._facts == other._facts

    def __hash__(self) -> int:
        return hash(tuple(self._facts.items()))


def matters(event: Event) -> bool:
    """Whether the event says something that can change how episodes fold."""
    return any(field in _FOLDED for field, _ in _said(event))


def _said(event: Event) -> Iterator[tuple[str, Value]]:
    for field in _ENVELOPE:
        value = getattr(event, field)
        if value is not None:
            yield field, value
    if isinstance(event.body, b.CustomerIdentified):
        for field in FIELDS:
            value = getattr(event.body, field, UNSET)
            if value is not UNSET:
                yield field, value


def _ordered(facts: Iterable[Fact]) -> tuple[Fact, ...]:
    return tuple(sorted(facts, key=lambda fact: (fact.at, fact.event, str(fact.value))))


def _without_repeats(course: list[tuple[Micros, Value]]) -> list[tuple[Micros, Value]]:
    return [step for i, step in enumerate(course) if i == 0 or step[1] != course[i - 1][1]]


def _time(fact: Fact) -> Micros:
    return fact.at
