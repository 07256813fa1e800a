"""Words to tell of tickets in tests, and what is asked of their folds."""

from __future__ import annotations

from typing import Any

from services.scoring.domain.interaction import Story
from services.scoring.domain.types import Evidence, Signal
from services.scoring.policy_files import shipped
from shared.events.times import to_micros
from tests.unit.scoring.telling import NOW, Teller, episode_of, rows_of

WEIGHT = 2_500_000_000
LOSS = WEIGHT * 5 // 2


def ticket(ago_h: float = 5, /, **more: Any) -> Teller:  # noqa: ANN401
    tell = Teller()
    tell.say("ticket.opened", ago_h, interaction="t", actor="customer", **more)
    return tell


def status(tell: Teller, ago_h: float, value: str, actor: str | None = "agent", **more: Any) -> None:  # noqa: ANN401
    tell.say("ticket.status", ago_h, interaction="t", status=value, actor=actor, **more)


def message(tell: Teller, ago_h: float, author: str, key: str | None = None, **more: Any) -> None:  # noqa: ANN401
    fields: dict[str, Any] = {"public": True, "text": "…", **more}
    tell.say("ticket.message", ago_h, interaction="t", message=key or f"m{ago_h}", author=author, **fields)


def one(tell: Teller, signal: Signal) -> Evidence:
    rows = rows_of(tell.fold(), signal)
    assert len(rows) == 1, rows
    return rows[0]


def none(tell: Teller, *signals: Signal) -> bool:
    return not any(rows_of(tell.fold(), signal) for signal in signals)


def story_of(tell: Teller) -> Story:
    return Story(episode_of(tell.events), shipped().evidence.give_up, to_micros(NOW))
