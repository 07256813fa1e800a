"""Laws of one episode: order and repetition are nothing, waiting never helps, good events never lower."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.scoring.domain.attributes import Attributes
from services.scoring.domain.customer import episodes_of, fold_all
from services.scoring.domain.episode import fold, superseded, waits
from services.scoring.domain.model import day_zero
from services.scoring.domain.score import Scores, score
from services.scoring.domain.types import NANO, Applied, Fold, Signal
from services.scoring.policy_files import shipped
from shared.events import BODIES, Event
from shared.events.times import to_micros
from tests.property.told import END, episodes

POLICY = shipped()
MODEL = day_zero(POLICY)
LATER = END + timedelta(hours=1)
Sums = dict[Signal, tuple[int, int]]
later = st.integers(0, 400 * 24).map(lambda hours: END + timedelta(hours=hours))


def folds(told: list[Applied], now: datetime) -> list[Fold]:
    attributes = Attributes.of(one.event for one in told)
    return [fold(episode, attributes, POLICY, to_micros(now)) for episode in episodes_of(told).values()]


def sums(told: list[Applied], now: datetime) -> Sums:
    found: Sums = {}
    for one in folds(told, now):
        for row in one.evidence:
            good, bad = found.get(row.signal, (0, 0))
            found[row.signal] = (good + row.good, bad + row.bad)
    return found


@given(episodes(), st.randoms(use_true_random=False), later)
def test_order_and_repetition_are_nothing(told: list[Applied], random: object, now: datetime) -> None:
    mixed = told + told[: len(told) // 2]
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert folds(mixed, now) == folds(told, now)
    assert episodes_of(mixed) == episodes_of(told)


@given(episodes(), later)
def test_evidence_is_bounded_and_names_its_events(told: list[Applied], now: datetime) -> None:
    ids = {one.event.id for one in told}
    for one in folds(told, now):
        assert len({(row.at, row.event, row.signal, row.open, row.what) for row in one.evidence}) == len(
            one.evidence
        )
        for row in one.evidence:
            assert row.event in ids
            assert row.good >= 0 and row.bad >= 0 and row.good + row.bad > 0
            assert row.good <= 4 * NANO
            assert one.live or not row.open
            assert not row.open or row.good == 0
        assert one.first is not None and (one.last is None or one.last >= one.first)


@given(episodes(), later, st.integers(1, 1000))
def test_what_is_settled_does_not_depend_on_now(told: list[Applied], now: datetime, days: int) -> None:
    for before, after in zip(folds(told, now), folds(told, now + timedelta(days=days)), strict=True):
        if not before.live:
            assert after == before


@given(episodes(), later)
def test_a_live_fold_keeps_its_form_until_next_at(told: list[Applied], now: datetime) -> None:
    for one, episode in zip(folds(told, now), episodes_of(told).values(), strict=True):
        if one.next_at is None:
            continue
        assert one.live and one.next_at > to_micros(now)
        just_before = fold(episode, Attributes.of(o.event for o in told), POLICY, one.next_at - 1)
        assert just_before.live and just_before.next_at == one.next_at


@given(episodes("ticket", "chat"), later, st.integers(0, 90 * 24))
def test_waiting_never_helps(told: list[Applied], now: datetime, hours: int) -> None:
    """While an interaction goes on no loss shrinks or decays, and no gain comes."""
    then = now + timedelta(hours=hours)
    for before, after in zip(folds(told, now), folds(told, then), strict=True):
        if not after.live:
            continue
        assert all(row.open for row in after.evidence if row.bad)
        assert [row for row in before.evidence if row.good] == [row for row in after.evidence if row.good]
        first, second = _bad(before), _bad(after)
        assert all(second.get(signal, 0) >= loss for signal, loss in first.items())


def _bad(one: Fold) -> dict[Signal, int]:
    found: dict[Signal, int] = {}
    for row in one.evidence:
        found[row.signal] = found.get(row.signal, 0) + row.bad
    return found


def scores(told: list[Applied], now: datetime) -> Scores:
    customer = fold_all(told, POLICY, to_micros(now))
    return score(customer.state, customer.live, customer.attributes, POLICY, MODEL, to_micros(now))


@given(episodes(), st.sampled_from(["ticket", "chat", "call"]), st.integers(0, 500))
def test_opening_raises_nothing(told: list[Applied], noun: str, hours: int) -> None:
    """Neither at once nor while it waits: health is never better, risk never smaller than without it."""
    opened = _applied(f"{noun}.opened", "new", LATER, {"interaction": "another", "subject": "s"})
    now = LATER + timedelta(hours=hours)
    without, having = scores(told, now), scores([*told, opened], now)
    assert having.health.raw <= without.health.raw
    assert having.risk.raw >= without.risk.raw


@given(episodes("ticket", "chat"), st.sampled_from(["reply", "solved"]))
def test_a_good_event_never_lowers(told: list[Applied], what: str) -> None:
    """Neither a reply of ours nor a solution takes from any gain or adds to any loss."""
    now = LATER
    noun = told[0].event.noun
    if what == "reply":
        fields = {"interaction": "i", "message": "new", "author": "agent", "public": True}
        good = _applied(f"{noun}.message", "new", now, fields)
    else:
        good = _applied(f"{noun}.status", "new", now, {"interaction": "i", "status": "solved"})
    before, after = sums(told, now), sums([*told, good], now)
    for signal in {*before, *after}:
        old, new = before.get(signal, (0, 0)), after.get(signal, (0, 0))
        assert new[0] >= old[0] and new[1] <= old[1], signal


@given(episodes("survey"))
def test_the_best_answer_leaves_no_loss(told: list[Applied]) -> None:
    best = {"response": "r", "metric": "csat", "score": 5, "better": "high", "comment": None}
    revised = sums([*told, _applied("survey.answered", "new", LATER, best, revision=9)], LATER)
    assert revised == {Signal.SATISFACTION: (2 * NANO, 0)}


@given(episodes())
def test_superseded_events_are_wholly_replaced(told: list[Applied]) -> None:
    for episode in episodes_of(told).values():
        lost = superseded(episode)
        kinds = {one.event.type for one in episode.events}
        left = {one.event.type for one in episode.events if one.event.id not in lost}
        assert kinds == left


@given(episodes("ticket", "chat", "call"), later)
def test_waits_are_of_live_interactions_and_broken_when_due(told: list[Applied], now: datetime) -> None:
    attributes = Attributes.of(one.event for one in told)
    for episode in episodes_of(told).values():
        found = waits(episode, attributes, POLICY, to_micros(now))
        assert len({wait.kind for wait in found}) == len(found)
        assert not found or fold(episode, attributes, POLICY, to_micros(now)).live
        for wait in found:
            assert wait.broken == (to_micros(now) > to_micros(datetime.fromisoformat(wait.due_at)))


def _applied(kind: str, event: str, time: datetime, fields: dict[str, object], revision: int = 0) -> Applied:
    return Applied(
        Event(
            id=event,
            source="/sources/desk",
            type=kind,
            time=time,
            recorded=time,
            body=BODIES[kind](**fields),
            identifiers=("user:ann",),
            actor="agent",
            revision=revision,
        )
    )
