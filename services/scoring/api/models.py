"""Shapes of requests and answers."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


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
