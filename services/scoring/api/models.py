"""Shapes of requests and answers."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.runtime.instants import Instant


class LookupOut(BaseModel):
    """Exactly one of the two."""

    customer_id: str | None = None
    account_id: str | None = None


class ScoreOut(BaseModel):
    """One score. health and relationship 0-100, risk 0-1; `sd` in the same unit."""

    value: float | None = Field(description="Null while unknown, never a neutral number.")
    band: str | None
    state: Literal["known", "unknown"]
    evidence: float = Field(description="Decayed number of episodes.")
    sd: float | None
    freshness_days: float | None
    respondents: int
    needs: list[str] | None = Field(None, description="What is missing while the score is unknown.")
    horizon_days: int | None = Field(None, description="Of risk: within how many days.")


class ScoresOut(BaseModel):
    """The three scores of a customer or an account at one time, as known at another."""

    customer_id: str | None = None
    account_id: str | None = None
    as_of: str
    known_at: str
    health: ScoreOut
    relationship: ScoreOut
    risk: ScoreOut
    policy: str
    model: str


class BulkIn(BaseModel):
    """Whose scores: by id, by identifier, or both; at most 200 in all."""

    model_config = ConfigDict(extra="forbid")

    customer_ids: list[str] = Field(default_factory=list, max_length=200)
    identifiers: list[str] = Field(default_factory=list, max_length=200, examples=[["email:ann@example.com"]])
    as_of: Instant | None = None

    @model_validator(mode="after")
    def _some(self) -> Self:
        count = len(self.customer_ids) + len(self.identifiers)
        if not 0 < count <= 200:
            raise ValueError("give 1 to 200 customer_ids or identifiers")
        return self


class BulkItem(BaseModel):
    """As asked for, with the scores or an error."""

    model_config = ConfigDict(extra="allow")

    customer_id: str | None = None
    identifier: str | None = None
    health: ScoreOut | None = None
    relationship: ScoreOut | None = None
    risk: ScoreOut | None = None
    error: dict[str, Any] | None = None


class BulkOut(BaseModel):
    items: list[BulkItem]


class CustomerItem(BaseModel):
    """One row of a list. `value` is the expected yearly revenue in minor units of `currency`."""

    customer_id: str | None = None
    account_id: str | None
    name: str | None
    identifiers: list[str]
    owner: str | None
    persona: str | None
    region: str | None
    value: int | None
    currency: str | None
    value_at_risk: int | None = Field(description="`value` times the risk.")
    renewal_at: str | None
    health: ScoreOut | None
    relationship: ScoreOut | None
    risk: ScoreOut | None
    scored_at: str


class CustomerOut(CustomerItem):
    """All that is known besides what happened. `leaves` are the nodes of the identity graph."""

    segment: str | None = None
    language: str | None = None
    time_zone: str | None = None
    role: str | None = None
    since: str | None = None
    left_at: str | None = None
    stage: str | None = None
    leaves: list[str]
    version: int


class EventPoints(BaseModel):
    id: str
    at: str
    type: str
    points: float
    open: bool | None = None
    count: int | None = None


class Contribution(BaseModel):
    """A signal's points; its events' points sum to it exactly."""

    signal: str
    label: str
    points: float
    coverage: float
    events: list[EventPoints]


class Explained(BaseModel):
    """`baseline` and the points of all signals sum to `value`; of the risk in log-odds."""

    baseline: float
    value: float | None
    unit: str
    state: str
    needs: list[str]
    probability: float | None = None
    baseline_probability: float | None = None
    contributions: list[Contribution]


class ExplanationOut(BaseModel):
    as_of: str
    known_at: str
    health: Explained
    relationship: Explained
    risk: Explained
    policy: str
    model: str


class HistoryPoint(BaseModel):
    at: str
    value: float | None
    band: str | None
    state: str


class Marker(BaseModel):
    """Something of ours that the chart should show: a policy that came into force."""

    at: str
    kind: str
    policy: str
    model: str


class HistoryOut(BaseModel):
    score: str
    points: list[HistoryPoint]
    markers: list[Marker]


class CauseOut(BaseModel):
    """Points (of the risk: log-odds) that one cause moved the score."""

    cause: str
    points: float
    events: list[str]


class ChangeOut(BaseModel):
    """One step of one score. The causes' points sum to the change before anything is hidden as unknown."""

    at: str
    score: str
    before: float | None
    after: float | None
    causes: list[CauseOut]


class TimelineItem(BaseModel):
    id: str
    type: str
    time: str
    recorded: str
    source: str
    summary: str
    text: str | None = None
    url: str | None = None


class BandChange(BaseModel):
    at: str
    before: str
    after: str


class ForecastOut(BaseModel):
    """The next change of each score's band within two years if nothing happens; null: none."""

    as_of: str
    health: BandChange | None
    relationship: BandChange | None
    risk: BandChange | None


class EventOut(BaseModel):
    """An event, whose it is today, and whether it counts."""

    id: str
    customer_id: str | None
    account_id: str | None
    state: Literal["applied", "superseded", "retracted"]
    applied_at: str
    event: dict[str, Any]


class PolicyItem(BaseModel):
    """A policy and a model that were in force from `adopted_at` on. Ids are hashes of content."""

    id: str
    model: str
    name: str
    adopted_at: Instant
    in_force: bool


class PolicyOut(PolicyItem):
    files: dict[str, str]


class SummaryOut(BaseModel):
    """All customers in a few numbers. `value_at_risk` in minor units of `currency`, the most common one."""

    customers: int
    unknown: int
    bands: dict[str, dict[str, int]]
    value_at_risk: int
    currency: str | None
