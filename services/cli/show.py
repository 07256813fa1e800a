"""Output: tables for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

# Where no terminal limits them, rows stay whole, for grep and awk.
PIPE_WIDTH = 1000
# Colour follows the terminal; NO_COLOR is honoured by rich.
out = Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)
err = Console(stderr=True, highlight=False)

BAND_COLOURS = {
    "poor": "red",
    "fair": "yellow",
    "good": "green",
    "excellent": "bold green",
    "high": "red",
    "elevated": "yellow",
    "low": "green",
    "urgent": "bold red",
    "medium": "yellow",
}


def as_json(value: object) -> None:
    """Print one JSON document on standard output."""
    print(json.dumps(value, ensure_ascii=False))  # noqa: T201 - the output of the command


def table(columns: Iterable[str], rows: Iterable[Iterable[object]], empty: str) -> None:
    """Print rows below their columns, or a sentence when there are none."""
    grid = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        grid.add_row(*(cell if isinstance(cell, str) else escape(text(cell)) for cell in row))
    if grid.row_count:
        out.print(grid)
    else:
        out.print(empty)


def text(value: object) -> str:
    """Return a value as people read it: nothing known is a dash."""
    if value is None or value == "" or value == []:
        return "-"
    if isinstance(value, float):
        return f"{value:.2f}" if abs(value) < 10 else f"{value:.0f}"
    if isinstance(value, list | tuple):
        return ", ".join(map(text, value))
    return str(value)


def plain(value: object) -> str:
    """Return a value of somebody else's making, safe inside rich markup."""
    return escape(text(value))


def band(name: object) -> str:
    """Return a band or severity in its colour."""
    word = plain(name)
    colour = BAND_COLOURS.get(str(name))
    return f"[{colour}]{word}[/{colour}]" if colour else word


def score(value: Mapping[str, Any] | None, digits: int = 0) -> str:
    """Return one score with its band; an unknown one says so."""
    if not value or value.get("value") is None:
        return "unknown"
    return f"{value['value']:.{digits}f} {band(value.get('band'))}"


def money(minor_units: float | None) -> str:
    """Return an amount in minor units as thousands."""
    return "-" if minor_units is None else f"{minor_units / 100_000:,.1f} k"


def when(instant: str | None) -> str:
    """Return an RFC 3339 instant in local time, to the minute."""
    if not instant:
        return "-"
    try:
        return datetime.fromisoformat(instant).astimezone().strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return escape(instant)
