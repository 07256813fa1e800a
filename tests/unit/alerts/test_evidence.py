"""What counts as evidence that it helped, and what does not."""

from __future__ import annotations

import pytest

from services.alerts.domain.evidence import Sign, sign_of, verdict
from shared.events.alerts import Driver
from shared.events.scores import AppliedEvent
from shared.events.times import HOUR, MINUTE
from tests.unit.alerts.builders import NOW, answer, event

ACTED = NOW - HOUR


@pytest.mark.parametrize(
    ("driver", "given", "expected"),
    [
        ("experience", answer("a", 9), Sign.GOOD),
        ("experience", answer("a", 7), Sign.GOOD),
        ("experience", answer("a", 6), Sign.BAD),
        ("experience", answer("a", 4, "csat"), Sign.GOOD),
        ("experience", answer("a", 3, "csat"), Sign.SAYS_NOTHING),
        ("experience", answer("a", 2, "csat"), Sign.BAD),
        ("experience", answer("a", 9, actor=None), Sign.GOOD),
        ("experience", answer("a", 9, actor="agent"), Sign.NOT_THE_CUSTOMER),
        ("experience", answer("a", 9, when=ACTED), Sign.EARLIER),
        ("experience", answer("a", 9, when=ACTED - MINUTE, recorded=NOW), Sign.EARLIER),
        ("experience", answer("a", 9, when=NOW, recorded=ACTED), Sign.EARLIER),
        ("experience", answer("a", 9, first=False), Sign.REVISION),
        ("experience", event("s", "ticket.status", actor="agent"), Sign.NOT_THE_CUSTOMER),
        ("experience", event("s", "ticket.status", actor="customer"), Sign.SAYS_NOTHING),
        ("experience", event("t", "touchpoint.held", actor="agent"), Sign.NOT_THE_CUSTOMER),
        ("experience", event("t", "touchpoint.held", actor=None), Sign.NOT_THE_CUSTOMER),
        ("experience", event("t", "council.acted", actor="agent"), Sign.NOT_THE_CUSTOMER),
        ("experience", event("r", "referral.made"), Sign.GOOD),
        ("experience", event("r", "review.posted", score=5.0, scale=(1.0, 5.0)), Sign.GOOD),
        ("experience", event("r", "review.posted", score=1.0, scale=(1.0, 5.0)), Sign.BAD),
        ("experience", event("c", "subscription.cancel_scheduled"), Sign.BAD),
        ("renewal", event("c", "subscription.cancel_revoked"), Sign.GOOD),
        ("renewal", event("c", "subscription.cancel_revoked", actor=None), Sign.NOT_THE_CUSTOMER),
        ("renewal", answer("a", 10), Sign.SAYS_NOTHING),
        ("renewal", event("c", "subscription.cancelled"), Sign.BAD),
    ],
)
def test_sign(driver: Driver, given: AppliedEvent, expected: Sign) -> None:
    assert sign_of(driver, given, ACTED) is expected


def test_the_latest_sign_counts() -> None:
    good, bad = answer("a", 9, when=NOW), answer("b", 1, when=NOW - MINUTE)
    found = verdict("experience", (good, bad), ACTED)
    assert found is not None
    assert (found.sign, found.event) == (Sign.GOOD, "a")
    assert verdict("experience", (event("e"),), ACTED) is None
