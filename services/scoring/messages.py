"""What messages on `cx.scores.v1` say of events and customers, so that nobody has to ask back. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from services.scoring.domain.revisions import key_of
from services.scoring.domain.summaries import summary
from services.scoring.domain.types import Applied
from services.scoring.graph import Part
from services.scoring.placing import Placed, about_key
from services.scoring.rows import text
from services.scoring.store.customers import CustomerRow
from services.scoring.view import View
from shared.events import UNSET, Event
from shared.events import bodies as b
from shared.events.ids import own_event_id
from shared.events.scores import AppliedEvent
from shared.events.times import format_instant, instant_text

EXCERPT: Final = 400
MAX_EVENTS: Final = 100
"""More than this of one customer in one batch is history being loaded: the latest are told."""
MAX_IDENTIFIERS: Final = 1_000
"""The strongest come first. All of them, of a customer with very many, are more than the bus takes."""
MAX_LEAVES: Final = 10_000
TOP: Final = 5

__all__ = ["Applied", "applied_events", "common", "excerpt", "text_of"]


def leaves(ids: Iterable[str]) -> tuple[str, ...]:
    """The customer's nodes, by which alerts find theirs again after a split; of very many the first ones."""
    return tuple(sorted(ids)[:MAX_LEAVES])


def common(view: View, row: CustomerRow) -> dict[str, Any]:
    """Fields that messages of customers and of accounts share."""
    latest = view.attributes.latest()
    return {
        "version": row.version,
        "at": instant_text(row.scored_at),
        "after": view.scores.published(),
        "policy": view.scores.policy,
        "model": view.scores.model,
        "identifiers": tuple(row.identifiers[:MAX_IDENTIFIERS]),
        "name": row.name,
        "region": row.region,
        "persona": row.persona,
        "segment": text(latest, "segment"),
        "stage": text(latest, "stage"),
        "owner": row.owner,
        "language": text(latest, "language"),
        "value": row.value,
        "currency": row.currency,
        "renewal_at": row.renewal_at,
        "waits": view.waits,
        "contributions": view.contributions(TOP),
    }


def applied_events(part: Part, fresh: Sequence[Placed]) -> tuple[AppliedEvent, ...]:
    """The batch's events of one customer, by time; those that revise an earlier telling say so."""
    ours = {p.event.id for p in fresh}
    firsts: dict[object, tuple[object, str]] = {}
    for row in part.after:
        key = (row.event.source, row.event.type, key_of(row.event))
        told = (row.event.time, row.event.id)
        known = row.id not in ours
        # What was known before this batch comes first, whatever its time.
        rank = (not known, *told)
        if key not in firsts or rank < firsts[key][0]:  # type: ignore[operator]
            firsts[key] = (rank, row.id)
    chosen = sorted({p.event.id: p.event for p in fresh}.values(), key=lambda e: (e.at, e.id))[-MAX_EVENTS:]
    return tuple(_applied(event, _is_first(event, firsts)) for event in chosen)


def _is_first(event: Event, firsts: dict[object, tuple[object, str]]) -> bool:
    found = firsts.get((event.source, event.type, key_of(event)))
    return found is None or found[1] == event.id


def _applied(event: Event, first: bool) -> AppliedEvent:
    metric, score, scale, x = _answer(event)
    return AppliedEvent(
        id=event.id,
        type=event.type,
        source=event.source,
        time=format_instant(event.time),
        recorded=format_instant(event.recorded),
        actor=actor(event),
        about=_about(event),
        first=first,
        summary=summary(event),
        text=excerpt(text_of(event)),
        url=event.url,
        priority=_optional(event, "priority"),
        metric=metric,
        score=score,
        scale=scale,
        x=x,
        key="/".join((event.source, *key_of(event))),
        replaces=_replaces(event),
    )


def _replaces(event: Event) -> tuple[str, ...]:
    """The event that a retraction takes back, by our id and by the sender's."""
    if not isinstance(event.body, b.EventRetracted):
        return ()
    return tuple(dict.fromkeys((own_event_id(event.source, event.body.event), event.body.event)))


def actor(event: Event) -> str | None:
    """Who did it: as the sender says, else the author of a message, else what the type implies."""
    if event.actor is not None:
        return event.actor
    author = _optional(event, "author")
    if author is not None:
        return author
    customers = ("survey.answered", "review.posted", "mention.made", "selfservice.attempted")
    return "customer" if event.type in customers else None


def _about(event: Event) -> str | None:
    interaction = getattr(event.body, "interaction", None)
    if isinstance(interaction, str):
        return f"{event.source} {interaction}"
    key = about_key(event)
    return f"{key.source} {key.key}" if key else None


def _answer(
    event: Event,
) -> tuple[str | None, float | None, tuple[float, float] | None, float | None]:
    """Metric, native score and scale, and the answer on the ideal's scale."""
    body = event.body
    if not isinstance(body, b.SurveyAnswered | b.ReviewPosted):
        return None, None, None, None
    metric = body.metric if isinstance(body, b.SurveyAnswered) else "rating"
    if not isinstance(body.score, int | float):
        return metric, None, None, None
    low, high = body.scale if isinstance(body.scale, tuple) else _scale(metric)
    if high <= low:
        return metric, body.score, None, None
    x = min(max((body.score - low) / (high - low), 0.0), 1.0)
    better = getattr(body, "better", UNSET)
    return metric, body.score, (low, high), 1.0 - x if better == "low" else x


def _scale(metric: str) -> tuple[float, float]:
    """The usual scale of a metric whose sender gave none."""
    return {"nps": (0, 10), "ces": (1, 7), "thumbs": (0, 1)}.get(metric, (1, 5))


def text_of(event: Event) -> str | None:
    """The customer's or the agent's own words, if the event has any."""
    for field in ("text", "comment", "subject", "query"):
        found = _optional(event, field)
        if found:
            return found
    return None


def excerpt(words: str | None) -> str | None:
    return words if words is None or len(words) <= EXCERPT else words[: EXCERPT - 1] + "…"


def _optional(event: Event, field: str) -> str | None:
    found = getattr(event.body, field, None)
    return found if isinstance(found, str) else None
