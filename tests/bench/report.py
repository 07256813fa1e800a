"""What a run measured: JSON for programs, Markdown and a picture for people."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One ratio. `better` says in which direction the goal lies; `rounds` interleaved measurements."""

    name: str
    ratio: float
    goal: float
    better: str
    rounds: int
    min: float
    max: float
    note: str = ""

    @property
    def reached(self) -> bool:
        return self.ratio >= self.goal if self.better == "higher" else self.ratio <= self.goal


def row(name: str, ratios: Sequence[float], goal: float, better: str = "higher", note: str = "") -> Row:
    """The median of the rounds' ratios."""
    values = [round(value, 3) for value in (statistics.median(ratios), min(ratios), max(ratios))]
    return Row(name, values[0], goal, better, len(ratios), values[1], values[2], note)


def machine() -> str:
    python = platform.python_version()
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {python}, {platform.system()}"


def table(rows: Sequence[Row], unmeasured: Sequence[str]) -> str:
    lines = [
        f"Measured on {machine()}; medians of interleaved rounds, ratios against references of the same run.",
        "",
        "| what | ratio | goal | min to max | rounds | |",
        "|---|---|---|---|---|---|",
    ]
    for one in rows:
        sign = "≥" if one.better == "higher" else "≤"
        verdict = "reached" if one.reached else "**not reached**"
        spread = f"{one.min} to {one.max}"
        lines.append(
            f"| {one.name} | {one.ratio} | {sign} {one.goal} | {spread} | {one.rounds} | {verdict} |"
        )
    notes = [f"* {one.name}: {one.note}" for one in rows if one.note]
    return "\n".join([*lines, "", *notes, *(f"* Not measured: {what}" for what in unmeasured)]) + "\n"


def picture(rows: Sequence[Row]) -> str:
    """Bars of ratio over goal as an SVG; the line is the goal."""
    height, width, left = 34, 760, 330
    scale = (width - left - 90) / max([*(r.ratio / r.goal for r in rows), 1.5])
    bars = []
    for place, one in enumerate(rows):
        y = 30 + place * height
        length = one.ratio / one.goal * scale
        colour = "#2b7a4b" if one.reached else "#b3541e"
        bars.append(
            f'<text x="{left - 10}" y="{y + 15}" text-anchor="end">{one.name}</text>'
            f'<rect x="{left}" y="{y}" width="{length:.0f}" height="20" fill="{colour}"/>'
            f'<text x="{left + length + 6:.0f}" y="{y + 15}">{one.ratio}</text>'
        )
    total = 40 + len(rows) * height
    goal = f'<line x1="{left + scale:.0f}" x2="{left + scale:.0f}" y1="20" y2="{total}" stroke="#333"/>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {total}" font-family="sans-serif"'
        f' font-size="13"><rect width="100%" height="100%" fill="#fff"/>{"".join(bars)}{goal}'
        f'<text x="{left + scale:.0f}" y="14" text-anchor="middle">goal</text></svg>\n'
    )


def write(folder: Path, rows: Sequence[Row], unmeasured: Sequence[str]) -> str:
    """Writes bench.json, bench.md and bench.svg; gives the table."""
    folder.mkdir(parents=True, exist_ok=True)
    plain = [{k: v for k, v in asdict(one).items() if k != "note" or v} for one in rows]
    (folder / "bench.json").write_text(json.dumps(plain, indent=2) + "\n", encoding="utf-8")
    text = table(rows, unmeasured)
    (folder / "bench.md").write_text(text, encoding="utf-8")
    (folder / "bench.svg").write_text(picture(rows), encoding="utf-8")
    return text
