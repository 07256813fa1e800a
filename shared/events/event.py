"""The canonical event: one thing that happened with a customer, as every service sees it."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from typing import Any

import msgspec

from shared.events import vocabulary as v
from shared.events.bodies import Body
from shared.events.times import Micros, to_micros


class Event(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A CloudEvent of type `cxloop.<noun>.<verb>.v1`.

    `type` is the short form (`ticket.opened`). `time` is when it happened, by the sender's clock,
    `recorded` when we learned of it; both UTC. `id` is ours (`shared.events.ids`), `sender_id` is what
    the sender called it. `identifiers` name the requester, normalised, strongest first.
    Absent fields are None: unknown is never invented.
    """

    id: str
    source: str
    type: str
    time: datetime
    recorded: datetime
    body: Body
    identifiers: tuple[str, ...] = ()
    account: str | None = None
    stage: v.Stage | None = None
    touchpoint: str | None = None
    channel: v.Channel | None = None
    region: str | None = None
    language: str | None = None
    persona: str | None = None
    area: str | None = None
    initiative: v.Initiative | None = None
    actor: v.Actor | None = None
    url: str | None = None
    revision: int = 0
    native: dict[str, Any] | None = None
    sender_id: str | None = None

    @cached_property
    def at(self) -> Micros:
        """Effective time: a sender's clock that runs ahead never dates an event after its receipt."""
        return to_micros(min(self.time, self.recorded))

    @property
    def noun(self) -> str:
        return self.type.partition(".")[0]

    @property
    def verb(self) -> str:
        return self.type.partition(".")[2]
