"""The benchmark's own arithmetic and files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.documents import blocks, filled
from tests.bench.report import Report, Side, load, paired, percentile, row, rows_table


def report() -> Report:
    rows = [
        row("ingest", "ingest / ceiling", [0.5, 0.7, 0.6], 0.6),
        row("latency", "p99", [300.0], 250, "lower", unit="ms"),
        row("ingest", "told for comparison", [2.0], None),
    ]
    sides = [
        Side("ingest", "ingest", 2000, 250.0, 40.0),
        Side("scoring", "scoring", 900, 800.0, more={"PostgreSQL µs": 200.0}),
        Side("alerts", "rules, per message", 2000, 300.0, more={"PostgreSQL µs": 100.0}),
        Side("store", "store", 0, 0, more={"bytes per event": 2000.0, "bytes per customer": 5000.0}),
    ]
    return Report("a machine", "today", 0.5, rows, sides, ["something"])


def test_the_median_stands_for_the_rounds() -> None:
    found = row("f", "n", [0.9, 0.1, 0.51234], 0.5)
    assert (found.value, found.min, found.max, found.rounds) == (0.512, 0.1, 0.9, 3)


@pytest.mark.parametrize(
    ("value", "goal", "better", "reached"),
    [
        (0.6, 0.6, "higher", True),
        (0.59, 0.6, "higher", False),
        (1.3, 1.3, "lower", True),
        (1.31, 1.3, "lower", False),
        (5.0, None, "higher", None),
    ],
)
def test_a_goal_is_reached_from_its_own_side(
    value: float, goal: float | None, better: str, reached: bool | None
) -> None:
    assert row("f", "n", [value], goal, better).reached is reached  # type: ignore[arg-type]


def test_ratios_are_made_round_by_round() -> None:
    assert paired([1.0, 6.0], [2.0, 3.0]) == [0.5, 2.0]


def test_percentiles() -> None:
    values = [float(n) for n in range(100)]
    assert (percentile(values, 0.5), percentile(values, 0.99), percentile(values, 1.0)) == (50, 99, 99)
    assert percentile([], 0.5) == 0


def test_what_misses_its_goal_is_marked() -> None:
    lines = rows_table(report().rows).splitlines()[2:]
    assert ["not reached" in line for line in lines] == [False, True, False]
    assert lines[1].startswith("| p99 | 300 ms | ≤ 250 ms |")


def test_a_report_survives_its_file(tmp_path: Path) -> None:
    report().save(tmp_path)
    assert load(tmp_path / "bench.json") == report()
    assert "Not measured: something" in (tmp_path / "bench.md").read_text()
    assert (tmp_path / "bench.svg").read_text().count("<rect") == 3


def test_documents_are_filled_between_their_marks() -> None:
    text = "a\n<!-- bench:stages -->\nold\n<!-- /bench -->\nb\n<!-- bench:machine -->\n<!-- /bench -->\n"
    once = filled(text, blocks(report()))
    assert "old" not in once
    assert "| scoring | 800 µs | 200 µs | 1,250/s | 5,000/s |" in once
    assert filled(once, blocks(report())) == once
    with pytest.raises(KeyError):
        filled("<!-- bench:unknown -->\n<!-- /bench -->", blocks(report()))


def test_capacity_is_arithmetic() -> None:
    line = next(line for line in blocks(report())["growth"].splitlines() if line.startswith("| 100,000,000"))
    # 100 M × 30 a month × 5 at the peak; 250 µs each at 0.6 of a core
    assert line.startswith("| 100,000,000 | 5,787/s | 2.41 cores | 7.72 cores |")
