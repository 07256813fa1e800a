"""Subscriptions, orders, invoices, referrals, touchpoints, usage, self-service: gains, losses, intents."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from services.scoring.domain.attributes import Attributes
from services.scoring.domain.episode import episode_key
from services.scoring.domain.numbers import NANO, exp2_neg
from services.scoring.domain.relations import champion_left
from services.scoring.domain.types import Fold, Signal
from services.scoring.policy_files import shipped
from shared.events.times import DAY, to_micros
from tests.unit.scoring.telling import NOW, Teller, rows_of

HALF = NANO // 2
DAY_H = 24.0
AHEAD = (NOW + timedelta(days=100)).isoformat()
PAST = (NOW - timedelta(days=10)).isoformat()


def deal(*told: tuple[str, float], **more: Any) -> Teller:  # noqa: ANN401
    tell = Teller()
    for verb, days in told:
        tell.say(f"subscription.{verb}", days * DAY_H, subscription="s", **more)
    return tell


def masses(folded: Fold, signal: Signal = Signal.RENEWAL) -> list[tuple[int, int]]:
    return [(row.good, row.bad) for row in rows_of(folded, signal)]


def intents(folded: Fold) -> list[tuple[str, bool]]:
    return [(row.what, row.open) for row in rows_of(folded, Signal.INTENT)]


@pytest.mark.parametrize(
    ("told", "expected", "stated"),
    [
        ([("started", 400)], [], []),
        ([("started", 400), ("renewed", 35)], [(NANO, 0)], []),
        ([("expanded", 35)], [(HALF, 0)], []),
        ([("contracted", 35)], [(0, HALF)], [("contracted", False)]),
        ([("cancel_scheduled", 5)], [(0, NANO)], [("cancel_scheduled", True)]),
        ([("cancel_scheduled", 5), ("cancel_revoked", 4)], [], []),
        ([("cancel_scheduled", 5), ("renewed", 4)], [(NANO, 0)], []),
        (
            [("cancel_scheduled", 5), ("cancel_revoked", 4), ("cancel_scheduled", 3)],
            [(0, NANO)],
            [("cancel_scheduled", True)],
        ),
        ([("cancel_scheduled", 5), ("cancelled", 2)], [(0, NANO), (0, HALF)], [("cancel_scheduled", True)]),
        ([("cancelled", 2)], [(0, NANO + HALF)], [("cancel_scheduled", True)]),
        ([("cancelled", 2), ("started", 1)], [], []),
        ([("paused", 2)], [], [("paused", True)]),
        ([("paused", 2), ("resumed", 1)], [], []),
    ],
)
def test_subscription(
    told: list[tuple[str, float]], expected: list[tuple[int, int]], stated: list[tuple[str, bool]]
) -> None:
    folded = deal(*told).fold()
    assert masses(folded) == expected
    assert intents(folded) == stated


def test_renewals_are_told_apart_by_their_period() -> None:
    tell = Teller()
    for year in range(1, 4):
        end = (NOW + timedelta(days=365 * (3 - year) + 30)).isoformat()
        tell.say("subscription.renewed", year * 365 * DAY_H, subscription="s", period_end=end)
    tell.say(
        "subscription.renewed", 360 * DAY_H, subscription="s", period_end=end
    )  # the last one, told again
    assert masses(tell.fold()) == [(NANO, 0)] * 3


def test_a_period_that_ran_out_is_a_loss_at_its_end() -> None:
    tell = deal(("started", 300), period_end=PAST)
    row = rows_of(tell.fold(), Signal.RENEWAL)[0]
    assert (row.at, row.good, row.bad) == (to_micros(NOW - timedelta(days=10)), 0, NANO)
    tell.say("subscription.renewed", 1, subscription="s", period_end=AHEAD)
    assert masses(tell.fold()) == [(NANO, 0)]


def test_until_its_end_a_period_says_nothing_but_may_still() -> None:
    folded = deal(("started", 300), period_end=AHEAD).fold()
    assert folded.evidence == () and folded.live
    assert folded.next_at == to_micros(NOW + timedelta(days=100))


def test_an_announced_end_is_no_lapse() -> None:
    tell = deal(("started", 300), ("cancel_scheduled", 20), period_end=PAST)
    assert masses(tell.fold()) == [(0, NANO)]


def test_the_announcement_counts_undiminished_until_well_after_the_end() -> None:
    tell = deal(("cancel_scheduled", 5), period_end=AHEAD)
    assert intents(tell.fold(now=NOW + timedelta(days=150))) == [("cancel_scheduled", True)]
    after = tell.fold(now=NOW + timedelta(days=161))
    assert intents(after) == [("cancel_scheduled", False)] and not after.live


@pytest.mark.parametrize(
    ("told", "stated"),
    [
        (["failed"], [("payment_failed", True)]),
        (["failed", "recovered"], []),
        (["failed", "recovered", "failed"], [("payment_failed", True)]),
        (["disputed"], [("payment_disputed", False)]),
    ],
)
def test_invoice(told: list[str], stated: list[tuple[str, bool]]) -> None:
    tell = Teller()
    for n, verb in enumerate(told):
        tell.say(f"payment.{verb}", 50 - n, invoice="i", attempt=n)
    folded = tell.fold()
    assert intents(folded) == stated
    assert folded.live is any(is_open for _, is_open in stated)
    later = tell.fold(now=NOW + timedelta(days=90))
    assert not later.live and all(not is_open for _, is_open in intents(later))


@pytest.mark.parametrize(
    ("paid", "refunds", "good", "bad"),
    [
        (100, [], NANO, 0),
        (100, [30], NANO * 7 // 10, NANO * 15 // 100),
        (100, [30, 30], NANO * 4 // 10, NANO * 30 // 100),
        (100, [80, 80], 0, HALF),
        (None, [30], 0, HALF),
        (100, [None], 0, HALF),
    ],
)
def test_order(paid: int | None, refunds: list[int | None], good: int, bad: int) -> None:
    tell = Teller()
    tell.say("purchase.made", 50, order="o", amount=paid)
    for n, amount in enumerate(refunds):
        tell.say("purchase.refunded", 40 - n, order="o", refund=f"r{n}", amount=amount)
    rows = rows_of(tell.fold(), Signal.PURCHASE)
    assert sum([row.good for row in rows]) == good
    assert sum([row.bad for row in rows]) == bad


@pytest.mark.parametrize(
    ("existing", "converted", "mass"),
    [
        (False, False, NANO),
        (None, False, NANO * 3 // 4),
        (True, False, HALF),
        (False, True, NANO + HALF),
    ],
)
def test_referral(existing: bool | None, converted: bool, mass: int) -> None:
    tell = Teller()
    tell.say("referral.made", 50, referral="r", existing_customer=existing)
    if converted:
        tell.say("referral.converted", 20, referral="r")
    rows = rows_of(tell.fold(), Signal.ADVOCACY)
    assert sum([row.good for row in rows]) == mass
    assert len(rows) == 1 + converted


@pytest.mark.parametrize(
    ("told", "due_days", "expected", "live"),
    [
        (["planned"], 5, [], True),
        (["planned"], -5, [(0, NANO * 5 // 2)], False),
        (["planned", "held"], 5, [(NANO, 0)], False),
        (["planned", "held"], -30, [(0, NANO * 5 // 2)], False),
        (["planned", "held"], None, [(NANO, 0)], False),
        (["planned"], None, [], False),
        (["planned", "missed"], None, [(0, NANO * 5 // 2)], False),
        (["planned", "missed"], 5, [(0, NANO * 5 // 2)], True),
        (["planned", "missed", "held"], 5, [(NANO, 0)], False),
        (["held"], None, [], False),
    ],
)
def test_touchpoint(
    told: list[str], due_days: int | None, expected: list[tuple[int, int]], live: bool
) -> None:
    tell = Teller()
    due = None if due_days is None else (NOW + timedelta(days=due_days)).isoformat()
    for n, verb in enumerate(told):
        tell.say(f"touchpoint.{verb}", (20 - n) * DAY_H, touchpoint_id="q", name="review", due_at=due)
    folded = tell.fold()
    assert masses(folded, Signal.PROACTIVE) == expected
    assert folded.live is live


def usage(*values: tuple[int, int | None]) -> Fold:
    tell = Teller()
    for n, (active, seats) in enumerate(values):
        tell.say("usage.observed", (len(values) - n) * DAY_H, active_users=active, seats=seats)
    return tell.fold()


def test_adoption_against_the_seats_or_the_own_best() -> None:
    assert masses(usage((30, 40)), Signal.ADOPTION) == [(NANO * 3 // 4, NANO * 5 // 8)]
    assert masses(usage((30, None)), Signal.ADOPTION) == []  # nothing to compare with
    assert masses(usage((40, None), (30, None)), Signal.ADOPTION) == [(NANO * 3 // 4, NANO * 5 // 8)]
    assert masses(usage((50, 40)), Signal.ADOPTION) == [(NANO, 0)]


def test_falling_usage_states_an_intent() -> None:
    assert intents(usage((40, 45), (30, 45))) == []
    assert intents(usage((40, 45), (20, 45))) == [("usage_falling", False)]


def test_usage_of_a_quarter_is_one_episode_and_of_nobody_none() -> None:
    tell = Teller()
    near, far = tell.say("usage.observed", 1, count=1), tell.say("usage.observed", 90 * DAY_H, count=1)
    assert episode_key(near.event) != episode_key(far.event)
    assert episode_key(tell.say("usage.observed", 1, count=1, identifiers=()).event) is None


@pytest.mark.parametrize(
    ("helped", "good", "bad"),
    [
        (True, HALF, 0),
        (False, HALF * exp2_neg(1, 2) // NANO, (NANO * 5 // 4) * (NANO - exp2_neg(1, 2)) // NANO),
        (None, None, None),
    ],
)
def test_self_service(helped: bool | None, good: int | None, bad: int | None) -> None:
    tell = Teller()
    tell.say("selfservice.attempted", 1, attempt="a", helped=helped)
    found = masses(tell.fold(), Signal.EFFORT)
    if good is None or bad is None:
        assert found == []
    else:
        assert abs(found[0][0] - good) <= 1 and abs(found[0][1] - bad) <= 1


@pytest.mark.parametrize(
    ("role", "persona", "days", "left"),
    [
        ("Champion", None, -3, True),
        (None, "decision_maker", -3, True),
        (None, "end user", -3, False),
        ("Champion", None, 3, False),
        (None, None, -3, False),
    ],
)
def test_a_champion_who_left(role: str | None, persona: str | None, days: int, left: bool) -> None:
    tell = Teller()
    when = (NOW + timedelta(days=days)).isoformat()
    told = tell.say("customer.identified", 1, role=role, persona=persona, left_at=when)
    found = champion_left(Attributes.of([told.event]), shipped().evidence, to_micros(NOW))
    assert (found is not None) is left
    if found:
        assert (found.what, found.event, found.at) == ("champion_left", "e000", to_micros(NOW) - 3 * DAY)


@pytest.mark.parametrize(
    "kind",
    [
        "survey.sent",
        "survey.unsubscribed",
        "customer.identified",
        "customer.linked",
        "event.retracted",
        "council.acted",
    ],
)
def test_what_is_no_episode(kind: str) -> None:
    bodies: dict[str, dict[str, Any]] = {
        "survey.sent": {"survey": "s"},
        "survey.unsubscribed": {"survey": "s"},
        "customer.identified": {"name": "Ann"},
        "customer.linked": {"reason": "same"},
        "event.retracted": {"event": "e"},
        "council.acted": {"alert": "a", "action": "called", "by": "bob"},
    }
    assert episode_key(Teller().say(kind, 1, **bodies[kind]).event) is None


@pytest.mark.parametrize("kind", ["inquiry.noted", "feature.requested"])
def test_signs_of_life_without_evidence(kind: str) -> None:
    tell = Teller()
    fields: dict[str, Any] = {"inquiry": "i", "text": "…", "by": "b"}
    tell.say(kind, 1, **(fields if kind == "inquiry.noted" else {"request": "r"}))
    folded = tell.fold()
    assert folded.evidence == ()
    assert folded.health_at is None
    assert folded.last == folded.relationship_at == to_micros(NOW - timedelta(hours=1))
