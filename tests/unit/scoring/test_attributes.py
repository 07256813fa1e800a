"""Attributes over time: last known, first before the first, null removes, order is nothing."""

from __future__ import annotations

import random

from services.scoring.domain.attributes import Attributes, matters
from shared.events.times import DAY, to_micros
from tests.unit.scoring.telling import NOW, Teller

T = to_micros(NOW)


def told() -> Teller:
    tell = Teller()
    tell.say("customer.identified", 240, name="Ann", persona="end user", value=100)
    tell.say("customer.identified", 48, persona="admin", name=None)
    tell.say("ticket.opened", 24, interaction="t", region="DACH", language="de", stage="use")
    return tell


def test_in_force_is_the_last_said_and_before_the_first_the_first() -> None:
    found = Attributes.of(one.event for one in told().events)
    assert [found.at("persona", T - days * DAY) for days in (99, 10, 3, 1, 0)] == [
        "end user",
        "end user",
        "end user",
        "admin",
        "admin",
    ]
    assert found.at("region", T - 99 * DAY) == "DACH"
    assert found.at("owner", T) is None


def test_null_removes_and_latest_leaves_it_out() -> None:
    found = Attributes.of(one.event for one in told().events)
    assert found.at("name", T) is None
    assert found.at("name", T - 9 * DAY) == "Ann"
    assert dict(found.latest()) == {
        "persona": "admin",
        "region": "DACH",
        "language": "de",
        "value": 100,
        "stage": "use",
    }


def test_any_order_any_repetition_and_piecewise_give_the_same() -> None:
    events = [one.event for one in told().events]
    whole = Attributes.of(events)
    for seed in range(20):
        mixed = events * 2
        random.Random(seed).shuffle(mixed)
        assert Attributes.of(mixed) == whole
        assert Attributes.of(mixed[:3]).plus(mixed[2:]) == whole
        assert Attributes.of(mixed).pack() == whole.pack()
    assert Attributes.unpack(whole.pack()) == whole
    assert hash(Attributes.unpack(whole.pack())) == hash(whole)


def test_odd_text_survives_packing() -> None:
    tell = Teller()
    tell.say("customer.identified", 1, name="\ud800 \x00 ü 漢")
    found = Attributes.of(one.event for one in tell.events)
    assert Attributes.unpack(found.pack()) == found


def test_folds_alike_only_while_nothing_changes_at_any_time() -> None:
    tell = told()
    before = Attributes.of(one.event for one in tell.events)
    same = tell.say("ticket.opened", 1, interaction="u", region="DACH", persona="admin")
    named = tell.say("customer.identified", 1, name="Anna")
    other = tell.say("ticket.opened", 30, interaction="v", region="Nordics")
    assert before.folds_alike(before.plus([same.event, named.event]))
    assert not before.folds_alike(before.plus([other.event]))
    assert not before.folds_alike(Attributes({}))


def test_which_events_matter_to_folds() -> None:
    tell = Teller()
    assert matters(tell.say("ticket.opened", 1, interaction="t", region="DACH").event)
    assert matters(tell.say("customer.identified", 1, time_zone="Europe/Berlin").event)
    assert not matters(tell.say("customer.identified", 1, name="Ann", value=3).event)
    assert not matters(tell.say("ticket.opened", 1, interaction="t", stage="use").event)
