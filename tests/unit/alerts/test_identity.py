"""Customers who turn out to be one, and who are parted again."""

from __future__ import annotations

from dataclasses import replace

from shared.events.times import HOUR
from tests.unit.alerts.builders import NOW, answer, change, scores
from tests.unit.alerts.world import World, bad


def test_two_customers_who_are_one_keep_the_older_alert() -> None:
    world = World()
    world.hear(change(1, customer="b", events=(answer("b1", 2, when=NOW),)))
    older = world.alert("b")
    world.now += HOUR
    world.hear(bad())
    younger = world.alert("c-1")
    world.now += HOUR
    news = world.hear(change(2, scores(0.7, 50.0), scores(0.7, 50.0), merged_from=("b",)))
    assert world.alert("c-1").id == older.id
    assert world.alert("c-1").customer_id == "c-1"
    assert world.alert("c-1").severity == "high"
    assert world.memories["b"].alerts == ()
    closed = next(item.alert for item in news if item.alert.id == younger.id)
    assert (closed.state, closed.merged_into) == ("merged", older.id)


def test_a_late_message_of_a_merged_customer_reaches_the_survivor() -> None:
    world = World()
    world.hear(change(1, customer="b"))
    world.hear(change(1, scores(), scores(), merged_from=("b",)))
    world.hear(change(2, customer="b", events=(answer("late", 1),)))
    assert world.alert("c-1").rules == ("detractor-answer",)
    assert world.memories["b"].alerts == ()


def test_a_split_takes_its_alerts_along_and_tells_no_story_twice() -> None:
    world = World()
    world.hear(change(1, customer="b", events=(answer("b1", 2),)))
    theirs = world.alert("b").id
    world.hear(change(1, scores(), scores(), merged_from=("b",), leaves=("leaf-b", "leaf-c-1")))
    assert world.alert("c-1").id == theirs
    again = answer("b1", 2)
    world.hear(change(3, customer="b", split_from="c-1", leaves=("leaf-b",), events=(again,)))
    assert world.alert("b").id == theirs
    assert world.alert("b").customer_id == "b"
    assert world.memories["c-1"].alerts == ()


def test_a_merged_alert_lives_again_after_a_split() -> None:
    world = World()
    world.hear(change(1, events=(answer("a1", 2),)))
    world.now += HOUR
    world.hear(change(1, customer="b", events=(answer("b1", 2, when=NOW),)))
    theirs = world.alert("b").id
    news = world.hear(change(2, merged_from=("b",), leaves=("leaf-b", "leaf-c-1")))
    closed = next(item.alert for item in news if item.alert.id == theirs)
    source = world.memories["c-1"]
    world.memories["c-1"] = replace(source, alerts=(*source.alerts, closed))
    world.hear(change(2, customer="b", split_from="c-1", leaves=("leaf-b",)))
    assert (world.alert("b").id, world.alert("b").state) == (theirs, "open")
