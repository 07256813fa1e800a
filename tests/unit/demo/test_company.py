"""The demo company is reproducible and its history lies in the past."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from services.demo.company import HISTORY_DAYS, PEOPLE, REGIONS, found, midnight
from services.demo.history import history
from services.demo.post import VENDORS
from services.demo.stories import stories, won_back

NOW = datetime(2026, 5, 6, 14, 20, tzinfo=UTC)
COMPANY = found(midnight(NOW))


def test_the_same_day_gives_the_same_company() -> None:
    assert found(midnight(NOW)) == COMPANY
    assert history(COMPANY) == history(found(midnight(NOW)))


def test_it_is_as_large_as_promised() -> None:
    assert len({p.email for p in COMPANY.people}) == PEOPLE
    assert [p.number for p in COMPANY.people] == list(range(PEOPLE))
    assert {a.region for a in COMPANY.accounts} == set(REGIONS)
    assert len({a.key for a in COMPANY.accounts}) == len(COMPANY.accounts)


def test_history_is_past_ordered_and_from_every_tool() -> None:
    posts = history(COMPANY)
    assert all(a.at <= b.at for a, b in pairwise(posts))
    assert posts[-1].at < COMPANY.today
    assert {p.source for p in posts} == set(VENDORS)
    recent = [p for p in posts if p.source in ("desk", "chat")]
    assert recent[0].at >= COMPANY.today - timedelta(days=HISTORY_DAYS)


def test_every_delivery_is_its_own() -> None:
    posts = [*history(COMPANY), *stories(COMPANY, NOW)]
    assert len({(p.source, p.key) for p in posts}) == len(posts)


def test_stories_end_now_and_name_another_customer_than_the_one_won_back() -> None:
    posts = stories(COMPANY, NOW)
    assert posts[-1].at <= NOW
    assert not any(won_back(COMPANY).email in str(p.payload) for p in posts if p.at > NOW - timedelta(days=7))
