"""The customer's own words in an event, and how those that were measured sound."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from services.scoring.domain.interaction import Step
from services.scoring.domain.types import Applied
from shared.events import Event
from shared.events import bodies as b
from shared.events.times import Micros


def own_words(event: Event) -> str | None:
    """What the customer said in free text; None if nothing, or if somebody else wrote it."""
    body = event.body
    if isinstance(body, b.InteractionMessage):
        return _text(body.text) if body.author == "customer" and body.public else None
    if event.actor in ("agent", "bot", "system"):
        return None
    if isinstance(body, b.InteractionOpened):
        return _joined(body.subject, body.text)
    if isinstance(body, b.SurveyAnswered):
        return _joined(body.comment, body.reason)
    if isinstance(body, b.ReviewPosted | b.MentionMade):
        return _text(body.text)
    if isinstance(body, b.SubscriptionEvent):
        return _text(body.comment)
    return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def _joined(*values: object) -> str | None:
    given = [value for value in values if _text(value)]
    return "\n".join(str(value) for value in given) or None


class Measured(NamedTuple):
    """A text of the customer's as it stands after all revisions; `kind` is the step it belongs to."""

    kind: str
    at: Micros
    event: str
    compound: int


def measured(steps: Iterable[Step]) -> Iterator[Measured]:
    """The latest wording of each text in an interaction, dated when it was written."""
    for step in steps:
        if step.kind not in ("opened", "message"):
            continue
        latest = last_words(step.thing.versions)
        if latest and latest.text and own_words(latest.event):
            yield Measured(step.kind, latest.event.at, latest.event.id, latest.text.compound)


def last_words(versions: Iterable[Applied]) -> Applied | None:
    """The version that said the words that hold: the last that spoke of them at all."""
    holding: Applied | None = None
    for version in versions:
        if speaks(version.event):
            holding = version
    return holding


def speaks(event: Event) -> bool:
    """Whether the event says words or takes them back, so that earlier ones no longer hold."""
    names = ("text", "subject", "comment", "reason")
    body = event.body
    if isinstance(body, b.InteractionRemoved | b.InteractionMerged):
        return False
    return own_words(event) is not None or any(getattr(body, name, "") is None for name in names)
