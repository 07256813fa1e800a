"""What customers say: answers, reviews, mentions, referrals, wishes, and what people saw of them."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from shared.events import vocabulary as v
from shared.events.bodies.base import Body, Flag, Key, Number, Ref, Text, Texts


class SurveyNotice(Body, frozen=True, omit_defaults=True):
    """A survey was sent, or its receiver unsubscribed."""

    survey: str
    response: Text = UNSET
    metric: v.Metric | None | UnsetType = UNSET


class SurveyAnswered(Body, frozen=True, omit_defaults=True):
    """One question of one response. `scale` is [min, max] of the native `score`."""

    response: Key
    metric: v.Metric
    question: Text = UNSET
    wording: Text = UNSET
    survey: Text = UNSET
    score: Number = UNSET
    scale: tuple[int | float, int | float] | None | UnsetType = UNSET
    better: v.Better | None | UnsetType = UNSET
    comment: Text = UNSET
    reason: Text = UNSET
    choices: Texts = UNSET
    complete: Flag = UNSET
    about: Ref = UNSET
    author_identifiers: Texts = UNSET


class ReviewPosted(Body, frozen=True, omit_defaults=True):
    review: Key
    site: str
    score: Number = UNSET
    scale: tuple[int | float, int | float] | None | UnsetType = UNSET
    text: Text = UNSET
    author_identifiers: Texts = UNSET


class ReviewRemoved(Body, frozen=True, omit_defaults=True):
    review: Key
    site: Text = UNSET


class Referral(Body, frozen=True, omit_defaults=True):
    referral: Key
    referred: Text = UNSET
    existing_customer: Flag = UNSET


class MentionMade(Body, frozen=True, omit_defaults=True):
    mention: Key
    where: str
    public: bool
    stance: v.Stance | None | UnsetType = UNSET
    text: Text = UNSET
    author_identifiers: Texts = UNSET


class InquiryNoted(Body, frozen=True, omit_defaults=True):
    inquiry: Key
    text: str
    by: str


class FeatureEvent(Body, frozen=True, omit_defaults=True):
    request: Key
    title: Text = UNSET
    text: Text = UNSET
    status: Text = UNSET
