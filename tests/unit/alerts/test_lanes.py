"""Who may have how many deliveries under way."""

from __future__ import annotations

import random

from services.alerts.domain.lanes import AHEAD, SLOW_S, Lanes


def hand_out(lanes: Lanes, wanted: list[str]) -> list[str]:
    """What a claim would take for lanes that all have plenty to send."""
    taken: list[str] = []
    room = lanes.room()
    for lane in wanted:
        count = min(room.get(lane, lanes.usual()), lanes.free())
        for _ in range(count):
            lanes.began(lane)
            taken.append(lane)
    return taken


def test_an_unknown_lane_gets_a_little_more_than_it_can_begin() -> None:
    lanes = Lanes(slots=4, whole=512)
    assert hand_out(lanes, ["a"]) == ["a"] * 4 * AHEAD
    assert hand_out(lanes, ["a"]) == []
    for _ in range(2 * AHEAD):
        lanes.ended("a", 0.01)
    assert len(hand_out(lanes, ["a"])) == 2 * AHEAD


def test_a_slow_lane_gets_its_slots_and_no_more() -> None:
    lanes = Lanes(slots=4, whole=512)
    lanes.began("slow")
    lanes.ended("slow", SLOW_S + 1)
    assert len(hand_out(lanes, ["slow"])) == 4
    lanes.ended("slow", 0.1)
    assert lanes.room()["slow"] == 4 * AHEAD - 3


def test_given_back_untried_says_nothing_of_the_receiver() -> None:
    lanes = Lanes(slots=4, whole=512)
    lanes.began("a")
    lanes.ended("a", SLOW_S + 1)
    lanes.began("a")
    lanes.ended("a", None)
    assert lanes.room()["a"] == 4


def test_slow_lanes_share_half_and_take_turns() -> None:
    lanes = Lanes(slots=4, whole=64)
    slow = [f"s{i}" for i in range(100)]
    for lane in slow:
        lanes.began(lane)
        lanes.ended(lane, 15.0)
    served = set()
    for _ in range(10):
        taken = hand_out(lanes, slow)
        assert len(taken) == 32, "never more than half"
        assert lanes.free() == 32, "the rest is free for the others"
        served |= set(taken)
        for lane in taken:
            lanes.ended(lane, 15.0)
    assert served == set(slow)


def test_what_ends_is_forgotten_and_the_whole_is_never_exceeded() -> None:
    dice = random.Random(4)
    lanes = Lanes(slots=4, whole=50)
    open_: list[str] = []
    for _ in range(2_000):
        if dice.random() < 0.5:
            open_ += hand_out(lanes, [f"l{dice.randint(0, 40)}"])
        elif open_:
            lanes.ended(open_.pop(dice.randrange(len(open_))), dice.choice([None, 0.1, 9.0]))
        assert 0 <= lanes.under_way == len(open_) <= 50
        assert all(count >= 0 for count in lanes.room().values())
