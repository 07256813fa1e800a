"""What was promised for one interaction: by persona, channel and priority, or in so many words."""

from __future__ import annotations

from typing import NamedTuple

from services.scoring.domain.attributes import Attributes
from services.scoring.domain.hours import Calendar, calendar, working_us
from services.scoring.domain.interaction import Story
from services.scoring.domain.policy import EvidencePolicy, Promise
from shared.events import bodies as b
from shared.events.times import MINUTE, Micros, parse_instant, to_micros

_CHANNEL_OF_NOUN = {"chat": "chat", "call": "phone"}


class Ideal(NamedTuple):
    """`first_reply` and `solution` in time as `calendar` counts it."""

    promise: Promise
    calendar: Calendar
    first_reply: Micros
    solution: Micros
    channel: str | None
    priority: str
    language: str | None


def ideal(story: Story, attributes: Attributes, policy: EvidencePolicy) -> Ideal:
    """The ideal experience of the customer in this interaction, as known when it began."""
    start = story.steps[0].at if story.steps else story.ends_at
    promise = policy.promise(attributes.text("persona", start))
    priority = (story.head and story.head.text("priority")) or "normal"
    urgency = policy.urgencies[priority]
    clock = calendar(
        policy,
        attributes.text("region", start),
        attributes.text("time_zone", start),
        around_the_clock=urgency.around_the_clock,
    )
    given = story.head.envelope("channel") if story.head else None
    channel = given if isinstance(given, str) else _CHANNEL_OF_NOUN.get(story.noun)
    first = promise.first_reply_on.get(channel or "", promise.first_reply)
    own = story.head.get("promises") if story.head else None
    first_told, solution_told = _told(own)
    return Ideal(
        promise=promise,
        calendar=clock,
        first_reply=_span(clock, start, first_told) or _scaled(first, urgency.factor),
        solution=_span(clock, start, solution_told) or _scaled(promise.solution, urgency.factor),
        channel=channel,
        priority=priority,
        language=attributes.text("language", start),
    )


def _scaled(span: Micros, factor: int) -> Micros:
    return max(span * factor // 1_000_000, 1)


def _span(clock: Calendar, start: Micros, told: Micros | None) -> Micros | None:
    """A promised instant as working time; one that was past or outside working hours leaves a minute."""
    return None if told is None else max(working_us(clock, start, told), MINUTE)


def _told(own: object) -> tuple[Micros | None, Micros | None]:
    if not isinstance(own, b.Promises):
        return None, None
    return _instant(own.first_response_at), _instant(own.solution_at)


def _instant(text: object) -> Micros | None:
    if not isinstance(text, str):
        return None
    try:
        return to_micros(parse_instant(text))
    except ValueError:
        return None
