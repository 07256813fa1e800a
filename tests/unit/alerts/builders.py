"""Score messages as scoring sends them, with what a test does not care about filled in."""

# ruff: noqa: ANN401 - what JSON and keyword arguments hold

from __future__ import annotations

from typing import Any

from shared.events.scores import (
    AppliedEvent,
    CausePart,
    Contribution,
    Contributions,
    EventPoints,
    Score,
    ScoreChange,
    Scores,
    Wait,
)
from shared.events.times import DAY, HOUR, Micros, format_instant, from_micros, parse_instant, to_micros

NOW: Micros = to_micros(parse_instant("2026-03-02T10:00:00Z"))


def at(micros: Micros) -> str:
    return format_instant(from_micros(micros))


def score(value: float | None, evidence: float = 5.0, band: str = "fair") -> Score:
    known = value is not None
    return Score(
        value=value,
        band=band if known else None,
        state="known" if known else "unknown",
        evidence=evidence,
        sd=5.0 if known else None,
        freshness_days=0.5 if known else None,
        respondents=1,
        needs=() if known else ("answers",),
    )


def scores(risk: float | None = 0.2, health: float | None = 70.0, evidence: float = 5.0) -> Scores:
    return Scores(score(health, evidence), score(60.0, evidence), score(risk, evidence))


def event(
    event_id: str = "e1",
    kind: str = "ticket.opened",
    when: Micros = NOW,
    recorded: Micros | None = None,
    **more: Any,
) -> AppliedEvent:
    return AppliedEvent(
        id=event_id,
        type=kind,
        source="/sources/desk",
        time=at(when),
        recorded=at(when if recorded is None else recorded),
        **{"actor": "customer", "summary": f"{kind} {event_id}"} | more,
    )


def answer(event_id: str = "a1", value: float = 2, metric: str = "nps", **more: Any) -> AppliedEvent:
    scale = (0.0, 10.0) if metric == "nps" else (1.0, 5.0)
    x = (value - scale[0]) / (scale[1] - scale[0])
    given: dict[str, Any] = {
        "metric": metric,
        "score": float(value),
        "scale": scale,
        "x": x,
        "text": "You lost us.",
    } | more
    return event(event_id, "survey.answered", **given)


def cause(kind: Any, points: float, name: Any = "risk", *events: str) -> CausePart:
    return CausePart(name, kind, points, events)


def wait(event_id: str = "e1", due: Micros = NOW - HOUR, **more: Any) -> Wait:
    given: dict[str, Any] = {
        "event": event_id,
        "interaction": "T1",
        "kind": "first_response",
        "since": at(due - 4 * HOUR),
        "due_at": at(due),
        "broken": due <= NOW,
        "text": "Nobody can log in.",
    }
    return Wait(**given | more)


def explained(*rows: tuple[str, float]) -> Contributions:
    events = tuple(EventPoints(i, at(NOW - DAY), "ticket.opened", p) for i, p in rows)
    part = Contribution("responsiveness", "Waiting", sum(p for _, p in rows), 0.5, events)
    return Contributions(health=(part,), risk=(part,))


def change(
    version: int = 1,
    before: Scores | None = None,
    after: Scores | None = None,
    customer: str | None = "c-1",
    **more: Any,
) -> ScoreChange:
    given: dict[str, Any] = {
        "version": version,
        "at": at(NOW),
        "before": before,
        "after": after or scores(),
        "policy": "p",
        "model": "m",
        "customer_id": customer,
        "account_id": "acc-1",
        "identifiers": (f"email:{customer}@example.com",),
        "leaves": (f"leaf-{customer}",),
        "name": "Ann Example",
        "region": "EU",
        "persona": "admin",
        "value": 120_000,
        "currency": "EUR",
    }
    return ScoreChange(**given | more)
