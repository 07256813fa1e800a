"""A small world for stories: memories of customers, what was told, and a clock."""

from __future__ import annotations

from dataclasses import replace

from services.alerts.domain.alert import Alert
from services.alerts.domain.batch import apply
from services.alerts.domain.lifecycle import Action, Told, Verb, step
from services.alerts.domain.memory import Book, Memory
from services.alerts.domain.tick import tick
from services.alerts.rule_files import shipped
from shared.events.scores import ScoreChange
from shared.events.times import MINUTE, Micros
from tests.unit.alerts.builders import NOW, answer, cause, change, explained, scores

BOOK = Book(tuple(document.build() for document in shipped()), link="https://x.example/alerts/{id}")


class World:
    """The memories of everybody, and what was told."""

    def __init__(self) -> None:
        self.memories: dict[str, Memory] = {}
        self.told: list[Told] = []
        self.now: Micros = NOW

    def hear(self, message: ScoreChange, book: Book = BOOK) -> list[Told]:
        names = {message.customer_id or message.account_id or "", *message.merged_from}
        names |= {message.split_from} if message.split_from else set()
        for name in names:
            self.memories.setdefault(name, Memory(name))
        news = apply(self.memories, message, book, self.now)
        self.told += news
        return news

    def tick(self, customer: str = "c-1", after: Micros = 0) -> list[Told]:
        self.now += after
        self.memories[customer], news = tick(self.memories[customer], BOOK, self.now)
        self.told += news
        return news

    def alert(self, customer: str = "c-1") -> Alert:
        (alert,) = self.memories[customer].alerts
        return alert

    def does(self, verb: Verb, customer: str = "c-1", **more: object) -> Told:
        self.now += MINUTE
        alert = self.alert(customer)
        told = step(alert, Action(verb, "bob", **more), self.now)  # type: ignore[arg-type]
        assert isinstance(told, Told)
        alerts = (told.alert,) if told.alert.live else ()
        self.memories[customer] = replace(self.memories[customer], alerts=alerts)
        return told


def words(news: list[Told]) -> list[str]:
    return [item.what for item in news]


def bad(version: int = 1, name: str = "a1") -> ScoreChange:
    given = answer(name, 2, when=NOW)
    return change(
        version,
        scores(0.2, 70.0),
        scores(0.7, 50.0),
        events=(given,),
        causes=(cause("new", 2.0, "risk", name), cause("new", -20.0, "health", name)),
        contributions=explained((name, 1.4)),
    )
