"""What a run measured: JSON for programs, Markdown and a picture for people."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

Better = Literal["higher", "lower"]


@dataclass(frozen=True)
class Side:
    """One of those measured side by side. Absolute figures belong to the machine and the minute."""

    family: str
    name: str
    rate: float
    cpu_us: float
    p99_ms: float | None = None
    more: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """One figure with its goal: a ratio (`unit` ×), or what has a unit of its own (ms, s, MB, /s).

    `value` is the median of `rounds`. A row without goal is told for comparison.
    """

    family: str
    name: str
    value: float
    goal: float | None
    better: Better
    rounds: int
    min: float
    max: float
    unit: str = "×"
    note: str = ""

    @property
    def reached(self) -> bool | None:
        if self.goal is None:
            return None
        return self.value >= self.goal if self.better == "higher" else self.value <= self.goal


def row(
    family: str,
    name: str,
    values: Sequence[float],
    goal: float | None,
    better: Better = "higher",
    *,
    unit: str = "×",
    note: str = "",
) -> Row:
    """The median of the rounds' values."""
    found = [rounded(one) for one in (statistics.median(values), min(values), max(values))]
    return Row(family, name, found[0], goal, better, len(values), found[1], found[2], unit, note)


def rounded(value: float) -> float:
    """Three figures: more would claim what a shared machine cannot say."""
    return float(f"{value:.3g}")


def paired(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Ratios round by round, so that what a noisy minute does to both falls out."""
    return [a / b for a, b in zip(ours, theirs, strict=True) if b]


def percentile(sorted_values: Sequence[float], share: float) -> float:
    """The value that `share` of the values do not exceed; 0 of none."""
    if not sorted_values:
        return 0.0
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * share))]


def machine() -> str:
    python, cpu = platform.python_version(), "unknown processor"
    info = Path("/proc/cpuinfo")
    if info.exists():
        models = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = models[0].partition(":")[2].strip() if models else cpu
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    where = f"{platform.system()} {platform.machine()}"
    return f"{os.cpu_count()} cores ({cpu}), {memory:.0f} GB, {where}, Python {python}"


def number(value: float, unit: str = "") -> str:
    text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{text} {unit}".strip() if unit not in ("×", "/s") else f"{text}{unit}".replace("×", "")


def rows_table(rows: Iterable[Row]) -> str:
    lines = ["| what | measured | goal | min to max | rounds | |", "|---|---|---|---|---|---|"]
    for one in rows:
        goal = (
            ""
            if one.goal is None
            else f"{'≥' if one.better == 'higher' else '≤'} {number(one.goal, one.unit)}"
        )
        verdict = {True: "reached", False: "**not reached**", None: ""}[one.reached]
        spread = f"{number(one.min)} to {number(one.max)}"
        value = number(one.value, one.unit)
        lines.append(f"| {one.name} | {value} | {goal} | {spread} | {one.rounds} | {verdict} |")
    return "\n".join(lines) + "\n"


def sides_table(sides: Iterable[Side]) -> str:
    lines = ["| | per second | CPU per item | p99 | |", "|---|---|---|---|---|"]
    for one in sides:
        p99 = "" if one.p99_ms is None else f"{number(one.p99_ms)} ms"
        more = ", ".join(f"{name} {number(value)}" for name, value in one.more.items())
        lines.append(f"| {one.name} | {number(one.rate)} | {number(one.cpu_us)} µs | {p99} | {more} |")
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Report:
    """A whole run. `machine`, `load` (1-minute average before it) and `measured_at` say what it is worth."""

    machine: str
    measured_at: str
    load: float
    rows: list[Row]
    sides: list[Side]
    unmeasured: list[str]

    def markdown(self) -> str:
        parts = [
            f"Measured on {self.machine}, {self.measured_at}, load average {self.load:.1f} before the start. "
            "Medians of interleaved rounds against references of the same run.\n",
            rows_table(self.rows),
        ]
        for family in dict.fromkeys(side.family for side in self.sides if side.family != "store"):
            parts += [f"### {family}\n", sides_table(s for s in self.sides if s.family == family)]
        notes = [f"* {one.name}: {one.note}" for one in self.rows if one.note]
        notes += [f"* Not measured: {what}" for what in self.unmeasured]
        return "\n".join([*parts, *notes]) + "\n"

    def save(self, folder: Path) -> None:
        """bench.json, bench.md and bench.svg."""
        folder.mkdir(parents=True, exist_ok=True)
        plain = asdict(self)
        for kept, one in zip(plain["rows"], self.rows, strict=True):
            kept["reached"] = one.reached
        (folder / "bench.json").write_text(json.dumps(plain, indent=2) + "\n", encoding="utf-8")
        (folder / "bench.md").write_text(self.markdown(), encoding="utf-8")
        (folder / "bench.svg").write_text(picture(self.rows), encoding="utf-8")


def load(file: Path) -> Report:
    """The inverse of `Report.save`."""
    plain: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    rows = [Row(**{k: v for k, v in one.items() if k != "reached"}) for one in plain.pop("rows")]
    return Report(rows=rows, sides=[Side(**one) for one in plain.pop("sides")], **plain)


def picture(rows: Sequence[Row]) -> str:
    """Bars as an SVG: how far each figure is on the good side of its goal, which is the line."""
    height, width, left, top = 30, 860, 400, 3.0
    scale = (width - left - 110) / top
    bars = []
    goals = [one for one in rows if one.goal]
    for place, one in enumerate(goals):
        assert one.goal is not None
        good = one.value / one.goal if one.better == "higher" else one.goal / max(one.value, 1e-9)
        y, length = 30 + place * height, min(good, top) * scale
        colour = "#2b7a4b" if one.reached else "#b3541e"
        bars.append(
            f'<text x="{left - 10}" y="{y + 15}" text-anchor="end">{_plain(one.name)}</text>'
            f'<rect x="{left}" y="{y}" width="{length:.0f}" height="20" fill="{colour}"/>'
            f'<text x="{left + length + 6:.0f}" y="{y + 15}">{number(one.value, one.unit)}'
            f"{' …' if good > top else ''}</text>"
        )
    total = 40 + len(goals) * height
    goal = f'<line x1="{left + scale:.0f}" x2="{left + scale:.0f}" y1="20" y2="{total}" stroke="#333"/>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {total}" font-family="sans-serif"'
        f' font-size="13"><rect width="100%" height="100%" fill="#fff"/>{"".join(bars)}{goal}'
        f'<text x="{left + scale:.0f}" y="14" text-anchor="middle">goal</text></svg>\n'
    )


def _plain(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
