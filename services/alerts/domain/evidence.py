"""Did it help? Only the customer's own later behaviour says so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from services.alerts.domain.conditions import ideal
from services.alerts.domain.view import micros
from shared.events.alerts import Driver
from shared.events.scores import AppliedEvent
from shared.events.times import Micros

GOOD_FROM: Final = 0.7
"""On the ideal's scale: NPS 7, CSAT 4 of 5 and better. A detractor who became passive was helped."""
BAD_TO: Final = {"nps": 0.6}
BAD_TO_ELSE: Final = 0.25
"""NPS 6, CSAT 2 of 5 and worse: what would raise an alert."""
_TOLERANCE: Final = 1e-9

_CUSTOMERS_OWN: Final = frozenset(
    {"survey.answered", "review.posted", "mention.made", "referral.made", "referral.converted"}
)
"""Only a customer can do these, so a sender who names no actor means the customer."""
_GOOD: Final[dict[Driver, frozenset[str]]] = {
    "experience": frozenset(
        {"referral.made", "referral.converted", "subscription.renewed", "subscription.expanded"}
    ),
    "renewal": frozenset(
        {
            "subscription.renewed",
            "subscription.expanded",
            "subscription.cancel_revoked",
            "subscription.resumed",
        }
    ),
    "silence": frozenset({"subscription.renewed", "subscription.expanded", "referral.made"}),
    "advocacy": frozenset({"referral.made", "referral.converted"}),
}
_BAD: Final = frozenset(
    {"subscription.cancel_scheduled", "subscription.cancelled", "subscription.contracted"}
)
_ANSWERS: Final = frozenset({"survey.answered", "review.posted"})


class Sign(StrEnum):
    """How one event counts, and why not where it does not."""

    GOOD = "good"
    BAD = "bad"
    NOT_THE_CUSTOMER = "not_the_customer"
    EARLIER = "earlier"
    REVISION = "revision"
    SAYS_NOTHING = "says_nothing"


@dataclass(frozen=True, slots=True)
class Verdict:
    sign: Sign
    event: str


def sign_of(driver: Driver, event: AppliedEvent, acted_at: Micros) -> Sign:
    """1. not by the customer     2. not later than the act, by the sender's time and by ours
    3. an edited old statement     4. good, bad, or neither
    """
    if event.actor != "customer" and not (event.actor is None and event.type in _CUSTOMERS_OWN):  # 1
        return Sign.NOT_THE_CUSTOMER
    if micros(event.time) <= acted_at or micros(event.recorded) <= acted_at:  # 2
        return Sign.EARLIER
    if not event.first:  # 3
        return Sign.REVISION
    return _weigh(driver, event)  # 4


def _weigh(driver: Driver, event: AppliedEvent) -> Sign:
    if event.type in _GOOD[driver]:
        return Sign.GOOD
    if event.type in _BAD:
        return Sign.BAD
    x = ideal(event)
    if event.type not in _ANSWERS or x is None or driver == "renewal":
        return Sign.SAYS_NOTHING
    if x >= GOOD_FROM - _TOLERANCE:
        return Sign.GOOD
    bad_to = BAD_TO.get(event.metric or "", BAD_TO_ELSE)
    return Sign.BAD if x <= bad_to + _TOLERANCE else Sign.SAYS_NOTHING


def verdict(driver: Driver, events: Iterable[AppliedEvent], acted_at: Micros) -> Verdict | None:
    """The latest sign that counts, by (time, id); None while the customer has said nothing."""
    counted = [
        (micros(event.time), event.id, sign)
        for event in events
        if (sign := sign_of(driver, event, acted_at)) in (Sign.GOOD, Sign.BAD)
    ]
    if not counted:
        return None
    _, event_id, sign = max(counted)
    return Verdict(sign, event_id)
