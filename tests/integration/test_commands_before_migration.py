"""Commands on a database that has no tables yet, or not for whom they are given."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

import pytest
from typer.testing import CliRunner

from services.cli.main import app


@pytest.mark.parametrize("command", [["keys", "list"], ["rebuild"]])
def test_without_tables_the_next_step_is_said(
    command: list[str], empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    result = CliRunner().invoke(app, command)
    said = " ".join(result.stderr.split())
    assert result.exit_code == 1 and "does not exist; run `cxloop migrate` first." in said, result.output


@pytest.mark.parametrize("command", [["migrate"], ["keys", "list"], ["rebuild"]])
def test_a_database_that_is_not_there(
    command: list[str], empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = urlunsplit(urlsplit(empty_database_url)._replace(path="/not-there"))
    monkeypatch.setenv("DATABASE_URL", other)
    result = CliRunner().invoke(app, command)
    said = " ".join(result.stderr.split())
    assert result.exit_code == 1 and 'database "not-there" does not exist; check DATABASE_URL' in said, (
        result.output
    )
