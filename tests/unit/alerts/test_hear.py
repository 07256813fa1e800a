"""Stories of customers, message by message."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from services.alerts.domain.councils import Council
from services.alerts.domain.lifecycle import DismissReason
from services.alerts.domain.tick import tick
from shared.events.scores import Contributions
from shared.events.times import DAY, HOUR, MINUTE
from tests.unit.alerts.builders import NOW, answer, cause, change, event, explained, scores, wait
from tests.unit.alerts.world import BOOK, World, bad, words


def test_several_rules_at_once_are_one_alert_and_the_gravest_leads() -> None:
    world = World()
    assert words(world.hear(bad())) == ["opened"]
    alert = world.alert()
    assert alert.rules == ("detractor-risk", "sudden-fall", "detractor-answer")
    assert (alert.severity, alert.rule, alert.council) == ("high", "detractor-risk", "default")
    assert alert.url == f"https://x.example/alerts/{alert.id}"
    assert [(e.id, e.text, e.points) for e in alert.reason.events] == [("a1", "You lost us.", 1.4)]
    assert alert.scores.before.risk == 0.2
    assert alert.scores.after.risk == 0.7
    assert "70%" in alert.reason.text
    assert alert.reason.events[0].type == "cxloop.survey.answered.v1"


def test_an_event_that_hurt_several_signals_is_one_row() -> None:
    twice = explained(("a1", 1.0)).risk + explained(("a1", 0.5), ("e9", 0.7)).risk
    message = msgspec.structs.replace(bad(), contributions=Contributions(risk=twice))
    world = World()
    world.hear(message)
    assert [(e.id, e.points) for e in world.alert().reason.events] == [("a1", 1.5), ("e9", 0.7)]


def test_the_same_message_again_changes_nothing() -> None:
    world = World()
    world.hear(bad())
    before = world.memories["c-1"]
    assert world.hear(bad()) == []
    assert world.memories["c-1"] == before


def test_a_graver_rule_takes_the_lead_later() -> None:
    world = World()
    world.hear(change(1, events=(answer(),)))
    assert world.alert().rules == ("detractor-answer",)
    news = world.hear(bad(2, "a2"))
    assert words(news) == ["updated"]
    assert world.alert().rules[0] == "detractor-risk"
    assert world.alert().severity == "high"


def test_cancelling_and_the_risk_it_brings_are_one_alert() -> None:
    world = World()
    gone = event("c", "subscription.cancel_scheduled", key="s1", actor=None)
    world.hear(change(1, scores(0.2), scores(0.9), events=(gone,)))
    alert = world.alert()
    assert (alert.rules, alert.driver, alert.severity) == (
        ("cancel-scheduled", "detractor-risk"),
        "renewal",
        "urgent",
    )


def test_cleared_when_the_cancellation_is_revoked_before_anybody_acted() -> None:
    world = World()
    gone = event("c", "subscription.cancel_scheduled", key="s1")
    world.hear(change(1, scores(0.2), scores(0.3), events=(gone,)))
    back = event("u", "subscription.cancel_revoked", NOW + HOUR, key="s1")
    world.now += HOUR
    news = world.hear(change(2, scores(0.3), scores(0.2), events=(back,)))
    assert words(news) == ["cleared"]
    assert news[0].alert.state == "cleared"
    assert world.memories["c-1"].alerts == ()


def test_cleared_when_the_risk_is_gone_and_the_answer_was_corrected() -> None:
    world = World()
    world.hear(bad())
    better = answer("a2", 9, first=False, replaces=("a1",))
    world.now += DAY
    news = world.hear(change(2, scores(0.7, 50.0), scores(0.2, 71.0), events=(better,)))
    assert words(news) == ["cleared"]


def test_not_cleared_while_one_cause_stands() -> None:
    world = World()
    world.hear(bad())
    world.now += DAY
    assert world.hear(change(2, scores(0.7, 50.0), scores(0.2, 71.0))) == []
    assert world.alert().state == "open"


def test_not_cleared_once_somebody_acted() -> None:
    world = World()
    gone = event("c", "subscription.cancel_scheduled", key="s1")
    world.hear(change(1, scores(0.2), scores(0.3), events=(gone,)))
    world.does("act")
    back = event("u", "subscription.cancel_revoked", NOW + HOUR, key="s1", actor="agent")
    world.now += HOUR
    assert words(world.hear(change(2, events=(back,)))) == []


def test_retracting_the_answer_clears_it() -> None:
    world = World()
    world.hear(change(1, events=(answer("a1", 2),)))
    taken = event("x", "event.retracted", replaces=("a1",))
    assert words(world.hear(change(2, events=(taken,)))) == ["cleared"]


def test_acted_resolved_and_verified_by_a_later_good_answer() -> None:
    world = World()
    world.hear(bad())
    for verb in ("acknowledge", "act", "resolve"):
        world.does(verb)
    world.now += HOUR
    late = answer("old", 10, when=NOW, recorded=world.now)
    assert world.hear(change(2, scores(0.7), scores(0.5), events=(late,))) == []
    good = answer("a9", 9, when=world.now)
    news = world.hear(change(3, scores(0.5), scores(0.2), events=(good,)))
    assert words(news) == ["verified"]
    assert news[0].outcome
    assert world.memories["c-1"].alerts == ()


def test_a_good_answer_after_the_act_verifies_before_anybody_resolves() -> None:
    world = World()
    world.hear(bad())
    world.does("act")
    world.now += HOUR
    assert words(world.hear(change(2, events=(answer("a9", 9, when=world.now),)))) == ["verified"]


def test_a_bad_answer_while_verifying_is_unconfirmed_and_a_new_alert() -> None:
    world = World()
    world.hear(change(1, events=(answer(),)))
    world.does("act")
    world.does("resolve")
    world.now += HOUR
    news = world.hear(change(2, events=(answer("a2", 1, when=world.now),)))
    assert words(news) == ["unconfirmed", "opened"]
    assert world.alert().rules == ("detractor-answer",)


def test_a_new_broken_promise_while_verifying_opens_it_again() -> None:
    world = World()
    world.hear(change(1, events=(answer(),)))
    world.does("act")
    world.does("resolve")
    promise = change(2, persona="decision_maker", waits=(wait(due=world.now),))
    assert words(world.hear(promise)) == ["reopened"]
    assert world.alert().acted_at is None


def test_a_council_s_own_deed_is_no_evidence_and_fires_nothing() -> None:
    world = World()
    world.hear(bad())
    world.does("act")
    deed = event("d", "council.acted", world.now + MINUTE, actor="agent")
    assert world.hear(change(2, scores(0.7), scores(0.7), events=(deed,))) == []


def test_a_quiet_message_updates_and_pages_nobody() -> None:
    world = World()
    assert world.hear(msgspec.structs.replace(bad(), quiet=True)) == []
    assert world.memories["c-1"].version == 1


def test_loaded_history_fires_nothing_and_what_comes_fresh_does() -> None:
    world = World()
    old = answer("a1", 2, when=NOW - 30 * DAY, recorded=NOW)
    causes = (cause("late", 2.0, "risk", "a1"), cause("late", -30.0, "health", "a1"))
    assert world.hear(change(1, scores(0.2, 80.0), scores(0.7, 50.0), events=(old,), causes=causes)) == []
    world.now += HOUR
    news = world.hear(
        change(
            2,
            scores(0.7, 50.0),
            scores(0.75, 48.0),
            events=(event("n", "ticket.opened", world.now),),
            causes=(cause("new", 0.2, "risk", "n"), cause("new", -2.0, "health", "n")),
        )
    )
    assert words(news) == ["opened"]
    assert world.alert().rules == ("detractor-risk",)


def test_a_promise_breaks_by_the_clock_alone() -> None:
    world = World()
    world.hear(change(1, persona="decision_maker", waits=(wait(due=NOW + HOUR),)))
    assert world.memories["c-1"].history("promise-broken").next_at == NOW + HOUR
    assert words(world.tick(after=HOUR)) == ["opened"]
    assert world.alert().rule == "promise-broken"
    assert "Nobody can log in." in world.alert().reason.text
    answered = change(2, persona="decision_maker", waits=())
    assert words(world.hear(answered)) == ["cleared"]


def test_risk_that_time_alone_raised_has_to_last() -> None:
    world = World()
    world.hear(change(1, scores(0.5), scores(0.61), causes=(cause("time", 0.3),)))
    assert world.told == []
    assert words(world.tick(after=2 * HOUR)) == ["opened"]
    assert "stayed" in world.alert().reason.text


def test_a_rule_that_was_switched_off_or_deleted_is_not_looked_at_for_ever() -> None:
    world = World()
    world.hear(change(1, scores(0.5), scores(0.61), causes=(cause("time", 0.3),)))
    off = tuple(replace(rule, enabled=False) for rule in BOOK.rules)
    for book in (replace(BOOK, rules=off), replace(BOOK, rules=())):
        memory, told = tick(world.memories["c-1"], book, NOW + DAY)
        assert told == []
        assert all(history.next_at is None for history in memory.histories.values())


def test_risk_that_falls_within_the_dwell_is_never_told() -> None:
    world = World()
    world.hear(change(1, scores(0.5), scores(0.61), causes=(cause("time", 0.3),)))
    world.now += HOUR
    world.hear(change(2, scores(0.61), scores(0.55), causes=(cause("time", -0.3),)))
    assert world.tick(after=2 * HOUR) == []


def test_the_narrowest_council_gets_it() -> None:
    councils = (
        Council("all"),
        Council("eu", scope={"region": ("eu",)}),
        Council("eu-admins", scope={"region": ("EU",), "persona": ("admin",)}),
        Council("us", scope={"region": ("US",), "account": ("acc-1",), "persona": ("admin",)}),
    )
    world = World()
    world.hear(bad(), replace(BOOK, councils={c.id: c for c in councils}))
    assert world.alert().council == "eu-admins"


def test_words_said_earlier_are_quoted_later() -> None:
    world = World()
    angry = event("m1", "ticket.message", text="This is the third time!")
    world.hear(change(1, scores(0.2), scores(0.4), events=(angry,)))
    world.now += DAY
    last = answer("a1", 2, when=world.now)
    news = change(
        2, scores(0.4), scores(0.7), events=(last,), contributions=explained(("m1", 2.0), ("a1", 1.0))
    )
    world.hear(news)
    texts = {e.id: e.text for e in world.alert().reason.events}
    assert texts == {"a1": "You lost us.", "m1": "This is the third time!"}


def test_dismissed_as_false_alarm_stays_quiet_until_something_new() -> None:
    world = World()
    world.hear(bad())
    world.does("dismiss", reason=DismissReason.false_alarm)
    world.now += DAY
    again = change(2, scores(0.7, 50.0), scores(0.7, 50.0), events=(event("n", when=world.now),))
    assert world.hear(again) == []
