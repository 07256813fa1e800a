"""Which council looks after a customer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from shared.events.scores import ScoreChange

DEFAULT: Final = "default"
SCOPE_KEYS: Final = ("account", "customer", "persona", "region", "segment", "stage", "owner", "language")


@dataclass(frozen=True, slots=True)
class Person:
    name: str
    email: str | None = None
    role: str | None = None


@dataclass(frozen=True, slots=True)
class Council:
    """`scope`: allowed values by attribute; a customer belongs when every attribute named has one of them."""

    id: str
    name: str = ""
    sponsor: Person | None = None
    members: tuple[Person, ...] = ()
    scope: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def council_of(change: ScoreChange, councils: Iterable[Council]) -> str:
    """The id of the narrowest council that has the customer; the first by id among equals; else default."""
    facts = _facts(change)
    found = [c for c in councils if c.id != DEFAULT and _has(c, facts)]
    return min(found, key=lambda c: (-len(c.scope), c.id)).id if found else DEFAULT


def _has(council: Council, facts: Mapping[str, frozenset[str]]) -> bool:
    return all(
        facts.get(name, frozenset()) & {value.casefold() for value in values}
        for name, values in council.scope.items()
    )


def _facts(change: ScoreChange) -> dict[str, frozenset[str]]:
    """An account may be named by our id or by the company's own."""
    own = {i.partition(":")[2] for i in change.identifiers if i.startswith("account:")}
    facts: dict[str, set[str | None]] = {
        "account": {change.account_id, *own},
        "customer": {change.customer_id, *change.identifiers},
        "persona": {change.persona},
        "region": {change.region},
        "segment": {change.segment},
        "stage": {change.stage},
        "owner": {change.owner},
        "language": {change.language},
    }
    return {name: frozenset(v.casefold() for v in values if v) for name, values in facts.items()}


def person(council: Council | None, name: str) -> Person | None:
    """A member by name or address."""
    if council is None:
        return None
    people = [*council.members, *([council.sponsor] if council.sponsor else [])]
    wanted = name.casefold()
    return next((p for p in people if wanted in (p.name.casefold(), (p.email or "").casefold())), None)


def lead(council: Council | None) -> Person | None:
    """The member whose role says so, else the first."""
    if council is None or not council.members:
        return None
    return next((p for p in council.members if (p.role or "").casefold() == "lead"), council.members[0])
