"""Events that nobody can have meant: each is listed with its reason, and its neighbours count as if alone."""

from __future__ import annotations

import inspect
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, NamedTuple

import msgspec
import pytest
from structlog.testing import capture_logs

from services.scoring.batch import Context, absorb
from services.scoring.domain.types import TextFeature
from services.scoring.engine import Engine
from shared.bus.consumer import Record
from shared.db.engine import driver
from shared.events import Event, encode, rejections
from tests.integration.scoring.kit import Room, event, raw_record, room
from tests.integration.scoring.test_batch import check_linear

DICE = random.Random(20)


def noise(size: int) -> str:
    """Text that does not compress, four bytes to a character."""
    return "".join(chr(DICE.randint(0x10000, 0x1FFFF)) for _ in range(size))


def answer(name: str, who: str, at: float = 0, **more: Any) -> Event:  # noqa: ANN401 - fields of a body
    given: dict[str, Any] = {"response": name, "metric": "nps", "score": 3}
    return event("survey.answered", name, who, at=at, **given | more)


def changed(source: Event, old: bytes, new: bytes) -> bytes:
    raw = encode(source)
    assert old in raw
    return raw.replace(old, new)


def moved(source: Event, **by: timedelta) -> bytes:
    return encode(
        msgspec.structs.replace(source, **{name: getattr(source, name) + d for name, d in by.items()})
    )


BASE = answer("base", "user:base")
YEARS_60 = timedelta(days=60 * 365)
ODD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "malformed"),
    "no-json": (b"no json", "malformed"),
    "binary": (bytes(range(256)), "malformed"),
    "cut-off": (encode(BASE)[:-20], "malformed"),
    "a-list": (b"[1,2,3]", "malformed"),
    "deep": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "malformed"),
    "deep-body": (
        changed(BASE, b'"body":{', b'"body":{"x":' + b"[" * 50_000 + b"]" * 50_000 + b","),
        "malformed",
    ),
    "lone-surrogate": (changed(BASE, b"user:base", b"user:\\ud800"), "malformed"),
    "nul-in-a-name": (changed(BASE, b"user:base", b"user:\\u0000"), "malformed"),
    "endless-name": (changed(BASE, b"user:base", b"user:" + b"x" * 5000), "malformed"),
    "wrong-schema": (changed(BASE, b'"score":3', b'"score":"three"'), "malformed"),
    "endless-number": (changed(BASE, b'"score":3', b'"score":1e999'), "malformed"),
    "unknown-type": (changed(BASE, b"survey.answered", b"weather.changed"), "malformed"),
    "newer": (changed(BASE, b"answered.v1", b"answered.v2"), "newer_version"),
    "from-1970": (moved(BASE, time=-YEARS_60), "too_old"),
    "from-tomorrow": (moved(BASE, time=timedelta(hours=25)), "in_the_future"),
    "from-2086": (moved(BASE, time=YEARS_60), "in_the_future"),
    "received-in-1970": (moved(BASE, time=-YEARS_60, recorded=-YEARS_60), "too_old"),
}
"""Name → bytes on the topic, and the code under which they are listed."""

ODD_BUT_GOOD: dict[str, bytes] = {
    "long-interaction": encode(event("ticket.opened", "li", "user:li", interaction=noise(512))),
    "long-source-too": encode(
        event("ticket.opened", "ls", "user:ls", interaction=noise(512), source="/" + noise(590))
    ),
    "longest-name": encode(answer("ln", "user:" + noise(590))),
    "long-response": encode(answer("lr", "user:lr", response=noise(512))),
    "long-about": encode(answer("la", "user:la", about=noise(512))),
    "long-subscription": encode(event("subscription.started", "ls", "account:ls", subscription=noise(512))),
    "long-account": encode(answer("lc", "user:lc", account=noise(512))),
    "long-text": encode(event("ticket.opened", "lt", "user:lt", interaction="lt", text=noise(16_000))),
    "nul-in-text": encode(event("ticket.opened", "nt", "user:nt", interaction="nt", text="a\x00b")),
    "nul-in-a-key": encode(event("ticket.opened", "nk", "user:nk", interaction="a\x00b")),
    "huge-score": encode(answer("hs", "user:hs", score=1e300)),
    "huge-money": encode(
        event("subscription.started", "hm", "account:hm", subscription="hm", amount=2**62, currency="EUR")
    ),
    "nobody": encode(event("survey.answered", "no", response="no", metric="nps", score=1)),
    "earliest": moved(answer("ea", "user:ea"), time=-timedelta(days=25 * 365)),
}
"""What is odd and may count or be refused, but does not stand in the way."""


@pytest.fixture
async def scoring(own_database_url: str) -> AsyncIterator[Room]:
    async with room(own_database_url) as made:
        yield made


class Listed(NamedTuple):
    code: str
    body: bytes
    why: str


async def listed(scoring: Room) -> list[Listed]:
    rows = await scoring.query("SELECT body FROM scoring.outbox WHERE topic = 'cx.rejected.v1' ORDER BY id")
    told = [rejections.decode(body) for (body,) in rows]
    return [Listed(one.reasons[0].code, one.body, one.reasons[0].why) for one in told]


def among_good(odd: dict[str, bytes], people: int, each: int) -> tuple[list[bytes], list[str]]:
    """The odd ones spread among good answers of some people."""
    names = [f"user:p{i}" for i in range(people)]
    good = [
        encode(answer(f"g{i}-{k}", name, at=k, score=(i + k) % 11))
        for i, name in enumerate(names)
        for k in range(each)
    ]
    mixed = [*good, *odd.values()]
    DICE.shuffle(mixed)
    return mixed, names


def as_records(values: list[bytes]) -> list[Record]:
    return [raw_record(value, offset) for offset, value in enumerate(values)]


async def test_every_kind_of_poison_is_listed_with_its_reason_and_all_others_count(scoring: Room) -> None:
    values, names = among_good({name: raw for name, (raw, _) in ODD.items()}, 20, 10)
    tally = await scoring.fold_records(as_records(values))
    assert (tally["applied"], tally["rejected"]) == (200, len(ODD))
    found = {one.body: one for one in await listed(scoring)}
    for name, (raw, code) in ODD.items():
        assert raw in found, name
        assert found[raw].code == code, (name, found[raw].why)
        assert found[raw].why
    await check_linear(scoring, *names)
    assert await scoring.query("SELECT next_offset FROM scoring.progress") == [(len(values),)]


@pytest.mark.parametrize("name", ODD_BUT_GOOD)
async def test_an_odd_event_stands_in_nobodys_way(scoring: Room, name: str) -> None:
    values, names = among_good({name: ODD_BUT_GOOD[name]}, 4, 3)
    tally = await scoring.fold_records(as_records(values))
    assert tally["applied"] + tally["rejected"] == 13
    assert tally["applied"] >= 12
    assert len(await listed(scoring)) == tally["rejected"]
    await check_linear(scoring, *names)


class Broken(Engine):
    """Whatever is asked of it about a certain customer, it raises."""

    def raises(self, error: type[Exception]) -> None:
        object.__setattr__(self, "error", error)

    def __getattribute__(self, name: str) -> Any:  # noqa: ANN401 - any attribute
        found = super().__getattribute__(name)
        if name.startswith("_") or not inspect.ismethod(found) or name == "raises":
            return found
        error = super().__getattribute__("error")

        def asked(*args: object, **kwargs: object) -> object:
            if "user:poison" in repr((args, kwargs)):
                raise error("broken")
            return found(*args, **kwargs)

        return asked


class BreaksError(Exception):
    """What no code of ours raises on purpose."""


ERRORS = [
    ValueError,
    KeyError,
    ZeroDivisionError,
    RuntimeError,
    RecursionError,
    AssertionError,
    BreaksError,
]


@pytest.mark.parametrize("error", ERRORS)
async def test_what_raises_while_an_event_is_read_takes_only_that_event(
    scoring: Room, error: type[Exception]
) -> None:
    """Reading texts, by the model."""

    def sense(told: Event) -> TextFeature | None:
        if told.identifiers == ("user:poison",):
            raise error("broken")
        return None

    poison = {f"x{i}": encode(answer(f"x{i}", "user:poison")) for i in range(2)}
    values, names = among_good(poison, 4, 3)
    with capture_logs():
        async with driver(scoring.pool) as conn:
            tally = await absorb(conn, as_records(values), Context(scoring.engine, sense))
    assert (tally["applied"], tally["rejected"]) == (12, 2)
    assert sorted(one.body for one in await listed(scoring)) == sorted(poison.values())
    await check_linear(scoring, *names)


@pytest.mark.parametrize("error", ERRORS)
async def test_a_policy_that_raises_takes_only_the_events_it_raises_for(
    scoring: Room, error: type[Exception]
) -> None:
    """Folding, by the policy."""
    engine = Broken(scoring.engine.policy, scoring.engine.model, scoring.engine.generation)
    engine.raises(error)
    poison = {f"x{i}": encode(answer(f"x{i}", "user:poison")) for i in range(2)}
    values, names = among_good(poison, 4, 3)
    with capture_logs():
        async with driver(scoring.pool) as conn:
            tally = await absorb(conn, as_records(values), Context(engine, lambda _: None))
    assert (tally["applied"], tally["rejected"]) == (12, 2)
    assert sorted(one.body for one in await listed(scoring)) == sorted(poison.values())
    again = [raw_record(raw, 100 + i) for i, raw in enumerate(poison.values())]
    assert (await scoring.fold_records(again))["applied"] == 2, "the policy was mended, and they are replayed"
    await check_linear(scoring, *names, "user:poison")
