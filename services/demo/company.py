"""Who the demo company's customers are: seeded, so that the same day gives the same company."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final

PEOPLE: Final = 412
HISTORY_DAYS: Final = 548  # 18 months

REGIONS: Final = {
    "DACH": ("Europe/Berlin", "de"),
    "Nordics": ("Europe/Stockholm", "en"),
    "UK and Ireland": ("Europe/London", "en"),
    "Iberia": ("Europe/Madrid", "es"),
    "North America": ("America/New_York", "en"),
}
_WEIGHTS: Final = (30, 18, 22, 12, 18)

_FIRST: Final = (
    "Ada Ben Cleo Dana Eli Fay Gus Hana Ines Jon Kai Lea Max Nia Ola Pia Quin Ria Sam Tess "
    "Uma Vic Wim Xena Yara Zoe Aron Bea Carl Dina Emil Frida"
).split()
_LAST: Final = (
    "Aster Birk Cole Dorn Elm Frost Gray Hale Iver Jarl Kern Lund Moor Nord Oaks Pike Quist Reed "
    "Stone Thorn Ulm Vale West Yew Zander Berg Craft Dale Finch Holt"
).split()
_COMPANY: Final = (
    "Alder Beacon Cobalt Delta Ember Fjord Granite Harbor Indigo Juniper Kestrel Lantern Marble "
    "Nimbus Orchid Pebble Quartz Raven Saffron Tundra Umber Velvet Willow Yarrow Zephyr"
).split()
_BRANCH: Final = "Foods Freight Health Labs Media Motors Optics Retail Studios Works".split()
_OWNERS: Final = ("Mira Sol", "Tom Hart", "Ida Brook", "Leo Winter", "Nora Field")


@dataclass(frozen=True)
class Account:
    """A paying organisation. `value` is yearly revenue in euro cents."""

    key: str
    name: str
    region: str
    value: int
    since: datetime
    renewal_at: datetime
    owner: str
    billing_id: str
    desk_org: str


@dataclass(frozen=True)
class Person:
    """Somebody at an account, with the ids that the company's tools know them by."""

    number: int
    name: str
    email: str
    persona: str
    account: Account
    temper: float  # 0 hard to please … 1 easily pleased
    activity: float  # tickets and chats per month

    @property
    def desk_user(self) -> str:
        return str(8_447_000_000_000 + self.number)

    @property
    def chat_user(self) -> str:
        return f"{0x5C9553CB27E377F2 + self.number:016x}{self.number:08x}"

    @property
    def user(self) -> str:
        return f"u-{self.number:04d}"


@dataclass(frozen=True)
class Company:
    """All accounts and people; `today` is the day on which its history ends."""

    today: datetime
    seed: int
    accounts: tuple[Account, ...]
    people: tuple[Person, ...]


def found(today: datetime, seed: int = 7) -> Company:
    """The company as it stands on `today` (UTC midnight)."""
    rng = Random(seed)  # noqa: S311 - a reproducible story, no secret
    accounts: list[Account] = []
    people: list[Person] = []
    while len(people) < PEOPLE:
        account = _account(len(accounts), today, rng)
        accounts.append(account)
        size = min(rng.choice((1, 2, 3, 4, 5, 6, 8, 11)), PEOPLE - len(people))
        first = len(people)
        people.extend(_person(first + place, place, account, rng) for place in range(size))
    return Company(today, seed, tuple(accounts), tuple(people))


def _account(number: int, today: datetime, rng: Random) -> Account:
    name = f"{_COMPANY[number % len(_COMPANY)]} {_BRANCH[(number // len(_COMPANY) + number) % len(_BRANCH)]}"
    since = today - timedelta(days=rng.randint(100, 2400))
    years = (today - since).days // 365 + 1
    return Account(
        key=name.lower().replace(" ", "-"),
        name=name,
        region=rng.choices(list(REGIONS), _WEIGHTS)[0],
        value=rng.choice((120, 180, 240, 360, 480, 720, 1200, 2400)) * 1000,
        since=since,
        renewal_at=since + timedelta(days=365 * years),
        owner=rng.choice(_OWNERS),
        billing_id=f"cus_{number:04d}QZ11RVzkml",
        desk_org=str(8_447_346_000_000 + number),
    )


def _person(number: int, place: int, account: Account, rng: Random) -> Person:
    first, last = rng.choice(_FIRST), rng.choice(_LAST)
    persona = (
        "decision_maker" if place == 0 else rng.choices(("end_user", "admin", "developer"), (60, 22, 18))[0]
    )
    busy = rng.random()
    return Person(
        number=number,
        name=f"{first} {last}",
        email=f"{first}.{last}{number}@{account.key}.example".lower(),
        persona=persona,
        account=account,
        temper=min(1.0, max(0.0, rng.gauss(0.68, 0.18))),
        activity=0.0 if busy < 0.12 else (0.08 + 0.34 * rng.random() if busy < 0.86 else 0.8),
    )


def midnight(now: datetime) -> datetime:
    """The UTC midnight before `now`."""
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
