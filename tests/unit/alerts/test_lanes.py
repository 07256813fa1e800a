"""Who may have how many deliveries under way."""

from __future__ import annotations

import random

from services.alerts.domain.lanes import AHEAD, AHEAD_S, SLOW_S, Lanes


def hand_out(lanes: Lanes, wanted: list[str]) -> list[str]:
    """What a claim would take for lanes that all have plenty to send."""
    taken: list[str] = []
    room = lanes.room()
    for lane in wanted:
        count = min(room.get(lane, 1), lanes.free())
        for _ in range(count):
            lanes.began(lane)
            taken.append(lane)
    return taken


def known(lanes: Lanes, lane: str, took_s: float) -> None:
    lanes.began(lane)
    lanes.ended(lane, took_s)


def test_a_lane_that_nobody_knows_has_room_for_one() -> None:
    lanes = Lanes(slots=4, whole=512)
    assert hand_out(lanes, ["a"]) == ["a"]
    assert hand_out(lanes, ["a"]) == []


def test_a_fast_lane_gets_what_it_ends_soon() -> None:
    lanes = Lanes(slots=4, whole=512)
    known(lanes, "a", AHEAD_S / 8)
    assert hand_out(lanes, ["a"]) == ["a"] * 4 * 8
    for _ in range(15):
        lanes.ended("a", AHEAD_S / 8)
        assert not lanes.wants("a")
        assert hand_out(lanes, ["a"]) == [], "not after each"
    lanes.ended("a", AHEAD_S / 8)
    assert lanes.wants("a")
    assert len(hand_out(lanes, ["a"])) == 16


def test_no_lane_gets_ever_so_much_ahead() -> None:
    lanes = Lanes(slots=4, whole=512)
    known(lanes, "a", 0.0)
    assert len(hand_out(lanes, ["a"])) == 4 * AHEAD


def test_fast_lanes_share_half() -> None:
    lanes = Lanes(slots=4, whole=512)
    fast = [f"f{i}" for i in range(16)]
    for lane in fast:
        known(lanes, lane, 0.001)
        lanes.began(lane)
    assert len(hand_out(lanes, fast)) == 256 - len(fast)
    assert hand_out(lanes, ["unknown"]) == ["unknown"]


def test_every_end_is_news_where_others_wait_for_a_place() -> None:
    lanes = Lanes(slots=4, whole=64)
    known(lanes, "a", 0.001)
    for _ in range(64):
        lanes.began("a")
    lanes.ended("a", 0.001)
    assert lanes.wants("a")


def test_a_usual_lane_gets_its_slots() -> None:
    lanes = Lanes(slots=4, whole=512)
    known(lanes, "a", SLOW_S / 2)
    assert len(hand_out(lanes, ["a"])) == 4
    lanes.ended("a", SLOW_S / 2)
    assert len(hand_out(lanes, ["a"])) == 1


def test_a_slow_lane_gets_its_slots_while_there_are_few() -> None:
    lanes = Lanes(slots=4, whole=512)
    known(lanes, "slow", SLOW_S + 1)
    assert len(hand_out(lanes, ["slow"])) == 4
    lanes.ended("slow", AHEAD_S / 8)
    assert lanes.room()["slow"] == 4 * 8 - 3


def test_given_back_untried_says_nothing_of_the_receiver() -> None:
    lanes = Lanes(slots=4, whole=512)
    known(lanes, "a", SLOW_S + 1)
    lanes.began("a")
    lanes.ended("a", None)
    assert lanes.room()["a"] == 4


def test_slow_lanes_share_half_and_take_turns() -> None:
    lanes = Lanes(slots=4, whole=64)
    slow = [f"s{i}" for i in range(100)]
    for lane in slow:
        known(lanes, lane, 15.0)
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
