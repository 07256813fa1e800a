"""Laws of alerts, on random lives."""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from services.alerts.domain.alert import UNTOUCHED
from services.alerts.domain.batch import apply
from services.alerts.domain.lifecycle import ALLOWED, Action, DismissReason, Told, step
from services.alerts.domain.memory import Book, Memory
from services.alerts.domain.retry import MAX_RETRY_AFTER_S, SCHEDULE_S, Outcome, Result, after
from services.alerts.domain.tick import tick
from services.alerts.domain.track import WINDOW, Track, fall, follow
from services.alerts.rule_files import shipped
from shared.events.scores import AppliedEvent, ScoreChange
from shared.events.times import HOUR, MINUTE, Micros
from tests.unit.alerts.builders import NOW, answer, cause, change, event, scores, wait

BOOK = Book(tuple(replace(document.build(), enabled=True) for document in shipped()))
NAMES = ("a", "b")


@given(st.lists(st.tuples(st.integers(0, 3 * 24), st.integers(0, 1000)), min_size=1, max_size=60))
def test_the_track_is_the_sliding_maximum(steps: list[tuple[int, int]]) -> None:
    track: Track = ()
    seen: list[tuple[Micros, float]] = []
    now = NOW
    for hours, value in steps:
        now += hours * HOUR
        seen.append((now, float(value)))
        track = follow(track, now, float(value), 0.0)
        expected = max(v for t, v in seen if now - t <= WINDOW) - value
        assert fall(track, now, WINDOW) == expected


@given(st.integers(1, 20), st.floats(0, 1), st.floats(-10, 1e12))
def test_a_retry_is_never_before_its_schedule_nor_after_a_day(n: int, jitter: float, asked: float) -> None:
    following = after(Result(Outcome.HTTP_ERROR, 503, retry_after_s=asked), n, jitter)
    assert (following.state == "dead") is (n >= len(SCHEDULE_S))
    if following.state == "pending":
        assert SCHEDULE_S[n] <= following.wait_s <= 1.1 * MAX_RETRY_AFTER_S


class Life:
    """Random messages, actions and clock ticks for two customers who may merge and split."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.memories = {name: Memory(name) for name in NAMES}
        self.versions = dict.fromkeys(NAMES, 0)
        self.now = NOW
        self.serial = 0

    def turn(self) -> list[Told]:
        self.now += self.random.choice((MINUTE, HOUR, 30 * HOUR, 24 * 9 * HOUR))
        name = self.random.choice(NAMES)
        match self.random.choice(("message", "message", "action", "tick", "merge", "split")):
            case "message":
                return self.message(name)
            case "action":
                return self.action(name)
            case "tick":
                self.memories[name], told = tick(self.memories[name], BOOK, self.now)
                return told
            case "merge":
                return self.message("a", merged_from=("b",), leaves=("leaf-a", "leaf-b"))
            case _:
                return self.message("b", split_from="a", leaves=("leaf-b",))

    def message(self, name: str, **more: object) -> list[Told]:
        self.versions[name] += 1
        return apply(self.memories, self.random_change(name, more), BOOK, self.now)

    def random_change(self, name: str, more: dict[str, object]) -> ScoreChange:
        risk, health = self.random.random(), 100 * self.random.random()
        events = tuple(self.random_event() for _ in range(self.random.randrange(3)))
        kind = self.random.choice(("new", "time", "policy", "late"))
        given: dict[str, object] = {
            "events": events,
            "causes": (cause(kind, risk - 0.5), cause(kind, health - 50, "health")),
            "persona": self.random.choice(("decision_maker", "admin")),
            "waits": (wait("w", self.now + self.random.randrange(-5, 5) * HOUR),)[: self.random.randrange(2)],
        }
        return change(self.versions[name], None, scores(risk, health), name, **given | more)

    def random_event(self) -> AppliedEvent:
        self.serial += 1
        name, when = f"e{self.serial}", self.now - self.random.randrange(10) * 24 * HOUR
        kind = self.random.choice(("answer", "subscription.cancel_scheduled", "subscription.cancel_revoked"))
        if kind == "answer":
            value = self.random.randrange(11)
            return answer(name, value, when=when, recorded=self.now, first=self.random.random() < 0.8)
        return event(name, kind, when, self.now, key=self.random.choice(("s1", "s2")))

    def action(self, name: str) -> list[Told]:
        alerts = self.memories[name].alerts
        if not alerts:
            return []
        alert = self.random.choice(alerts)
        verb = self.random.choice(tuple(ALLOWED))
        told = step(alert, Action(verb, "bob", until=self.now + HOUR, reason=DismissReason.known), self.now)
        if not isinstance(told, Told):
            return []
        rest = tuple(a for a in alerts if a.id != alert.id)
        kept = (*rest, told.alert) if told.alert.live else rest
        self.memories[name] = replace(self.memories[name], alerts=kept)
        return [told]


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 40))
def test_laws_of_a_life(seed: int, turns: int) -> None:
    """1. one live alert per customer and driver     2. versions of an alert rise with every word
    3. cleared means that nobody had acted     4. verified and unconfirmed mean that somebody had
    5. an alert of a customer is the customer's
    """
    life, versions = Life(seed), dict[str, int]()
    for _ in range(turns):
        for item in life.turn():
            alert = item.alert
            assert alert.version > versions.get(alert.id, 0)  # 2
            versions[alert.id] = alert.version
            if item.what == "cleared":
                assert alert.acted_at is None  # 3
            if item.what in ("verified", "unconfirmed"):
                assert alert.acted_at is not None  # 4
        for memory in life.memories.values():
            drivers = [alert.driver for alert in memory.alerts]
            assert len(drivers) == len(set(drivers))  # 1
            for alert in memory.alerts:
                assert alert.live
                assert alert.subject == memory.subject  # 5
                assert alert.state not in UNTOUCHED or alert.state == "snoozed" or alert.acted_at is None
                assert alert.state in ("acted", "verifying", "snoozed") or alert.next_at or alert.told == 200


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32))
def test_hearing_twice_is_hearing_once(seed: int) -> None:
    life = Life(seed)
    life.versions["a"] += 1
    message = life.random_change("a", {})
    apply(life.memories, message, BOOK, life.now)
    once = dict(life.memories)
    assert apply(life.memories, message, BOOK, life.now + HOUR) == []
    assert life.memories == once
