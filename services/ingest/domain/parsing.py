"""Tolerant getters over what vendors send. Absent is None; nonsense where a value is needed is Unreadable.

A path is given as its steps: `text(value, "detail", "id")`; a step into a list is its index.
"""

from __future__ import annotations

import html
import math
import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

import msgspec

from services.ingest.domain.sender import Unreadable

Json: TypeAlias = Any
"""A decoded JSON value, of whatever shape the sender chose."""
Step = str | int
_json: Final = msgspec.json.Decoder()
_NUL_ESCAPE: Final = b"\\u0000"


def read_json(body: bytes) -> Json:
    """JSON of any shape, without NUL characters, which no store downstream takes. Raises Unreadable."""
    try:
        value = _json.decode(body)
        return without_nul(value) if _NUL_ESCAPE in body else value
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        why = str(error) if isinstance(error, msgspec.MsgspecError) else "not readable as UTF-8 text"
        raise Unreadable("", f"not JSON: {why}", "not_json") from None


def without_nul(value: Json) -> Json:
    """The same value with every NUL character taken out of its texts and keys."""
    if isinstance(value, str):
        return value.replace("\x00", "")
    if isinstance(value, list):
        return [without_nul(item) for item in value]
    if isinstance(value, dict):
        return {without_nul(key): without_nul(item) for key, item in value.items()}
    return value


def pointer(*path: Step) -> str:
    """The steps as a JSON pointer (RFC 6901)."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def dig(value: Json, *path: Step) -> Json:
    """What lies at `path`, None where anything on the way is absent or of another kind."""
    for step in path:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and -len(value) <= step < len(value):
            value = value[step]
        else:
            return None
    return value


def text(value: object, *path: Step) -> str | None:
    """A text, or a number as text (ids come as both); None when absent, blank or of another kind."""
    found: Json = value
    for step in path:  # the usual case at once: it is the getter called most
        found = found.get(step) if isinstance(found, dict) else dig(found, step)
    if isinstance(found, str):
        return found.strip() or None
    if found is None or isinstance(found, bool):
        return None
    if isinstance(found, int):
        return str(found)
    if isinstance(found, float):
        return str(int(found)) if found.is_integer() else repr(found)
    return None


def need(value: object, *path: Step) -> str:
    """Like `text`, Unreadable when there is none."""
    found = text(value, *path)
    if found is None:
        raise Unreadable(pointer(*path), "missing, blank or no text", "missing")
    return found


def number(value: object, *path: Step) -> int | float | None:
    """A finite number, also one written as text; None when absent or of another kind."""
    found = dig(value, *path)
    if isinstance(found, bool):
        return None
    if isinstance(found, str):
        try:
            found = float(found)
        except ValueError:
            return None
        found = int(found) if math.isfinite(found) and found.is_integer() else found
    if isinstance(found, int):
        return found
    return found if isinstance(found, float) and math.isfinite(found) else None


def whole(value: object, *path: Step) -> int | None:
    """A whole number, also one written as text; None when absent, broken or of another kind."""
    found = number(value, *path)
    if isinstance(found, float):
        return int(found) if found.is_integer() else None
    return found


def flag(value: object, *path: Step) -> bool | None:
    """True or false; None when absent or of another kind."""
    found = dig(value, *path)
    return found if isinstance(found, bool) else None


def mapping(value: object, *path: Step) -> dict[str, Any]:
    """An object, empty when absent or of another kind."""
    found = dig(value, *path)
    return found if isinstance(found, dict) else {}


def need_mapping(value: object, *path: Step) -> dict[str, Any]:
    """An object; Unreadable when there is none."""
    found = dig(value, *path)
    if not isinstance(found, dict):
        raise Unreadable(pointer(*path), "missing or no object", "missing")
    return found


def items(value: object, *path: Step) -> list[Any]:
    """A list, empty when absent or of another kind."""
    found = dig(value, *path)
    return found if isinstance(found, list) else []


def texts(value: object, *path: Step) -> tuple[str, ...]:
    """The texts of a list, without blanks and other kinds."""
    return tuple(one for item in items(value, *path) if (one := text(item)) is not None)


def seconds(value: object, *path: Step) -> datetime | None:
    """Instant of Unix seconds (whole, fraction, or as text); None when absent. Raises Unreadable."""
    return _since_1970(value, path, 1.0)


def milliseconds(value: object, *path: Step) -> datetime | None:
    """Instant of Unix milliseconds; None when absent. Raises Unreadable."""
    return _since_1970(value, path, 1e-3)


def iso(value: object, *path: Step) -> datetime | None:
    """Instant of ISO 8601 text, cut to microseconds; None when absent. Raises Unreadable.

    Offsets with and without colon; a text without offset is taken as UTC, which is what the vendors
    mean that leave it out.
    """
    found = dig(value, *path)
    if found is None or found == "":
        return None
    try:
        instant = datetime.fromisoformat(found.strip())
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, AttributeError, OverflowError, TypeError):
        raise Unreadable(pointer(*path), "no ISO 8601 instant", "bad_time") from None


def _since_1970(value: object, path: tuple[Step, ...], unit_s: float) -> datetime | None:
    found = dig(value, *path)
    if found is None or found == "":
        return None
    count = number(found)
    if count is None:
        raise Unreadable(pointer(*path), "no count of seconds or milliseconds", "bad_time")
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=round(count * unit_s * 1e6))
    except OverflowError:
        raise Unreadable(pointer(*path), "outside the years 1 to 9999", "bad_time") from None


_MARKUP: Final = re.compile(r"<[a-zA-Z/!]|&[a-zA-Z#]")
# Neither < nor > inside a tag, so that the time is linear whatever a customer wrote; the standard library's
# reader needs quadratic time for tags and comments that do not end.
_TAG: Final = re.compile(r"<!--.*?(?:-->|\Z)|<(/?)([a-zA-Z][a-zA-Z0-9]*)[^<>]*>|<[!?/][^<>]*>", re.DOTALL)
_BLOCKS: Final = frozenset("p div br li ul ol tr table blockquote h1 h2 h3 h4 h5 h6 hr pre".split())
_SILENT: Final = frozenset(("script", "style", "head", "title"))
_BLANKS: Final = re.compile(r"[ \t\r\f\v\xa0]+")
_GAPS: Final = re.compile(r" ?\n[ \n]*")
MAX_MARKUP: Final = 256 * 1024
"""Characters of markup that are looked at: four times the text that is kept."""


def plain_text(markup: str | None) -> str | None:
    """The words of an HTML fragment, one line per block; a text without markup is only trimmed."""
    if not markup:
        return None
    if ("<" not in markup and "&" not in markup) or not _MARKUP.search(markup):
        return markup.strip() or None
    markup = markup[:MAX_MARKUP]
    pieces: list[str] = []
    silenced_by: str | None = None
    end = 0
    for tag in _TAG.finditer(markup):
        name = (tag[2] or "").lower()
        if silenced_by is None:
            pieces.append(markup[end : tag.start()])
            if name in _BLOCKS:
                pieces.append("\n")
        if name in _SILENT:
            silenced_by = _silence(name, bool(tag[1]), silenced_by)
        end = tag.end()
    if silenced_by is None:
        pieces.append(markup[end:])
    words = _BLANKS.sub(" ", _unescaped("".join(pieces)))
    return _GAPS.sub("\n", words).strip() or None


def _silence(name: str, closing: bool, silenced_by: str | None) -> str | None:
    """The element whose words are not shown, after this tag: only its own end ends it."""
    if closing:
        return None if name == silenced_by else silenced_by
    return silenced_by or name


def _unescaped(words: str) -> str:
    try:
        return html.unescape(words).replace("\x00", "")
    except ValueError:  # a number of thousands of digits in a character reference
        return words
