"""The words of the event contract: closed lists that own tools and adapters choose from."""

from __future__ import annotations

from typing import Final, Literal, get_args

Stage = Literal["research", "purchase", "implementation", "instruction", "use", "support", "repurchase"]
Channel = Literal[
    "email",
    "chat",
    "messaging",
    "phone",
    "web",
    "in_app",
    "social",
    "community",
    "selfservice",
    "video",
    "visit",
    "api",
    "other",
]
Initiative = Literal["reactive", "proactive"]
Actor = Literal["customer", "agent", "bot", "system"]
Priority = Literal["low", "normal", "high", "urgent"]
InteractionStatus = Literal["new", "open", "pending", "hold", "solved", "closed"]
HandoverReason = Literal["escalation", "routing", "shift"]
RemovalReason = Literal["spam", "deleted", "test"]
Metric = Literal["nps", "csat", "ces", "rating", "thumbs", "text", "choice"]
Better = Literal["high", "low"]
Stance = Literal["praise", "complaint", "neutral"]

STAGES: Final = get_args(Stage)
CHANNELS: Final = get_args(Channel)

INTERACTION_NOUNS: Final = frozenset({"ticket", "chat", "call"})
"""Nouns that speak of one and the same thing: a natural key ignores which of them was used."""
