"""The story of one ticket, chat or call: who owed the next step when, and what it asked of the customer.

Who owes the next step: new and open: us; pending: the customer; hold: a third party; solved: nobody;
closed: final. The cases of the machine:

1. An opening (unless we wanted the contact) begins a wait for a reply and a phase towards a solution.
2. Without an opening the first thing heard begins it, if it leaves the next step with us.
3. The first public reply of a person ends the wait for a reply; a bot's does not.
4. Equal consecutive statuses are one; after closed there is no other.
5. Only solved → open by the customer is a reopening; it begins a wait and a phase.
6. The customer's message while the next step was the customer's gives it back to us.
7. Solved or closed ends everything; merged ends it without saying anything more.
8. After `give_up` without any event it is over and lost. What we do then helps no more; the customer's
   word, or a status that leaves the next step with us, begins anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final, NamedTuple

from services.scoring.domain.revisions import Thing, things
from services.scoring.domain.types import Applied, Episode
from shared.events import bodies as b
from shared.events.times import SECOND, Micros

OURS: Final = ("new", "open")
GIVEN_UP: Final = "given up"
OVER: Final = ("solved", "closed", "merged", GIVEN_UP)
_HEAD: Final = ("opened", "updated", "merged", "removed")
_NOT_CUSTOMER: Final = ("agent", "bot", "system")


class Step(NamedTuple):
    """One thing that happened in the interaction. `thing` holds all versions of it."""

    at: Micros
    event: str
    kind: str
    thing: Thing


class Span:
    """A stretch of time, open while `end` is None."""

    __slots__ = ("end", "start")

    def __init__(self, start: Micros) -> None:
        self.start = start
        self.end: Micros | None = None


class Wait:
    """The customer waits: for a reply (until it comes), or in a phase for a solution.

    `spans` are the times in which the next step was ours. `took` is the sender's own measure, if any;
    `lost` is True when the customer gave up before anybody answered; `replied` when a person did.
    """

    __slots__ = ("ended", "event", "lost", "replied", "spans", "start", "took")

    def __init__(self, event: str, at: Micros) -> None:
        self.event = event
        self.start = at
        self.spans = [Span(at)]
        self.ended: Micros | None = None
        self.took: Micros | None = None
        self.lost = False
        self.replied = False

    def pause(self, at: Micros) -> None:
        if self.spans[-1].end is None:
            self.spans[-1].end = at

    def resume(self, at: Micros) -> None:
        if self.ended is None and self.spans[-1].end is not None:
            self.spans.append(Span(at))

    def end(self, at: Micros) -> None:
        if self.ended is None:
            self.pause(at)
            self.ended = at


class Story:
    """What happened in one interaction until `now`, as a function of the set of its events."""

    def __init__(self, episode: Episode, give_up: Micros, now: Micros) -> None:
        self.head, self.removed, steps = _steps(episode)
        self.name = episode.key.key
        self.noun = episode.events[0].event.noun
        self.url = next((one.event.url for one in reversed(episode.events) if one.event.url), None)
        self.steps = tuple(steps)
        self.ends_at = max(one.event.at for one in episode.events) + give_up
        self.status: str | None = None
        self.replies: list[Wait] = []
        self.phases: list[Wait] = []
        self.contacts: list[tuple[Micros, str]] = []
        self.reopenings: list[str] = []
        self.handovers: list[str] = []
        self.solved_by: Step | None = None
        self.given_up: list[Micros] = []
        silences = _silences(episode, give_up)
        for step in self.steps:
            while silences and silences[0] <= step.at:
                self._give_up(silences.pop(0))
            _APPLY[step.kind](self, step)
        if now >= self.ends_at:
            self._give_up(self.ends_at)

    @property
    def waiting(self) -> bool:
        """Whether the interaction still goes on; if so, `status` says who owes the next step."""
        return self.status is not None and self.status not in OVER and not self.removed

    def _give_up(self, at: Micros) -> None:
        if self.waiting:  # case 8
            for wait in (*self.replies, *self.phases):
                wait.end(at)
            self.status = GIVEN_UP
            self.given_up.append(at)

    def messages(self, author: str) -> Iterator[Step]:
        """Public messages by `author`, in order."""
        for step in self.steps:
            if step.kind == "message" and step.thing.get("author") == author and step.thing.get("public"):
                yield step

    def _begin(self, step: Step) -> None:
        self.replies.append(Wait(step.event, step.at))
        self.phases.append(Wait(step.event, step.at))

    def _opened(self, step: Step) -> None:
        if self.noun == "call" or step.thing.envelope("initiative") == "proactive":
            # A call is talked through while it lasts; what we began leaves the next step to the customer.
            self.status = None if self.noun == "call" else "pending"
            self.contacts += (
                [] if step.thing.envelope("initiative") == "proactive" else [(step.at, step.event)]
            )
            return
        self.status = "new"
        self._begin(step)
        self.contacts.append((step.at, step.event))

    def _message(self, step: Step) -> None:
        author, public = step.thing.get("author"), step.thing.get("public") is True
        if author == "agent" and (public or self.noun == "call"):
            if self.replies and self.replies[-1].ended is None:
                self.replies[-1].replied = True
                self.replies[-1].end(step.at)  # case 3
            if self.status is None and self.noun != "call":
                self.status = "pending"
        elif author == "customer" and public:
            self.contacts.append((step.at, step.event))
            if self.noun != "call":
                self._customer_spoke(step)

    def _customer_spoke(self, step: Step) -> None:
        if self.status in (None, GIVEN_UP):  # cases 2 and 8
            self.status = "open"
            self._begin(step)
        elif self.status == "pending":  # case 6
            self.status = "open"
            self._ours_again(step)

    def _ours_again(self, step: Step) -> None:
        if not self.phases:
            self._begin(step)
            return
        self.phases[-1].resume(step.at)
        for reply in self.replies[-1:]:
            reply.resume(step.at)

    def _status(self, step: Step) -> None:
        self._measured(step)
        before, now = self.status, str(step.thing.get("status"))
        if before in ("closed", "merged") or before == now:  # case 4
            return
        if before == GIVEN_UP and now in ("pending", "hold"):  # case 8
            return
        self.status = now
        if now in OURS:
            self._ours(step, before)
        elif now in ("pending", "hold"):
            for phase in self.phases[-1:]:
                phase.pause(step.at)
            for reply in self.replies[-1:] if now == "pending" else ():
                reply.pause(step.at)
        elif before != "solved":  # case 7
            self._over(step)
            self.solved_by = step

    def _ours(self, step: Step, before: str | None) -> None:
        missed = before in (None, "new") and step.thing.get("previous") == "solved"
        if before in (None, GIVEN_UP) and not missed:  # cases 2 and 8
            self._begin(step)
        elif before == "solved" or missed:  # case 5
            self.solved_by = None
            if step.thing.envelope("actor") in _NOT_CUSTOMER:
                self.phases.append(Wait(step.event, step.at))
            else:
                self.contacts.append((step.at, step.event))
                self.reopenings.append(step.event)
                self._begin(step)
        elif before in ("pending", "hold"):
            self._ours_again(step)

    def _measured(self, step: Step) -> None:
        """The sender's own figures on the first wait: seconds waited, and whether anybody answered."""
        waited, answered = step.thing.get("waited_s"), step.thing.get("answered")
        if waited is None and answered is None:
            return
        if not self.replies:
            self.replies.append(Wait(step.event, step.at))
        wait = self.replies[0]
        if isinstance(waited, int | float) and waited >= 0:
            wait.took = round(min(waited, 10**9)) * SECOND
        wait.lost = answered is False
        wait.replied = wait.replied or not wait.lost
        wait.end(step.at)

    def _over(self, step: Step) -> None:
        for wait in (*self.replies, *self.phases):
            wait.end(step.at)

    def _handover(self, step: Step) -> None:
        giver, taker = step.thing.text("from_"), step.thing.text("to")
        first = giver is None and not self._held_before(step)
        if not first and giver != taker:
            self.handovers.append(step.event)

    def _held_before(self, step: Step) -> bool:
        """Whether somebody of ours had it already: else this is the first assignment, no hand-over."""
        earlier = self.steps[: self.steps.index(step)]
        return any(
            s.kind == "handover" or (s.kind == "message" and s.thing.get("author") == "agent")
            for s in earlier
        )

    def _merged(self, _step: Step) -> None:
        # The target carries on what still waits here; what was answered before stays said.
        self.replies = [wait for wait in self.replies if wait.ended is not None]
        self.phases = [] if self.status not in OVER else self.phases
        self.status = "merged"


_APPLY: Final = {
    "opened": Story._opened,
    "message": Story._message,
    "status": Story._status,
    "handover": Story._handover,
    "merged": Story._merged,
}


def _steps(episode: Episode) -> tuple[Thing | None, bool, list[Step]]:
    """The head (opening with all updates), whether it was removed, and the steps in order of time."""
    head: Thing | None = None
    removed = False
    steps: list[Step] = []
    for key, thing in things(episode.events).items():
        if len(key) == 2:
            head = thing
            removed = any(isinstance(v.event.body, b.InteractionRemoved) for v in thing.versions)
            steps += _head_steps(thing)
        else:
            steps.append(Step(thing.at, thing.first.event.id, key[2], thing))
    opened = next((step for step in steps if step.kind == "opened"), None)
    if opened:
        # Case 1 comes first, even where clocks of several machines disagree by a moment.
        steps = [step._replace(at=max(step.at, opened.at)) for step in steps]
    steps.sort(key=lambda step: (step.kind != "opened", step.at, step.event))
    return head, removed, steps


def _head_steps(thing: Thing) -> Iterator[Step]:
    """The earliest opening, and the earliest merge; other updates are no steps."""
    for verb in ("opened", "merged"):
        found = [v for v in thing.versions if v.event.verb == verb]
        first = min(found, key=_told, default=None)
        if first:
            yield Step(first.event.at, first.event.id, verb, thing)


def _silences(episode: Episode, give_up: Micros) -> list[Micros]:
    """When somebody would have given up: `give_up` after an event that none followed for so long."""
    heard = [one.event.at for one in episode.events]
    return [before + give_up for before, after in pairwise(heard) if after - before >= give_up]


def _told(one: Applied) -> tuple[Micros, str]:
    return one.event.at, one.event.id
