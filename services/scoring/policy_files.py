"""Policy files (YAML) to a `Policy`: decimals become integers of 10⁻⁶, errors say where and why."""

from __future__ import annotations

import json
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
import yaml

from services.scoring import policy_documents as d
from services.scoring.domain import policy as p
from services.scoring.domain.hours import UnknownZoneError, zone
from services.scoring.domain.types import Signal
from shared.events.times import DAY, HOUR, MINUTE, SECOND, Micros

SHIPPED: Final = Path(__file__).parent / "policies" / "b2b-saas.yaml"
HOLIDAYS: Final = Path(__file__).parent / "policies" / "holidays.json"
_UNITS: Final = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
_WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
T = TypeVar("T")


class PolicyError(ValueError):
    """A policy file cannot be used: `where` (file and place) and `why`."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where}: {why}")
        self.where = where
        self.why = why


@cache
def shipped() -> p.Policy:
    """The policy that comes with the program."""
    return load(SHIPPED)


def load(path: Path) -> p.Policy:
    """The policy in `path` with the personas and regions it names. Raises PolicyError."""
    document = _read(path, d.PolicyDocument)
    personas = _read(path.parent / document.personas, d.PersonasDocument)
    regions = _read(path.parent / document.regions, d.RegionsDocument)
    if p.DEFAULT_PERSONA not in personas:
        raise PolicyError(document.personas, "there is no persona `default`")
    try:
        evidence = _evidence(document.evidence, personas, regions)
        return p.Policy(document.name, evidence, _reading(document.reading))
    except ValueError as error:
        raise PolicyError(path.name, str(error)) from error


def micro(value: float) -> p.Micro:
    """A decimal as written → 10⁻⁶. Raises ValueError when it has more than six places."""
    scaled = Decimal(repr(value)) * 1_000_000
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{value!r} has more than six decimal places")
    return int(scaled)


def _read(path: Path, kind: type[T]) -> T:
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
        return msgspec.convert(content, kind)
    except OSError as error:
        raise PolicyError(path.name, error.strerror or "not readable") from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise PolicyError(path.name, "not UTF-8, or nested too deeply") from error
    except yaml.YAMLError as error:
        raise PolicyError(path.name, f"no YAML: {error}") from error
    except msgspec.ValidationError as error:
        why, _, where = str(error).partition(" - at `$")
        raise PolicyError(path.name + where.rstrip("`"), why) from error


def _duration(text: str) -> Micros:
    return int(text[:-1]) * _UNITS[text[-1]]


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    total = int(hours) * 60 + int(minutes)
    if total > 24 * 60:
        raise ValueError(f"{text} is no time of a day")
    return total


def _fields(document: msgspec.Struct) -> dict[str, p.Micro]:
    return {name: micro(getattr(document, name)) for name in document.__struct_fields__}


def _evidence(
    e: d.EvidenceDocument, personas: d.PersonasDocument, regions: d.RegionsDocument
) -> p.EvidencePolicy:
    missing = {"low", "normal", "high", "urgent"} - set(e.priorities)
    if missing:
        raise ValueError(f"evidence.priorities lacks {', '.join(sorted(missing))}")
    default = _promise(personas[p.DEFAULT_PERSONA], None)
    hours = _hours(e.hours)
    calendars = {one.holidays for one in regions.values() if one.holidays}
    return p.EvidencePolicy(
        loss=micro(e.loss),
        slow_h=e.half_life_days.slow * 24,
        fast_h=e.half_life_days.fast * 24,
        relationship_h=e.half_life_days.relationship * 24,
        give_up=e.give_up_days * DAY,
        contact_gap=micro(e.contact_gap_hours) * HOUR // 1_000_000,
        neutral_text=micro(e.neutral_text) // 10_000,
        usage_falling_below=micro(e.usage_falling_below),
        masses=p.Masses(**_fields(e.masses)),
        intents=p.Intents(**_fields(e.intents)),
        champions=frozenset(p.folded(name) for name in e.champions),
        hours=hours,
        urgencies={
            name: p.Urgency(micro(one.factor), one.around_the_clock) for name, one in e.priorities.items()
        },
        personas={p.folded(name): _promise(one, default) for name, one in personas.items()},
        regions={p.folded(name): _region(name, one) for name, one in regions.items()},
        holidays=_holidays(calendars, hours),
    )


def _hours(hours: d.HoursDocument) -> p.Hours:
    start, end = _minutes(hours.start), _minutes(hours.end)
    if start >= end or not hours.weekdays:
        raise ValueError("evidence.hours: needs a weekday, and an end after its start")
    return p.Hours(frozenset(_WEEKDAYS.index(day) for day in hours.weekdays), start, end)


def _promise(persona: d.PersonaDocument, default: p.Promise | None) -> p.Promise:
    """What the persona leaves open is the default's; the default itself must be whole."""
    if default is None and None in (
        persona.first_reply,
        persona.solution,
        persona.contacts,
        persona.handovers,
    ):
        raise ValueError("persona default: first_reply, solution, contacts and handovers are needed")
    own = p.Promise(
        first_reply=_duration(persona.first_reply or "0s"),
        solution=_duration(persona.solution or "0s"),
        first_reply_on={name: _duration(wait) for name, wait in (persona.first_reply_on or {}).items()},
        unwilling=frozenset(persona.unwilling or ()),
        contacts=persona.contacts or 0,
        handovers=persona.handovers or 0,
        bots=persona.bots is not False,
    )
    if default is None:
        return own
    given = {name for name in persona.__struct_fields__ if getattr(persona, name) is not None}
    return p.Promise(
        **{name: getattr(own if name in given else default, name) for name in p.Promise.__dataclass_fields__}
    )


def _region(name: str, region: d.RegionDocument) -> p.Region:
    try:
        zone(region.time_zone)
    except UnknownZoneError:
        raise ValueError(f"region {name}: unknown time zone {region.time_zone}") from None
    return p.Region(region.time_zone, region.holidays)


def _holidays(calendars: set[str], hours: p.Hours) -> dict[str, tuple[int, ...]]:
    kept: dict[str, list[int]] = json.loads(HOLIDAYS.read_text("utf-8"))
    unknown = sorted(calendars - kept.keys())
    if unknown:
        raise ValueError(f"no kept calendar of holidays for {', '.join(unknown)}")
    return {
        name: tuple(day for day in kept[name] if (day - 1) % 7 in hours.weekdays)
        for name in sorted(calendars)
    }


def _bands(bands: dict[str, float]) -> tuple[p.Band, ...]:
    made = tuple(sorted((p.Band(name, micro(start)) for name, start in bands.items()), key=lambda b: b.start))
    if not made or made[0].start != 0 or len({band.start for band in made}) < len(made):
        raise ValueError("bands: one starts at 0, and no two at the same value")
    return made


def _weights(where: str, weights: dict[Any, float], wanted: tuple[Signal, ...]) -> dict[Signal, p.Micro]:
    made = {signal: micro(weights[signal.value]) for signal in wanted if signal.value in weights}
    if set(made) != set(wanted) or sum(made.values()) != 1_000_000:
        raise ValueError(f"{where}.weights: every signal has one, and they sum to exactly 1")
    return made


def _reading(r: d.ReadingDocument) -> p.ReadingPolicy:
    return p.ReadingPolicy(
        kappa=micro(r.kappa),
        m0=_inside("health.m0", r.health.m0),
        minimum_evidence=micro(r.minimum_evidence),
        weights=_weights("health", r.health.weights, p.HEALTH[:-1]),
        adoption_weight=micro(r.health.adoption),
        relationship=p.RelationshipReading(
            weights=_weights("relationship", r.relationship.weights, p.RELATIONSHIP),
            m0=_inside("relationship.m0", r.relationship.m0),
            tau_days=r.relationship.tau_days,
            mass_scale={Signal(key): micro(value) for key, value in r.relationship.mass_scale.items()},
            dormancy_days=r.relationship.dormancy_days,
            unknown_days=r.relationship.unknown_days,
        ),
        risk=p.RiskReading(
            intercept=micro(r.risk.intercept),
            theta={signal: micro(r.risk.theta.get(signal.value, 0.0)) for signal in p.HEALTH},  # type: ignore[call-overload]
            trend=micro(r.risk.trend),
            cancel_floor=_inside("risk.cancel_floor", r.risk.cancel_floor),
            renewal_near=micro(r.risk.renewal_near),
            renewal_days=r.risk.renewal_days,
            horizon_days=r.risk.horizon_days,
        ),
        health_bands=_bands(r.health.bands),
        relationship_bands=_bands(r.relationship.bands),
        risk_bands=_bands(r.risk.bands),
    )


def _inside(where: str, value: float) -> p.Micro:
    if not 0 < value < 1:
        raise ValueError(f"{where} lies strictly between 0 and 1")
    return micro(value)
