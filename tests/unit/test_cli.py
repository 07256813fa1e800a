"""The parts of the command line that need no running instance."""

from __future__ import annotations

import base64
import json
import os
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.cli import show
from services.cli.home import Home, Run
from services.cli.main import app
from services.cli.supervisor import backoff_s, rotate
from services.cli.welcome import command_for, welcome

RUN = Run(
    ingest="http://127.0.0.1:8001",
    scoring="http://127.0.0.1:8002",
    alerts="http://127.0.0.1:8003",
    api_key="cxk_x",
    kafka="127.0.0.1:9092",
    database="postgresql://postgres@/postgres?host=/s",
)


def commands(group: object, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every command that exists, as the words to call it."""
    found = []
    for name, command in getattr(group, "commands", {}).items():
        found.append((*path, name))
        found += commands(command, (*path, name))
    return found


def every_command() -> list[tuple[str, ...]]:
    from typer.main import get_command

    return commands(get_command(app))


@pytest.mark.parametrize(
    ("failures", "wait_s"), [(0, 0.0), (1, 0.5), (2, 1.0), (3, 2.0), (6, 16.0), (7, 30.0), (500, 30.0)]
)
def test_a_service_that_keeps_dying_is_started_ever_more_rarely(failures: int, wait_s: float) -> None:
    assert backoff_s(failures) == wait_s


def test_a_log_that_grew_too_long_is_put_aside_while_it_is_written(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    with log.open("ab") as writer:
        writer.write(b"a" * 100)
        writer.flush()
        rotate(log, limit=1000)
        assert log.stat().st_size == 100
        rotate(log, limit=99)
        writer.write(b"b")
        writer.flush()
    assert log.read_bytes() == b"b"
    assert (tmp_path / "x.log.1").read_bytes() == b"a" * 100


def test_keys_are_kept_for_their_owner_alone(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert home.api_key() is None
    home.keep_api_key("cxk_1")
    home.keep_api_key("cxk_2")
    assert home.api_key() == "cxk_2"
    secret = home.secret_key()
    assert len(base64.b64decode(secret)) == 32
    assert Home(tmp_path).secret_key() == secret, "never replaced"
    home.write_run(RUN)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {"api.key": 0o600, "secret.key": 0o600, "run.json": 0o600}


def test_a_run_file_of_a_dead_instance_is_not_believed(tmp_path: Path) -> None:
    Home(tmp_path).write_run(RUN)
    assert Home(tmp_path).run() is None


@pytest.mark.parametrize("command", [["migrate"], ["keys", "list"], ["rebuild"]])
@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://me:hush@127.0.0.1:1/x", "PostgreSQL at 127.0.0.1 cannot be used: Connect call failed"),
        ("postgresql://me:hush@/x?host=/nowhere", "PostgreSQL at its socket cannot be used: No such file"),
        ("postgresql://me:hu/sh@db/x", "the port in a database URL is a number"),
        ("mysql://me:hush@db/x", "starts with postgresql://"),
    ],
)
def test_a_database_that_cannot_be_used(
    command: list[str], url: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("COLUMNS", "300")
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 1 and result.exception.__class__ is SystemExit
    assert said in result.stderr and "DATABASE_URL" in result.stderr and "sh@" not in result.output


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), ("", "-"), ([], "-"), (0, "0"), (0.123, "0.12"), (41.6, "42"), (["a", "b"], "a, b")],
)
def test_values_as_people_read_them(value: object, text: str) -> None:
    assert show.text(value) == text


def test_what_others_wrote_is_not_read_as_markup() -> None:
    assert show.plain("[red]x") == r"\[red]x"
    assert show.score({"value": None}) == "unknown"
    assert show.score({"value": 0.714, "band": "high"}, 2) == "0.71 [red]high[/red]"
    assert show.money(8_412_300) == "84.1 k"


def test_the_welcome_can_be_pasted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [str(Path.cwd() / ".venv/bin/cxloop")])
    command = command_for(tmp_path)
    assert command == f".venv/bin/cxloop --data-dir {tmp_path}"
    text = welcome(RUN, tmp_path, command, demo=True)
    event = json.loads(text.split("-d '")[1].split("'\n")[0].replace("\\[", "["))
    assert event["type"] == "cxloop.survey.answered.v1"
    assert event["data"]["identifiers"] == ["email:you@example.com"]
    assert "cxk_x" in text
    assert "127.0.0.1 are allowed" in text


@pytest.mark.parametrize("command", every_command(), ids=" ".join)
def test_every_command_has_help_with_an_example(command: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, [*command, "--help"])
    assert result.exit_code == 0
    group = len(command) == 1 and any(other[:1] == command and len(other) > 1 for other in every_command())
    assert group or "Example:" in result.output


def test_a_client_command_without_an_instance_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("CXLOOP_")]:
        monkeypatch.delenv(name)
    result = CliRunner().invoke(app, ["--data-dir", str(tmp_path), "customers", "list"])
    assert result.exit_code == 1
    assert "Start one with `cxloop up`" in " ".join(result.stderr.split())
    assert result.stdout == ""


def test_an_unknown_scope_is_named(tmp_path: Path) -> None:
    words = ["--data-dir", str(tmp_path), "keys", "create", "x", "--scope", "everything"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
    assert "ingest, read, act, admin, erase" in " ".join(result.stderr.split())
