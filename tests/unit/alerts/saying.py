"""What a shipped rule says of a message."""

from __future__ import annotations

from dataclasses import replace

from services.alerts.domain.evaluate import evaluate
from services.alerts.domain.outcomes import FRESH, Firing, History, Silent
from services.alerts.domain.rules import Rule
from services.alerts.domain.track import Track
from services.alerts.domain.view import View
from services.alerts.rule_files import shipped
from shared.events.scores import ScoreChange, Scores
from tests.unit.alerts.builders import NOW

RULES: dict[str, Rule] = {document.id: document.build() for document in shipped()}


def said(
    rule: str,
    message: ScoreChange,
    history: History = FRESH,
    *,
    track: Track = (),
    top: int | None = None,
    clock: bool = False,
    before: Scores | None = None,
    now: int = NOW,
) -> Firing | Silent:
    view = View(message, track, top, message.events, clock)
    return evaluate(replace(RULES[rule], enabled=True), before or message.before, view, history, now)
