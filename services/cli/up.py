"""`cxloop up`: everything on this machine, until Ctrl-C."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Annotated

import msgspec
import typer

from services.cli import show
from services.cli.options import target_of
from services.cli.steps import Steps
from services.cli.welcome import command_for, welcome
from services.cli.wishes import Wishes

TICK_S = 0.2


class Stop(BaseException):
    """The person or the system asked us to end; no error, and nothing on the way may swallow it."""


def up(
    context: typer.Context,
    data_dir: Annotated[
        Path | None, typer.Option(help="Where everything is kept.", show_default="per user")
    ] = None,
    port_base: Annotated[
        int, typer.Option(min=1, max=65_000, help="ingest has +1, scoring +2, alerts +3.")
    ] = 8000,
    demo: Annotated[bool, typer.Option(help="Load the demo company and its live traffic.")] = True,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON line when everything is ready.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option(help="Show the services' logs instead of keeping them in files.")
    ] = False,
) -> None:
    """Start everything: PostgreSQL, Apache Kafka, the three services, the demo company.

    With DATABASE_URL or KAFKA_BOOTSTRAP_SERVERS set, those are used instead of starting own ones.
    Ctrl-C ends it; a second start goes on with the same data.

    Example: cxloop up --data-dir ./data --port-base 9000 --no-demo
    """
    target = target_of(context)
    wishes = Wishes((data_dir or target.data_dir).absolute(), port_base, verbose)
    with _signals():
        _run(wishes, demo=demo, as_json=as_json)


def _run(wishes: Wishes, *, demo: bool, as_json: bool) -> None:
    with contextlib.suppress(Stop), Steps() as steps:
        steps("getting ready")
        from services.cli.instance import Instance  # the other commands need none of it

        instance = Instance(wishes, steps, _tell)
        try:
            run = instance.start()
            steps.close()
            command = command_for(wishes.data_dir)
            if as_json:
                show.as_json({"event": "ready", **msgspec.to_builtins(run)})
            else:
                show.out.print(welcome(run, wishes.data_dir, command, demo=demo), soft_wrap=True)
            if demo:
                instance.start_demo(run, command)
            while True:
                time.sleep(TICK_S)
                instance.tick()
        finally:
            _tell("stopping")
            instance.stop()


def _tell(sentence: str) -> None:
    show.err.print(f"cxloop: {sentence}", markup=False, soft_wrap=True)


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """Turn the first SIGINT, SIGTERM or SIGHUP into Stop; later ones cannot disturb the clean end."""
    asked = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if not asked:
            asked = True
            raise Stop

    wanted = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # ignored: started with nohup
        wanted.append(signal.SIGHUP)
    before = {number: signal.signal(number, stop) for number in wanted}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
