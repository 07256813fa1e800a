"""The failure table of docs/guarantees.md, as data: one row per component and fault, each with its test.

`python -m tests.faults.failures` writes the table into the document, with the figures that runs of these
tests have left in `build/faults.jsonl`; figures of rows that did not run stay as they are.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.faults.failures_parts import Failure
from tests.faults.failures_rows import FAILURES

ROOT: Final = Path(__file__).parents[2]
DOCUMENT: Final = ROOT / "docs" / "guarantees.md"
MEASURED: Final = ROOT / "docs" / "measured" / "faults.json"
REPORT: Final = ROOT / "build" / "faults.jsonl"
BEGIN: Final = "<!-- failures: begin, written by python -m tests.faults.failures -->"
END: Final = "<!-- failures: end -->"
AT_ONCE_S: Final = 0.25
_HEAD: Final = (
    "| | component | fault | what a user sees | test | last measured |\n|---|---|---|---|---|---|\n"
)

Figures = dict[str, dict[str, Any]]


class Split(NamedTuple):
    """A document around its marked block."""

    before: str
    after: str


def table(figures: Figures) -> str:
    """The rows as Markdown."""
    lines = [_line(number, one, figures) for number, one in enumerate(FAILURES, 1)]
    return _HEAD + "\n".join(lines) + "\n"


def _line(number: int, one: Failure, figures: Figures) -> str:
    path, _, name = one.test.partition("::")
    link = f"[{name}](../{path})"
    told = [text for text in (measured(figures[row]) for row in one.rows if row in figures) if text]
    cells = (str(number), one.component, one.fault, one.seen, link, "; ".join(told) or one.figure)
    return f"| {' | '.join(cells)} |"


def measured(figure: dict[str, Any]) -> str:
    """In words: how long the fault lasted, and how long it took until all was well."""
    lasted = f"{figure['fault_s']:.0f} s" if figure["fault_s"] >= 1 else "an instant"
    return (
        f"{lasted}; the next 2xx {_after(figure['first_202_s'])},"
        f" all folded after {figure['drained_s']:.1f} s;"
        f" {figure['acknowledged']} acknowledged, none lost, none twice"
    )


def _after(seconds: float) -> str:
    return "at once" if seconds < AT_ONCE_S else f"after {seconds:.1f} s"


def split(document: str) -> Split:
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError("docs/guarantees.md has lost the marks of its table")
    return Split(before + begin + "\n\n", "\n" + end + after)


def known() -> Figures:
    found: Figures = json.loads(MEASURED.read_text()) if MEASURED.exists() else {}
    return found


def learned(figures: Figures, report: str) -> Figures:
    """With what later runs measured; a long run's figures are kept over a short one's."""
    found = dict(figures)
    wanted = {row for one in FAILURES for row in one.rows}
    for line in report.splitlines():
        figure = json.loads(line)
        name = figure.pop("row")
        kept = found.get(name)
        if name in wanted and (figure["soak"] or kept is None or not kept["soak"]):
            found[name] = figure
    return found


def main() -> None:
    figures = learned(known(), REPORT.read_text() if REPORT.exists() else "")
    MEASURED.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n")
    parts = split(DOCUMENT.read_text())
    DOCUMENT.write_text(parts.before + table(figures) + parts.after)
    told = f"{len(FAILURES)} rows, {len(figures)} figures: {DOCUMENT.relative_to(ROOT)}\n"
    sys.stdout.write(told)


if __name__ == "__main__":
    main()
