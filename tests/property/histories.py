"""Believable histories of customers: every event type of the contract, made from a seed.

    history(random.Random(7))                    # one customer, about 40 events in two years
    history(random.Random(7), people=3)          # an account with three people
    histories()                                  # the same as a Hypothesis strategy

A history is a list of `Applied` in no particular order. It holds what real ones hold: revisions of answers,
messages and touchpoints, interactions that are merged or removed, reopenings, retractions of what was sent
by mistake, retractions of those, attributes that change, things told late, and clocks that disagree.
The same seed gives the same history on every machine. Events lie between `START` and `END`.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, get_args

from hypothesis import strategies as st

from services.scoring.domain.types import Applied, TextFeature
from shared.events import UNSET, Event
from shared.events import bodies as b
from shared.events import vocabulary as v
from shared.events.ids import own_event_id
from shared.events.times import DAY, HOUR, MINUTE, Micros, format_instant, from_micros, to_micros

START: Final[Micros] = to_micros(datetime(2023, 1, 2, tzinfo=UTC))
END: Final[Micros] = to_micros(datetime(2025, 1, 6, tzinfo=UTC))
DESK, BILLING, FORMS, TOOL = "/sources/desk", "/sources/billing", "/sources/forms", "/tools/own"
PERSONAS: Final = ("end user", "admin", "decision maker", "developer", "evaluator", "Nobody-Knows")
REGIONS: Final = ("DE", "US", "JP", "BR", "nowhere")
AUTHORS: Final = (*get_args(v.Actor)[:3], "agent")
STATUSES: Final = (*get_args(v.InteractionStatus), "open", "solved")
PRIORITIES: Final = (UNSET, UNSET, "low", "normal", "high", "urgent")


def history(rng: random.Random, *, people: int = 1, stories: int = 12, prefix: str = "") -> list[Applied]:
    """What happened with a customer, or with `people` of one account. `prefix` keeps two of them apart."""
    teller = Teller(rng, people, prefix)
    for _ in range(rng.randint(0, stories)):
        rng.choice(STORIES)(teller)
    teller.take_some_back()
    return teller.told


def histories(*, people: int = 1, stories: int = 12, prefix: str = "") -> st.SearchStrategy[list[Applied]]:
    """`history` as a strategy; a failing one is printed by its seed and shrinks towards fewer stories."""
    return st.builds(
        lambda seed, most: history(random.Random(seed), people=people, stories=most, prefix=prefix),
        st.integers(0, 2**32 - 1),
        st.integers(0, stories),
    )


class Teller:
    """Writes down events. All chance comes from `rng`, and nothing from a clock or a global."""

    def __init__(self, rng: random.Random, people: int, prefix: str) -> None:
        self.rng = rng
        self.told: list[Applied] = []
        self._people = [f"user:{prefix}p{n}" for n in range(people)]
        self._account = f"{prefix}acme"
        self._prefix = prefix
        self._count = 0

    def new(self, kind: str) -> str:
        self._count += 1
        return f"{self._prefix}{kind}-{self._count}"

    def person(self) -> str:
        return self.rng.choice(self._people)

    def some_time(self) -> Micros:
        return START + self.rng.randrange(END - START)

    def after(self, at: Micros, most: Micros) -> Micros:
        return min(at + self.rng.randrange(1, most), END)

    def chance(self, one_in: int) -> bool:
        return self.rng.randrange(one_in) == 0

    def say(
        self,
        source: str,
        kind: str,
        at: Micros,
        body: b.Body,
        who: str | None,
        text: bool = False,
        **envelope: Any,  # noqa: ANN401 - any field of Event
    ) -> str:
        """One event; now and then told late, twice under another time, or with a clock that runs ahead."""
        sender_id = self.new("e")
        delay = self.rng.choice((0, 0, MINUTE, HOUR, 3 * DAY))
        time = at + (self.rng.randrange(HOUR) if self.chance(20) else 0)
        identifiers: tuple[str, ...] = () if who is None else (who,)
        if who and self.chance(4):
            identifiers = (who, f"email:{who.partition(':')[2]}@example.com")
        if self.chance(3):
            envelope.setdefault("account", self._account)
        event = Event(
            id=own_event_id(source, sender_id),
            source=source,
            type=kind,
            time=from_micros(time),
            recorded=from_micros(at + delay),
            body=body,
            identifiers=identifiers,
            sender_id=sender_id,
            **envelope,
        )
        feature = TextFeature(self.rng.randint(-100, 100), "vader-3.3") if text else None
        self.told.append(Applied(event, feature))
        return event.id

    def take_some_back(self) -> None:
        """Retract some events by mistake sent, and some retractions."""
        for one in list(self.told):
            if self.chance(25):
                at = self.after(one.event.at, 30 * DAY)
                undone = self.say(
                    one.event.source, "event.retracted", at, b.EventRetracted(one.event.id), None
                )
                if self.chance(3):
                    again = self.after(at, 5 * DAY)
                    self.say(one.event.source, "event.retracted", again, b.EventRetracted(undone), None)


def interaction(teller: Teller) -> None:
    """A ticket, chat or call: answered or not, handed over, reopened, merged, removed."""
    rng, who = teller.rng, teller.person()
    noun = rng.choice(("ticket", "ticket", "ticket", "chat", "call"))
    key, at = teller.new(noun), teller.some_time()
    channel = {"chat": "chat", "call": "phone"}.get(noun, rng.choice(("email", "web", "social")))
    body = b.InteractionOpened(key, subject="Export", priority=rng.choice(PRIORITIES))
    if teller.chance(3):
        body = b.InteractionOpened(key, text="It fails again", priority=rng.choice(PRIORITIES))
    if teller.chance(8):
        due = b.Promises(first_response_at=instant(at + 2 * HOUR), solution_at=instant(at + 2 * DAY))
        body = b.InteractionOpened(key, promises=due)
    if not teller.chance(12):
        initiative = rng.choice((None, None, "reactive", "proactive"))
        teller.say(DESK, f"{noun}.opened", at, body, who, text=True, channel=channel, initiative=initiative)
    for _ in range(rng.randint(0, 7)):
        at = teller.after(at, rng.choice((HOUR, DAY, 9 * DAY)))
        rng.choice(_TURNS)(teller, noun, key, at, who)
    if teller.chance(15) and noun != "call":
        into = b.InteractionMerged(key, teller.new("ticket"))
        teller.say(DESK, f"{noun}.merged", at, into, who)
    if teller.chance(20):
        reason = rng.choice(get_args(v.RemovalReason))
        teller.say(DESK, f"{noun}.removed", at, b.InteractionRemoved(key, reason), who)


Turn = Callable[[Teller, str, str, Micros, str], None]


def _message(teller: Teller, noun: str, key: str, at: Micros, who: str) -> None:
    author = teller.rng.choice(AUTHORS)
    message, agent = teller.new("m"), teller.rng.choice(("ann", "bob", "eve"))
    body = b.InteractionMessage(key, message, author, not teller.chance(4), "Some words", agent)
    kind = f"{noun}.note" if noun == "call" else f"{noun}.message"
    language = teller.rng.choice((None, None, "de", "en-GB"))
    teller.say(DESK, kind, at, body, who, text=True, language=language)
    if teller.chance(8):
        edited = b.InteractionMessage(key, message, author, True, "Other words", agent)
        teller.say(DESK, kind, teller.after(at, HOUR), edited, who, text=True, revision=1)


def _status(teller: Teller, noun: str, key: str, at: Micros, who: str) -> None:
    status = teller.rng.choice(STATUSES)
    body = b.InteractionStatusChanged(key, status)
    if noun != "ticket" and teller.chance(3):
        waited = teller.rng.randrange(600)
        body = b.InteractionStatusChanged(key, status, waited_s=waited, answered=not teller.chance(4))
    actor = teller.rng.choice((None, "customer", "agent", "system"))
    teller.say(DESK, f"{noun}.status", at, body, who, actor=actor)


def _handover(teller: Teller, noun: str, key: str, at: Micros, who: str) -> None:
    giver, taker = teller.rng.choice((UNSET, "tier1", "tier2")), teller.rng.choice(("tier1", "tier2"))
    teller.say(DESK, f"{noun}.handover", at, b.InteractionHandover(key, giver, taker), who)


def _update(teller: Teller, noun: str, key: str, at: Micros, who: str) -> None:
    body = b.InteractionUpdated(key, priority=teller.rng.choice((*PRIORITIES, None)), tags=("vip",))
    teller.say(DESK, f"{noun}.updated", at, body, who, revision=teller.rng.choice((0, 0, 1)))


_TURNS: Final[tuple[Turn, ...]] = (_message, _message, _message, _status, _status, _handover, _update)


def survey(teller: Teller) -> None:
    """A survey: sent, several questions in one response, about an interaction, revised, unsubscribed."""
    rng, who, response, at = teller.rng, teller.person(), teller.new("r"), teller.some_time()
    teller.say(FORMS, "survey.sent", at, b.SurveyNotice("pulse", response), who)
    for question in range(rng.randint(0, 3)):
        metric, scale = rng.choice(METRICS)
        score = UNSET if scale is UNSET else rng.randint(scale[0], scale[1])
        about = rng.choice((UNSET, b.Reference("desk", f"ticket-{rng.randint(1, 9)}")))
        when = teller.after(at, 2 * DAY)
        for revision in range(2 if teller.chance(4) else 1):
            body = b.SurveyAnswered(
                response,
                metric,
                question=f"q{question}",
                score=score if not revision else UNSET if score is UNSET else scale[0],
                scale=scale if teller.chance(2) else UNSET,
                better="low" if metric == "ces" and teller.chance(2) else UNSET,
                comment="As I said",
                about=about,
            )
            answerer = who if not teller.chance(10) else None
            teller.say(
                FORMS, "survey.answered", when + revision * HOUR, body, answerer, text=True, revision=revision
            )
    if teller.chance(10):
        teller.say(FORMS, "survey.unsubscribed", teller.after(at, DAY), b.SurveyNotice("pulse"), who)


METRICS: Final[tuple[tuple[Any, Any], ...]] = (
    ("nps", (0, 10)),
    ("nps", (0, 10)),
    ("csat", (1, 5)),
    ("ces", (1, 7)),
    ("rating", (1, 5)),
    ("thumbs", (0, 1)),
    ("text", UNSET),
    ("choice", UNSET),
)


def subscription(teller: Teller) -> None:
    """A contract over the years: trial, renewals, growth, pauses, an end announced, revoked or reached."""
    rng, key, at = teller.rng, teller.new("sub"), teller.some_time()
    who = teller.person() if not teller.chance(3) else f"billing.org:{teller.new('cus')}"
    period = rng.choice((30 * DAY, 365 * DAY))

    def say(verb: str, when: Micros, **fields: Any) -> None:  # noqa: ANN401 - any field of the body
        teller.say(BILLING, f"subscription.{verb}", when, b.SubscriptionEvent(key, **fields), who)

    say(
        rng.choice(("started", "trial_started")),
        at,
        amount=4900,
        currency="EUR",
        period_end=instant(at + period),
    )
    for _ in range(rng.randint(0, 4)):
        at += period
        if at > END:
            return
        say("renewed", at, amount=4900, currency="EUR", period_end=instant(at + period))
        verb = rng.choice(("changed", "expanded", "contracted", "paused", "resumed", "none", "none"))
        if verb != "none":
            say(verb, teller.after(at, 20 * DAY), amount=rng.randint(1000, 9900), previous_amount=4900)
    if teller.chance(3):
        at = teller.after(at, period)
        say("cancel_scheduled", at, period_end=instant(at + 30 * DAY), voluntary=True)
        ending = rng.choice(("cancel_revoked", "cancelled", "none"))
        if ending != "none":
            say(ending, teller.after(at, 40 * DAY))


def money(teller: Teller) -> None:
    """Orders with partial refunds, and invoices that fail, recover or are disputed."""
    rng, at, who = teller.rng, teller.some_time(), teller.person()
    order = teller.new("order")
    if not teller.chance(9):
        made = b.PurchaseMade(order, amount=rng.randint(100, 9000), currency="EUR")
        teller.say(BILLING, "purchase.made", at, made, who)
    for _ in range(rng.choice((0, 0, 1, 2))):
        back = b.PurchaseRefunded(order, amount=rng.randint(50, 3000), refund=teller.new("refund"))
        teller.say(BILLING, "purchase.refunded", teller.after(at, 30 * DAY), back, who)
    invoice = teller.new("invoice")
    for attempt in range(rng.choice((0, 0, 1, 3))):
        failed = b.PaymentEvent(invoice, attempt=attempt, amount=4900, currency="EUR")
        teller.say(BILLING, "payment.failed", at + attempt * DAY, failed, who)
    if teller.chance(2):
        verb = rng.choice(("recovered", "recovered", "disputed"))
        teller.say(BILLING, f"payment.{verb}", at + 5 * DAY, b.PaymentEvent(invoice), who)


def voice(teller: Teller) -> None:
    """What the customer says to others: referrals, reviews, mentions."""
    rng, at, who = teller.rng, teller.some_time(), teller.person()
    if teller.chance(2):
        key = teller.new("referral")
        known = rng.choice((UNSET, True, False))
        teller.say(TOOL, "referral.made", at, b.Referral(key, "someone", known), who)
        if teller.chance(2):
            teller.say(TOOL, "referral.converted", teller.after(at, 60 * DAY), b.Referral(key), who)
    if teller.chance(2):
        key = teller.new("review")
        for stars in rng.sample((1, 3, 5), rng.randint(1, 2)):
            posted = b.ReviewPosted(key, "reviews.example", stars, (1, 5), "Words")
            teller.say(TOOL, "review.posted", teller.after(at, 20 * DAY), posted, who, text=True)
        if teller.chance(6):
            teller.say(TOOL, "review.removed", at + 21 * DAY, b.ReviewRemoved(key), who)
    stance = rng.choice((UNSET, *get_args(v.Stance)))
    said = b.MentionMade(teller.new("mention"), "a forum", not teller.chance(3), stance, "Words")
    teller.say(TOOL, "mention.made", teller.after(at, 9 * DAY), said, who, text=True)


def care(teller: Teller) -> None:
    """Touchpoints planned, held in time, late or missed, moved; notes of who watched; wishes."""
    rng, at, who = teller.rng, teller.some_time(), teller.person()
    key, due = teller.new("touch"), instant(at + 14 * DAY)
    teller.say(TOOL, "touchpoint.planned", at, b.Touchpoint(key, "Review of the quarter", due_at=due), who)
    if teller.chance(5):
        moved = b.Touchpoint(key, "Review of the quarter", due_at=instant(at + 21 * DAY))
        teller.say(TOOL, "touchpoint.planned", teller.after(at, 9 * DAY), moved, who, revision=1)
    verb = rng.choice(("held", "held", "missed", "none"))
    if verb != "none":
        teller.say(TOOL, f"touchpoint.{verb}", teller.after(at, 25 * DAY), b.Touchpoint(key, "Review"), who)
    if teller.chance(3):
        note = b.InquiryNoted(teller.new("inquiry"), "Copies by hand", "eve")
        teller.say(TOOL, "inquiry.noted", at, note, who, text=True)
    if teller.chance(3):
        wish = teller.new("wish")
        teller.say(TOOL, "feature.requested", at, b.FeatureEvent(wish, "Dark mode"), who)
        teller.say(TOOL, "feature.updated", at + DAY, b.FeatureEvent(wish, status="planned"), who)


def use(teller: Teller) -> None:
    """Use of the product and of self-service."""
    rng, at, who = teller.rng, teller.some_time(), teller.person()
    for week in range(rng.randint(0, 5)):
        seats = rng.choice((UNSET, 20))
        seen = b.UsageObserved(
            rng.choice((UNSET, "export")), rng.randint(0, 99), active_users=rng.randint(0, 20), seats=seats
        )
        teller.say(TOOL, "usage.observed", at + 7 * week * DAY, seen, who)
    key = teller.new("attempt")
    teller.say(TOOL, "selfservice.attempted", at, b.SelfserviceAttempted(key, "how to export"), who)
    if teller.chance(2):
        tried = b.SelfserviceAttempted(key, helped=not teller.chance(2))
        teller.say(TOOL, "selfservice.attempted", at + MINUTE, tried, who)


def attributes(teller: Teller) -> None:
    """Who they are: told late, changed, removed; that two identifiers are one; what a council did."""
    rng, at, who = teller.rng, teller.some_time(), teller.person()
    told = b.CustomerIdentified(
        name=rng.choice((UNSET, "Kim")),
        persona=rng.choice((UNSET, None, *PERSONAS)),
        region=rng.choice((UNSET, *REGIONS)),
        language=rng.choice((UNSET, "de", "en")),
        time_zone=rng.choice((UNSET, UNSET, "Asia/Tokyo", "no such zone")),
        role=rng.choice((UNSET, "champion")),
        renewal_at=rng.choice((UNSET, instant(at + 90 * DAY))),
        since=rng.choice((UNSET, UNSET, "2021-05-01T00:00:00Z", "no date")),
        left_at=rng.choice((UNSET, UNSET, UNSET, instant(at + 20 * DAY))),
        value=rng.choice((UNSET, 120_000)),
    )
    teller.say(TOOL, "customer.identified", at, told, who, region=rng.choice((None, None, *REGIONS)))
    if teller.chance(3):
        teller.say(TOOL, "customer.linked", at, b.CustomerLinked("same person"), who)
    if teller.chance(3):
        acted = b.CouncilActed(teller.new("alert"), "called", "ann")
        teller.say("/alerts", "council.acted", at, acted, who)


def instant(at: Micros) -> str:
    return format_instant(from_micros(at))


STORIES: Final[tuple[Callable[[Teller], None], ...]] = (
    interaction,
    interaction,
    interaction,
    interaction,
    survey,
    survey,
    subscription,
    money,
    voice,
    care,
    use,
    attributes,
)

__all__ = ["END", "START", "Teller", "histories", "history", "instant"]
