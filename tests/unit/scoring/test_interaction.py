"""Tickets and chats: who owed the next step when, what waiting cost, which event has the points."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from services.scoring.domain.numbers import NANO, exp2_neg
from services.scoring.domain.types import Evidence, Signal
from shared.events.bodies import Promises, Reference
from shared.events.times import DAY, to_micros
from tests.unit.scoring.desk import LOSS, WEIGHT, message, none, one, status, story_of, ticket
from tests.unit.scoring.telling import NOW, Teller, rows_of

# Responsiveness ------------------------------------------------------------------------------------------


def test_opening_says_nothing() -> None:
    folded = ticket(0).fold()
    assert folded.evidence == ()
    assert folded.live and folded.health_at is None
    assert folded.last == to_micros(NOW)


def test_while_it_waits_only_the_certain_loss_counts() -> None:
    tell = ticket(24)  # eight working hours: as promised
    assert none(tell, Signal.RESPONSIVENESS)
    later = rows_of(tell.fold(now=NOW + timedelta(days=1)), Signal.RESPONSIVENESS)
    assert later == [
        Evidence(Signal.RESPONSIVENESS, to_micros(NOW - timedelta(days=1)), 0, LOSS // 2, "e000", open=True)
    ]


def test_the_answer_brings_the_good_to_the_event_that_began_the_wait() -> None:
    tell = ticket(3)
    message(tell, 1, "agent")
    row = one(tell, Signal.RESPONSIVENESS)
    assert (row.good, row.bad, row.event, row.open) == (WEIGHT, 0, "e000", False)
    assert row.at == to_micros(NOW - timedelta(hours=1))


def test_a_late_answer_is_half_as_good_per_promised_time() -> None:
    tell = ticket(48)
    message(tell, 12, "agent")
    status(tell, 11, "solved")
    tell.say("ticket.updated", 10, interaction="t", priority="high")  # 4 h promised: 9-17 on Monday, Tuesday
    row = one(tell, Signal.RESPONSIVENESS)
    x = exp2_neg(13 - 4, 4)
    assert (row.good, row.bad) == ((WEIGHT * x + NANO // 2) // NANO, LOSS - (LOSS * x + NANO // 2) // NANO)


@pytest.mark.parametrize(
    ("author", "public", "answers"),
    [("agent", True, True), ("agent", False, False), ("bot", True, False), ("system", True, False)],
)
def test_who_answers(author: str, public: bool, answers: bool) -> None:
    tell = ticket(3)
    message(tell, 1, author, public=public)
    assert bool(rows_of(tell.fold(), Signal.RESPONSIVENESS)) is answers


def test_solved_without_a_word_is_an_answer_while_it_stands() -> None:
    tell = ticket(5)
    status(tell, 4, "solved")
    assert one(tell, Signal.RESPONSIVENESS).good == WEIGHT
    status(tell, 3, "open", "customer")
    assert none(tell, Signal.RESPONSIVENESS)


def test_what_we_began_leaves_the_customer_the_next_step() -> None:
    tell = ticket(48, initiative="proactive")
    folded = tell.fold()
    assert folded.evidence == () and folded.last is None
    message(tell, 20, "customer")
    message(tell, 1, "agent")
    assert one(tell, Signal.RESPONSIVENESS).event == "e001"


def test_a_promise_in_the_event_comes_before_the_persona() -> None:
    told = Promises(first_response_at="2026-03-04T10:00:00Z")
    tell = ticket(3, promises=told)  # at 9; promised for 10
    row = one(tell, Signal.RESPONSIVENESS)
    assert row.bad == LOSS - (LOSS * exp2_neg(2, 1) // NANO)


@pytest.mark.parametrize(
    ("persona", "priority", "hours", "kept"),
    [
        ("decision maker", "normal", 2, True),
        ("decision maker", "normal", 2.1, False),
        ("decision maker", "low", 3, True),
        (None, "urgent", 2, True),
        (None, "urgent", 2.1, False),
        ("unheard of", "normal", 3, True),
    ],
)
def test_promise_of_persona_and_priority(
    persona: str | None, priority: str, hours: float, kept: bool
) -> None:
    tell = ticket(hours, priority=priority, persona=persona)
    assert none(tell, Signal.RESPONSIVENESS) is kept


def test_urgent_waits_around_the_clock() -> None:
    tell = ticket(5, priority="urgent")
    folded = tell.fold(now=NOW + timedelta(days=3))
    assert rows_of(folded, Signal.RESPONSIVENESS)[0].bad > LOSS * 9 // 10


def test_chat_is_promised_in_minutes() -> None:
    tell = Teller()
    tell.say("chat.opened", 0.25, interaction="c")
    tell.say("chat.message", 0.05, interaction="c", message="m", author="agent", public=True)
    good, lost = rows_of(tell.fold(), Signal.RESPONSIVENESS)
    assert (good.open, lost.open, lost.good) == (False, True, 0)  # the chat goes on: its loss does not decay
    assert 0 < good.good < WEIGHT and lost.bad > 0


# Who owes the next step ----------------------------------------------------------------------------------


def test_waiting_for_customer_or_third_party_does_not_count() -> None:
    tell = ticket(24 * 8)
    message(tell, 24 * 8 - 1, "agent")
    status(tell, 24 * 8 - 2, "pending")
    status(tell, 24 * 4, "open", "customer")
    status(tell, 24 * 4 - 1, "hold")
    status(tell, 2, "solved")
    row = one(tell, Signal.RESOLUTION)
    assert (row.good, row.bad) == (WEIGHT, 0)


def test_the_customers_word_while_pending_gives_the_step_back() -> None:
    tell = ticket(24 * 9)
    status(tell, 24 * 9 - 1, "pending")
    message(tell, 24 * 8, "customer")
    assert story_of(tell).status == "open"
    assert rows_of(tell.fold(), Signal.RESOLUTION)[0].bad > 0


def test_resolution_goes_to_what_began_each_phase() -> None:
    tell = ticket(24 * 9)
    status(tell, 24 * 5, "solved")
    status(tell, 24 * 4, "open", "customer")
    status(tell, 1, "solved")
    rows = rows_of(tell.fold(), Signal.RESOLUTION)
    assert [(row.event, bool(row.good), bool(row.bad)) for row in rows] == [
        ("e000", False, True),
        ("e000", True, False),
        ("e002", False, True),
    ]
    good, bad = sum([row.good for row in rows]), sum([row.bad for row in rows])
    x = good * NANO // WEIGHT
    assert abs(bad - LOSS * (NANO - x) // NANO) <= 10


def test_only_the_customer_reopens() -> None:
    for actor, count in (("customer", 1), (None, 1), ("agent", 0), ("bot", 0), ("system", 0)):
        tell = ticket(30)
        status(tell, 20, "solved")
        status(tell, 10, "open", actor)
        story = story_of(tell)
        assert len(story.reopenings) == count, actor
        assert len(story.phases) == 2


def test_equal_statuses_are_one_and_closed_is_final() -> None:
    tell = ticket(30)
    for ago, value in (
        (25, "solved"),
        (24, "solved"),
        (20, "open"),
        (19, "open"),
        (10, "solved"),
        (9, "closed"),
    ):
        status(tell, ago, value, "customer" if value == "open" else "agent")
    status(tell, 5, "open", "customer")
    story = story_of(tell)
    assert (len(story.reopenings), story.status, story.waiting) == (1, "closed", False)
    assert not tell.fold().live


def test_reopened_as_the_sender_says_although_nobody_told_that_it_was_solved() -> None:
    tell = Teller()
    status(tell, 5, "open", "customer", previous="solved")
    story = story_of(tell)
    assert len(story.reopenings) == 1


@pytest.mark.parametrize(
    ("kind", "fields", "state"),
    [
        ("ticket.status", {"status": "open"}, "open"),
        ("ticket.status", {"status": "pending"}, "pending"),
        ("ticket.status", {"status": "solved"}, "solved"),
        ("ticket.message", {"message": "m", "author": "customer", "public": True}, "open"),
        ("ticket.message", {"message": "m", "author": "agent", "public": True}, "pending"),
        ("ticket.message", {"message": "m", "author": "agent", "public": False}, None),
        ("ticket.updated", {"subject": "s"}, None),
        ("ticket.handover", {"to": "b"}, None),
        ("call.opened", {}, None),
    ],
)
def test_what_is_known_without_an_opening(kind: str, fields: dict[str, Any], state: str | None) -> None:
    tell = Teller()
    tell.say(kind, 3, interaction="t", **fields)
    story = story_of(tell)
    assert story.status == state
    assert tell.fold().live is (state in ("open", "pending"))


def test_merged_says_no_more_of_what_still_waits() -> None:
    tell = ticket(24 * 9)
    assert rows_of(tell.fold(), Signal.RESPONSIVENESS)
    tell.say("ticket.merged", 24, interaction="t", into=Reference(source="/s", id="u"))
    folded = tell.fold()
    assert not folded.live
    assert none(tell, Signal.RESPONSIVENESS, Signal.RESOLUTION)


@pytest.mark.parametrize("reason", ["spam", "deleted", "test"])
def test_removed_takes_its_evidence_along(reason: str) -> None:
    tell = ticket(24 * 9, mood=-80)
    tell.say("ticket.removed", 1, interaction="t", reason=reason)
    folded = tell.fold()
    assert (folded.evidence, folded.live, folded.first, folded.days) == ((), False, None, ())


def test_given_up_after_sixty_days_the_loss_is_dated_there() -> None:
    tell = ticket(24 * 59)
    assert tell.fold().live
    folded = tell.fold(now=NOW + timedelta(days=30))
    assert not folded.live and folded.next_at is None
    given_up = to_micros(NOW - timedelta(days=59)) + 60 * DAY
    assert {(row.at, row.open) for row in folded.evidence} == {(given_up, False)}


def test_given_up_is_given_up_whatever_we_do_then() -> None:
    tell = ticket(24 * 90, mood=-50, text="!")
    before = tell.fold()
    message(tell, 24, "agent")
    assert tell.fold()._replace(health_at=None) == before._replace(health_at=None)
    message(tell, 1, "customer")
    again = tell.fold()
    assert again.live and story_of(tell).status == "open"


def test_the_next_change_of_form_is_the_promise_that_breaks_first() -> None:
    tell = ticket(1)
    assert tell.fold().next_at == to_micros(NOW + timedelta(days=1, hours=-1))  # eight working hours later
