"""Fills marked blocks of the documents from build/bench.json, so that no figure in them is typed by hand.

A block lies between `<!-- bench:name -->` and `<!-- /bench -->`; its name is a key of `blocks`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from tests.bench.report import Report, Side, number, rows_table, sides_table

DOCUMENTS = ("performance.md", "capacity.md")
_BLOCK = re.compile(r"(<!-- bench:([a-z-]+) -->\n).*?(<!-- /bench -->)", re.DOTALL)

SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000)
EVENTS_A_MONTH = 30
PEAK = 5
"""The busiest minute against the average of a month."""
BUSY = 0.6
"""Share of a core at which queues are still short: at half the saturation latency was measured."""
MONTH_S = 30 * 86_400


def filled(text: str, found: Mapping[str, str]) -> str:
    """The document with its blocks as they are now. Raises KeyError for a block that nobody makes."""
    return _BLOCK.sub(lambda match: match[1] + found[match[2]] + match[3], text)


def write(report: Report, folder: Path) -> None:
    found = blocks(report)
    for name in DOCUMENTS:
        file = folder / name
        file.write_text(filled(file.read_text(encoding="utf-8"), found), encoding="utf-8")


def blocks(report: Report) -> dict[str, str]:
    """Every block by its name. What was not measured reads as such."""
    sides = {side.name: side for side in report.sides}
    about = f"{report.machine}; {report.measured_at}; load average {report.load:.1f} before the start."
    missing = "".join(f"* Not measured: {what}\n" for what in report.unmeasured)
    found = {
        "machine": about + "\n",
        "table": rows_table(report.rows) + ("\n" + missing if missing else ""),
        "stages": _stages(sides),
        "growth": _growth(sides),
    }
    for family in ("ingest", "scoring", "rebuild", "alerts", "growth", "latency"):
        found[f"sides-{family}"] = sides_table(s for s in report.sides if s.family == family)
    return found


def costs(sides: Mapping[str, Side]) -> dict[str, tuple[float, float]]:
    """Stage → µs of CPU per item in the service's process and in PostgreSQL, as far as measured."""
    named = {
        "ingest": "ingest",
        "scoring": "scoring",
        "alerts, rules": "rules, per message",
        "alerts, deliveries": "dispatcher, per delivery",
        "rebuild": "rebuild",
    }
    return {
        stage: (sides[name].cpu_us, sides[name].more.get("PostgreSQL µs", 0.0))
        for stage, name in named.items()
        if name in sides
    }


def _stages(sides: Mapping[str, Side]) -> str:
    lines = [
        "| stage | CPU per item | of PostgreSQL | one core of the service | one core of PostgreSQL |",
        "|---|---|---|---|---|",
    ]
    for stage, (own, database) in costs(sides).items():
        per_core, per_database = (f"{number(1e6 / one)}/s" if one else "" for one in (own, database))
        spent = f"{number(database)} µs" if database else ""
        lines.append(f"| {stage} | {number(own)} µs | {spent} | {per_core} | {per_database} |")
    return "\n".join(lines) + "\n"


def _growth(sides: Mapping[str, Side]) -> str:
    """Cores at the peak, and what is stored in a year, by number of customers."""
    found, kept = costs(sides), sides.get("store")
    if not {"ingest", "scoring", "alerts, rules"} <= found.keys() or kept is None:
        return "Not measured.\n"
    database = sum(one[1] for stage, one in found.items() if stage in ("scoring", "alerts, rules"))
    lines = [
        "| customers | events at the peak | ingest | scoring | alerts | PostgreSQL | log in a year |",
        "|---|---|---|---|---|---|---|",
    ]
    for size in SIZES:
        events = size * EVENTS_A_MONTH / MONTH_S
        peak = events * PEAK
        used = [found["ingest"][0], found["scoring"][0], found["alerts, rules"][0], database]
        cores = " | ".join(_cores(peak * one / 1e6 / BUSY) for one in used)
        stored = events * 365 * 86_400 * kept.more["bytes per event"] + size * kept.more["bytes per customer"]
        lines.append(f"| {size:,} | {number(peak)}/s | {cores} | {_size(stored)} |")
    return "\n".join(lines) + "\n"


def _cores(count: float) -> str:
    return "< 0.1 core" if count < 0.1 else f"{number(count)} cores"


def _size(count: float) -> str:
    for unit, factor in (("TB", 1e12), ("GB", 1e9)):
        if count >= factor:
            return f"{number(count / factor)} {unit}"
    return f"{number(count / 1e6)} MB"
