"""Effort, adherence, words and calls: what an interaction put the customer to."""

from __future__ import annotations

import pytest

from services.scoring.domain.numbers import NANO, exp2_neg
from services.scoring.domain.types import Signal
from services.scoring.policy_files import shipped
from tests.unit.scoring.desk import LOSS, WEIGHT, message, none, one, status, story_of, ticket
from tests.unit.scoring.telling import Teller, rows_of

# Effort --------------------------------------------------------------------------------------------------


def test_effort_of_reopenings_contacts_and_handovers() -> None:
    tell = ticket(24 * 9)
    for days in (8, 7, 6):
        message(tell, 24 * days, "customer")  # four contacts, two too many
    status(tell, 24 * 5, "solved")
    status(tell, 24 * 5 - 1, "open", "customer")  # and the fifth, within the gap of nothing
    for n, days in enumerate((4, 3, 2)):
        tell.say("ticket.handover", 24 * days, interaction="t", from_=f"a{n}", to=f"a{n + 1}")  # two too many
    status(tell, 1, "solved")
    rows = rows_of(tell.fold(), Signal.EFFORT)
    halves = 3 + 2 + 2
    good = [row for row in rows if row.good]
    assert [row.event for row in good] == [tell.events[-1].event.id]
    assert good[0].good == (WEIGHT * exp2_neg(halves, 2) + NANO // 2) // NANO
    assert abs(sum([row.bad for row in rows]) - LOSS * (NANO - exp2_neg(halves, 2)) // NANO) <= 1
    assert {row.event for row in rows if row.bad} == {"e002", "e003", "e005", "e007", "e008"}


def test_messages_close_together_are_one_contact() -> None:
    tell = ticket(24)
    for minutes in range(1, 9):
        message(tell, 24 - minutes / 6, "customer")
    assert none(tell, Signal.EFFORT)


def test_the_first_assignment_is_no_handover() -> None:
    tell = ticket(5)
    tell.say("ticket.handover", 4, interaction="t", to="ann")
    assert story_of(tell).handovers == []
    tell.say("ticket.handover", 3, interaction="t", to="bob")
    tell.say("ticket.handover", 2, interaction="t", from_="bob", to="bob")
    assert story_of(tell).handovers == ["e002"]


def test_a_follow_up_has_been_asked_before() -> None:
    alone, again = ticket(48), ticket(48, follows="s")
    for tell in (alone, again):
        message(tell, 24, "customer")
    assert none(alone, Signal.EFFORT)
    assert one(again, Signal.EFFORT).event == "e001"


# Adherence -----------------------------------------------------------------------------------------------


def test_adherence_is_the_share_of_steps_met() -> None:
    tell = ticket(5, channel="phone", language="de")
    message(tell, 4, "agent", agent="a", language="en")
    status(tell, 3, "solved")
    rows = rows_of(tell.fold(), Signal.ADHERENCE)  # channel, contacts, hand-overs, same person, language
    assert {row.event: (row.good, row.bad) for row in rows} == {
        "e000": (0, LOSS // 5),
        "e001": (0, LOSS // 5),
        "e002": (WEIGHT * 3 // 5, 0),
    }


def test_a_decision_maker_is_spared_the_bot() -> None:
    tell = ticket(1, persona="decision maker")
    message(tell, 0.9, "bot")
    assert one(tell, Signal.ADHERENCE).event == "e001"


def test_the_same_person_answers() -> None:
    tell = ticket(9)
    for n, agent in enumerate(("a", "b", "a", "c")):
        message(tell, 8 - n, "agent", agent=agent)
    assert one(tell, Signal.ADHERENCE).event == "e004"  # one change is accepted, the second is not


# Words ---------------------------------------------------------------------------------------------------


def test_words_are_weighed_by_feeling() -> None:
    tell = ticket(5)
    message(tell, 4, "customer", mood=-40)
    row = one(tell, Signal.SENTIMENT)
    assert (row.good, row.bad, row.event) == (0, LOSS * 2 // 5, "e001")


def test_neutral_and_kind_words_of_somebody_who_waits_say_nothing() -> None:
    tell = ticket(5, subject="thanks in advance", mood=60)
    message(tell, 4, "customer", mood=4)
    message(tell, 3, "customer", mood=70)
    assert none(tell, Signal.SENTIMENT)
    status(tell, 2, "solved")
    assert [(r.event, r.good) for r in rows_of(tell.fold(), Signal.SENTIMENT)] == [("e002", WEIGHT * 7 // 10)]


def test_an_edited_message_counts_once_with_its_last_words() -> None:
    tell = ticket(5)
    message(tell, 4, "customer", key="m", mood=-80, text="awful")
    message(tell, 3, "customer", key="m", mood=-20, text="not good", revision=1)
    message(tell, 2, "customer", key="m", mood=-60, text="bad", revision=0)
    assert one(tell, Signal.SENTIMENT).event == "e002"


# Calls ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("waited", "answered", "good", "bad"),
    [(30, True, WEIGHT, 0), (120, True, WEIGHT // 2, LOSS // 2), (20, False, 0, LOSS)],
)
def test_calls_bring_their_own_measure(waited: int, answered: bool, good: int, bad: int) -> None:
    tell = Teller()
    tell.say("call.opened", 2, interaction="c", persona="admin")
    tell.say("call.status", 1, interaction="c", status="closed", waited_s=waited, answered=answered)
    row = one(tell, Signal.RESPONSIVENESS)
    assert (row.good, row.bad) == (good, bad)
    assert not tell.fold().live


def test_policy_weight_of_these_tests() -> None:
    masses = shipped().evidence.masses
    assert masses.interaction * 1000 == masses.text * 1000 == WEIGHT
