"""A batch of messages against the memories of everybody named in them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import msgspec

from services.alerts.domain.hear import hear
from services.alerts.domain.identity import merged, split
from services.alerts.domain.lifecycle import Told
from services.alerts.domain.memory import Book, Memory
from shared.events.scores import ScoreChange
from shared.events.times import Micros


def subject_of(change: ScoreChange) -> str:
    """A customer's message names the customer, an account's the account alone."""
    return change.customer_id or change.account_id or ""


def subjects_of(changes: Iterable[ScoreChange]) -> set[str]:
    """Everybody whose memory is needed."""
    found: set[str] = set()
    for change in changes:
        found |= {subject_of(change), *change.merged_from}
        if change.split_from is not None:
            found.add(change.split_from)
    return found


def apply(memories: dict[str, Memory], change: ScoreChange, book: Book, now: Micros) -> list[Told]:
    """Brings `memories` up to date with one message; what is to be told, in order.

    1. not newer than what is known: nothing     2. late, of a customer merged since: news for the survivor
    3. merged: the others' alerts come along      4. parted: takes what is its own from where it was
    """
    subject = subject_of(change)
    memory = memories[subject]
    if change.version <= memory.version:  # 1
        return []
    if memory.merged_into is not None and change.split_from is None:  # 2
        return _late(memories, memory, change, book, now)
    told: list[Told] = []
    others = [memories[name] for name in dict.fromkeys(change.merged_from) if name != subject]
    if others:  # 3
        memory, news = merged(memory, others, change, now)
        told += news
        for other in others:
            memories[other.subject] = replace(other, alerts=(), merged_into=subject)
    if change.split_from is not None and change.split_from != subject:  # 4
        memory, source, news = split(memory, memories[change.split_from], change, now)
        told += news
        memories[change.split_from] = source
    memory, news = hear(replace(memory, merged_into=None), change, book, now)
    memories[subject] = memory
    return told + news


def _late(
    memories: dict[str, Memory], memory: Memory, change: ScoreChange, book: Book, now: Micros
) -> list[Told]:
    """The events are the survivor's; its scores are known from its own, newer message."""
    memories[memory.subject] = replace(memory, change=change)
    survivor = memories.get(memory.merged_into or "")
    if survivor is None or survivor.change is None:
        return []
    latest = survivor.change
    news = msgspec.structs.replace(
        latest,
        events=change.events,
        causes=(),
        before=latest.after,
        version=latest.version + 1,
        merged_from=(),
    )
    after, told = hear(survivor, news, book, now)
    memories[survivor.subject] = replace(after, change=latest)
    return told
