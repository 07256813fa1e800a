"""Limits of ingest: who is charged, when, and what a stranger cannot use up."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from services.ingest.domain.sender import SourceConfig
from services.ingest.domain.sourcecheck import setting_reasons
from services.ingest.limits import BAD_SIGNATURES, Defaults, Limits
from services.ingest.settings import Settings
from shared.runtime.problem import Problem
from shared.runtime.rate import Rate

REQUIRED = {
    "database_url": "postgresql://localhost/none",
    "kafka_bootstrap_servers": "localhost:1",
    "secret_key": "A" * 43 + "=",
}


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


SLOW = Rate.of(per_s=2, burst=3)
AMPLE = Rate.of(per_s=1000, burst=1000)


def limits(clock: Clock, source: Rate = SLOW, process: Rate = AMPLE) -> Limits:
    return Limits(Defaults(source, process, burst_s=1.5), clock)


def source(name: str = "desk", **settings: str) -> SourceConfig:
    return SourceConfig(name, "zendesk", ("secret",), settings=settings)


def passed(limit: Limits, one: SourceConfig, tries: int) -> int:
    count = 0
    for _ in range(tries):
        try:
            limit.charge(one)
        except Problem as problem:
            assert (problem.code.name, problem.status) == ("rate_limited", 429)
            continue
        count += 1
    return count


def test_each_source_has_its_own_budget() -> None:
    clock = Clock()
    limit = limits(clock)
    assert passed(limit, source("a"), 10) == 3
    assert passed(limit, source("b"), 10) == 3
    clock.now += 0.5
    assert passed(limit, source("a"), 10) == 1


@pytest.mark.parametrize(
    ("settings", "at_once", "a_second_later"),
    [
        ({}, 3, 2),
        ({"rate_per_s": "10"}, 15, 10),
        ({"burst": "1"}, 1, 1),
        ({"rate_per_s": "0.5", "burst": "2"}, 2, 0),
        ({"customers_are": "person"}, 3, 2),
    ],
)
def test_a_source_may_have_its_own_rate(settings: dict[str, str], at_once: int, a_second_later: int) -> None:
    clock = Clock()
    limit, one = limits(clock), source("desk", **settings)
    assert passed(limit, one, 100) == at_once
    clock.now += 1
    assert passed(limit, one, 100) == a_second_later


def test_a_changed_setting_holds_at_once() -> None:
    limit = limits(Clock())
    assert passed(limit, source(), 100) == 3
    assert passed(limit, source("desk", burst="5"), 100) == 2


@pytest.mark.parametrize(
    ("rate", "after"), [(Rate.of(100, 1), "1"), (Rate.of(0.1, 1), "10"), (Rate.of(0.001, 1), "30")]
)
def test_retry_after_is_whole_seconds_and_never_more_than_thirty(rate: Rate, after: str) -> None:
    limit = limits(Clock(), source=rate)
    limit.charge(source())
    with pytest.raises(Problem) as refused:
        limit.charge(source())
    assert refused.value.headers == {"retry-after": after}


def test_what_the_process_refuses_is_not_charged_to_the_source() -> None:
    clock = Clock()
    limit = limits(clock, process=Rate.of(1, 1))
    assert passed(limit, source("a"), 5) == 1
    for _ in range(2):
        clock.now += 1
        assert passed(limit, source("a"), 5) == 1
    assert passed(limit, source("b"), 5) == 0


def test_keys_have_budgets_of_their_own() -> None:
    limit = limits(Clock())
    for key in ("key_a", "key_b"):
        for _ in range(3):
            limit.charge_key(key)
        with pytest.raises(Problem, match="API key"):
            limit.charge_key(key)
    assert passed(limit, source(), 3) == 3


def test_strangers_use_up_nothing_and_fill_no_log() -> None:
    clock = Clock()
    limit, one = limits(clock), source()
    with capture_logs() as lines:
        problems = [limit.bad_signature(one, "no") for _ in range(10_000)]
    told = round(BAD_SIGNATURES.slack_s / BAD_SIGNATURES.interval_s) + 1
    assert len(lines) == told == 20
    assert {problem.status for problem in problems} == {401}
    assert [problem.headers for problem in problems[: told + 1]] == [{}] * told + [{"connection": "close"}]
    assert passed(limit, one, 10) == 3
    clock.now += 1
    with capture_logs() as lines:
        limit.bad_signature(one, "no")
        limit.bad_signature(one, "no")
    (line,) = lines
    assert (line["source"], line["more_before"]) == ("desk", 10_000 - told)


def test_defaults_hurt_no_help_desk() -> None:
    """A minute's worth of a thousand a second at once: more than any vendor repeats after an outage."""
    limit = Limits(Defaults.of(Settings.load(**REQUIRED)), Clock())
    assert passed(limit, source(), 10_000) == 10_000


@pytest.mark.parametrize(
    ("name", "value", "good"),
    [
        ("rate_per_s", "1", True),
        ("rate_per_s", "0.1", True),
        ("rate_per_s", "1000000", True),
        ("rate_per_s", "0.01", False),
        ("rate_per_s", "0", False),
        ("rate_per_s", "-1", False),
        ("rate_per_s", "1e3", False),
        ("rate_per_s", "nan", False),
        ("rate_per_s", "inf", False),
        ("rate_per_s", "", False),
        ("rate_per_s", "١", False),
        ("rate_per_s", "1000001", False),
        ("burst", "1", True),
        ("burst", "0", False),
        ("burst", "1000000000", True),
        ("burst", "9999999999", False),
        ("burst", "many", False),
    ],
)
def test_rates_are_numbers_within_bounds(name: str, value: str, good: bool) -> None:
    reasons = setting_reasons({name: value})
    assert bool(reasons) is not good
    assert {reason.where for reason in reasons} <= {f"/settings/{name}"}
