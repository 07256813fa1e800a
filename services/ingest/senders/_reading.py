"""What several senders read alike: two required things with all reasons, priorities, ids that mean nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final, TypeVar, cast

from services.ingest.domain.parsing import seconds, text
from services.ingest.domain.sender import SourceConfig, Unreadable
from shared.events import vocabulary as v

A = TypeVar("A")
B = TypeVar("B")
_PRIORITIES: Final = {
    "low": "low",
    "normal": "normal",
    "medium": "normal",
    "high": "high",
    "priority": "high",
    "urgent": "urgent",
}


def both(first: Callable[[], A], second: Callable[[], B]) -> tuple[A, B]:
    """Both values; raises Unreadable with the reasons of both where both fail. Nests for more."""
    try:
        one = first()
    except Unreadable as refusal:
        try:
            second()
        except Unreadable as other:
            raise Unreadable.of(refusal.reasons + other.reasons) from None
        raise
    return one, second()


def unix_header(stamp: str) -> datetime | None:
    """Instant of a header that counts whole seconds since 1970; None for anything else."""
    try:
        return seconds(stamp) if stamp.isascii() and stamp.isdecimal() else None
    except Unreadable:
        return None


def priority(value: object, *path: str | int) -> v.Priority | None:
    """low, normal, high or urgent in any spelling of case; None for everything else."""
    return cast("v.Priority | None", _PRIORITIES.get((text(value, *path) or "").lower()))


def prefixed(scheme: str, value: str | None) -> str | None:
    """`scheme:value`, None without a value."""
    return f"{scheme}:{value}" if value else None


def scoped(make: Callable[[str], str], value: str | None, nobody: Iterable[str] = ()) -> str | None:
    """The sender's id as an identifier (`make` is `source.user`, `.person` or `.org`); None for nobody."""
    return make(value) if value and value not in nobody else None


def web_url(value: str | None) -> str | None:
    """An http(s) link; vendors that leave the scheme out mean https. None for anything else."""
    if not value:
        return None
    if value.startswith(("https://", "http://")):
        return value
    host = value.partition("/")[0]
    return f"https://{value}" if "." in host and ":" not in host and " " not in value else None


def word_of(words: Iterable[str], found: str | None) -> Any:  # noqa: ANN401 - a word of a closed list
    """The word if it is one of the list (in lower case), else None."""
    lowered = (found or "").lower()
    return lowered if lowered in words else None


def guessed(source: SourceConfig, name: str, guess: str) -> Any:  # noqa: ANN401 - a word of a closed list
    """Our guess about a vendor's events, such as the stage; None where the source's defaults know better."""
    return None if source.defaults.get(name) else guess


def customer_of(source: SourceConfig, sender_id: str | None) -> str | None:
    """A billing customer: an organisation, unless the source says that its customers are persons."""
    if source.settings.get("customers_are") == "person":
        return scoped(source.person, sender_id)
    return scoped(source.org, sender_id)
