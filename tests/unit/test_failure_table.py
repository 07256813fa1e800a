"""docs/guarantees.md says what the tests prove: every row has a test, every measured fault has a row."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.faults import failures
from tests.faults.failures_parts import Failure
from tests.faults.failures_rows import FAILURES

AT_LEAST = 20
"""Rows that the table promises."""


def test_the_document_is_up_to_date() -> None:
    parts = failures.split(failures.DOCUMENT.read_text())
    shown = failures.DOCUMENT.read_text()
    assert parts.before + failures.table(failures.known()) + parts.after == shown, (
        "run: python -m tests.faults.failures"
    )
    assert len(FAILURES) >= AT_LEAST


@pytest.mark.parametrize("failure", FAILURES, ids=lambda one: f"{one.component}: {one.fault}")
def test_every_row_has_its_test(failure: Failure) -> None:
    path, _, name = failure.test.partition("::")
    assert re.search(rf"^(async )?def {name}\(", (failures.ROOT / path).read_text(), re.MULTILINE)
    assert failure.rows or failure.figure


def test_every_document_that_is_named_exists() -> None:
    for target in links(failures.DOCUMENT.read_text()):
        assert (failures.DOCUMENT.parent / target).exists(), target


def links(text: str) -> Iterator[str]:
    return (target for target in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in target)


def test_a_long_run_counts_more_than_a_short_one() -> None:
    [row, *_] = next(one.rows for one in FAILURES if one.rows)
    lines = [
        f'{{"row": "{row}", "fault_s": {s}, "soak": {soak}}}' for s, soak in ((3, "false"), (60, "true"))
    ]
    assert failures.learned({}, "\n".join(lines))[row]["fault_s"] == 60
    assert failures.learned({}, "\n".join(reversed(lines)))[row]["fault_s"] == 60
    assert "other" not in failures.learned({}, '{"row": "other", "soak": true}')
