"""Messages on `cx.scores.v1`: one per customer (or account) and batch, also when no number moved."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from shared.events.codec import PREFIX, SUFFIX, full_type

ScoreName = Literal["health", "relationship", "risk"]
Cause = Literal["time", "new", "late", "corrected", "retracted", "merge", "split", "policy", "model"]


def _null() -> None:
    """The default of a field that is told even while it is unknown: only plain defaults are left out."""


def _empty() -> tuple[()]:
    """Likewise for lists."""
    return ()


_NULL: Final[Any] = msgspec.field(default_factory=_null)
_EMPTY: Final[Any] = msgspec.field(default_factory=_empty)


class Score(msgspec.Struct, frozen=True):
    """One score as published. Unknown has null `value` and `band`, and `needs` says what is missing.

    health and relationship 0-100, risk 0-1; `sd` in the same unit; `evidence` in decayed episodes.
    Numbers are n/10⁹ of integers, so equal scores are equal to the last digit.
    """

    value: float | None
    band: str | None
    state: Literal["known", "unknown"]
    evidence: float
    sd: float | None
    freshness_days: float | None
    respondents: int
    needs: tuple[str, ...] = ()
    horizon_days: int | None = None


class Scores(msgspec.Struct, frozen=True):
    health: Score
    relationship: Score
    risk: Score


NOT_KNOWN = Score(None, None, "unknown", 0.0, None, None, 0)
NOTHING_KNOWN = Scores(NOT_KNOWN, NOT_KNOWN, NOT_KNOWN)
"""What is known of somebody before the first message about them."""


class EventPoints(msgspec.Struct, frozen=True, omit_defaults=True):
    """A row of an explanation: what one event contributes to one signal of one score."""

    id: str
    at: str
    type: str
    points: float
    open: bool = False
    count: int = 1


class Contribution(msgspec.Struct, frozen=True):
    """Points of one signal: the sum of its events' points. `coverage` 0-1 is N/(N+κ)."""

    signal: str
    label: str
    points: float
    coverage: float
    events: tuple[EventPoints, ...]


class Contributions(msgspec.Struct, frozen=True):
    """The largest five signals per score, by absolute points."""

    health: tuple[Contribution, ...] = ()
    relationship: tuple[Contribution, ...] = ()
    risk: tuple[Contribution, ...] = ()


class CausePart(msgspec.Struct, frozen=True):
    """A share of a change: points of `score` (risk in log-odds) that `cause` explains."""

    score: ScoreName
    cause: Cause
    points: float
    events: tuple[str, ...] = ()


class AppliedEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """An event of this customer that took effect, or was first seen, in this batch.

    `first` is False when it revises an earlier version of the same natural key. `about` is the
    interaction it speaks of (`source` and `interaction`). Answers carry metric, score and scale.
    """

    id: str
    type: str
    source: str
    time: str
    recorded: str
    actor: str | None = _NULL
    about: str | None = _NULL
    first: bool = True
    summary: str = ""
    text: str | None = None
    url: str | None = None
    priority: str | None = None
    metric: str | None = None
    score: float | None = None
    scale: tuple[float, float] | None = None
    x: float | None = None
    """The answer on the ideal's scale, 0 worst to 1 best."""
    key: str | None = None
    """The natural key, scoped by source: equal for all versions of one statement."""
    replaces: tuple[str, ...] = ()
    """Ids of the events whose statement this one revises, retracts or removes."""
    customer: str | None = None
    """In an account's message, the customer whose event it is; None for the account's own."""


class Wait(msgspec.Struct, frozen=True, omit_defaults=True):
    """An interaction in which the customer waits for us: what was promised, and whether it is broken."""

    event: str
    interaction: str
    kind: Literal["first_response", "solution"]
    since: str
    due_at: str
    broken: bool
    priority: str | None = None
    text: str | None = None
    url: str | None = None


class ScoreChange(msgspec.Struct, frozen=True, omit_defaults=True):
    """A customer's scores before and after a batch, with all that a reader needs so as not to ask back.

    `version` rises per customer; readers drop lower ones. An account's message has `account_id` and no
    `customer_id`. `value` is the expected yearly revenue in minor units of `currency`. `leaves` are the
    identity nodes of the customer; `merged_from` names customers that now are this one, `split_from` the
    customer from whom this one was parted.
    """

    version: int
    at: str
    before: Scores | None
    after: Scores
    policy: str
    model: str
    customer_id: str | None = None
    account_id: str | None = _NULL
    merged_from: tuple[str, ...] = ()
    split_from: str | None = None
    identifiers: tuple[str, ...] = _EMPTY
    leaves: tuple[str, ...] = ()
    name: str | None = _NULL
    region: str | None = _NULL
    persona: str | None = _NULL
    segment: str | None = None
    stage: str | None = None
    owner: str | None = None
    language: str | None = None
    value: int | None = _NULL
    currency: str | None = None
    renewal_at: str | None = _NULL
    events: tuple[AppliedEvent, ...] = _EMPTY
    waits: tuple[Wait, ...] = ()
    causes: tuple[CausePart, ...] = _EMPTY
    contributions: Contributions = msgspec.field(default_factory=Contributions)
    quiet: bool = False
    """True for messages that must page nobody: rebuild and re-scoring by a new policy."""


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(ScoreChange)


def encode(change: ScoreChange) -> bytes:
    """Types of events are short in our hands and whole on the wire, as in events themselves."""
    events = tuple(msgspec.structs.replace(e, type=full_type(e.type)) for e in change.events)
    return _encoder.encode(msgspec.structs.replace(change, events=events) if events else change)


def decode(raw: bytes) -> ScoreChange:
    """Raises msgspec.MsgspecError for anything that is no score change."""
    try:
        change = _decoder.decode(raw)
    except (UnicodeDecodeError, RecursionError):
        raise msgspec.DecodeError("not UTF-8, or nested too deeply") from None
    events = tuple(
        msgspec.structs.replace(e, type=e.type.removeprefix(PREFIX).removesuffix(SUFFIX))
        for e in change.events
    )
    return msgspec.structs.replace(change, events=events) if events else change
