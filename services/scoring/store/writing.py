"""Several writes in one round trip: on a busy machine the way there and back costs more than they do."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final, NamedTuple

from services.scoring.store.types import Conn


class Write(NamedTuple):
    """One INSERT, UPDATE or DELETE with its arguments; not yet done."""

    statement: str
    arguments: tuple[Any, ...]


_PARAMETER: Final = re.compile(r"\$(\d+)")


async def write(conn: Conn, writes: Iterable[Write | None]) -> None:
    """Do these as one statement; None is nothing to do.

    All see what was there before the first of them and they are done in no certain order: so no two may touch
    the same row, and whatever could wait for others has to be locked already.
    """
    some = [one for one in writes if one is not None]
    if some:
        await conn.execute(
            _together(tuple(one.statement for one in some)), *[a for one in some for a in one.arguments]
        )


@lru_cache(maxsize=64)
def _together(statements: tuple[str, ...]) -> str:
    if len(statements) == 1:
        return statements[0]
    parts, shift = [], 0
    for i, statement in enumerate(statements):
        parts.append(f"w{i} AS ({_shifted(statement, shift)})")
        shift += max(int(number) for number in _PARAMETER.findall(statement))
    return f"WITH {', '.join(parts)} SELECT"


def _shifted(statement: str, by: int) -> str:
    return _PARAMETER.sub(lambda found: f"${int(found[1]) + by}", statement)
