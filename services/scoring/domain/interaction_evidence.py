"""What an interaction says about responsiveness, resolution, effort, adherence and mood.

While it goes on only the certain loss counts, undecayed: no gain for what is not done yet, and of a wait
no more than what it has cost so far. So opening raises nothing and waiting never helps. After `give_up`
without any event the loss is dated there and decays from then on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from services.scoring.domain.attributes import Attributes
from services.scoring.domain.hours import after_working, is_working, working_us
from services.scoring.domain.ideal import Ideal, ideal
from services.scoring.domain.interaction import OURS, Step, Story, Wait
from services.scoring.domain.numbers import exp2_neg, rdiv
from services.scoring.domain.policy import EvidencePolicy
from services.scoring.domain.texts import measured
from services.scoring.domain.types import NANO, Episode, Evidence, Nano, Signal
from services.scoring.domain.weighing import Scale, mood
from shared.events.scores import Wait as PublishedWait
from shared.events.times import Micros, instant_text


class Read(NamedTuple):
    """An interaction as it stands at `now`, beside what was promised for it."""

    story: Story
    ideal: Ideal
    policy: EvidencePolicy
    now: Micros

    @property
    def live(self) -> bool:
        return self.story.waiting


def read(episode: Episode, attributes: Attributes, policy: EvidencePolicy, now: Micros) -> Read:
    """Until somebody gave up a story is the same at every `now`: it is read once."""
    key = ("read", policy.id, attributes.courses)
    known: Read | None = episode.memory.get(key)
    if known is not None and now < known.story.ends_at:
        return known._replace(now=now)
    story = Story(episode, policy.give_up, now)
    found = Read(story, ideal(story, attributes, policy), policy, now)
    if now < story.ends_at:
        episode.memory[key] = found
    return found


def evidence(read: Read) -> Iterator[Evidence]:
    """Rows in no particular order; dated and marked `open` as the interaction stands."""
    if read.story.removed:
        return
    live, given_up = read.live, read.story.given_up
    for row in (*_replies(read), *_solution(read), *_effort(read), *_adherence(read), *_moods(read)):
        if row.good:
            yield row if not row.bad else row._replace(bad=0)
        if row.bad:
            # It did not decay before somebody gave up, if anybody did.
            at = next((at for at in given_up if at >= row.at), row.at)
            yield Evidence(row.signal, row.at if live else at, 0, row.bad, row.event, open=live)


def course(read: Read) -> tuple[Micros | None, bool]:
    """When a live interaction changes its form (a promise breaks, or the wait is given up), and whether it is
    steady until then: while no promise that runs is broken. Only the excess over a promise grows."""
    if not read.live:
        return None, False
    dues = list(_dues(read))
    next_at = min([*(due for _, _, due in dues if due > read.now), read.story.ends_at])
    promised = [wait for _, wait, due in dues if due > read.now]
    running = [w for w in (*read.story.replies, *read.story.phases) if w.spans[-1].end is None]
    return next_at, all(any(one is wait for one in promised) for wait in running)


def _fit(took: Micros, ideal_us: Micros) -> Nano:
    """2^(-max(0, T/T_ideal - 1)): 1 within the promise, halved with each further promised time."""
    return NANO if took <= ideal_us else exp2_neg(took - ideal_us, ideal_us)


def _took(read: Read, wait: Wait) -> Micros:
    if wait.took is not None:
        return wait.took
    ends = [(span.start, read.now if span.end is None else span.end) for span in wait.spans]
    return sum([working_us(read.ideal.calendar, start, end) for start, end in ends])


def _replies(read: Read) -> Iterator[Evidence]:
    """Each wait by itself. The answer brings the good; a solution without a word does while it stands."""
    scale = Scale(read.policy, read.policy.masses.interaction)
    for wait in read.story.replies:
        x = 0 if wait.lost else _fit(_took(read, wait), read.ideal.first_reply)
        stands = read.story.solved_by is not None and wait is read.story.replies[-1] and not wait.lost
        answered = wait.replied or stands
        at = wait.start if wait.ended is None else wait.ended
        good = scale.good(x) if answered else 0
        yield Evidence(Signal.RESPONSIVENESS, at, good, scale.bad(x), wait.event)


def _solution(read: Read) -> Iterator[Evidence]:
    """One measure over all phases: each has the loss that it added, the first the good, once solved."""
    scale = Scale(read.policy, read.policy.masses.interaction)
    solved = read.story.solved_by
    took, lost = 0, 0
    for phase in read.story.phases:
        took += _took(read, phase)
        loss = scale.bad(_fit(took, read.ideal.solution))
        at = phase.start if phase.ended is None else phase.ended
        yield Evidence(Signal.RESOLUTION, at, 0, loss - lost, phase.event)
        lost = loss
    if solved and read.story.phases:
        good = scale.good(_fit(took, read.ideal.solution))
        yield Evidence(Signal.RESOLUTION, solved.at, good, 0, read.story.phases[0].event)


def _burdens(read: Read) -> Iterator[tuple[Micros, str, int]]:
    """(time, event, half steps of effort): what the customer was put to beyond what the persona accepts."""
    story, promise = read.story, read.ideal.promise
    counted = _apart(story.contacts, read.policy.contact_gap)
    if story.head and story.head.get("follows") and counted:
        counted.insert(0, counted[0])  # it had been asked before, in the interaction that this one follows
    times = {step.event: step.at for step in story.steps}
    for at, event in counted[promise.contacts :]:
        yield at, event, 1
    for event in story.reopenings:
        yield times[event], event, 2
    for event in story.handovers[promise.handovers :]:
        yield times[event], event, 1


def _apart(contacts: list[tuple[Micros, str]], gap: Micros) -> list[tuple[Micros, str]]:
    """Contacts without those that follow the one before within `gap`."""
    kept: list[tuple[Micros, str]] = []
    last: Micros | None = None
    for at, event in contacts:
        if last is None or at - last >= gap:
            kept.append((at, event))
        last = at
    return kept


def _effort(read: Read) -> Iterator[Evidence]:
    """x = 2^-(excess contacts/2 + reopenings + ½·excess hand-overs)."""
    scale = Scale(read.policy, read.policy.masses.interaction)
    halves, lost = 0, 0
    for at, event, more in sorted(_burdens(read)):
        halves += more
        loss = scale.bad(exp2_neg(halves, 2))
        yield Evidence(Signal.EFFORT, at, 0, loss - lost, event)
        lost = loss
    solved = read.story.solved_by
    if solved:
        yield Evidence(Signal.EFFORT, solved.at, scale.good(exp2_neg(halves, 2)), 0, solved.event)


def _adherence(read: Read) -> Iterator[Evidence]:
    """x = share of the ideal's steps that were met; each broken one has its loss, the solution the rest."""
    checks = list(_checks(read))
    if not checks:
        return
    scale = Scale(read.policy, read.policy.masses.interaction)
    broken = sorted((step.at, step.event) for step in checks if step)
    lost = 0
    for count, (at, event) in enumerate(broken, start=1):
        loss = scale.bad(NANO - rdiv(count * NANO, len(checks)))
        yield Evidence(Signal.ADHERENCE, at, 0, loss - lost, event)
        lost = loss
    solved = read.story.solved_by
    if solved:
        met = rdiv((len(checks) - len(broken)) * NANO, len(checks))
        yield Evidence(Signal.ADHERENCE, solved.at, scale.good(met), 0, solved.event)


def _checks(read: Read) -> Iterator[Step | None]:
    """One per step of the ideal experience that can be judged: None if met, else the step that broke it."""
    story, promise, channel = read.story, read.ideal.promise, read.ideal.channel
    begun = story.steps[0] if story.steps else None
    if channel and begun:
        yield begun if channel in promise.unwilling else None
    if not promise.bots:
        yield next(story.messages("bot"), None)
    by_event = {step.event: step for step in story.steps}
    contacts = _apart(story.contacts, read.policy.contact_gap)[promise.contacts :]
    yield by_event[contacts[0][1]] if contacts else None
    excess = story.handovers[promise.handovers :]
    yield by_event[excess[0]] if excess else None
    yield from _same_person(read)
    yield from _own_language(read)
    if begun and story.head and story.head.envelope("initiative") == "proactive":
        yield None if is_working(read.ideal.calendar, begun.at) else begun


def _same_person(read: Read) -> Iterator[Step | None]:
    """Nobody but the first who answered, and whom the accepted hand-overs brought in."""
    seen: list[str] = []
    for step in read.story.messages("agent"):
        agent = step.thing.text("agent")
        if agent and agent not in seen:
            seen.append(agent)
            if len(seen) == 2 + read.ideal.promise.handovers:
                yield step
                return
    if seen:
        yield None


def _own_language(read: Read) -> Iterator[Step | None]:
    """Answers in the customer's language, where both are known; regional variants are alike."""
    wanted = _primary(read.ideal.language)
    answers = [(s, _primary(s.thing.envelope("language"))) for s in read.story.messages("agent")]
    known = [(step, language) for step, language in answers if wanted and language]
    if known:
        yield next((step for step, language in known if language != wanted), None)


def _primary(tag: object) -> str | None:
    return tag.replace("_", "-").partition("-")[0].lower() if isinstance(tag, str) else None


def _moods(read: Read) -> Iterator[Evidence]:
    """How the customer's words sound. Kind words of somebody who still waits are no gain yet, and those
    that open a request (thanks in advance) never are one."""
    for text in measured(read.story.steps):
        row = mood(read.policy, text.compound, text.at, text.event)
        if row and (row.bad or (text.kind != "opened" and not read.story.waiting)):
            yield row


def _dues(read: Read) -> Iterator[tuple[str, Wait, Micros]]:
    """Promises that run: what was promised, since when, and the instant by which."""
    if not read.live or read.story.status not in OURS:
        return
    for kind, waits, promised in (
        ("first_response", read.story.replies, read.ideal.first_reply),
        ("solution", read.story.phases, read.ideal.solution),
    ):
        wait = waits[-1] if waits else None
        if wait is None or wait.ended is not None or wait.spans[-1].end is not None:
            continue
        earlier = waits[:-1] if kind == "solution" else []
        before = [(s.start, s.end) for w in (*earlier, wait) for s in w.spans if s.end is not None]
        used = sum(working_us(read.ideal.calendar, start, end) for start, end in before)
        yield kind, wait, after_working(read.ideal.calendar, wait.spans[-1].start, promised - used)


def waits(read: Read) -> list[PublishedWait]:
    """Where the customer waits for us now, and whether what was promised is broken."""
    head = read.story.head
    published = []
    for kind, wait, due in _dues(read):
        published.append(
            PublishedWait(
                event=wait.event,
                interaction=read.story.name,
                kind="first_response" if kind == "first_response" else "solution",
                since=instant_text(wait.start),
                due_at=instant_text(due),
                broken=read.now > due,
                priority=read.ideal.priority,
                text=head.text("subject") or head.text("text") if head else None,
                url=read.story.url,
            )
        )
    return published
