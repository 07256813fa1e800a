"""Hypothesis strategies: events of one episode or of a whole customer, with revisions and odd orders."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from hypothesis import strategies as st

from services.scoring.domain.types import Applied, TextFeature
from shared.events import BODIES, Event

START: Final = datetime(2026, 1, 5, 8, tzinfo=UTC)
DAYS: Final = 120
END: Final = START + timedelta(days=DAYS)

times = st.integers(0, DAYS * 24 * 6).map(lambda ten: START + timedelta(minutes=10 * ten))
moods = st.none() | st.integers(-100, 100).map(lambda compound: TextFeature(compound, "test"))
actors = st.sampled_from(["customer", "agent", "bot", "system", None])
flags = st.sampled_from([True, False, None])
_revisions = st.sampled_from([0, 0, 0, 1, 2])
_later = st.integers(-60, 200).map(lambda days: (START + timedelta(days=days)).isoformat())
_Fields = dict[str, st.SearchStrategy[Any]]


def _some(values: _Fields) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=values)


def _pair(required: _Fields, optional: _Fields) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(required, optional=optional)


def _interaction(noun: str) -> dict[str, st.SearchStrategy[dict[str, Any]]]:
    key: _Fields = {"interaction": st.just("i")}
    head: _Fields = {
        "subject": st.sampled_from(["a", None]),
        "priority": st.sampled_from(["low", "normal", "high", "urgent", None]),
        "follows": st.sampled_from(["j", None]),
    }
    message: _Fields = {
        "message": st.sampled_from("abcd"),
        "author": actors.filter(bool),
        "public": st.booleans(),
    }
    found = {
        "opened": _pair(key, head),
        "updated": _pair(key, head),
        "message": _pair(
            key | message, {"text": st.sampled_from(["x", None]), "agent": st.sampled_from("pq")}
        ),
        "status": _pair(
            key
            | {
                "status": st.sampled_from(
                    ["new", "open", "pending", "hold", "solved", "open", "solved", "closed"]
                )
            },
            {
                "previous": st.sampled_from(["solved", "open"]),
                "answered": flags,
                "waited_s": st.integers(0, 999),
            },
        ),
        "handover": _pair(key, {"from_": st.sampled_from("pq"), "to": st.sampled_from("pq")}),
    }
    return {f"{noun}.{verb}": fields for verb, fields in found.items()}


_SUBSCRIPTION: Final = (
    "started renewed changed expanded contracted paused resumed cancel_scheduled cancel_revoked cancelled"
).split()

KINDS: Final[dict[str, dict[str, st.SearchStrategy[dict[str, Any]]]]] = {
    "ticket": _interaction("ticket"),
    "chat": _interaction("chat"),
    "call": {
        ("call.note" if kind.endswith("message") else kind): fields
        for kind, fields in _interaction("call").items()
    },
    "survey": {
        "survey.answered": _pair(
            {"response": st.just("r"), "metric": st.just("csat")},
            {
                "score": st.integers(0, 6) | st.none(),
                "comment": st.sampled_from(["c", None]),
                "better": st.sampled_from(["low", "high", None]),
            },
        )
    },
    "review": {
        "review.posted": _pair({"review": st.just("v"), "site": st.just("s")}, {"score": st.integers(1, 5)}),
        "review.removed": _pair({"review": st.just("v")}, {}),
    },
    "subscription": {
        f"subscription.{verb}": _pair({"subscription": st.just("s")}, {"period_end": _later | st.none()})
        for verb in _SUBSCRIPTION
    },
    "order": {
        "purchase.made": _pair({"order": st.just("o")}, {"amount": st.integers(0, 100) | st.none()}),
        "purchase.refunded": _pair(
            {"order": st.just("o")},
            {"refund": st.sampled_from("ab"), "amount": st.integers(0, 100) | st.none()},
        ),
    },
    "invoice": {
        f"payment.{verb}": _pair({"invoice": st.just("n")}, {"attempt": st.integers(1, 3)})
        for verb in ("failed", "recovered", "disputed")
    },
    "referral": {
        f"referral.{verb}": _pair({"referral": st.just("f")}, {"existing_customer": flags})
        for verb in ("made", "converted")
    },
    "mention": {
        "mention.made": _pair(
            {"mention": st.just("m"), "where": st.just("w"), "public": st.booleans()},
            {"stance": st.sampled_from(["praise", "complaint", "neutral", None]), "text": st.just("x")},
        )
    },
    "touchpoint": {
        f"touchpoint.{verb}": _pair(
            {"touchpoint_id": st.just("p"), "name": st.just("n")}, {"due_at": _later | st.none()}
        )
        for verb in ("planned", "held", "missed")
    },
    "attempt": {"selfservice.attempted": _pair({"attempt": st.just("a")}, {"helped": flags})},
    "usage": {"usage.observed": _some({"active_users": st.integers(0, 9), "seats": st.integers(0, 9)})},
}


def told_of(kind: str) -> st.SearchStrategy[Applied]:
    """One event of an episode of `kind`; its id comes with `numbered`."""
    choices = [
        st.builds(_event(name), fields, times, st.integers(0, 90), actors, _revisions, moods)
        for name, fields in KINDS[kind].items()
    ]
    return st.one_of(choices)


def _event(name: str) -> Callable[..., Applied]:
    def make(
        fields: dict[str, Any],
        time: datetime,
        late_min: int,
        actor: str | None,
        revision: int,
        mood: TextFeature | None,
    ) -> Applied:
        event = Event(
            id="",
            source="/sources/desk",
            type=name,
            time=time,
            recorded=time + timedelta(minutes=late_min - 10),  # sometimes the sender's clock runs ahead
            body=BODIES[name](**fields),
            identifiers=("user:ann",),
            actor=actor,  # type: ignore[arg-type]
            revision=revision,
        )
        return Applied(event, mood)

    return make


def numbered(told: list[Applied]) -> list[Applied]:
    """With ids, so that each event is one of its own."""
    return [Applied(_with_id(one.event, f"{n * 7919 % 1000:03d}"), one.text) for n, one in enumerate(told)]


def _with_id(event: Event, new: str) -> Event:
    return Event(**{name: getattr(event, name) for name in event.__struct_fields__} | {"id": new})


def episodes(*kinds: str, most: int = 10) -> st.SearchStrategy[list[Applied]]:
    """The events of one episode of any of `kinds` (all, if none is named)."""
    return st.sampled_from(kinds or tuple(KINDS)).flatmap(
        lambda kind: st.lists(told_of(kind), min_size=1, max_size=most).map(numbered)
    )
