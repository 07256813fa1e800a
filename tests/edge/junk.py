"""What strangers send: values, texts, bytes and JSON gone wrong, all drawn from a seeded generator."""

from __future__ import annotations

import copy
import json
import random
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any, Final

Json = Any
TEXTS: Final = (
    "",
    " ",
    "\x00",
    "a\x00b",
    "\r\nX-Injected: 1\r\n\r\n",
    "' OR '1'='1",
    "'; DROP TABLE ingest.source; --",
    '"; SELECT pg_sleep(9); --',
    "$$||pg_sleep(9)||$$",
    "%00%0d%0a",
    "{{7*7}}${7*7}",
    "../../../../etc/passwd",
    "\ud800",
    "\udfff tail",
    "\u202egnp.exe",
    "\ufeff",
    "é" * 300,
    "👩‍🚀" * 40,
    "a" * 5000,
    "NaN",
    "Infinity",
    "1e999",
    "-0",
    "null",
    "2026-01-01",
    "2026-13-45T99:99:99Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "1969-12-31T23:59:60Z",
    "P1Y",
    "P999999999D",
    "PT0.000000001S",
    "email:",
    "email:a@" + "b" * 300 + ".example",
    "phone:+" + "9" * 40,
    "user:" + "u" * 4000,
    ":",
    "a:b:c:d",
    "@",
    "cxk_",
    "00000000-0000-0000-0000-000000000000",
    "%",
    "_",
    "*",
    "\\",
    "😀\\u0000",
)
NUMBERS: Final = (
    0,
    -1,
    1,
    2**31,
    2**53 + 1,
    2**63,
    -(2**63) - 1,
    2**64,
    10**30,
    10**400,
    1e308,
    -1e308,
    5e-324,
    0.1 + 0.2,
    -0.0,
)
LITERALS: Final = (
    b"NaN",
    b"-Infinity",
    b"1e400",
    b"-1e-400",
    b"1" * 5000,
    b"0x10",
    b"01",
    b'"\\ud800"',
    b'"\\udc00\\ud800"',
    b'"\\u0000"',
    b'"\x00"',
    b'"\xff\xfe"',
    b'"\xed\xa0\x80"',
    b'"\xc0\x80"',
    b"{",
    b"}",
    b"[[[[",
    b",,",
    b'{"a":1,"a":2}',
    b"\xef\xbb\xbf",
    b"//",
    b"undefined",
)


def text(rng: random.Random) -> str:
    """A nasty text, or a random one."""
    if rng.random() < 0.7:
        return rng.choice(TEXTS)
    top = rng.choice((0x7F, 0xFF, 0xFFFF, 0x10FFFF))
    return "".join(chr(rng.randint(0, top)) for _ in range(rng.randint(0, 40)))


def value(rng: random.Random, depth: int = 2) -> Json:
    """A JSON value of any kind."""
    kind = rng.randrange(9)
    if kind < 3:
        return text(rng)
    if kind < 5:
        return rng.choice(NUMBERS)
    if kind == 5:
        return rng.choice((None, True, False, [], {}))
    if kind == 6 and depth:
        return [value(rng, depth - 1) for _ in range(rng.choice((1, 2, 3, 30)))]
    if kind == 7 and depth:
        return {text(rng)[:80]: value(rng, depth - 1) for _ in range(rng.randint(1, 4))}
    nested: Json = 1
    for _ in range(rng.choice((3, 60, 400))):
        nested = [nested] if rng.random() < 0.5 else {"a": nested}
    return nested


def mutated(rng: random.Random, body: Json) -> Json:
    """A copy with one to four places changed, dropped, doubled or put elsewhere."""
    result = copy.deepcopy(body)
    for _ in range(rng.randint(1, 4)):
        parent, step = _place(rng, result)
        if parent is None:
            return value(rng)
        match rng.randrange(6):
            case 0:
                del parent[step]
            case 1 if isinstance(parent, list):
                parent.append(copy.deepcopy(parent[step]))
            case 2 if isinstance(parent, dict):
                parent[text(rng)[:60]] = parent.pop(step)
            case 3:
                parent[step] = [parent[step]]
            case _:
                parent[step] = value(rng)
    return result


def _place(rng: random.Random, body: Json) -> tuple[Json, Any]:
    """A container inside `body` and one of its steps; (None, None) where there is none."""
    parent, step, here = None, None, body
    while isinstance(here, dict | list) and here:
        parent = here
        step = rng.choice(list(here)) if isinstance(here, dict) else rng.randrange(len(here))
        here = here[step]
        if rng.random() < 0.25:
            break
    return parent, step


def encoded(rng: random.Random, body: Json) -> bytes:
    """JSON in one of the ways people write it; lone surrogates and huge numbers stay what they are."""
    ascii_only = rng.random() < 0.6
    raw = json.dumps(body, ensure_ascii=ascii_only, separators=rng.choice(((",", ":"), (", ", ": "))))
    return raw.encode("utf-8", "surrogatepass")


def broken(rng: random.Random, raw: bytes) -> bytes:
    """Bytes cut, turned, repeated or with something foreign put in."""
    at = rng.randrange(len(raw) + 1)
    match rng.randrange(9):
        case 0:
            return raw[:at]
        case 1:
            return raw[at:]
        case 2:
            return raw[:at] + rng.choice(LITERALS) + raw[at:]
        case 3:
            return raw[:at] + rng.choice(LITERALS) + raw[at + rng.randint(1, 12) :]
        case 4:
            return bytes(b ^ (1 << rng.randrange(8)) if rng.random() < 0.01 else b for b in raw)
        case 5:
            return raw[:at] + rng.randbytes(rng.choice((1, 4, 60))) + raw[at:]
        case 6:
            return raw + raw
        case 7:
            return raw.decode("utf-8", "replace").encode(
                rng.choice(("utf-16", "utf-16-le", "utf-32", "utf-7"))
            )
        case _:
            return rng.randbytes(rng.choice((0, 1, 7, 300)))


def deep(rng: random.Random) -> bytes:
    """Nesting that a recursive reader does not survive, closed or left open."""
    levels = rng.choice((200, 1_100, 20_000, 120_000))
    opened, closed = rng.choice(((b"[", b"]"), (b'{"a":', b"}"), (b'[{"b":', b"}]")))
    return opened * levels + b"1" + (closed * levels if rng.random() < 0.5 else b"")


@cache
def bomb(kind: str, size: int) -> bytes:
    """A few kB that unpack to `size` zeros, or to JSON of that size."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31 if kind == "gzip" else 15)
    parts = [packer.compress(b'{"a":"')]
    parts += [packer.compress(b"0" * 1024 * 1024) for _ in range(size // (1024 * 1024))]
    return b"".join([*parts, packer.compress(b'"}'), packer.flush()])


def packed(rng: random.Random, raw: bytes) -> tuple[bytes, bytes]:
    """Body and Content-Encoding that do or do not fit each other."""
    gzip = zlib.compressobj(1, zlib.DEFLATED, 31)
    good = gzip.compress(raw) + gzip.flush()
    choices: tuple[Callable[[], tuple[bytes, bytes]], ...] = (
        lambda: (good, b"gzip"),
        lambda: (good, b"GZIP "),
        lambda: (good[: len(good) // 2], b"gzip"),
        lambda: (good + b"tail", b"gzip"),
        lambda: (good + good, b"gzip"),
        lambda: (raw, b"gzip"),
        lambda: (zlib.compress(raw), b"deflate"),
        lambda: (good, b"gzip, gzip"),
        lambda: (raw, b"br"),
        lambda: (raw, b"identity"),
        lambda: (bomb("gzip", 50 * 1024 * 1024), b"gzip"),
        lambda: (bomb("deflate", 50 * 1024 * 1024), b"deflate"),
    )
    return rng.choice(choices)()
