"""`python -m tests.bench`: measures on real parts and writes build/bench.{json,md,svg}."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tests.bench import alerts, documents, edge, embedded, growth, latency, scoring
from tests.bench.report import Report, Row, Side, load, machine, rows_table, sides_table
from tests.bench.world import World, opened

BUILD = Path("build")
Measure = Callable[[World, int, Callable[[str], None]], Iterator[Row | Side] | Iterator[Row | Side | str]]
# Scoring first: what it prepares others use, and topics are still empty.
FAMILIES: dict[str, Measure] = {
    scoring.FAMILY: scoring.measure,
    growth.FAMILY: growth.measure,
    alerts.FAMILY: alerts.measure,
    edge.FAMILY: edge.measure,
    latency.FAMILY: latency.measure,
    embedded.FAMILY: embedded.measure,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds of each comparison")
    parser.add_argument("--only", action="append", choices=list(FAMILIES), help="these families, not all")
    parser.add_argument(
        "--write-docs", action="store_true", help="measure nothing: put build/bench.json into docs/*.md"
    )
    given = parser.parse_args()
    if given.write_docs:
        documents.write(load(BUILD / "bench.json"), Path("docs"))
        return 0
    wanted: list[str] = given.only or list(FAMILIES)
    report = _run(wanted, given.rounds)
    if not given.only:
        report.save(BUILD)
    sys.stdout.write(rows_table(report.rows) + "\n" + sides_table(report.sides))
    for what in report.unmeasured:
        sys.stdout.write(f"Not measured: {what}\n")
    return 1 if report.unmeasured else 0


def _run(wanted: list[str], rounds: int) -> Report:
    BUILD.mkdir(exist_ok=True)
    begun, busy = datetime.now(UTC), os.getloadavg()[0]
    rows: list[Row] = []
    sides: list[Side] = []
    unmeasured: list[str] = []
    console = Console(stderr=True)
    columns = (BarColumn(20), TimeElapsedColumn(), TextColumn("{task.description}"))
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory("-bench"))
        progress = stack.enter_context(Progress(*columns, console=console))
        task = progress.add_task("starting PostgreSQL and Kafka", total=len(wanted))
        world = stack.enter_context(opened(Path(folder) / "parts"))
        for family in wanted:
            started = time.monotonic()

            def told(what: str, family: str = family) -> None:
                progress.update(task, description=f"{family}: {what}")
                if not console.is_terminal:
                    console.print(f"{family}: {what}")

            try:
                for one in FAMILIES[family](world, rounds, told):
                    if isinstance(one, Row):
                        rows.append(one)
                    elif isinstance(one, Side):
                        sides.append(one)
                    else:
                        unmeasured.append(one)
            except Exception as error:  # noqa: BLE001 - the other families' figures are worth having all the same
                console.print_exception()
                unmeasured.append(f"{family}: {str(error) or type(error).__name__}".splitlines()[0])
            progress.advance(task)
            report = Report(machine(), f"{begun:%Y-%m-%d %H:%M} UTC", busy, rows, sides, unmeasured)
            # A run that is cut off leaves what it has measured.
            _joined(report, wanted[: wanted.index(family) + 1]).save(BUILD)
            console.print(f"{family} took {time.monotonic() - started:.0f} s")
    return report


def _joined(report: Report, wanted: list[str]) -> Report:
    """The families just measured in the place of their older figures, the others as they were."""
    file = BUILD / "bench.json"
    try:
        old = load(file)
    except (FileNotFoundError, ValueError, TypeError, AttributeError, KeyError):
        return report
    anew = {*wanted, *(one.family for one in report.rows)}  # a rebuild is measured with scoring
    return replace(
        report,
        rows=[r for r in old.rows if r.family not in anew] + report.rows,
        sides=[s for s in old.sides if s.family not in anew] + report.sides,
    )


if __name__ == "__main__":
    raise SystemExit(main())
