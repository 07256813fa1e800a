"""The body of an own tool's event, field by field, so that every reason against it is told at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Final, get_args

import msgspec
from msgspec import NODEFAULT, UNSET

from services.ingest.domain.parsing import Json
from shared.events import BODIES, Body
from shared.events.identifiers import IdentifierError, normalise
from shared.events.rejections import Reason
from shared.events.times import format_instant, parse_instant

_INSTANTS: Final = frozenset(
    "first_response_at solution_at until period_end trial_end due_at renewal_at since left_at from to".split()
)
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d\Z")
_CURRENCY: Final = re.compile(r"[A-Z]{3}\Z")
_NPS_SCALE: Final = (0, 10)
MAX_ITEMS: Final = 200


def read_body(
    event_type: str, body: Mapping[str, Json], reasons: list[Reason], warnings: list[Reason]
) -> Body | None:
    """The body as its struct; None where a field is wrong, with a reason for each, or is missing."""
    kind = BODIES[event_type]
    known = _fields(kind)
    bad = len(reasons)
    kept: dict[str, Json] = {}
    for name, field in known.items():
        if name not in body:
            if field.default is NODEFAULT and field.default_factory is NODEFAULT:
                reasons.append(Reason("missing", f"/data/body/{name}", "missing"))
            continue
        try:
            msgspec.convert(body[name], field.type)
        except (msgspec.ValidationError, RecursionError) as error:
            where = f"/data/body/{name}{_inside(error)}"
            reasons.append(Reason("bad_field", where, why_not(error, field.type)))
            continue
        kept[name] = _in_form(event_type, name, body[name], f"/data/body/{name}", reasons)
    warnings += [
        Reason("unknown_field", f"/data/body/{escaped(name)}", "unknown field, not kept")
        for name in body
        if name not in known
    ]
    reasons += _numbers(kept)
    return msgspec.convert(kept, kind) if len(reasons) == bad else None


@cache
def _fields(kind: type[Body]) -> Mapping[str, msgspec.structs.FieldInfo]:
    return {field.encode_name: field for field in msgspec.structs.fields(kind)}


def _in_form(event_type: str, name: str, value: Json, where: str, reasons: list[Reason]) -> Json:
    """The value as it is kept: instants in Z, identifiers normalised; reasons where that fails."""
    if name == "promises" and isinstance(value, dict):
        return {k: _in_form(event_type, k, one, f"{where}/{k}", reasons) for k, one in value.items()}
    if name in _INSTANTS and isinstance(value, str) and not event_type.endswith(".handover"):
        return _instant(value, where, reasons)
    if name == "author_identifiers" and isinstance(value, list):
        return [_identifier(one, f"{where}/{i}", reasons) for i, one in enumerate(value[:MAX_ITEMS])]
    if name == "currency" and isinstance(value, str):
        if not _CURRENCY.match(value.upper()):
            reasons.append(Reason("bad_field", where, "no currency code of ISO 4217, such as EUR"))
        return value.upper()
    if isinstance(value, list) and len(value) > MAX_ITEMS:
        reasons.append(Reason("too_many", where, f"more than {MAX_ITEMS} items"))
    return value


def _instant(value: str, where: str, reasons: list[Reason]) -> str:
    """RFC 3339 → Z; a plain day means its beginning in UTC."""
    try:
        return format_instant(parse_instant(f"{value}T00:00:00Z" if _DAY.match(value) else value))
    except ValueError as error:
        why = str(error) if len(str(error)) < 80 else "no RFC 3339 instant"
        reasons.append(Reason("bad_time", where, why))
        return value


def _identifier(value: str, where: str, reasons: list[Reason]) -> str:
    try:
        return normalise(value)
    except IdentifierError as error:
        reasons.append(Reason("bad_identifier", where, str(error)))
        return value


def _numbers(body: Mapping[str, Json]) -> list[Reason]:
    """Score and scale must fit each other; amounts and counts fit into 64 bits."""
    reasons = [
        Reason("bad_field", f"/data/body/{name}", "too large")
        for name, value in body.items()
        if isinstance(value, int | float) and abs(value) >= 2**63
    ]
    scale, score = body.get("scale"), body.get("score")
    if scale is None and body.get("metric") == "nps":
        scale = _NPS_SCALE
    if scale is None:
        return reasons
    low, high = scale
    if not low < high:
        reasons.append(Reason("bad_field", "/data/body/scale", "must be [min, max] with min below max"))
    elif score is not None and not low <= score <= high:
        reasons.append(Reason("bad_field", "/data/body/score", f"outside the scale {low:g} to {high:g}"))
    return reasons


def why_not(error: Exception, kind: object) -> str:
    """The reason without the value, and what would be right where that is a closed list."""
    if not isinstance(error, msgspec.ValidationError):
        return "nested too deeply"
    if words := _words(kind):
        return f"must be one of {', '.join(words)}"
    return str(error).partition(" - at `")[0]


def _words(kind: object) -> list[str]:
    """The words of a Literal, alone or in a union."""
    arguments = get_args(kind)
    if arguments and all(isinstance(one, str) for one in arguments):
        return list(arguments)
    return [word for one in arguments if one is not UNSET for word in _words(one)]


def _inside(error: Exception) -> str:
    _, _, path = str(error).partition(" - at `$")
    return path.rstrip("`").replace("[", ".").replace("]", "").replace(".", "/")


def escaped(name: str) -> str:
    """A field's name as a step of a JSON pointer, cut to a sensible length."""
    return name[:80].replace("~", "~0").replace("/", "~1")
